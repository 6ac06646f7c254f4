"""Makes a file of a format that is read and not written: fvecs, gguf, npz or torch, of the matrix in an fbin file.

    of_fbin.py FORMAT SOURCE TARGET

Tests and benchmarks take it, where the formats' own libraries may not be installed.
"""

import struct
import sys
import zipfile


def number(value):
    return b"J" + struct.pack("<i", value)


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def pickle(rows, columns):
    """What torch.save makes of a tensor."""
    storage = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu")
    storage += number(rows * columns) + b"tQ"
    shape = number(rows) + number(columns) + b"\x86" + number(columns) + number(1) + b"\x86"
    return b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(" + storage + number(0) + shape + b"\x89}tR."


def main(kind, source, target):
    with open(source, "rb") as file:
        rows, columns = struct.unpack("<II", file.read(8))
        data = file.read()
    if kind in ("npz", "torch"):
        method = zipfile.ZIP_DEFLATED if kind == "npz" else zipfile.ZIP_STORED
        with zipfile.ZipFile(target, "w", method) as archive:
            if kind == "npz":
                header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}"
                header = header.ljust(117).encode() + b"\n"
                archive.writestr("v.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data)
            else:
                archive.writestr("x/data.pkl", pickle(rows, columns))
                archive.writestr("x/data/0", data)
        return
    with open(target, "wb") as file:
        if kind == "fvecs":
            width = 4 * columns
            for row in range(rows):
                file.write(struct.pack("<I", columns) + data[row * width : (row + 1) * width])
        elif kind == "gguf":
            front = b"GGUF" + struct.pack("<IQQ", 3, 1, 0)
            front += struct.pack("<Q", 1) + b"v" + struct.pack("<IQQIQ", 2, columns, rows, 0, 0)
            file.write(front + bytes(-len(front) % 32) + data)
        else:
            sys.exit(f"no such format: {kind}")


if __name__ == "__main__":
    main(*sys.argv[1:])
