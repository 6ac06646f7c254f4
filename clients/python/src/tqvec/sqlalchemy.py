"""SQLAlchemy: the column type ``TQVEC``, known to reflection.

Values go in as lists, ``tqvec.Vector`` or NumPy arrays and come out as lists of floats: statements cast both ways, so
neither the driver nor ``tinyquant.output`` matters.
"""

from __future__ import annotations

from typing import Any
from typing import cast as cast_type

from sqlalchemy import ARRAY, REAL, Dialect, Float, cast, literal
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BindParameter, ColumnElement
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import UserDefinedType

from ._modifier import Modifier
from ._record import Record, from_text
from ._vector import Vector as _Floats

__all__ = ["TQVEC", "VECTOR", "Vector", "avg", "sum"]


def _floats(value: Any) -> list[float] | Record:
    """What a driver reads, whether it has been told of the type or not."""
    if isinstance(value, str):
        value = from_text(value)
    if isinstance(value, Record):
        return value
    return value.to_list() if isinstance(value, _Floats) else list(value)


class TQVEC(UserDefinedType[Any]):
    """A column ``tqvec(dim, bits, …)``; ``TQVEC(codec="docs")`` has what that codec has, ``TQVEC()`` takes anything."""

    cache_ok = True

    def __init__(
        self,
        dim: int | None = None,
        bits: int | None = 4,
        residual: bool = False,
        rotation: str | None = None,
        codec: str | None = None,
        normalize: bool = False,
    ) -> None:
        self.dim = dim
        self.bits = bits
        self.residual = residual
        self.rotation = rotation
        self.codec = codec
        self.normalize = normalize
        self._sql = Modifier(dim, bits if dim and not codec else None, residual, rotation, codec, normalize).sql()

    def get_col_spec(self, **_: Any) -> str:
        """The type in DDL."""
        return self._sql

    def bind_processor(self, dialect: Dialect) -> Any:
        """Vectors are bound as lists, which every driver knows as arrays."""
        return lambda value: None if value is None else _Floats(value).to_list()

    def literal_processor(self, dialect: Dialect) -> Any:
        """For ``literal_binds``."""
        return lambda value: f"'{_Floats(value).to_array_text()}'"

    def bind_expression(self, bindvalue: BindParameter[Any]) -> ColumnElement[Any]:
        """As ``real[]`` queries stay exact, and columns compress once."""
        return cast(bindvalue, ARRAY(REAL))

    def column_expression(self, colexpr: ColumnElement[Any]) -> ColumnElement[Any]:
        """Only the server has the codec."""
        return cast(colexpr, ARRAY(REAL))

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        """Lists of floats; a ``Record`` where a statement in plain text has read one."""
        return lambda value: None if value is None else _floats(value)

    class Comparator(UserDefinedType.Comparator[Any]):
        """Distances as pgvector's types name them, and equality with what the column would store."""

        def operate(self, op: Any, *other: Any, **kwargs: Any) -> Any:
            """Values to be compared by ``=`` are compressed first."""
            if op in (operators.eq, operators.ne) and not hasattr(other[0], "__clause_element__"):
                if other[0] is not None and not isinstance(other[0], ColumnElement):
                    other = (cast(literal(other[0], type_=self.type), self.type),)
            return super().operate(op, *other, **kwargs)

        def _distance(self, symbol: str, other: Any) -> ColumnElement[float]:
            return cast_type("ColumnElement[float]", self.op(symbol, return_type=Float)(other))

        def cosine_distance(self, other: Any, /) -> ColumnElement[float]:
            """``<=>``."""
            return self._distance("<=>", other)

        def l2_distance(self, other: Any, /) -> ColumnElement[float]:
            """``<->``."""
            return self._distance("<->", other)

        def max_inner_product(self, other: Any, /) -> ColumnElement[float]:
            """``<#>``, the negative inner product: the least is the nearest."""
            return self._distance("<#>", other)

        def l1_distance(self, other: Any, /) -> ColumnElement[float]:
            """``<+>``."""
            return self._distance("<+>", other)

    comparator_factory = Comparator


# pgvector's names of its type.
VECTOR = Vector = TQVEC


class avg(GenericFunction[Any]):
    """The mean of the decompressed vectors, a list of floats."""

    type = ARRAY(REAL)
    inherit_cache = True
    package = "tqvec"


class sum(GenericFunction[Any]):
    """The sum of the decompressed vectors, a list of floats."""

    type = ARRAY(REAL)
    inherit_cache = True
    package = "tqvec"


def _reflected(*words: object) -> TQVEC:
    found = Modifier.parse(words)
    bits = found.bits if found.dimension else 4  # what says no dimension says no width either
    return TQVEC(found.dimension, bits, found.residual, found.rotation, found.codec, found.normalize)


ischema_names["tqvec"] = _reflected  # type: ignore[assignment]
