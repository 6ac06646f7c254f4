"""A vector of single-precision floats, and the forms that PostgreSQL reads and writes it in."""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

FLOAT4_OID, FLOAT4_ARRAY_OID = 700, 1021
_LITTLE = sys.byteorder == "little"


class Vector:
    """A vector of floats: of a list, a NumPy array of one dimension, another Vector, or any iterable of numbers."""

    __slots__ = ("_value",)
    _value: array[float]

    def __init__(self, value: Iterable[float] | npt.NDArray[Any], /) -> None:
        if isinstance(value, Vector):
            self._value = value._value
        elif hasattr(value, "ndim") and hasattr(value, "astype"):  # NumPy's, without importing it
            if value.ndim != 1:
                raise ValueError(f"a vector has one dimension, this array has {value.ndim}")
            self._value = array("f", value.astype("f4").tobytes())
        elif isinstance(value, str | bytes):
            raise ValueError("text is no vector: use Vector.from_text or Vector.from_binary")
        else:
            try:
                # pgvector's types aren't iterable.
                self._value = array("f", value.to_list() if hasattr(value, "to_list") else value)
            except TypeError:
                raise ValueError(f"a vector is made of numbers, not of {type(value).__name__}") from None

    @classmethod
    def from_text(cls, text: str, /) -> Vector:
        """Reads ``[0.1,0.2]``, or PostgreSQL's array ``{0.1,0.2}``."""
        inner = text.strip()
        if inner[:1] + inner[-1:] not in ("[]", "{}"):
            raise ValueError(f"no vector: {text[:20]!r}")
        return cls(map(float, inner[1:-1].split(",")) if inner[1:-1].strip() else ())

    @classmethod
    def from_binary(cls, data: bytes | bytearray | memoryview, /) -> Vector:
        """Reads the binary form of pgvector's ``vector``."""
        dimensions, unused = struct.unpack_from(">HH", data)
        if len(data) != 4 + 4 * dimensions or unused:
            raise ValueError("not the binary form of a vector")
        return cls._of_bytes(bytes(data[4:]), _LITTLE)

    @classmethod
    def _of_bytes(cls, data: bytes, swap: bool) -> Vector:
        vector = cls.__new__(cls)
        vector._value = array("f", data)
        if swap:
            vector._value.byteswap()
        return vector

    def dimensions(self) -> int:
        """The number of dimensions."""
        return len(self._value)

    def to_list(self) -> list[float]:
        """The floats, as a list."""
        return self._value.tolist()

    def to_numpy(self) -> npt.NDArray[np.float32]:
        """The floats, as a NumPy array that is the caller's own."""
        import numpy as np

        return np.array(self._value, dtype=np.float32)

    def to_text(self) -> str:
        """``[0.1,0.2]``, with as many digits as single precision has."""
        return f"[{self._digits()}]"

    def to_binary(self) -> bytes:
        """The binary form of pgvector's ``vector``, which ``tqvec`` reads as well."""
        return struct.pack(">HH", len(self._value), 0) + self._big_endian()

    def to_array_text(self) -> str:
        """The text of a ``real[]``, ``{0.1,0.2}``."""
        return f"{{{self._digits()}}}"

    def to_array_binary(self) -> bytes:
        """The binary form of a ``real[]``."""
        count = len(self._value)
        if not count:
            return struct.pack(">iii", 0, 0, FLOAT4_OID)
        # Each element follows its own length.
        words = array("I", [4]) * (2 * count)
        words[1::2] = array("I", self._value.tobytes())
        if _LITTLE:
            words.byteswap()
        return struct.pack(">iiiii", 1, 0, FLOAT4_OID, count, 1) + words.tobytes()

    def _digits(self) -> str:
        return ",".join([f"{x:.9g}" for x in self._value])

    def _big_endian(self) -> bytes:
        copy = self._value[:]
        if _LITTLE:
            copy.byteswap()
        return copy.tobytes()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """What makes ``numpy.asarray(vector)`` work."""
        if copy is False:
            raise ValueError("a Vector can't be shown as an array without a copy")
        array_ = self.to_numpy()
        return array_ if dtype is None else array_.astype(dtype)

    def __len__(self) -> int:
        return len(self._value)

    def __iter__(self) -> Iterator[float]:
        return iter(self._value)

    def __getitem__(self, index: int) -> float:
        return self._value[index]

    def __eq__(self, other: object, /) -> bool:
        return self._value == other._value if isinstance(other, Vector) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._value.tobytes())

    def __repr__(self) -> str:
        return f"Vector({self.to_list()})"
