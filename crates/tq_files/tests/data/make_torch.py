"""Makes the files in torch/, and torch/index.json, which says what is in them, as make_arrays.py does.

    python3 -m venv env && env/bin/pip install numpy==2.4.6 ml_dtypes
    env/bin/python make_torch.py

PyTorch itself has no part in it: it is too large to be installed for some small files. Modules of its names stand in for it,
whose tensors are pickled by Python's own pickler, with the functions and arguments that torch.save of version 2 names; and the
archive is put together as its writer does, with aligned entries whose sizes stand behind them, and an end of ZIP64.
"""

import collections
import io
import json
import pickle
import struct
import sys
import types
import zipfile
import zlib
from pathlib import Path

import ml_dtypes
import numpy as np

OUT = Path(__file__).parent / "torch"
INDEX = {}


def module(name):
    made = sys.modules[name] = types.ModuleType(name)
    return made


torch, utils, storages = module("torch"), module("torch._utils"), module("torch.storage")


def function(name):
    def rebuild(*arguments):
        return arguments

    rebuild.__name__ = rebuild.__qualname__ = name
    rebuild.__module__ = "torch._utils"
    setattr(utils, name, rebuild)
    return rebuild


V2, V3, PARAMETER = map(function, ["_rebuild_tensor_v2", "_rebuild_tensor_v3", "_rebuild_parameter"])


class Dtype:
    def __init__(self, name):
        self.name = name
        self.__module__ = "torch"
        setattr(torch, name, self)

    def __reduce__(self):
        return self.name


# Types, their storages, NumPy's types.
TYPES = [
    ("float64", "DoubleStorage", "<f8"),
    ("float32", "FloatStorage", "<f4"),
    ("float16", "HalfStorage", "<f2"),
    ("bfloat16", "BFloat16Storage", ml_dtypes.bfloat16),
    ("int64", "LongStorage", "<i8"),
    ("int32", "IntStorage", "<i4"),
    ("int16", "ShortStorage", "<i2"),
    ("int8", "CharStorage", "<i1"),
    ("uint8", "ByteStorage", "<u1"),
    ("bool", "BoolStorage", "?"),
    ("complex64", "ComplexFloatStorage", "<c8"),
]
NEWER = [
    ("uint64", "<u8"),
    ("uint32", "<u4"),
    ("uint16", "<u2"),
    ("float8_e4m3fn", ml_dtypes.float8_e4m3fn),
    ("float8_e5m2", ml_dtypes.float8_e5m2),
]
for name, storage, _ in TYPES:
    Dtype(name)
    setattr(torch, storage, type(storage, (), {"__module__": "torch"}))
for name, _ in NEWER:
    Dtype(name)
storages.UntypedStorage = type("UntypedStorage", (), {"__module__": "torch.storage"})


class Storage:
    def __init__(self, array, dtype, kind):
        self.array, self.dtype, self.kind = array, dtype, kind


class Tensor:
    def __init__(self, storage, shape, stride, offset=0):
        self.storage, self.shape, self.stride, self.offset = storage, tuple(shape), tuple(stride), offset

    def __reduce_ex__(self, protocol):
        arguments = (self.storage, self.offset, self.shape, self.stride, False, collections.OrderedDict())
        if self.storage.kind is storages.UntypedStorage:
            return V3, arguments + (getattr(torch, self.storage.dtype),)
        return V2, arguments

    def view(self, shape, stride, offset=0):
        return Tensor(self.storage, shape, stride, self.offset + offset)

    def numpy(self):
        places = sum(
            (np.arange(size).reshape([-1] + [1] * (len(self.shape) - i - 1)) * stride)
            for i, (size, stride) in enumerate(zip(self.shape, self.stride))
        )
        return self.storage.array[places + self.offset].reshape(self.shape)


class Parameter:
    def __init__(self, tensor):
        self.tensor = tensor

    def __reduce_ex__(self, protocol):
        return PARAMETER, (self.tensor, True, collections.OrderedDict())


def tensor(array, dtype=None):
    array = np.asarray(array)
    for name, storage, kind in TYPES:
        if np.dtype(kind) == array.dtype.newbyteorder("<") and dtype in (None, name):
            kept = Storage(array.reshape(-1), name, getattr(torch, storage))
            break
    else:
        kept = Storage(array.reshape(-1), dtype, storages.UntypedStorage)
    stride = [int(np.prod(array.shape[i + 1 :], dtype=int)) for i in range(array.ndim)]
    return Tensor(kept, array.shape, stride)


def save(value, name, protocol=2, order="little", script=False, folder="archive"):
    kept = []

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj):
            if not isinstance(obj, Storage):
                return None
            if obj not in kept:
                kept.append(obj)
            bytes_of = obj.kind is storages.UntypedStorage
            count = obj.array.nbytes if bytes_of else obj.array.size
            return ("storage", obj.kind, str(kept.index(obj)), "cpu", count)

    data = io.BytesIO()
    Pickler(data, protocol=protocol).dump(value)
    entries = [("data.pkl", data.getvalue())]
    if script:
        entries.append(("constants.pkl", b"\x80\x02).\n"[:-1]))
    if order:
        entries += [(".format_version", b"1"), (".storage_alignment", b"64"), ("byteorder", order.encode())]
    for number, storage in enumerate(kept):
        array = storage.array.copy()
        if order == "big" and array.size:
            array = array.view("u1").reshape(array.size, -1)[:, ::-1].copy()
        entries.append((f"data/{number}", array.tobytes()))
    entries += [("version", b"3\n"), (".data/serialization_id", b"0" * 40)]
    (OUT / name).write_bytes(archive([(f"{folder}/{entry}", content) for entry, content in entries]))
    with zipfile.ZipFile(OUT / name) as check:
        assert check.testzip() is None and len(check.namelist()) == len(entries)


def archive(entries):
    """As PyTorch's writer: the content at multiples of 64, sizes behind it, ZIP64 at the end."""
    out, directory = bytearray(), bytearray()
    for name, content in entries:
        start, encoded, crc = len(out), name.encode(), zlib.crc32(content)
        gap = -(start + 30 + len(encoded) + 4) % 64
        extra = b"FB" + struct.pack("<H", gap) + b"Z" * gap
        common = struct.pack("<HHHHH", 20, 0x0808, 0, 0, 0)
        out += b"PK\3\4" + common + struct.pack("<IIIHH", 0, 0, 0, len(encoded), len(extra)) + encoded + extra
        out += content + b"PK\7\x08" + struct.pack("<III", crc, len(content), len(content))
        directory += b"PK\1\2\0\0" + common + struct.pack("<IIIHHH", crc, len(content), len(content), len(encoded), 0, 0)
        directory += struct.pack("<HHII", 0, 0, 0, start) + encoded
    start, end, count = len(out), len(out) + len(directory), len(entries)
    out += directory
    out += b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 0x31E, 0x2D, 0, 0, count, count, len(directory), start)
    out += b"PK\6\7" + struct.pack("<IQI", 0, end, 1)
    out += b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), start, 0)
    return bytes(out)


def numbers(array):
    return [repr(float(x)) for x in np.asarray(array).astype(np.float64).ravel(order="C")]


def entry(tensor, readable=None, ids=None):
    array = tensor.numpy()
    if readable is None:
        # Kinds of ml_dtypes are V.
        readable = array.ndim == 2 and array.dtype.kind in "fiuV"
    made = {"dtype": tensor.storage.dtype, "shape": list(tensor.shape), "values": numbers(array) if readable else None}
    if ids:
        made["ids"] = [str(x) for x in array]
    return made


def matrix(kind, rows=3, columns=5):
    base = np.arange(rows * columns).reshape(rows, columns)
    dtype = np.dtype(kind)
    if dtype.kind in "iu":
        return (base * 3).astype(dtype)
    return ((base - 17) / 4).astype("<f4").astype(dtype)


def module_state(tensors):
    """As nn.Module.state_dict(): an ordered dictionary that has an attribute."""
    state = collections.OrderedDict(tensors)
    state._metadata = collections.OrderedDict([("", {"version": 1}), ("encoder", {"version": 2})])
    return state


def make(name, value, tensors, ids=(), unreadable=(), **options):
    save(value, name, **options)
    INDEX[name] = {
        key: entry(made, False if key in unreadable else None, key in ids) for key, made in tensors.items()
    }


def main():
    OUT.mkdir(exist_ok=True)
    for old in OUT.iterdir():
        old.unlink()
    for name, options in [
        ("state.pt", {}),
        ("protocol_4.pt", {"protocol": 4}),
        ("big_endian.pt", {"order": "big"}),
        ("no_order.bin", {"order": None, "folder": "pytorch_model"}),
    ]:
        tensors = {}
        for kind, _, theirs in TYPES:
            if kind not in ("bool", "complex64"):
                tensors["encoder." + kind] = tensor(matrix(theirs))
        tensors["bool"] = tensor(np.ones((2, 2), bool))
        if options.get("order") != "big":
            tensors["complex"] = tensor(np.ones((2, 2), "<c8"))
        tensors["bias"] = tensor(np.arange(4, dtype="<f4"))
        tensors["scale"] = tensor(np.float32(1.5))
        tensors["cube"] = tensor(np.zeros((2, 3, 4), "<f4"))
        tensors["none"] = tensor(np.zeros((0, 4), "<f4"))
        tensors["ids"] = tensor(np.array([7, -1, 2**53 + 1], "<i8"))
        make(name, module_state(tensors), tensors, ids=["ids"], **options)

    newer = {kind: tensor(matrix(theirs), kind) for kind, theirs in NEWER}
    make("newer.pt", newer, newer)
    alone = tensor(matrix("<f4", 6, 8))
    make("tensor.pt", alone, {"": alone})
    several = [tensor(matrix("<f4", 2, 3)), tensor(matrix("<f2", 2, 3))]
    make("several.pt", several, {"0": several[0], "1": several[1]})

    weight, moment = tensor(matrix("<f4")), tensor(matrix("<f4"))
    ids = tensor(np.array([10, 20, 2**53 + 1], "<i8"))
    checkpoint = {
        "epoch": 3,
        "loss": 0.25,
        "seed": 2**70,
        "name": "Zürich",
        "best": None,
        "state_dict": module_state({"weight": Parameter(weight), "tied": weight}),
        "optimizer": {"state": {0: {"step": 7, "exp_avg": moment}}, "param_groups": [{"params": [0, 300, 70000], "lr": -1}]},
        "ids": ids,
    }
    names = {"state_dict.weight": weight, "state_dict.tied": weight, "optimizer.state.0.exp_avg": moment, "ids": ids}
    make("checkpoint.pt", checkpoint, names, ids=["ids"])

    base = tensor(np.arange(24 * 5, dtype="<f4").reshape(24, 5))
    views = {
        "rows": base.view((4, 5), (5, 1), 10),
        "columns": base.view((24, 2), (5, 1), 1),
        "transposed": base.view((5, 24), (1, 5)),
        "part": base.view((3, 4), (1, 5), 7),
        "every": base.view((6, 2), (20, 2), 1),
        "one": base.view((1, 5), (99, 1)),
        "flat": base.view((24,), (5,)),
        "cube": base.view((2, 3, 4), (4, 8, 1)),
        "expanded": base.view((1000, 5), (0, 1)),
        "windows": base.view((9, 3), (1, 1)),
    }
    make("views.pt", views, views, unreadable=["expanded", "windows"])
    small = {"embedding": tensor(matrix("<f4", 6, 8)), "ids": tensor(np.array([10, 20, 30, 2**53 + 1, -5, 60], "<i8"))}
    make("small.pt", small, small, ids=["ids"])
    # What isn't read: programs, and what PyTorch wrote before 1.6.
    save({"weight": weight}, "script.pt", script=True)
    with open(OUT / "legacy.pt", "wb") as file:
        pickle.dump(0x1950A86A20F9469CFC6C, file, protocol=2)
        pickle.dump(1001, file, protocol=2)
        pickle.dump({"protocol_version": 1001, "little_endian": True}, file, protocol=2)
    lines = [f"{json.dumps(name)}: {json.dumps(tensors)}" for name, tensors in INDEX.items()]
    (OUT / "index.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


main()
