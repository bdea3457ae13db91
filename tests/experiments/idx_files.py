"""Small IDX files as MNIST and its kin are published in."""

import gzip
import struct
from pathlib import Path

import numpy as np

from experiments.common.datasets.idx import ELEMENT_TYPES


def idx_bytes(array: np.ndarray) -> bytes:
    code = {np.dtype(text): code for code, text in ELEMENT_TYPES.items()}[array.dtype.newbyteorder(">")]
    return (
        struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
        + array.astype(array.dtype.newbyteorder(">")).tobytes()
    )


def write_idx_folder(folder: Path, sizes=(37, 11), *, packed=True, seed=0):
    """The four files of a small FashionMNIST; gives the arrays by split."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {}
    for split, prefix, n in zip(("train", "test"), ("train", "t10k"), sizes, strict=True):
        images = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        labels = rng.integers(0, 10, n, dtype=np.uint8)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            content = idx_bytes(array)
            path = folder / f"{prefix}-{kind}-ubyte{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(content) if packed else content)
        arrays[split] = images, labels
    return arrays
