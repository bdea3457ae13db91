"""The arguments of ``torch.autograd.functional`` and the checks of its strict mode.

torch finds out whether an output *requires grad* by looking at it. Here a jaxpr is made of the function, and a result
requires grad when it is connected to an input (``dependence``); only strict mode needs it.
"""

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import jax
import jax.numpy as jnp

from jaxgrad._core.shapes import torch_size
from jaxgrad._core.trees import is_tensor
from jaxgrad._core.types import Array
from jaxgrad._jaxpr.dependence import Reach, dependence

Arrays = tuple[Array, ...]


def as_tuple(value: Any, arg_name: str, fn_name: str) -> tuple[bool, Arrays]:
    """Whether ``value`` is a tuple, and its arrays as one.

    Raises:
        TypeError: torch's sentence, where something is not an array.
        RuntimeError: an input is an array of integers.
    """
    is_tuple = isinstance(value, tuple)
    values = value if is_tuple else (value,)
    for i, each in enumerate(values):
        if not is_tensor(each):
            place = f"value at index {i}" if is_tuple else f"given {arg_name}"
            raise TypeError(
                f"The {arg_name} given to {fn_name} must be either a Tensor or a tuple of Tensors but the {place} has "
                f"type {type(each)}."
            )
    arrays = tuple(jnp.asarray(each) for each in values)
    if arg_name == "inputs" and not all(jnp.issubdtype(each.dtype, jnp.inexact) for each in arrays):
        raise RuntimeError("only Tensors of floating point dtype can require gradients")
    return is_tuple, arrays


def tupled(func: Callable[..., Any], fn_name: str) -> tuple[Callable[..., Arrays], list[bool]]:
    """``func`` with a tuple of arrays as output; the list holds whether it returned a tuple, once it was called."""
    was_tuple: list[bool] = []

    def call(*inputs: Array) -> Arrays:
        is_tuple, outputs = as_tuple(func(*inputs), "outputs of the user-provided function", fn_name)
        was_tuple[:] = [is_tuple]
        return outputs

    return call, was_tuple


def validate_v(v: Arrays, other: Arrays, is_other_tuple: bool) -> None:
    """Raise torch's RuntimeError unless ``v`` has the number and shapes of ``other``."""
    if len(other) != len(v):
        if is_other_tuple:
            raise RuntimeError(f"v is a tuple of invalid length: should be {len(other)} but got {len(v)}.")
        raise RuntimeError("The given v should contain a single Tensor.")
    for i, (mine, theirs) in enumerate(zip(v, other, strict=True)):
        if mine.shape != theirs.shape:
            place = f"Entry {i} in " if is_other_tuple else ""
            raise RuntimeError(f"{place}v has invalid size: should be {torch_size(theirs)} but got {torch_size(mine)}.")


def single_output(outputs: Arrays, is_tuple: bool, fn_name: str) -> None:
    """Raise torch's RuntimeError unless the output is one array of one element."""
    if is_tuple:
        raise RuntimeError(f"The function given to {fn_name} should return a single Tensor")
    if outputs[0].size != 1:
        raise RuntimeError(f"The Tensor returned by the function given to {fn_name} should contain a single element")


def connections(fn: Callable[..., Sequence[Any]], inputs: Arrays) -> list[Reach]:
    """For each output of ``fn``, which inputs it is connected to."""
    jaxpr = jax.make_jaxpr(fn)(*inputs).jaxpr
    return dependence(jaxpr, [Reach.leaf(i) for i in range(len(inputs))])


def reached(found: Sequence[Reach], i: int) -> bool:
    """Whether a gradient of any output arrives at input ``i``."""
    return any(reach.defined >> i & 1 for reach in found)


def require_outputs(found: Sequence[Reach]) -> None:
    """Strict mode: every output is connected to an input."""
    for i, reach in enumerate(found):
        if not reach:
            raise RuntimeError(
                f"Output {i} of the user-provided function does not require gradients. The outputs must be computed in "
                "a differentiable manner from the input when running in strict mode."
            )


def require_inputs(found: Sequence[Reach], n_inputs: int) -> None:
    """Strict mode: every input is connected to an output."""
    for i in range(n_inputs):
        if not reached(found, i):
            raise RuntimeError(
                f"The output of the user-provided function is independent of input {i}. "
                "This is not allowed in strict mode."
            )


def require_jacobian(found: Sequence[Reach]) -> None:
    """Strict mode, on the way to the hessian: every gradient is connected to an input."""
    for i, reach in enumerate(found):
        if not reach:
            raise RuntimeError(
                "While computing the hessian, found that the jacobian of the user-provided function with respect to "
                f"input {i} is independent of the input. This is not allowed in strict mode. You should ensure that "
                "your function is twice differentiable and that the jacobian depends on the inputs (this would be "
                "violated by a linear function for example)."
            )


def require_hessian(found: Sequence[Reach], n_inputs: int, what: str) -> None:
    """Strict mode: the gradient is connected to every input (``what``: 'input', or torch's words for its trick)."""
    for i in range(n_inputs):
        if not reached(found, i):
            raise RuntimeError(
                f"The jacobian of the user-provided function is independent of input {i}. "
                "This is not allowed in strict mode."
                if what == "input"
                else f"The hessian of the user-provided function is independent of entry {i} in the grad_jacobian. "
                "This is not allowed in strict mode as it prevents from using the double backward trick to replace "
                "forward mode AD."
            )


def require_graph(found: Sequence[Reach], of: str) -> None:
    """Strict mode with ``create_graph``: every result can be differentiated again."""
    for i, reach in enumerate(found):
        if not reach:
            refuse_graph(of, i)


def refuse_graph(of: str, i: int) -> NoReturn:
    """torch's sentence for a result that cannot be differentiated again."""
    raise RuntimeError(
        f"The {of} of the user-provided function is independent of input {i}. "
        "This is not allowed in strict mode when create_graph=True."
    )
