"""pg8000: ``register_vector(connection)``, of ``pg8000.native`` and ``pg8000.dbapi``.

Afterwards a ``Vector`` or a NumPy array of one dimension may be a parameter, and a column of ``tqvec`` is read as
``Vector``. With ``CAST(:v AS real[])`` the query stays exact.
"""

from __future__ import annotations

from typing import Any

from . import _output
from ._output import Output
from ._record import Record, from_text
from ._vector import Vector

__all__ = ["register_vector"]


def _run(conn: Any, sql: str) -> Any:
    """The only row of a statement, if any; its transaction ends if it was the first in it."""
    if hasattr(conn, "run"):
        rows = conn.run(sql)
        return rows[0] if rows else None
    was_idle = not conn.autocommit and not conn._in_transaction
    cursor = conn.cursor()
    cursor.execute(sql)
    row = cursor.fetchone() if cursor.description else None
    if was_idle:
        conn.commit()
    return row


def register_vector(conn: Any, /, *, output: Output | None = "floats", schema: str | None = None) -> None:
    """Makes a connection know ``tqvec``.

    ``output`` is what the session's ``tinyquant.output`` is set to: floats, so that a column is read as ``Vector``,
    which is what users of pgvector expect; ``record`` reads ``Record``, and None leaves the setting as it is.
    """
    name = _output.type_name(schema).replace("'", "''")
    (oid,) = _run(conn, f"SELECT pg_catalog.to_regtype('{name}')::oid::bigint")
    if oid is None:
        raise ValueError(_output.NOT_FOUND)
    if output is not None:
        _run(conn, _output.statement(output))
    conn.register_in_adapter(oid, from_text)
    conn.register_out_adapter(Vector, Vector.to_array_text)
    conn.register_out_adapter(Record, Record.to_text)
    try:
        import numpy as np
    except ImportError:
        return
    conn.register_out_adapter(np.ndarray, lambda value: Vector(value).to_array_text())
