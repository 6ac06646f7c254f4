"""psycopg2: ``register_vector(connection)``.

Afterwards a ``Vector`` or a NumPy array of one dimension may be a parameter, and a column of ``tqvec`` is read as
``Vector``. Parameters are written as ``'{…}'::real[]``: as queries they stay exact, and a column compresses them once.
"""

from __future__ import annotations

from typing import Any

import psycopg2
from psycopg2.extensions import (
    TRANSACTION_STATUS_IDLE,
    cursor,
    new_array_type,
    new_type,
    register_adapter,
    register_type,
)

from . import _output
from ._output import Output
from ._record import Record, from_text
from ._vector import Vector

__all__ = ["register_vector"]


class _VectorAdapter:
    def __init__(self, value: Any) -> None:
        self._text = Vector(value).to_array_text()

    def getquoted(self) -> bytes:
        return f"'{self._text}'::real[]".encode()


class _RecordAdapter:
    def __init__(self, value: Record) -> None:
        self._text = value.to_text()

    def getquoted(self) -> bytes:
        # In an E'' string, so that standard_conforming_strings doesn't matter.
        return f" E'\\{self._text}'".encode()


def _load(value: str | None, cur: Any) -> Vector | Record | None:
    return None if value is None else from_text(value)


def register_vector(
    conn_or_curs: Any,
    /,
    *,
    globally: bool = False,
    arrays: bool = True,
    output: Output | None = "floats",
    schema: str | None = None,
) -> None:
    """Makes a connection, a cursor or (``globally``) all connections know ``tqvec``.

    ``output`` is what this session's ``tinyquant.output`` is set to: floats, so that a column is read as ``Vector``,
    which is what users of pgvector expect; ``record`` reads ``Record``, and None leaves the setting as it is. The
    adapters of ``Vector`` and of NumPy's arrays are always those of all connections.
    """
    conn = getattr(conn_or_curs, "connection", conn_or_curs)
    was_idle = not conn.autocommit and conn.get_transaction_status() == TRANSACTION_STATUS_IDLE
    name = _output.type_name(schema)
    with conn.cursor(cursor_factory=cursor) as cur:
        cur.execute("SELECT oid, typarray FROM pg_catalog.pg_type WHERE oid = pg_catalog.to_regtype(%s)", (name,))
        found = cur.fetchone()
        if found is None:
            raise psycopg2.ProgrammingError(_output.NOT_FOUND)
        if output is not None:
            cur.execute(_output.statement(output))
    if was_idle:
        conn.commit()
    scope = None if globally else conn_or_curs
    typecaster = new_type((found[0],), "TQVEC", _load)
    register_type(typecaster, scope)
    if arrays:
        register_type(new_array_type((found[1],), "TQVECARRAY", typecaster), scope)
    register_adapter(Vector, _VectorAdapter)
    register_adapter(Record, _RecordAdapter)
    try:
        import numpy as np
    except ImportError:
        return
    register_adapter(np.ndarray, _VectorAdapter)
