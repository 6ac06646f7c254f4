"""Damaged copies of a corpus, the same for the same seed.

damage_files.py CORPUS FOLDER COUNT SEED writes FOLDER/0, 1, …

Each copy has one to three of: bits flipped, bytes overwritten, numbers put to extremes, stretches cut out, doubled,
zeroed or swapped, an end cut off or added. Half of the places are in the first 400 bytes, where the header is.
"""

import random
import struct
import sys

EXTREMES = [0, 1, 2, 127, 128, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**63, 2**64 - 1]


def place(rng, data):
    """Somewhere in the data: half of the time near its beginning."""
    return rng.randrange(min(400, len(data)) if rng.random() < 0.5 else len(data))


def flip(rng, data):
    data[place(rng, data)] ^= 1 << rng.randrange(8)


def overwrite(rng, data):
    at = place(rng, data)
    data[at : at + rng.randrange(1, 9)] = rng.randbytes(rng.randrange(1, 9))


def number(rng, data):
    at, kind = place(rng, data), rng.choice("BHIQ")
    value = rng.choice(EXTREMES) % 2 ** (8 * struct.calcsize("<" + kind))
    data[at : at + struct.calcsize("<" + kind)] = struct.pack("<" + kind, value)


def count(rng, data):
    data[8:16] = struct.pack("<Q", rng.choice(EXTREMES + [9999, 10001]))


def cut(rng, data):
    at = place(rng, data)
    del data[at : at + rng.randrange(1, 3000)]


def double(rng, data):
    at = place(rng, data)
    data[at:at] = data[at : at + rng.randrange(1, 3000)]


def zero(rng, data):
    at = place(rng, data)
    length = min(rng.randrange(1, 3000), len(data) - at)
    data[at : at + length] = bytes(length)


def swap(rng, data):
    one, other, length = place(rng, data), place(rng, data), rng.randrange(1, 200)
    data[one : one + length], data[other : other + length] = data[other : other + length], data[one : one + length]


def shorten(rng, data):
    del data[rng.randrange(len(data)) :]


def lengthen(rng, data):
    data += rng.randbytes(rng.randrange(1, 3000))


MUTATIONS = [flip, flip, flip, overwrite, number, number, count, cut, double, zero, swap, shorten, lengthen]


def main(corpus, folder, copies, seed):
    with open(corpus, "rb") as file:
        original = file.read()
    for copy in range(int(copies)):
        rng = random.Random(f"{seed} {copy}")
        data = bytearray(original)
        for mutation in rng.choices(MUTATIONS, k=rng.randrange(1, 4)):
            if data:
                mutation(rng, data)
        with open(f"{folder}/{copy}", "wb") as file:
            file.write(data)


main(*sys.argv[1:])
