"""One line from a file to a model, and back."""

import os
from collections.abc import Iterable, Mapping
from typing import IO, Any

import jax
import numpy as np
from flax import nnx

from jaxgrad._core.dtypes import x64_enabled
from jaxgrad._core.errors import explain, quoted
from jaxgrad._core.types import Buffers, ParamsLike
from jaxgrad.serialization.state_dict import Loaded, load_state_dict, state_dict
from jaxgrad.serialization.torch_file import read_torch, write_torch


def load_torch(
    f: str | os.PathLike[str] | IO[bytes],
    model: nnx.Module,
    strict: bool = True,
    assign: bool = False,
    *,
    key: str | None = None,
    strip: str | Iterable[str] = (),
) -> Loaded:
    """``model.load_state_dict(torch.load(f))`` without torch, as values: ``params, buffers = load_torch(f, model)``.

    Args:
        f: a file of ``torch.save``, or a path ending in ``.safetensors``.
        model: says which names, shapes and dtypes there are.
        strict, assign, strip: see :func:`load_state_dict`.
        key: where the state_dict is in a checkpoint of several things: ``"model"``, ``"state_dict"`` ...

    Returns:
        ``(params, buffers)`` with the keys of ``func.extract``.

    Raises:
        SerializationError: the file is broken or not to be trusted.
        ValueError: the file holds several things and ``key`` does not name one of them.
        RuntimeError: the state_dict does not fit the model, in torch's words.

    >>> import io
    >>> from jaxgrad import func, nn, random
    >>> model = nn.Linear(3, 2, rngs=nn.Rngs(random.manual_seed(0)))
    >>> file = io.BytesIO()
    >>> save_torch(file, model)
    >>> params, buffers = load_torch(io.BytesIO(file.getvalue()), model)
    >>> list(params), buffers
    (['weight', 'bias'], {})
    """
    found = _state_dict_in(read_torch(f), key)
    metadata = getattr(found, "_metadata", None)
    taken: Any = type(found)((name, _taken_over(found[name])) for name in list(found))
    if metadata is not None:
        taken._metadata = metadata
    return load_state_dict(model, taken, strict, assign, strip=strip)


def save_torch(
    f: str | os.PathLike[str] | IO[bytes],
    model: nnx.Module,
    params: ParamsLike | None = None,
    buffers: Buffers | None = None,
) -> None:
    """``torch.save(model.state_dict(), f)`` without torch.

    Args:
        f: a path, or a file opened in binary mode.
        model: says which names there are.
        params, buffers: what training made of them; those of the model without.

    >>> import tempfile
    >>> from jaxgrad import nn, random
    >>> model = nn.Linear(2, 1, rngs=nn.Rngs(random.manual_seed(0)))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_torch(f"{folder}/m.pt", model)
    ...     params, buffers = load_torch(f"{folder}/m.pt", model)
    >>> sorted(params)
    ['bias', 'weight']
    """
    write_torch(f, state_dict(model, params, buffers))


def _state_dict_in(found: Any, key: str | None) -> Any:
    if not isinstance(found, Mapping):
        raise TypeError(f"Expected state_dict to be dict-like, got {type(found)}.")
    candidates = [name for name, value in found.items() if isinstance(value, Mapping) and _holds_arrays(value)]
    if key is None and (_holds_arrays(found) or not candidates):
        return found
    if key in found and isinstance(found[key], Mapping):
        return found[key]
    raise ValueError(
        explain(
            "the file holds several things" if key is None else f"the file holds no state_dict under {key!r}",
            got=quoted(str(name) for name in found),
            expected=f"one of {quoted(str(name) for name in candidates)}" if candidates else None,
            remedy=f"load_torch(f, model, key={candidates[0]!r})" if candidates else None,
        )
    )


def _holds_arrays(value: Mapping[Any, Any]) -> bool:
    return all(isinstance(name, str) for name in value) and any(isinstance(v, np.ndarray) for v in value.values())


def _taken_over(value: Any) -> Any:
    """An array that was just read, as JAX's, in the memory that it was read into where JAX can take that over."""
    if not isinstance(value, np.ndarray) or (value.dtype.itemsize == 8 and not x64_enabled()):
        return value
    return value if value.dtype == np.complex128 and not x64_enabled() else jax.device_put(value)
