"""Vector and Record by themselves."""

import struct

import numpy as np
import pytest

from tqvec import Record, Vector
from tqvec._modifier import Modifier

try:
    from pgvector import Vector as PgvectorsVector
except ImportError:  # before 0.4
    from pgvector.psycopg import Vector as PgvectorsVector


@pytest.mark.parametrize(
    "given",
    [
        [0.5, -1, 0.25],
        (0.5, -1.0, 0.25),
        np.array([0.5, -1, 0.25]),
        np.array([0.5, -1, 0.25], dtype=">f4"),
        np.array([0.5, 9, -1, 9, 0.25, 9], dtype=np.float16)[::2],
        Vector([0.5, -1, 0.25]),
        (x for x in (0.5, -1.0, 0.25)),
        PgvectorsVector([0.5, -1, 0.25]),
    ],
)
def test_vector_of_anything(given):
    vector = Vector(given)
    assert vector.to_list() == [0.5, -1.0, 0.25]
    assert vector == Vector([0.5, -1, 0.25]) and hash(vector) == hash(Vector([0.5, -1, 0.25]))
    assert (vector.dimensions(), len(vector), vector[1]) == (3, 3, -1.0)
    assert vector.to_text() == "[0.5,-1,0.25]"
    assert vector.to_array_text() == "{0.5,-1,0.25}"
    assert vector.to_binary() == struct.pack(">hhfff", 3, 0, 0.5, -1, 0.25)
    assert vector.to_array_binary() == struct.pack(">5i" + 3 * "if", 1, 0, 700, 3, 1, 4, 0.5, 4, -1, 4, 0.25)
    assert vector.to_numpy().dtype == np.float32
    assert np.asarray(vector).tolist() == [0.5, -1.0, 0.25]


def test_single_precision_survives_each_form():
    floats = np.random.default_rng(1).normal(size=1000).astype(np.float32)
    vector = Vector(floats)
    assert Vector.from_text(vector.to_text()) == vector
    assert Vector.from_text(vector.to_array_text()) == vector
    assert Vector.from_binary(vector.to_binary()) == vector
    assert vector.to_numpy().tolist() == floats.tolist()


@pytest.mark.parametrize("given", [[[0.5]], np.zeros((2, 2)), "[0.5]", b"[0.5]", ["a"], [None], 3])
def test_vector_refuses(given):
    with pytest.raises(ValueError):
        Vector(given)


@pytest.mark.parametrize("text", ["", "0.5", "[0.5", "[a]", "[0.5,]", "\\x01"])
def test_text_that_is_no_vector(text):
    with pytest.raises(ValueError):
        Vector.from_text(text)


@pytest.mark.parametrize("data", [b"\0\1\0\0", b"\0\1\0\1\0\0\0\0", b"\0\1\0\0\0\0\0\0\0"])
def test_bytes_that_are_no_vector(data):
    with pytest.raises(ValueError):
        Vector.from_binary(data)


def record(dimension=3, bits=4, residual=False):
    codes = bytes(i % 251 for i in range((dimension * bits + 7) // 8))
    tail = b"\1" + struct.pack("<I", 2 * dimension) + bytes(2 * dimension) if residual else b"\0"
    return b"\1" + b"ab" * 32 + struct.pack("<IB", dimension, bits) + codes + tail


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize(("dimension", "bits"), [(3, 2), (3, 4), (384, 8)])
def test_record(dimension, bits, residual):
    data = record(dimension, bits, residual)
    found = Record(data)
    assert (found.config_hash, found.dimension, found.bit_width) == ("ab" * 32, dimension, bits)
    assert (found.has_residual, found.to_binary(), bytes(found)) == (residual, data, data)
    assert found.codes == data[70 : 70 + (dimension * bits + 7) // 8]
    assert Record.from_text(found.to_text()) == found and hash(Record(data)) == hash(found)


@pytest.mark.parametrize(
    "data", [b"", record()[:-1], record() + b"\0", b"\2" + record()[1:], record(bits=3), record(residual=True)[:-1]]
)
def test_bytes_that_are_no_record(data):
    with pytest.raises(ValueError):
        Record(data)


@pytest.mark.parametrize(
    ("modifier", "sql"),
    [
        (Modifier(), "tqvec"),
        (Modifier(384), "tqvec(384)"),
        (Modifier(384, 4), "tqvec(384, 4)"),
        (Modifier(384, rotation="haar", normalize=True), "tqvec(384, haar, normalize)"),
        (Modifier(384, 8, True, "hadamard", None, True), "tqvec(384, 8, residual, hadamard, normalize)"),
        (Modifier(codec="o'docs"), "tqvec('o''docs')"),
        (Modifier(384, 4, codec="docs", normalize=True), "tqvec('docs', normalize)"),
    ],
)
def test_modifier(modifier, sql):
    assert modifier.sql() == sql
    if modifier.codec is None:
        assert Modifier.parse(tuple(sql[6:-1].split(",")) if "(" in sql else ()) == modifier


@pytest.mark.parametrize(
    "words",
    [
        {"dimension": 0},
        {"dimension": 20000},
        {"dimension": 384, "bits": 3},
        {"dimension": 384, "residual": True},
        {"dimension": 384, "rotation": "fourier"},
        {"normalize": True},
        {"codec": "docs", "rotation": "haar"},
    ],
)
def test_modifier_refuses(words):
    with pytest.raises(ValueError):
        Modifier(**words)
