"""A whole training state in one file, whatever it is made of: ``save(path, state)`` and ``load(path, like=state)``.

The file is a safetensors file. Every array of the tree is a tensor under its dotted name; numbers of Python, names of
random-key implementations and checksums stand in the metadata as JSON. What the tree *is* (which classes, which
optimizer) is not in the file: ``like`` says it, and a file never makes an object of a class that it names.
"""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxgrad._core.types import PyTree
from jaxgrad.serialization._packed import pack, read_record, unpack
from jaxgrad.serialization.errors import refuse
from jaxgrad.serialization.safetensors import read_arrays, safetensors_metadata, write_arrays

_KEY = "jaxgrad"


def save(path: str | os.PathLike[str], state: PyTree, *, meta: Mapping[str, Any] | None = None) -> None:
    """Write a whole training state; the file is there whole or not at all.

    Written beside, synced and renamed: after an interruption, whenever it comes, the old file is there or the new one.

    Args:
        path: of the file. It is a safetensors file, whatever its name.
        state: a pytree of arrays, numbers and random keys: a ``TrainState``, or any of your own.
        meta: what else to remember, as JSON has it: the epoch, the configuration, the best loss.

    Raises:
        TypeError: a leaf is not an array or a number, ``meta`` is not JSON, or the state is traced.
        RuntimeError: an array lies on devices of several processes.

    >>> import os, tempfile
    >>> import jax.numpy as jnp
    >>> state = {"params": {"w": jnp.arange(3.0)}, "epoch": 4}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "state.safetensors")
    ...     save(path, state, meta={"best": 0.25})
    ...     load(path, like=state)
    ({'epoch': 4, 'params': {'w': Array([0., 1., 2.], dtype=float32)}}, {'best': 0.25})
    """
    arrays, record = pack(state, meta)
    write_arrays(path, arrays, {_KEY: record})


def load(path: str | os.PathLike[str], *, like: PyTree) -> tuple[PyTree, dict[str, Any]]:
    """Read what :func:`save` wrote.

    Args:
        path: of the file.
        like: a state of the same form: a fresh ``train.init_state(...)``, or its ``jax.eval_shape``. It says of which
            classes the tree is, and where the arrays go (their shardings); its numbers do not matter.

    Returns:
        ``(state, meta)``.

    Raises:
        SerializationError: the file is broken, or not one of :func:`save`.
        RuntimeError: "Error(s) in loading state": names, shapes or dtypes that differ from those of ``like``.

    >>> import tempfile
    >>> import numpy as np
    >>> state = {"w": np.arange(2.0, dtype=np.float32), "step": 3}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/state", state, meta={"epoch": 1})
    ...     found, meta = load(f"{folder}/state", like=state)
    >>> np.asarray(found["w"]).tolist(), found["step"], meta
    ([0.0, 1.0], 3, {'epoch': 1})
    """
    arrays, record = read_packed(path)
    return unpack(arrays, record, like), record["meta"]


def read_packed(path: str | os.PathLike[str], *, mmap: bool = False) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays of a file of :func:`save` as they lie in it, and the record of what they are."""
    arrays, metadata = read_arrays(path, mmap)
    return arrays, _record(metadata)


def read_meta(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """The ``meta`` of a file of :func:`save`; None for a safetensors file of somebody else.

    >>> import tempfile
    >>> import numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/state", {"w": np.zeros(2)}, meta={"epoch": 1})
    ...     read_meta(f"{folder}/state")
    {'epoch': 1}
    """
    metadata = safetensors_metadata(path)
    return dict(_record(metadata)["meta"]) if _KEY in metadata else None


def _record(metadata: dict[str, str]) -> dict[str, Any]:
    if _KEY not in metadata:
        refuse(
            "this is not a file of serialization.save",
            remedy="read_safetensors(path) for any safetensors file, read_torch(path) for one of torch.save",
        )
    return read_record(metadata[_KEY])
