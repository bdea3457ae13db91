"""Adaptive pools: the output's size is given, the windows follow from it.

Window o of an axis of n elements cut into m reaches from ``floor(o n / m)`` to ``ceil((o + 1) n / m)``: neighbours
share an element where m does not divide n.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Num

from jaxgrad._core.arguments import as_integer, wrong_kind
from jaxgrad._core.castable import castable
from jaxgrad._core.diagnosis import diagnosed
from jaxgrad._core.dtype_names import torch_name
from jaxgrad._core.errors import explain
from jaxgrad._core.operations import operation
from jaxgrad._core.types import Array
from jaxgrad.nn.functional.pooling.average import mean_over
from jaxgrad.nn.functional.pooling.maximum import Windows, adaptive, max_over
from jaxgrad.nn.functional.sizes import Sizes, integers

Wanted = int | Sequence[int | None]


@diagnosed
def adaptive_avg_pool1d(
    input: Num[Array, "*batch channels length"], output_size: int | Sizes
) -> Num[Array, "*batch channels length_out"]:
    """Mirror of ``torch.nn.functional.adaptive_avg_pool1d``: means over as many windows as are asked for.

    Args:
        input: (N, C, L), or (C, L).
        output_size: L'.

    Returns:
        (N, C, L').

    Raises:
        RuntimeError: sizes that do not fit, in torch's words.

    >>> adaptive_avg_pool1d(jnp.array([[1.0, 2.0, 4.0]]), 2).tolist()
    [[1.5, 3.0]]

    Source: torch/nn/functional.py, ``adaptive_avg_pool1d``.
    """
    return _adaptive_avg(1, input, output_size)


@diagnosed
def adaptive_avg_pool2d(
    input: Num[Array, "*batch channels height width"], output_size: Wanted
) -> Num[Array, "*batch channels height_out width_out"]:
    """Mirror of ``torch.nn.functional.adaptive_avg_pool2d``: (N, C, H, W) -> (N, C, H', W').

    Args:
        input: (N, C, H, W), or (C, H, W).
        output_size: one number, or one for each axis; None keeps an axis as it is.

    Returns:
        (N, C, H', W'), or (C, H', W').

    >>> adaptive_avg_pool2d(jnp.ones((1, 3, 7, 5)), (1, None)).shape
    (1, 3, 1, 5)

    Source: torch/nn/functional.py, ``adaptive_avg_pool2d``.
    """
    return _adaptive_avg(2, input, output_size)


@diagnosed
@castable("adaptive_avg_pool3d")
def adaptive_avg_pool3d(
    input: Num[Array, "*batch channels depth height width"], output_size: Wanted
) -> Num[Array, "*batch channels depth_out height_out width_out"]:
    """Mirror of ``torch.nn.functional.adaptive_avg_pool3d``; arguments as :func:`adaptive_avg_pool2d`.

    >>> adaptive_avg_pool3d(jnp.ones((1, 3, 4, 4, 4)), 2).shape
    (1, 3, 2, 2, 2)

    Source: torch/nn/functional.py, ``adaptive_avg_pool3d``.
    """
    return _adaptive_avg(3, input, output_size)


@diagnosed
def adaptive_max_pool1d(
    input: Num[Array, "*batch channels length"], output_size: int | Sizes, return_indices: bool = False
) -> Any:
    """Mirror of ``torch.nn.functional.adaptive_max_pool1d``: maxima over as many windows as are asked for.

    Derivative: the whole gradient goes to the first of equal elements, as in torch.

    Args:
        input: (N, C, L), or (C, L).
        output_size: L'.
        return_indices: whether to return too where the elements lay.

    Returns:
        (N, C, L'), or ``(output, indices)``.

    >>> adaptive_max_pool1d(jnp.array([[1.0, 2.0, 4.0]]), 2, return_indices=True)
    (Array([[2., 4.]], dtype=float32), Array([[1, 2]], dtype=int32))

    Source: torch/nn/functional.py, ``adaptive_max_pool1d``.
    """
    return _adaptive_max(1, input, output_size, return_indices)


@diagnosed
def adaptive_max_pool2d(
    input: Num[Array, "*batch channels height width"], output_size: Wanted, return_indices: bool = False
) -> Any:
    """Mirror of ``torch.nn.functional.adaptive_max_pool2d``; arguments as :func:`adaptive_max_pool1d`.

    >>> adaptive_max_pool2d(jnp.ones((1, 3, 7, 5)), (2, None)).shape
    (1, 3, 2, 5)

    Source: torch/nn/functional.py, ``adaptive_max_pool2d``.
    """
    return _adaptive_max(2, input, output_size, return_indices)


@diagnosed
@castable("adaptive_max_pool3d")
def adaptive_max_pool3d(
    input: Num[Array, "*batch channels depth height width"], output_size: Wanted, return_indices: bool = False
) -> Any:
    """Mirror of ``torch.nn.functional.adaptive_max_pool3d``; arguments as :func:`adaptive_max_pool1d`.

    >>> adaptive_max_pool3d(jnp.ones((1, 3, 4, 4, 4)), 2).shape
    (1, 3, 2, 2, 2)

    Source: torch/nn/functional.py, ``adaptive_max_pool3d``.
    """
    return _adaptive_max(3, input, output_size, return_indices)


def _adaptive_avg(n: int, input: Any, output_size: Any) -> Array:
    input, function = jnp.asarray(input), f"adaptive_avg_pool{n}d"
    out = _wanted(n, input, output_size, function, f"{function}: output_size must be {n}")
    _check_rank(n, input, function, "")
    kernel = f"adaptive_avg_pool{max(n, 2)}d"
    if min(out) < 0:
        shown = (1, *out) if n == 1 else out
        listed = ", ".join(map(str, shown[:-1])) + (", " if n < 3 else ",") + str(shown[-1])
        raise RuntimeError(
            f"{kernel}: elements of output_size must be greater than or equal to 0 but received {{{listed}}}"
        )
    means = (out == (1,) * n and n > 1) or (out == (1,) and n == 1)
    _check_not_empty(input, n, kernel, allowed=means, channels=n == 3)
    _check_dtype(input, f"{kernel}_cpu" if n == 3 else kernel)
    return _AVERAGED[n](input, out)


def _adaptive_max(n: int, input: Any, output_size: Any, return_indices: bool) -> Any:
    input, function = jnp.asarray(input), f"adaptive_max_pool{n}d"
    sentence = f"{function}(): internal error: output_size.size() must be {n}"
    out = _wanted(n, input, output_size, function, sentence)
    _check_rank(n, input, function, ":")
    _check_not_empty(input, n, function, allowed=False, channels=True)
    if min(out) < 0:
        shape = [*input.shape[: input.ndim - n], *((1, *out) if n == 1 else out)]
        raise RuntimeError(f"Trying to create tensor with negative dimension {min(out)}: {shape}")
    kernel = f"adaptive_max_pool{max(n, 2)}d"
    _check_dtype(input, f"{kernel}_cpu" if n == 3 else kernel)
    if 0 in out:
        empty = jnp.zeros((*input.shape[: input.ndim - n], *out), input.dtype)
        return (empty, empty.astype(int)) if return_indices else empty
    values, indices = _GREATEST[n](input, out, return_indices)
    return (values, indices) if return_indices else values


def _windows(input: Array, out: Sizes) -> list[Windows]:
    return [adaptive(size, m) for size, m in zip(input.shape[input.ndim - len(out) :], out, strict=True)]


@partial(jax.jit, static_argnums=1)
def _compiled_mean(input: Array, out: Sizes) -> Array:
    windows = _windows(input, out)
    return mean_over(input, windows, [w.inside.sum(1) for w in windows])


@partial(jax.jit, static_argnums=(1, 2))
def _compiled_max(input: Array, out: Sizes, with_index: bool) -> tuple[Array, Array | None]:
    return max_over(input, _windows(input, out), with_index=with_index)


def _mean(input: Array, out: Sizes) -> Array:
    return _compiled_mean(input, out)


def _max(input: Array, out: Sizes, with_index: bool) -> tuple[Array, Array | None]:
    return _compiled_max(input, out, with_index)


_AVERAGED = {n: operation(f"AdaptiveAvgPool{max(n, 2)}DBackward0")(_mean) for n in (1, 2, 3)}
_GREATEST = {n: operation(f"AdaptiveMaxPool{max(n, 2)}DBackward0")(_max) for n in (1, 2, 3)}


def _wanted(n: int, input: Array, output_size: Any, function: str, sentence: str) -> Sizes:
    """The output's sizes, an axis' own where None stands."""
    if n == 1:
        if output_size is None:
            raise TypeError(f"{function}(): argument 'output_size' (position 2) must be tuple of ints, not NoneType")
        if isinstance(output_size, list | tuple) and None in output_size:
            at = list(output_size).index(None)
            raise TypeError(
                f"{function}(): argument 'output_size' (position 2) must be tuple of ints, but found element of type "
                f"NoneType at pos {at}"
            )
        given = integers(output_size, "output_size", function)
        if len(given) != 1:
            raise RuntimeError(f"{function}() argument 'output_size' should contain one int (got {len(given)})")
        return given
    if output_size is None:
        raise wrong_kind(output_size, "output_size", function, "tuple of ints", "(None, None) keeps both axes")
    if not isinstance(output_size, list | tuple):
        return (as_integer(output_size, "output_size", function),) * n
    if len(output_size) > input.ndim:
        raise ValueError(f"Input dimension should be at least {len(output_size) + 1}")
    own = input.shape[input.ndim - len(output_size) :]
    sizes = tuple(
        size if wanted is None else as_integer(wanted, "output_size", function)
        for wanted, size in zip(output_size, own, strict=True)
    )
    if input.ndim <= len(output_size):
        raise ValueError(
            explain(
                f"Input dimension should be at least {len(output_size) + 1}",
                got=f"input {input.shape}",
                expected="(batch, channels, ...)",
            )
        )
    if len(sizes) != n:
        raise RuntimeError(sentence)
    return sizes


def _check_rank(n: int, input: Array, function: str, colon: str) -> None:
    if input.ndim in (n + 1, n + 2):
        return
    if n == 1:
        raise RuntimeError(
            f"Expected 2 to 3 dimensions, but got {input.ndim}-dimensional tensor for argument #1 'self' "
            f"(while checking arguments for {function})"
        )
    raise RuntimeError(
        explain(
            f"{function}(): Expected {n + 1}D or {n + 2}D tensor, but got{colon} {list(input.shape)}",
            got=f"input {input.shape}",
            expected=f"(batch, channels, {', '.join(('depth', 'height', 'width')[3 - n :])})",
        )
    )


def _check_not_empty(input: Array, n: int, function: str, *, allowed: bool, channels: bool) -> None:
    """Raise if an axis is empty; ``allowed`` where torch takes a mean, and for channels by function."""
    shape = list(input.shape)
    first = len(shape) - n - (1 if channels else 0)
    for dim in range(first, len(shape)):
        is_channel = dim == len(shape) - n - 1
        if shape[dim] == 0 and not (allowed and not is_channel):
            wide = n == 1 and function.startswith("adaptive_avg")
            shown = [*shape[:-1], 1, shape[-1]] if wide else shape
            raise RuntimeError(
                f"{function}(): Expected input to have non-zero size for non-batch dimensions, but input has sizes "
                f"{shown} with dimension {dim + 1 if wide else dim} being empty"
            )


def _check_dtype(input: Array, kernel: str) -> None:
    if not jnp.issubdtype(input.dtype, jnp.floating):
        raise NotImplementedError(
            explain(
                f"\"{kernel}\" not implemented for '{torch_name(input.dtype)}'",
                got=f"input {input.dtype}",
                remedy="input.astype(float)",
            )
        )
