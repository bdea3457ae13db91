"""Reader of the IDX format, in which MNIST and its successors are shipped.

Two zero bytes, a code for the type of an element, the number of axes, the length of each axis as a big-endian
32-bit integer, then the elements in C order, big-endian. Files ending in ``.gz`` are unpacked while reading.
Format: http://yann.lecun.com/exdb/mnist/ (at the bottom of that page).
"""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from experiments.common.datasets.errors import DamagedData

ELEMENT_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: Path) -> np.ndarray:
    """The array in an IDX file, in this machine's byte order.

    Raises:
        DamagedData: the file is cut off, longer than its header says, or not in IDX format.
    """
    content = _read_bytes(path)
    if len(content) < 4:
        raise DamagedData(path, f"is truncated: {len(content)} bytes do not hold the header of an IDX file")
    zeros, code, axes = struct.unpack(">HBB", content[:4])
    if zeros != 0 or code not in ELEMENT_TYPES:
        raise DamagedData(path, f"is not an IDX file: it begins with the bytes {content[:4].hex(' ')}")
    begin = 4 + 4 * axes
    if len(content) < begin:
        raise DamagedData(path, f"is truncated: {len(content)} bytes do not hold the lengths of its {axes} axes")
    shape = struct.unpack(f">{axes}I", content[4:begin])
    dtype = np.dtype(ELEMENT_TYPES[code])
    expected = begin + math.prod(shape) * dtype.itemsize
    if len(content) != expected:
        what = "is truncated" if len(content) < expected else "is too long"
        raise DamagedData(path, f"{what}: {len(content)} bytes where shape {shape} of {dtype} needs {expected}")
    array = np.frombuffer(content, dtype, offset=begin).reshape(shape)
    return array.astype(dtype.newbyteorder("="))


def _read_bytes(path: Path) -> bytes:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return file.read()
    except EOFError as error:
        raise DamagedData(path, "is truncated: the compressed stream ends early") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DamagedData(path, f"is not a sound gzip file: {error}") from error
