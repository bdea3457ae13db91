"""Max pools undone: every value goes back to where it lay, the rest is 0."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Integer, Num

from jaxgrad._core.castable import castable
from jaxgrad._core.diagnosis import diagnosed
from jaxgrad._core.dtype_names import torch_name
from jaxgrad._core.errors import explain, is_traced
from jaxgrad._core.operations import operation
from jaxgrad._core.types import Array
from jaxgrad.nn.functional.sizes import Sizes, integers, joined


@diagnosed
@castable("max_unpool2d")
def max_unpool1d(
    input: Num[Array, "*batch channels length"],
    indices: Integer[Array, "*batch channels length"],
    kernel_size: int | Sizes,
    stride: int | Sizes | None = None,
    padding: int | Sizes = 0,
    output_size: Sizes | None = None,
) -> Num[Array, "*batch channels length_out"]:
    """Mirror of ``torch.nn.functional.max_unpool1d``: ``y[indices] = input``, 0 elsewhere.

    Derivative: every input has the gradient of its place, also where two were put on one place (the last one stays).
    Inside jit indices cannot be looked at: what lies out of range is dropped instead of raising.

    Args:
        input: (N, C, L), or (C, L): what a max pool returned.
        indices: the same shape: what it returned beside it.
        kernel_size: of that pool, with the next two; they give the output's size.
        stride: ``kernel_size`` by default.
        padding: of that pool.
        output_size: the output's size where several are possible; with or without batch and channels.

    Returns:
        (N, C, L'), or (C, L').

    Raises:
        ValueError: an ``output_size`` that the pool cannot have had.
        RuntimeError: indices of another shape, or out of range.

    >>> max_unpool1d(jnp.array([[5.0, 7.0]]), jnp.array([[1, 2]]), 2).tolist()
    [[0.0, 5.0, 7.0, 0.0]]

    Source: torch/nn/functional.py, ``max_unpool1d``.
    """
    return _unpool(1, input, indices, kernel_size, stride, padding, output_size)


@diagnosed
@castable("max_unpool2d")
def max_unpool2d(
    input: Num[Array, "*batch channels height width"],
    indices: Integer[Array, "*batch channels height width"],
    kernel_size: int | Sizes,
    stride: int | Sizes | None = None,
    padding: int | Sizes = 0,
    output_size: Sizes | None = None,
) -> Num[Array, "*batch channels height_out width_out"]:
    """Mirror of ``torch.nn.functional.max_unpool2d``; arguments as :func:`max_unpool1d`, one number or two.

    >>> max_unpool2d(jnp.ones((1, 1, 1)), jnp.array([[[3]]]), 2).tolist()
    [[[0.0, 0.0], [0.0, 1.0]]]

    Source: torch/nn/functional.py, ``max_unpool2d``.
    """
    return _unpool(2, input, indices, kernel_size, stride, padding, output_size)


@diagnosed
@castable("max_unpool3d")
def max_unpool3d(
    input: Num[Array, "*batch channels depth height width"],
    indices: Integer[Array, "*batch channels depth height width"],
    kernel_size: int | Sizes,
    stride: int | Sizes | None = None,
    padding: int | Sizes = 0,
    output_size: Sizes | None = None,
) -> Num[Array, "*batch channels depth_out height_out width_out"]:
    """Mirror of ``torch.nn.functional.max_unpool3d``; arguments as :func:`max_unpool1d`, one number or three.

    >>> max_unpool3d(jnp.ones((1, 1, 1, 1)), jnp.array([[[[3]]]]), (1, 2, 2)).shape
    (1, 1, 2, 2)

    Source: torch/nn/functional.py, ``max_unpool3d``.
    """
    return _unpool(3, input, indices, kernel_size, stride, padding, output_size)


def _unpool(n: int, input: Any, indices: Any, kernel_size: Any, stride: Any, padding: Any, output_size: Any) -> Array:
    input, indices, function = jnp.asarray(input), jnp.asarray(indices), f"max_unpool{n}d"
    kernel = _numbers(kernel_size, n, "kernel_size", function)
    steps = kernel if stride is None else _numbers(stride, n, "stride", function)
    pads = _numbers(padding, n, "padding", function)
    size = _output_size(input, kernel, steps, pads, output_size)
    _check(n, input, indices, size, steps)
    return _put(input, indices, size)


def _numbers(value: Any, n: int, name: str, function: str) -> Sizes:
    given = integers(value, name, function)
    given = given if isinstance(value, list | tuple) else given * n
    if len(given) != n:
        raise IndexError("tuple index out of range")
    return given


def _output_size(input: Array, kernel: Sizes, stride: Sizes, padding: Sizes, wanted: Any) -> Sizes:
    n = len(kernel)
    if input.ndim < n:
        raise IndexError("Dimension out of range")
    sizes = input.shape[input.ndim - n :]
    default = [(m - 1) * s + k - 2 * p for m, s, k, p in zip(sizes, stride, kernel, padding, strict=True)]
    if wanted is None:
        return tuple(default)
    size = tuple(wanted[2:]) if len(wanted) == n + 2 else tuple(wanted)
    if len(size) != n:
        raise ValueError(
            f"output_size should be a sequence containing {n} or {n + 2} elements, but it has a length of '{len(size)}'"
        )
    shown = wanted[2:] if len(wanted) == n + 2 else wanted
    for d, (given, middle, step) in enumerate(zip(size, default, stride, strict=True)):
        if not middle - step < given < middle + step:
            raise ValueError(
                f'invalid output_size "{shown}" (dim {d} must be between {middle - step} and {middle + step})'
            )
    return tuple(int(each) for each in size)


def _check(n: int, input: Array, indices: Array, size: Sizes, stride: Sizes) -> None:
    m = max(n, 2)
    extra = 1 if n == 1 else 0
    if n == 3 and min(stride) <= 0:
        raise RuntimeError(f"strides should be greater than zero, but got stride: {list(stride)}")
    if input.ndim not in (n + 1, n + 2):
        raise RuntimeError(
            f"Input to max_unpooling{m}d should be a {m + 1}d or {m + 2}d Tensor, but got a tensor with "
            f"{input.ndim + extra} dimensions."
        )
    if not jnp.issubdtype(indices.dtype, jnp.integer):
        sentence = "elements in indices should be type int64"
        raise RuntimeError(sentence if n == 3 else f"{sentence} but got: {torch_name(indices.dtype)}")
    wide = [*input.shape, *[1] * extra]
    if indices.shape != input.shape:
        raise RuntimeError(
            f"Expected shape of indices to be same as that of the input tensor ({wide}) but got indices tensor with "
            f"shape: {[*indices.shape, *[1] * extra]}"
        )
    for dim in range(input.ndim - n - 1, input.ndim):
        if input.shape[dim] == 0:
            raise RuntimeError(
                f"max_unpooling{m}d_forward_out_cpu(): Expected input to have non-zero size for non-batch dimensions, "
                f"but got {wide} with dimension {dim} being empty."
            )
    if not is_traced(indices) and indices.size:
        places, volume = np.asarray(indices), int(np.prod(size))
        wrong = places[(places < 0) | (places >= volume)]
        if wrong.size:
            volumes = joined([*size, *[1] * extra])
            raise RuntimeError(
                explain(
                    f"Found an invalid max index: {wrong[0]} (output volumes are of size {volumes})",
                    got=f"index {wrong[0]}",
                    expected=f"0 <= index < {volume}",
                )
            )


def _put(input: Array, indices: Array, size: Sizes) -> Array:
    n = len(size)
    leading = input.shape[: input.ndim - n]
    rows, volume = int(np.prod(leading)), int(np.prod(size))
    each = int(np.prod(input.shape[input.ndim - n :]))
    flat = _placed(input.reshape(rows, each), indices.reshape(rows, each), volume)
    return flat.reshape(*leading, *size)


@operation("MaxUnpool2DBackward0")
def _placed(values: Array, places: Array, volume: int) -> Array:
    def place(values: Array) -> Array:
        rows = jnp.arange(values.shape[0])[:, None]
        out = jnp.zeros((values.shape[0], volume), values.dtype)
        return out.at[rows, places].set(values, mode="drop")

    @jax.custom_vjp
    def placed(values: Array) -> Array:
        return place(values)

    def forward(values: Array) -> tuple[Array, None]:
        return place(values), None

    def backward(_: None, g: Array) -> tuple[Array]:
        return (jnp.take_along_axis(g, places, 1, mode="clip"),)

    placed.defvjp(forward, backward)
    return placed(values)
