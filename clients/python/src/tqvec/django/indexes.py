"""The index ``USING tinyquant``."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.indexes import PostgresIndex


class TinyquantIndex(PostgresIndex):
    """An index of one column: ``opclasses`` is ``tqvec_cosine_ops``, ``tqvec_l2_ops`` or ``tqvec_ip_ops``."""

    suffix = "tinyquant"

    def __init__(self, *expressions: Any, refine: str | None = None, **kwargs: Any) -> None:
        if refine not in (None, "index", "table"):
            raise ValueError(f"refine is index or table, not {refine!r}")
        self.refine = refine
        super().__init__(*expressions, **kwargs)

    def deconstruct(self) -> tuple[str, Any, dict[str, Any]]:
        """For migrations."""
        path, expressions, kwargs = super().deconstruct()
        if self.refine is not None:
            kwargs["refine"] = self.refine
        return path, expressions, kwargs

    def get_with_params(self) -> list[str]:
        """The storage parameters."""
        return [] if self.refine is None else [f"refine = {self.refine}"]
