"""Makes the files in arrays/, and arrays/index.json, which says what is in them.

    python3 -m venv env && env/bin/pip install numpy==2.4.6 safetensors==0.8.0 ml_dtypes
    env/bin/python make_arrays.py

Each file is written by the format's own library, where it has one. index.json has for each tensor its type as we call
it, its shape and, of matrices of numbers, the numbers as text that Rust reads back to the bit; of ids, the ids.
"""

import json
import struct
from pathlib import Path

import ml_dtypes
import numpy as np
import safetensors
import safetensors.numpy

OUT = Path(__file__).parent / "arrays"
INDEX = {}


def numbers(array):
    return [repr(float(x)) for x in np.asarray(array).astype(np.float64).ravel(order="C")]


def entry(dtype, array, readable=None, ids=None):
    array = np.asarray(array)
    if readable is None:
        readable = array.ndim == 2 and array.shape[1] > 0 and array.dtype.kind in "fiu"
    made = {"dtype": dtype, "shape": list(array.shape), "values": numbers(array) if readable else None}
    if ids is not None:
        made["ids"] = ids
    return made


def matrix(dtype, rows=7, columns=5):
    """Numbers that every type holds as they are, their own sign and size where the type has them."""
    dtype = np.dtype(dtype)
    base = np.arange(rows * columns).reshape(rows, columns)
    if dtype.kind == "f":
        return ((base - 17) / 4).astype(dtype)
    if dtype.kind == "i":
        return (base * 3 - 50).astype(dtype)
    return (base * 3).astype(dtype)


def npy(name, array, dtype=None, version=None, **more):
    with open(OUT / name, "wb") as file:
        np.lib.format.write_array(file, array, version=version, allow_pickle=True)
    INDEX[name] = {"": entry(dtype or array.dtype.str, array, **more)}


def make_npy():
    for kind in ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]:
        for order, word in [("<", "le"), (">", "be")]:
            array = matrix(order + kind)
            npy(f"c_{word}_{kind}.npy", array)
            npy(f"f_{word}_{kind}.npy", np.asfortranarray(array))
    for version in [(1, 0), (2, 0), (3, 0)]:
        npy(f"version_{version[0]}.npy", matrix("<f4", 3, 4), version=version)
    big = np.array([[2**63 - 1, -(2**63)], [2**53 + 1, 0]], "<i8")
    npy("large_i8.npy", big)
    npy("large_u8.npy", np.array([[2**64 - 1], [2**53 + 3]], "<u8"))
    npy("no_rows.npy", np.zeros((0, 5), "<f4"))
    npy("one_row.npy", np.asfortranarray(matrix("<f4", 1, 5)))
    npy("one_column.npy", matrix("<f4", 5, 1))
    # What can't be read as vectors.
    npy("no_columns.npy", np.zeros((5, 0), "<f4"))
    npy("vector.npy", np.arange(4, dtype="<f4"))
    npy("cube.npy", np.zeros((2, 3, 4), "<f4"))
    npy("scalar.npy", np.float32(1.5))
    npy("bool.npy", np.ones((2, 3), bool))
    npy("complex.npy", np.ones((2, 3), "<c8"))
    npy("time.npy", np.zeros((2, 3), "<M8[us]"))
    npy("long_double.npy", np.ones((2, 3), np.longdouble), readable=False)
    npy("object.npy", np.array([[None, "x"]], object), dtype="|O")
    npy("record.npy", np.zeros(3, [("a", "<f4"), ("b", "<i8", (2,))]), dtype="record")
    # Ids.
    npy("ids_i8.npy", np.array([7, -1, 2**63 - 1, 2**53 + 1], "<i8"), ids=["7", "-1", str(2**63 - 1), str(2**53 + 1)])
    npy("ids_be.npy", np.array([1, 2**32 + 5, -9], ">i8"), ids=["1", str(2**32 + 5), "-9"])
    npy("ids_u8.npy", np.array([2**64 - 1, 0], "<u8"), ids=[str(2**64 - 1), "0"])
    npy("ids_column.npy", np.array([[4], [5]], "<i2"), ids=["4", "5"])
    words = ["", "a", "Zürich", "𝄞 clef"]
    npy("ids_le_u.npy", np.array(words, "<U7"), ids=words)
    npy("ids_be_u.npy", np.array(words, ">U7"), ids=words)
    npy("ids_s.npy", np.array([word.encode() for word in words], "S12"), ids=words)


# As safetensors, NumPy and ml_dtypes call it.
SAFETENSORS = [
    ("F64", "float64", "<f8"),
    ("F32", "float32", "<f4"),
    ("F16", "float16", "<f2"),
    ("BF16", "bfloat16", ml_dtypes.bfloat16),
    ("F8_E4M3", "float8_e4m3fn", ml_dtypes.float8_e4m3fn),
    ("F8_E5M2", "float8_e5m2", ml_dtypes.float8_e5m2),
    ("I64", "int64", "<i8"),
    ("I32", "int32", "<i4"),
    ("I16", "int16", "<i2"),
    ("I8", "int8", "<i1"),
    ("U64", "uint64", "<u8"),
    ("U32", "uint32", "<u4"),
    ("U16", "uint16", "<u2"),
    ("U8", "uint8", "<u1"),
]


def make_safetensors():
    tensors, index = {}, {}
    for name, theirs, kind in SAFETENSORS:
        array = matrix(kind) if isinstance(kind, str) else matrix("<f4").astype(kind)
        tensors[name.lower()] = {"dtype": theirs, "shape": list(array.shape), "array": array.view(np.uint8)}
        index[name.lower()] = entry(name, array, readable=True)
    # All that an 8-bit float can be, but for what isn't finite.
    for name, theirs, kind in SAFETENSORS[4:6]:
        array = np.arange(256, dtype=np.uint8).view(kind)
        array = array[np.isfinite(array.astype(np.float32))].reshape(-1, 2)
        tensors["all " + name] = {"dtype": theirs, "shape": list(array.shape), "array": array.view(np.uint8)}
        index["all " + name] = entry(name, array, readable=True)
    specs = {
        name: safetensors.TensorSpec(
            dtype=tensor["dtype"],
            shape=tensor["shape"],
            data_ptr=tensor["array"].ctypes.data,
            data_len=tensor["array"].nbytes,
        )
        for name, tensor in tensors.items()
    }
    safetensors.serialize_file(specs, str(OUT / "types.safetensors"), {"format": "np", "ü": "\"\\"})
    INDEX["types.safetensors"] = index

    arrays = {
        "embedding": matrix("<f4", 6, 8),
        "ids": np.array([10, 20, 30, 2**53 + 1, -5, 60], "<i8"),
        "cube": np.zeros((2, 2, 2), "<f4"),
        "none": np.zeros((0, 4), "<f4"),
        "scalar": np.array(1.0, "<f4"),
        "bool": np.ones((2, 2), bool),
    }
    safetensors.numpy.save_file(arrays, OUT / "ids.safetensors")
    dtypes = {"<f4": "F32", "<i8": "I64", "|b1": "BOOL"}
    INDEX["ids.safetensors"] = {
        name: entry(dtypes[array.dtype.str], array, ids=[str(x) for x in array] if name == "ids" else None)
        for name, array in arrays.items()
    }
    safetensors.numpy.save_file({}, OUT / "empty.safetensors")
    INDEX["empty.safetensors"] = {}


def make_npz():
    arrays = {
        "embedding": matrix("<f4", 6, 8),
        "columns": np.asfortranarray(matrix("<f2", 5, 3)),
        "ids": np.array([10, 20, 30, 2**53 + 1, -5, 60], "<i8"),
        "names": np.array(["a", "bb", "", "ü"], "<U2"),
        "object": np.array([[None]], object),
    }
    ids = {"ids": [str(x) for x in arrays["ids"]], "names": list(map(str, arrays["names"]))}
    for name, save in [("stored.npz", np.savez), ("deflated.npz", np.savez_compressed)]:
        # More than is inflated at a time.
        arrays["wide"] = matrix(">f8", 40 if save is np.savez_compressed else 2, 300)
        save(OUT / name, **arrays)
        INDEX[name] = {
            key: entry(array.dtype.str, array, ids=ids.get(key))
            for key, array in arrays.items()
        }
    for name, save in [("small_stored.npz", np.savez), ("small_deflated.npz", np.savez_compressed)]:
        save(OUT / name, v=arrays["embedding"], ids=arrays["ids"])
        INDEX[name] = {"v": entry("<f4", arrays["embedding"]), "ids": entry("<i8", arrays["ids"], ids=ids["ids"])}
    # 64 MB in 65 KB.
    np.savez_compressed(OUT / "zeros.npz", np.zeros((1_000_000, 64), "u1"))


def make_benchmarks():
    for name, kind, dtype in [("fvecs", "<f4", "f32"), ("bvecs", "<u1", "u8"), ("ivecs", "<i4", "i32")]:
        array = matrix(kind, 6, 5)
        rows = b"".join(struct.pack("<i", 5) + row.tobytes() for row in array)
        (OUT / f"six.{name}").write_bytes(rows)
        INDEX[f"six.{name}"] = {"": entry(dtype, array)}
    for name, kind, dtype in [("fbin", "<f4", "f32"), ("u8bin", "<u1", "u8"), ("i8bin", "<i1", "i8")]:
        array = matrix(kind, 6, 5)
        (OUT / f"six.{name}").write_bytes(struct.pack("<II", *array.shape) + array.tobytes())
        INDEX[f"six.{name}"] = {"": entry(dtype, array)}


OUT.mkdir(exist_ok=True)
for old in OUT.iterdir():
    old.unlink()
make_npy()
make_npz()
make_safetensors()
make_benchmarks()
lines = [f"{json.dumps(name)}: {json.dumps(tensors)}" for name, tensors in INDEX.items()]
(OUT / "index.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
