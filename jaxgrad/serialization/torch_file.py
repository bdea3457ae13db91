"""Files of ``torch.save``, read and written without torch.

What comes out of a file are plain containers with numpy arrays in the place of tensors: numpy's, because JAX without
its 64-bit mode has no place for an int64. Nothing in the file is executed. The allow-list is that of
``torch.load(weights_only=True)``, and what goes beyond it is refused with the name that was met.
"""

import os
import sys
from typing import IO, Any

from jaxgrad._core.errors import explain
from jaxgrad.serialization._checksum import crc32
from jaxgrad.serialization._legacy_file import read_legacy
from jaxgrad.serialization._pickle.sharing import Placed, StoragePlan, arrays_in
from jaxgrad.serialization._pickle.walk import check_shape, whole_storages
from jaxgrad.serialization._pickle.writer import Pickler
from jaxgrad.serialization._tar_file import is_tar, read_tar
from jaxgrad.serialization._zip.reader import LOCAL
from jaxgrad.serialization._zip.writer import ArchiveWriter
from jaxgrad.serialization._zip_file import read_zip
from jaxgrad.serialization.atomic import replacing
from jaxgrad.serialization.errors import EmptyFileError
from jaxgrad.serialization.safetensors import read_safetensors
from jaxgrad.serialization.source import ALIGNMENT, open_source


def read_torch(f: str | os.PathLike[str] | IO[bytes], *, mmap: bool = False) -> Any:
    """Mirror of ``torch.load(f, weights_only=True)`` that needs no torch: the object with arrays for tensors.

    ===========================  ===============================================================================
    in the file                  here
    ===========================  ===============================================================================
    tensor, parameter            ``numpy.ndarray`` of the same dtype (bfloat16 and float8 by ``ml_dtypes``); views of
                                 one storage are views of one array; ``requires_grad``, hooks and attributes go
    sparse tensor                :class:`Sparse`, its parts
    tensor on the meta device    ``jax.ShapeDtypeStruct``
    storage                      a flat array
    ``torch.Size``               ``Size``, a tuple
    ``torch.device``             ``Device``, a str; the array itself is on the host
    ``torch.float32`` ...        ``numpy.dtype``
    ===========================  ===============================================================================

    Args:
        f: a path, or a file opened in binary mode; a path ending in ``.safetensors`` is read as that, as torch does.
        mmap: leave the data in the file and look at it through a read-only map; the file must then stay as it is,
            and the checksums of large tensors are not compared.

    Returns:
        the object.

    Raises:
        SerializationError: the file is broken, or holds what ``weights_only=True`` does not allow; torch's sentence.
        FileNotFoundError: there is no such file.
        ValueError: "f must be a file path in order to use the mmap argument".

    >>> import io
    >>> import numpy as np
    >>> from jaxgrad import serialization
    >>> file = io.BytesIO()
    >>> serialization.write_torch(file, {"weight": np.eye(2, dtype=np.float32), "step": 3})
    >>> serialization.read_torch(io.BytesIO(file.getvalue()))
    {'weight': array([[1., 0.],
           [0., 1.]], dtype=float32), 'step': 3}

    Source: torch/serialization.py, torch/_weights_only_unpickler.py.
    """
    if isinstance(f, str | os.PathLike) and os.fspath(f).endswith(".safetensors"):
        return read_safetensors(f, mmap=mmap)
    source = open_source(f, mmap)
    try:
        if source.size == 0:
            raise EmptyFileError(explain("Ran out of input", got="a file without a byte"))
        if source.view[: len(LOCAL)] == LOCAL:
            return whole_storages(check_shape(read_zip(source)))
        if mmap:
            raise RuntimeError(
                "mmap can only be used with files saved with `torch.save(_use_new_zipfile_serialization=True), please "
                "torch.save your checkpoint with this option in order to use mmap."
            )
        return whole_storages(check_shape(read_tar(source) if is_tar(source) else read_legacy(source)))
    finally:
        source.close()


def write_torch(f: str | os.PathLike[str] | IO[bytes], obj: Any) -> None:
    """Mirror of ``torch.save(obj, f)``, argument order apart, without torch: what torch reads with its defaults.

    Arrays of JAX and numpy become tensors on the CPU; an array that occurs twice, and numpy arrays that look at the
    same memory, share a storage as in torch. A path is replaced only when the new file is complete (written beside,
    synced, renamed). Numpy's scalars become Python's numbers, a ``random.Generator`` the bytes of
    ``torch.get_rng_state()``.

    Args:
        f: a path, or a file opened in binary mode.
        obj: arrays, numbers, strings, bytes, None, and plain containers of them: dict, OrderedDict, Counter, list,
            tuple, set; and what :func:`read_torch` returns.

    Raises:
        TypeError: it holds what ``torch.load(weights_only=True)`` would not read.

    >>> import io
    >>> import jax.numpy as jnp
    >>> file = io.BytesIO()
    >>> write_torch(file, {"weight": jnp.ones((2, 3)), "betas": (0.9, 0.999)})
    >>> read_torch(io.BytesIO(file.getvalue()))["betas"]
    (0.9, 0.999)

    Source: torch/serialization.py, caffe2/serialize/inline_container.cc.
    """
    pickler = Pickler(StoragePlan(arrays_in(obj)))
    pickle = pickler.dump(obj)
    if isinstance(f, str | os.PathLike):
        stem = os.path.splitext(os.path.basename(os.fspath(f)))[0]
        root = stem if stem.isascii() and stem.strip(".") else "archive"
        with replacing(f) as temporary, open(temporary, "xb", buffering=0) as file:
            _write(file, root, pickle, pickler.storages)
    elif hasattr(f, "write"):
        _write(f, "archive", pickle, pickler.storages)
    else:
        raise AttributeError(
            f"expected 'f' to be string, path, or a file-like object with a 'write' attribute, got {type(f).__name__}"
        )


def _write(file: Any, root: str, pickle: bytes, storages: dict[str, Placed]) -> None:
    archive = ArchiveWriter(file, root)
    archive.write("data.pkl", pickle)
    archive.write(".format_version", b"1")
    archive.write(".storage_alignment", str(ALIGNMENT).encode())
    archive.write("byteorder", sys.byteorder.encode())
    for name, placed in storages.items():
        archive.write(f"data/{name}", placed.data())
    archive.write("version", b"3\n")
    archive.write(".data/serialization_id", f"{crc32(pickle):020d}{archive.checksum:020d}".encode())
    archive.close()
