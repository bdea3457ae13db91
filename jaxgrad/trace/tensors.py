"""Torch, and its tensors as numpy arrays; torch is imported when a function here is called."""

from typing import Any

import numpy as np

from jaxgrad._core.optional import require


def torch() -> Any:
    """The tracer.

    Raises:
        ImportError: torch is not installed.
    """
    return require("torch", extra="torch", purpose="tracing a torch module")


def as_numpy(tensor: Any) -> np.ndarray:
    """A tensor as a numpy array of its own memory, also one that torch only notes as conjugated, negative or zero."""
    tensor = torch().zeros_like(tensor, device="cpu") if tensor._is_zerotensor() else tensor
    tensor = tensor.detach().cpu().resolve_conj().resolve_neg()
    if tensor.dtype == torch().bfloat16:
        return np.array(tensor.contiguous().view(torch().int16).numpy()).view("bfloat16")
    return np.array(tensor.numpy())


def values(named: Any) -> dict[str, np.ndarray]:
    """Tensors by name, as numpy arrays of their own memory.

    Args:
        named: pairs of a name and a tensor.
    """
    return {name: as_numpy(tensor) for name, tensor in named}


def dtype_name(dtype: Any) -> str:
    """Numpy's name of a dtype of torch."""
    return str(dtype).removeprefix("torch.")
