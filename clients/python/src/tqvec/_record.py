"""A compressed vector: the bytes that a column holds, and what their header says."""

from __future__ import annotations

import struct

from ._vector import Vector

_HEADER, _HASH, _RESIDUAL_LENGTH = 70, 64, 4


class Record:
    """A TinyQuant record. Only the server knows its codec, so floats come of it by ``embedding::real[]`` there."""

    __slots__ = ("_data",)
    _data: bytes

    def __init__(self, data: bytes | bytearray | memoryview, /) -> None:
        data = bytes(data)
        if len(data) < _HEADER + 1 or data[0] != 1:
            raise ValueError("not a tqvec record")
        self._data = data
        codes_end = _HEADER + (self.dimension * self.bit_width + 7) // 8
        if self.bit_width not in (2, 4, 8) or len(data) <= codes_end or data[codes_end] > 1:
            raise ValueError("not a tqvec record")
        residual = _RESIDUAL_LENGTH + 2 * self.dimension if data[codes_end] else 0
        if len(data) != codes_end + 1 + residual:
            raise ValueError(f"a tqvec record of {len(data)} bytes should have {codes_end + 1 + residual}")

    @classmethod
    def from_text(cls, text: str, /) -> Record:
        r"""Reads ``\x…``, which is what the server prints while ``tinyquant.output`` is ``record``."""
        if not text.startswith("\\x"):
            raise ValueError(f"no tqvec record: {text[:20]!r}")
        return cls(bytes.fromhex(text[2:]))

    @property
    def config_hash(self) -> str:
        """The hash of the record's codec."""
        return self._data[1 : 1 + _HASH].decode("ascii")

    @property
    def dimension(self) -> int:
        """The number of dimensions."""
        return int(struct.unpack_from("<I", self._data, 1 + _HASH)[0])

    @property
    def bit_width(self) -> int:
        """Bits a dimension: 2, 4 or 8."""
        return self._data[_HEADER - 1]

    @property
    def has_residual(self) -> bool:
        """Whether there is an FP16 residual behind the codes."""
        return self._data[_HEADER + len(self.codes)] == 1

    @property
    def codes(self) -> bytes:
        """The codes as they are packed, lowest bits first."""
        return self._data[_HEADER : _HEADER + (self.dimension * self.bit_width + 7) // 8]

    def to_text(self) -> str:
        r"""``\x…``, which the server reads."""
        return "\\x" + self._data.hex()

    def to_binary(self) -> bytes:
        """The bytes of the record."""
        return self._data

    def __bytes__(self) -> bytes:
        return self._data

    def __eq__(self, other: object, /) -> bool:
        return self._data == other._data if isinstance(other, Record) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._data)

    def __repr__(self) -> str:
        residual = ", residual" if self.has_residual else ""
        return f"<Record of {self.dimension} dimensions, {self.bit_width} bits{residual}, codec {self.config_hash[:7]}>"


def from_text(text: str) -> Vector | Record:
    """What a column prints: floats or a record, as ``tinyquant.output`` says."""
    return Record.from_text(text) if text.startswith("\\x") else Vector.from_text(text)
