"""The gradient that flows in at the root: torch's implicit one, and torch's checks of an explicit one."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.errors import explain
from jaxgrad._core.types import Array, PyTree


class Output(NamedTuple):
    """An output as its cotangent has to be."""

    shape: tuple[int, ...]
    dtype: np.dtype
    varying: frozenset[str] = frozenset()
    """Mesh axes along which the value differs, inside of ``jax.shard_map``."""


def output_of(output: Any) -> Output:
    """Shape, dtype and varying mesh axes of a value, hashable."""
    return Output(tuple(np.shape(output)), jnp.result_type(output), _varying(output))


def _varying(value: Any) -> frozenset[str]:
    return getattr(getattr(jax.typeof(value), "mat", None), "varying", frozenset())


def conjugated(value: Array) -> Array:
    """From torch's gradient of a complex value to JAX's, and back; a real one is handed through."""
    return jnp.conj(value) if jnp.issubdtype(value.dtype, jnp.complexfloating) else value


def cotangents(gradient: PyTree | None, tree: Any, outputs: Sequence[Output], *, batched: bool = False) -> list[Array]:
    """``gradient`` as one array for each output: ones where it is None, cast to the output's dtype.

    Args:
        gradient: None, or a tree like the outputs in which None again stands for the implicit one.
        tree: the structure of the outputs.
        outputs: their shapes and dtypes.
        batched: whether every array has a leading batch axis (``is_grads_batched``).

    Raises:
        RuntimeError: torch's, where the implicit one is not allowed or an explicit one does not fit.
    """
    given = [None] * len(outputs) if gradient is None else _like(tree, gradient)
    if batched and any(each is None for each in given):
        raise ValueError("is_grads_batched=True needs every grad_output, with a leading batch axis")
    return [
        _spread(_implicit(output) if each is None else _explicit(i, each, output, batched), output)
        for i, (each, output) in enumerate(zip(given, outputs, strict=True))
    ]


def _spread(cotangent: Array, output: Output) -> Array:
    """The same value on every device, said to vary along the axes along which the output does."""
    missing = output.varying - _varying(cotangent)
    return jax.lax.pcast(cotangent, tuple(missing), to="varying") if missing else cotangent


def _like(tree: Any, gradient: PyTree) -> list[Any]:
    try:
        given: list[Any] = tree.flatten_up_to(gradient)
        return given
    except ValueError:
        found: Any = jax.tree.structure(gradient)
        sentence = f"got {tree.num_leaves} tensors and {found.num_leaves} gradients"
        raise RuntimeError(explain(sentence, got=found, expected=tree)) from None


def _implicit(output: Output) -> Array:
    shape, dtype, _ = output
    if int(np.prod(shape)) != 1:
        raise RuntimeError(
            explain(
                "grad can be implicitly created only for scalar outputs",
                got=f"an output of shape {shape}",
                remedy="return a scalar (a mean or a sum), or pass gradient= with the shape of the output",
            )
        )
    refuse_implicit_complex(dtype)
    return jnp.ones(shape, dtype)


def refuse_implicit_complex(dtype: np.dtype) -> None:
    """Raise torch's RuntimeError for a complex output without an explicit gradient."""
    if jnp.issubdtype(dtype, jnp.complexfloating):
        raise RuntimeError(
            explain(
                f"grad can be implicitly created only for real scalar outputs but got torch.{dtype}",
                remedy="return a real number, or say which gradient flows in (gradient=, v=)",
            )
        )


def _explicit(index: int, gradient: Any, output: Output, batched: bool) -> Array:
    shape, dtype, _ = output
    given, given_dtype = tuple(np.shape(gradient)), jnp.result_type(gradient)
    if batched:
        _check_batched(index, given, shape)
    elif given != shape:
        raise RuntimeError(
            f"Mismatch in shape: grad_output[{index}] has a shape of torch.Size({list(given)}) "
            f"and output[{index}] has a shape of torch.Size({list(shape)})."
        )
    if jnp.issubdtype(given_dtype, jnp.complexfloating) != jnp.issubdtype(dtype, jnp.complexfloating):
        raise RuntimeError(
            "For complex Tensors, both grad_output and output are required to have the same dtype. "
            f"Mismatch in dtype: grad_output[{index}] has a dtype of torch.{given_dtype} "
            f"and output[{index}] has a dtype of torch.{dtype}."
        )
    return jnp.asarray(gradient, dtype)


def _check_batched(index: int, given: tuple[int, ...], shape: tuple[int, ...]) -> None:
    if given[:1] + shape != given:
        raise RuntimeError(
            "If `is_grads_batched=True`, we interpret the first dimension of each grad_output as the batch dimension. "
            "The sizes of the remaining dimensions are expected to match the shape of corresponding output, "
            f"but a mismatch was detected: grad_output[{index}] has a shape of torch.Size({list(given[1:])}) "
            f"and output[{index}] has a shape of torch.Size({list(shape)}). If you only want some tensors in "
            "`grad_output` to be considered batched, consider using vmap."
        )
