"""Alembic: what ``env.py`` gives to ``context.configure``, so that autogenerate sees all of a column's type.

::

    from tqvec.alembic import compare_type, render_item
    context.configure(…, compare_type=compare_type, render_item=render_item)

Without them Alembic compares types that have as many words, and a migration's import of ``tqvec.sqlalchemy`` is to be
written by hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from .sqlalchemy import TQVEC

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.runtime.migration import MigrationContext

__all__ = ["compare_type", "render_item"]


def compare_type(
    context: MigrationContext, inspected_column: Any, metadata_column: Any, inspected_type: Any, metadata_type: Any
) -> bool | None:
    """Whether a column of the model differs from the database's; None leaves other types to Alembic."""
    if not isinstance(inspected_type, TQVEC) or not isinstance(metadata_type, TQVEC):
        return None
    ours, theirs = metadata_type.get_col_spec(), inspected_type.get_col_spec()
    if ours == theirs or metadata_type.codec is None or inspected_type.codec is None or context.connection is None:
        return ours != theirs
    # The catalogue shows a codec by its hash, a model by its name: the server knows both.
    return metadata_type.normalize != inspected_type.normalize or _shown(
        context.connection, metadata_type.codec
    ) != _shown(context.connection, inspected_type.codec)


def _shown(connection: Connection, codec: str) -> Any:
    """How the catalogue shows a codec; itself if the database has none of that name."""
    statement = text("SELECT tqvec_typmod_out(tqvec_typmod_in(ARRAY[CAST(:codec AS cstring)]))::text")
    try:
        with connection.begin_nested():
            return connection.scalar(statement, {"codec": codec})
    except DBAPIError:
        return codec


def render_item(type_: str, obj: Any, autogen_context: AutogenContext) -> str | bool:
    """Writes the type into a migration, with its import; False leaves all else to Alembic."""
    if type_ != "type" or not isinstance(obj, TQVEC):
        return False
    autogen_context.imports.add("import tqvec.sqlalchemy")
    return f"tqvec.sqlalchemy.{obj!r}"
