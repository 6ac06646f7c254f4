"""The migration that makes the extension."""

from django.contrib.postgres.operations import CreateExtension


class TinyquantExtension(CreateExtension):
    """``CREATE EXTENSION tinyquant``, for a migration's operations."""

    def __init__(self) -> None:
        super().__init__("tinyquant")
