"""The reference's half of a comparison; torch is imported when a function here is called."""

from functools import reduce
from types import ModuleType
from typing import Any

import numpy as np

from jaxgrad._core.optional import require
from jaxgrad.parity.case import Answer, Case, cast
from jaxgrad.parity.jax_side import cotangent


def torch() -> ModuleType:
    """The reference.

    Raises:
        ImportError: torch is not installed.
    """
    return require("torch", extra="torch", purpose="a comparison with the reference")


def resolve(address: str) -> Any:
    """The object at ``torch.<address>``."""
    return reduce(getattr, address.split("."), torch())


def to_torch(value: Any) -> Any:
    """A numpy or JAX array as a tensor of its own memory; everything else as it is."""
    if not hasattr(value, "dtype"):
        return value
    array = np.array(value)
    if array.dtype.name == "bfloat16":
        return torch().from_numpy(array.view(np.int16)).view(torch().bfloat16)
    if array.dtype == np.int32:
        array = array.astype(np.int64)  # JAX's default integer; torch's indices are int64
    return torch().from_numpy(array)


def to_numpy(tensor: Any) -> Any:
    """A tensor as a numpy array of its own memory; None stays None."""
    if tensor is None:
        return None
    tensor = tensor.detach().cpu()
    if tensor.dtype == torch().bfloat16:
        return np.array(tensor.view(torch().int16).numpy()).view("bfloat16")
    return np.array(tensor.numpy())


def answer(case: Case, seed: int, dtype: Any) -> Answer:
    """Call torch's function on the case's arguments in ``dtype``: its value, and the gradients of the cotangent."""
    args, kwargs = case.draw(seed)
    tensors = [to_torch(cast(value, dtype)) for value in args]
    named = {key: to_torch(cast(value, dtype)) for key, value in kwargs.items()}
    leaves = {i: tensors[i] if isinstance(i, int) else named[i] for i in case.wrt}
    for leaf in leaves.values():
        leaf.requires_grad_(True)
    try:
        value = resolve(case.address)(*tensors, **named)
        results = {"value": to_numpy(value)}
        if case.wrt:
            value.backward(to_torch(cotangent(results["value"])))
    except Exception as error:
        return Answer({}, error)
    for i, leaf in leaves.items():
        if leaf.grad is not None:
            results[f"gradient of argument {i}"] = to_numpy(leaf.grad)
    return Answer(results)
