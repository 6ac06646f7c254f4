"""psycopg 3: ``register_vector(connection)``, or ``await register_vector_async(connection)``.

Afterwards a ``Vector`` or a NumPy array of one dimension may be a parameter, and a column of ``tqvec`` is read as
``Vector``. Parameters are sent as ``real[]``: as queries they stay exact, and a column compresses them once.
"""

from __future__ import annotations

from typing import Any, cast

import psycopg
from psycopg import AsyncConnection, BaseConnection, Connection
from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import Dumper, Loader
from psycopg.pq import Format
from psycopg.types import TypeInfo

from . import _output
from ._output import Output
from ._record import Record, from_text
from ._vector import FLOAT4_ARRAY_OID, Vector

__all__ = ["register_vector", "register_vector_async"]


class _ArrayDumper(Dumper):
    """A vector as ``real[]``."""

    def __init__(self, cls: type, context: AdaptContext | None = None) -> None:
        super().__init__(cls, context)
        # Of the instance, not of the class: psycopg's own dumper stays what COPY takes for real[].
        self.oid = FLOAT4_ARRAY_OID

    def dump(self, obj: Any) -> Buffer | None:
        return Vector(obj).to_array_text().encode()


class _ArrayBinaryDumper(_ArrayDumper):
    format = Format.BINARY

    def dump(self, obj: Any) -> Buffer | None:
        return Vector(obj).to_array_binary()


class _TypedDumper(Dumper):
    """A vector or a record as ``tqvec``: where the type is said, as by ``copy.set_types(["tqvec"])``."""

    def dump(self, obj: Any) -> Buffer | None:
        value = obj if isinstance(obj, Record) else Vector(obj)
        return value.to_text().encode()


class _TypedBinaryDumper(_TypedDumper):
    format = Format.BINARY

    def dump(self, obj: Any) -> Buffer | None:
        value = obj if isinstance(obj, Record) else Vector(obj)
        return value.to_binary()


class _TextLoader(Loader):
    def load(self, data: Buffer) -> Vector | Record:
        return from_text(bytes(data).decode())


class _BinaryLoader(Loader):
    format = Format.BINARY

    def load(self, data: Buffer) -> Record:
        return Record(bytes(data))


def _register(context: BaseConnection[Any], info: TypeInfo | None) -> None:
    if info is None:
        raise psycopg.ProgrammingError(_output.NOT_FOUND)
    info.register(context)
    adapters = context.adapters
    typed: list[type[Dumper]] = [
        cast("type[Dumper]", type(base.__name__, (base,), {"oid": info.oid}))
        for base in (_TypedDumper, _TypedBinaryDumper)
    ]
    for dumper in typed:
        adapters.register_dumper(None, dumper)
        adapters.register_dumper(Record, dumper)
    # The one registered last is what %s takes: binary, which is the shorter.
    for cls in (Vector, "numpy.ndarray"):
        adapters.register_dumper(cls, _ArrayDumper)
        adapters.register_dumper(cls, _ArrayBinaryDumper)
    adapters.register_loader(info.oid, _TextLoader)
    adapters.register_loader(info.oid, _BinaryLoader)


def register_vector(
    context: Connection[Any], /, *, output: Output | None = "floats", schema: str | None = None
) -> None:
    """Makes a connection know ``tqvec``.

    ``output`` is what the session's ``tinyquant.output`` is set to: floats, so that a column is read as ``Vector``,
    which is what users of pgvector expect; ``record`` reads ``Record``, and None leaves the setting as it is. A
    connection that is within a transaction loses the setting if that is rolled back. ``schema`` is the extension's, if
    it isn't on the search path. Binary cursors read ``Record`` whatever is set.
    """
    _register(context, TypeInfo.fetch(context, _output.type_name(schema)))
    if output is not None:
        with context.transaction():
            context.execute(_output.statement(output).encode())


async def register_vector_async(
    context: AsyncConnection[Any], /, *, output: Output | None = "floats", schema: str | None = None
) -> None:
    """Does for an asynchronous connection what ``register_vector`` does."""
    _register(context, await TypeInfo.fetch(context, _output.type_name(schema)))
    if output is not None:
        async with context.transaction():
            await context.execute(_output.statement(output).encode())
