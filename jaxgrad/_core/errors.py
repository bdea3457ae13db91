"""Checks that speak torch's sentence first, then what was got and expected, then the remedy."""

from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.dtype_names import c_name, torch_name
from jaxgrad._core.trees import named_leaves
from jaxgrad._core.types import PyTree


def explain(sentence: str, *, got: Any = None, expected: Any = None, remedy: str | None = None) -> str:
    """One error text in the fixed order: torch's sentence, got against expected, the remedy.

    >>> print(explain("Invalid learning rate: -1", got=-1, expected="a number >= 0"))
    Invalid learning rate: -1
      got:      -1
      expected: a number >= 0
    """
    lines = [sentence]
    if got is not None:
        lines.append(f"  got:      {got}")
    if expected is not None:
        lines.append(f"  expected: {expected}")
    if remedy is not None:
        lines.append(f"  remedy:   {remedy}")
    return "\n".join(lines)


def quoted(names: Iterable[str]) -> str:
    """Names as torch lists them in ``load_state_dict``: ``"a", "b"``."""
    return ", ".join(f'"{name}"' for name in names)


def dtype_of(leaf: Any) -> np.dtype:
    """The dtype of an array or number.

    Raises:
        TypeError: it is neither, a tensor of torch's for instance.
    """
    try:
        return jnp.result_type(leaf)
    except TypeError:
        raise not_an_array(leaf) from None


def not_an_array(value: Any, what: str = "an array") -> TypeError:
    """The TypeError for what stands in the place of an array, with the way from torch's tensors, to be raised."""
    cls = type(value)
    of_torch = cls.__module__.partition(".")[0] == "torch"
    name = f"{cls.__module__}.{cls.__name__}" if of_torch else cls.__name__
    remedy = (
        "jnp.asarray(tensor.detach().numpy()); for all parameters: params, buffers = "
        "serialization.load_state_dict(model, module.state_dict())"
    )
    return TypeError(explain(f"expected {what}, got {name}", remedy=remedy if of_torch else None))


def check_arrays(tree: PyTree) -> None:
    """Raise unless JAX can compute with every leaf: torch's tensors are the usual mistake.

    Raises:
        TypeError: "expected an array, got torch.Tensor", with the way to one.
    """
    for leaf in jax.tree.leaves(tree):
        if type(leaf).__module__.partition(".")[0] == "torch":
            raise not_an_array(leaf)


def describe(leaf: Any) -> str:
    """Dtype and shape of a leaf in JAX's short form: ``float32[3,5]``; ``None`` for a missing gradient."""
    if leaf is None:
        return "None"
    return f"{dtype_of(leaf)}[{','.join(str(n) for n in np.shape(leaf))}]"


def check_matching_grads(params: PyTree, grads: PyTree, *, what: str = "grads") -> None:
    """Raise unless ``grads`` has the leaves of ``params`` with their shapes and dtypes; None is always allowed.

    Raises:
        RuntimeError: leaves are missing or unexpected (torch's words for a ``state_dict`` that does not fit),
            or a leaf has another shape or dtype (torch's words for an assigned ``.grad``).
    """
    expected, got = named_leaves(params), named_leaves(grads)
    missing = [name for name in expected if name not in got]
    unexpected = [name for name in got if name not in expected]
    if missing or unexpected:
        parts = []
        if missing:
            parts.append(f"Missing key(s) in {what}: {quoted(missing)}.")
        if unexpected:
            parts.append(f"Unexpected key(s) in {what}: {quoted(unexpected)}.")
        raise RuntimeError(
            explain(
                " ".join(parts),
                got=quoted(got),
                expected=quoted(expected),
                remedy="give every parameter its key; None says that it has no gradient",
            )
        )
    for name, leaf in expected.items():
        grad = got[name]
        if grad is None:
            continue
        check_grad_fits(name, grad, leaf)


def check_grad_fits(name: str, grad: Any, leaf: Any) -> None:
    """Raise unless a gradient has the shape and dtype of what it belongs to, in torch's words for ``p.grad = grad``.

    Raises:
        RuntimeError: it has not.
    """
    if np.shape(grad) != np.shape(leaf):
        sentence = (
            f"attempting to assign a gradient of size '{list(np.shape(grad))}' to a tensor of size "
            f"'{list(np.shape(leaf))}'. Please ensure that the gradient and the tensor are the same size"
        )
    elif dtype_of(grad) != dtype_of(leaf):
        sentence = (
            f"attempting to assign a gradient with dtype '{c_name(dtype_of(grad))}' to a tensor with grad_dtype "
            f"'{torch_name(dtype_of(leaf))}'. The gradient must match the tensor's grad_dtype (defaults to the "
            "tensor's dtype)."
        )
    else:
        return
    raise RuntimeError(explain(sentence, got=f'"{name}": {describe(grad)}', expected=describe(leaf)))


def check_differentiable(params: PyTree) -> None:
    """Raise torch's RuntimeError if a leaf that should be differentiated is not floating point or complex."""
    for name, leaf in named_leaves(params).items():
        if leaf is not None and not jnp.issubdtype(dtype_of(leaf), jnp.inexact):
            raise RuntimeError(
                explain(
                    "Only Tensors of floating point and complex dtype can require gradients",
                    got=f'"{name}": {describe(leaf)}',
                    remedy="pass integer arrays as arguments of the loss function beside the parameters",
                )
            )


def is_traced(*values: Any) -> bool:
    """Whether any value is a tracer, so that its numbers cannot be looked at (inside jit, grad, vmap)."""
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(values))
