"""asyncpg: ``await register_vector(connection)``.

Afterwards a parameter of type ``tqvec`` may be a ``Vector``, a NumPy array, a list of floats, a ``Record`` or text, and
a column of ``tqvec`` is read as ``Vector``. With ``$1::real[]`` the query stays exact; a ``Vector`` works there too.
"""

from __future__ import annotations

from typing import Any, Literal

from . import _output
from ._output import Output
from ._record import Record, from_text
from ._vector import Vector

__all__ = ["register_vector"]

_SCHEMA = """SELECT n.nspname FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE t.oid = pg_catalog.to_regtype($1)"""


def _encode_text(value: Any) -> str:
    if isinstance(value, str):  # what SQLAlchemy's and others' types have made of a vector already
        return value
    return (value if isinstance(value, Record) else Vector(value)).to_text()


def _encode_binary(value: Any) -> bytes:
    if isinstance(value, str):
        value = from_text(value)
    return (value if isinstance(value, Record) else Vector(value)).to_binary()


async def register_vector(
    conn: Any,
    /,
    *,
    schema: str | None = None,
    output: Output | None = "floats",
    format: Literal["text", "binary"] = "text",
) -> None:
    """Makes a connection know ``tqvec``.

    ``output`` is what the session's ``tinyquant.output`` is set to: floats, so that a column is read as ``Vector``,
    which is what users of pgvector expect; ``record`` reads ``Record``, and None leaves the setting as it is. Pools
    reset it whenever a connection comes back: give them ``server_settings={"tinyquant.output": "floats"}`` as well.

    ``format="binary"`` is for ``copy_records_to_table``, which knows nothing else; a column is read as ``Record`` then.
    ``schema`` is the extension's, if it isn't on the search path.
    """
    found = await conn.fetchval(_SCHEMA, _output.type_name(schema))
    if found is None:
        raise ValueError(_output.NOT_FOUND)
    if format == "binary":
        await conn.set_type_codec("tqvec", schema=found, encoder=_encode_binary, decoder=Record, format="binary")
    else:
        await conn.set_type_codec("tqvec", schema=found, encoder=_encode_text, decoder=from_text, format="text")
    if output is not None:
        await conn.execute(_output.statement(output))
