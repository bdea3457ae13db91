"""Reader of CIFAR-10's binary version: records of one label byte and 3 x 32 x 32 bytes, colour planes first.

The files may lie unpacked in a folder (``data_batch_1.bin`` to ``data_batch_5.bin``, ``test_batch.bin``) or in the
archive as it is shipped. Format: https://www.cs.toronto.edu/~kriz/cifar.html.
"""

import tarfile
import zlib
from pathlib import Path

import numpy as np

from experiments.common.datasets.errors import DamagedData

FILES = {"train": [f"data_batch_{i}.bin" for i in range(1, 6)], "test": ["test_batch.bin"]}
ARCHIVE, ARCHIVE_FOLDER = "cifar-10-binary.tar.gz", "cifar-10-batches-bin"
RECORD = 1 + 3 * 32 * 32


def read_cifar10(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 ``(n, 32, 32, 3)`` and labels uint8 ``(n,)`` of one split.

    Raises:
        DamagedData: a file is missing, or does not consist of whole records.
    """
    records = np.concatenate([_records(folder, name) for name in FILES[split]])
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), records[:, 0].copy()


def _records(folder: Path, name: str) -> np.ndarray:
    path = folder / name
    try:
        content = path.read_bytes() if path.is_file() else _from_archive(folder / ARCHIVE, name)
    except (FileNotFoundError, KeyError) as error:
        raise DamagedData(path, f"is missing: {error}") from error
    except (EOFError, tarfile.TarError, zlib.error) as error:
        raise DamagedData(folder / ARCHIVE, f"is truncated or not a sound archive: {error}") from error
    if not content or len(content) % RECORD:
        raise DamagedData(path, f"is truncated: {len(content)} bytes are not whole records of {RECORD} bytes")
    return np.frombuffer(content, np.uint8).reshape(-1, RECORD)


def _from_archive(archive: Path, name: str) -> bytes:
    with tarfile.open(archive) as members:
        file = members.extractfile(f"{ARCHIVE_FOLDER}/{name}")
        if file is None:
            raise KeyError(name)
        return file.read()
