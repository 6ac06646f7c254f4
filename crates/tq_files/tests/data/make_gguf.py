"""Makes the files in gguf/, and gguf/index.json, which says what is in them, as make_arrays.py does.

    python3 -m venv env && env/bin/pip install numpy==2.4.6 gguf==0.19.0
    env/bin/python make_gguf.py

The package's own writer writes them, and its own functions quantise and dequantise.
"""

import json
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

OUT = Path(__file__).parent / "gguf"
INDEX = {}
# Of those that the package can make, one is read no more than the others.
BLOCKS = [Type.Q8_0, Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.TQ1_0, Type.TQ2_0]
READ = ["F64", "F32", "F16", "BF16", "I8", "I16", "I32", "I64", "Q8_0", "Q4_0"]


def numbers(array):
    return [repr(float(x)) for x in np.asarray(array).astype(np.float64).ravel(order="C")]


def matrix(rows=3, columns=8):
    return ((np.arange(rows * columns).reshape(rows, columns) - 17) / 4).astype("<f4")


class File:
    def __init__(self, name, version=3, endian=gguf.GGUFEndian.LITTLE, alignment=None):
        self.name, self.version, self.index = name, version, {}
        self.writer = gguf.GGUFWriter(OUT / name, "test", endianess=endian)
        self.big = endian == gguf.GGUFEndian.BIG
        if alignment:
            self.writer.add_custom_alignment(alignment)

    def add(self, name, array, kind=None, ids=False):
        kind = kind or {"f": "F", "i": "I"}[array.dtype.kind] + str(8 * array.itemsize)
        values = array
        if isinstance(kind, Type):
            packed = gguf.quantize(array, kind)
            values = gguf.dequantize(packed, kind)
            if kind == Type.BF16:
                # Two bytes a number for the package, which would not turn them round.
                packed = packed.view(np.uint8)
                if self.big:
                    packed = packed.reshape(-1, 2)[:, ::-1].reshape(packed.shape).copy()
            self.writer.add_tensor(name, packed, raw_dtype=kind)
            kind = kind.name
        else:
            self.writer.add_tensor(name, array)
        shape = list(array.shape)
        packed = self.big and kind in ("Q8_0", "Q4_0")
        readable = len(shape) == 2 and kind in READ and not packed
        self.index[name] = {"dtype": kind, "shape": shape, "values": numbers(values) if readable else None}
        if ids:
            self.index[name]["ids"] = [str(x) for x in array]

    def write(self):
        self.writer.write_header_to_file()
        self.writer.write_kv_data_to_file()
        self.writer.write_tensors_to_file()
        self.writer.close()
        if self.version != 3:
            path = OUT / self.name
            data = bytearray(path.read_bytes())
            data[4] = self.version
            path.write_bytes(data)
        INDEX[self.name] = self.index


def make(name, **options):
    file = File(name, **options)
    file.writer.add_uint8("pair.u8", 1)
    file.writer.add_int16("pair.i16", -1)
    file.writer.add_float64("pair.f64", 0.5)
    file.writer.add_bool("pair.bool", True)
    file.writer.add_string("pair.string", "Zürich")
    file.writer.add_array("pair.numbers", [1, 2, 3])
    file.writer.add_array("pair.strings", ["a", "", "bcd"])
    for kind in ["<f8", "<f4", "<f2"]:
        file.add("t." + kind[1:], matrix().astype(kind))
    for kind in ["<i1", "<i2", "<i4", "<i8"]:
        file.add("t." + kind[1:], (np.arange(24).reshape(3, 8) * 3 - 50).astype(kind))
    file.add("t.bf16", matrix(), Type.BF16)
    file.add("t.large", np.array([[2**63 - 1, -(2**63)], [2**53 + 1, 0]], "<i8"))
    file.add("ids", np.array([10, 20, 2**53 + 1, -5], "<i8"), ids=True)
    for name in ("bias", "cube"):
        file.add(name, np.zeros((4,) if name == "bias" else (2, 3, 4), "<f4"))
    rng = np.random.default_rng(7)
    for kind in BLOCKS:
        size = gguf.GGML_QUANT_SIZES[kind][0]
        # More than one block a row, or one if they are long.
        file.add("t." + kind.name, rng.standard_normal((3, 64 if size == 32 else size)).astype("<f4"), kind)
    file.write()


def small(name, kind, **options):
    file = File(name, **options)
    file.add("embedding", np.random.default_rng(1).standard_normal((6, 32)).astype("<f4"), kind)
    file.add("ids", np.array([10, 20, 30, 2**53 + 1, -5, 60], "<i8"), ids=True)
    file.write()


OUT.mkdir(exist_ok=True)
for old in OUT.iterdir():
    old.unlink()
make("types.gguf")
make("types_v2.gguf", version=2)
make("types_be.gguf", endian=gguf.GGUFEndian.BIG)
small("small_f32.gguf", None)
small("small_q8.gguf", Type.Q8_0, alignment=64)
small("small_q4.gguf", Type.Q4_0)
empty = File("empty.gguf")
empty.add("none", np.zeros((0, 4), "<f4"))
empty.write()
lines = [f"{json.dumps(name)}: {json.dumps(tensors)}" for name, tensors in INDEX.items()]
(OUT / "index.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
