r"""Padding: constants, mirror images, repeated edges, or the other end.

The sizes are given last axis first: ``(left, right, top, bottom, ...)``. A negative one crops.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Shaped

from jaxgrad._core.arguments import as_integer
from jaxgrad._core.castable import castable
from jaxgrad._core.diagnosis import diagnosed
from jaxgrad._core.dtype_names import torch_name
from jaxgrad._core.errors import explain
from jaxgrad._core.operations import operation
from jaxgrad._core.types import Array
from jaxgrad.nn.functional.sizes import Sizes

Sides = list[tuple[int, int]]


@diagnosed
def pad(
    input: Shaped[Array, "*shape"], pad: Sizes, mode: str = "constant", value: float | None = None
) -> Shaped[Array, "*padded"]:
    r"""Mirror of ``torch.nn.functional.pad``.

    Differs from ``jnp.pad``: sizes are flat and last axis first; ``reflect`` and ``replicate`` and ``circular`` pad all
    axes behind the channels, and no others.

    Args:
        input: any shape for 'constant'; (N, C, \*spatial) or (C, \*spatial) else, with 1 to 3 spatial axes.
        pad: two integers for each axis that is padded, from the last one on.
        mode: 'constant', 'reflect' (the edge itself is not repeated), 'replicate' or 'circular'.
        value: the constant, 0 by default.

    Returns:
        The input with its last axes longer, or shorter where a pad is negative.

    Raises:
        RuntimeError: sizes that do not fit, in torch's words.
        NotImplementedError: a mode or a number of axes that there is not.

    >>> x = jnp.array([[1, 2, 3]])
    >>> pad(x, (1, 2)).tolist(), pad(x, (1, 2), "reflect").tolist()
    ([[0, 1, 2, 3, 0, 0]], [[2, 1, 2, 3, 2, 1]])
    >>> pad(x, (-1, 1), "replicate").tolist(), pad(x, (1, 1), "circular").tolist()
    ([[2, 3, 3]], [[3, 1, 2, 3, 1]])

    Source: torch/nn/functional.py, ``pad``.
    """
    input = jnp.asarray(input)
    numbers = _integers(pad)
    if len(numbers) % 2:
        raise RuntimeError(explain("Padding length must be divisible by 2", got=f"pad={numbers}"))
    if len(numbers) > 2 * input.ndim:
        raise RuntimeError(
            f"Padding length should be less than or equal to two times the input dimension but got padding length "
            f"{len(numbers)} and input of dimension {input.ndim}"
        )
    sides = [(numbers[i], numbers[i + 1]) for i in range(0, len(numbers), 2)][::-1]
    if mode == "constant":
        return _constant(input, sides, 0 if value is None else value)
    if value is not None and value != 0:
        raise RuntimeError(explain(f'Padding mode "{mode}" doesn\'t take in value argument', got=f"value={value}"))
    n = len(sides)
    if input.ndim not in (n + 1, n + 2) or not 1 <= n <= 3:
        if mode in _MODES:
            raise NotImplementedError(
                explain(
                    f"Padding size {len(numbers)} is not supported for {input.ndim}D input tensor.",
                    got=f"input {input.shape}, pad={numbers}",
                    expected=f"two sizes for each axis behind the channels with mode={mode!r}",
                )
            )
    if mode not in _MODES:
        raise NotImplementedError(
            explain(f"Unrecognised padding mode {mode}", expected=f"constant, {', '.join(_MODES)}")
        )
    return _MODES[mode](input, sides)


@operation("ConstantPadNdBackward0")
def _constant(input: Array, sides: Sides, value: Any) -> Array:
    sides = [(0, 0)] * (input.ndim - len(sides)) + sides
    if any(size + low + high < 0 for size, (low, high) in zip(input.shape, sides, strict=True)):
        raise RuntimeError(
            explain("narrow(): length must be non-negative.", got=f"input {input.shape}, padded by {sides}")
        )
    if input.dtype == jnp.bool_:
        value = bool(value)
    elif jnp.issubdtype(input.dtype, jnp.integer) and not isinstance(value, jax.Array):
        value = int(value)
    return jax.lax.pad(input, jnp.asarray(value, input.dtype), [(low, high, 0) for low, high in sides])


def _reflect(input: Array, sides: Sides) -> Array:
    names = ("ReflectionPad1DBackward0", "ReflectionPad2DBackward0", "ReflectionPad3DBackward0")
    _check_spatial(input, sides, f"reflection_pad{len(sides)}d")
    first = input.ndim - len(sides)
    for back, (low, high) in enumerate(reversed(sides)):
        dim = input.ndim - 1 - back
        size = input.shape[dim]
        if low >= size or high >= size:
            raise RuntimeError(
                explain(
                    f"Argument #{4 + 2 * back}: Padding size should be less than the corresponding input dimension, "
                    f"but got: padding ({low}, {high}) at dimension {dim} of input {list(input.shape)}",
                    got=f"{low} and {high} beside an axis of {size}",
                    expected=f"at most {size - 1}: the edge itself is not repeated",
                )
            )
    _check_output(input, sides)

    @castable(f"reflection_pad{len(sides)}d")
    @operation(names[len(sides) - 1])
    def reflected(x: Array) -> Array:
        for axis, (low, high) in enumerate(sides, first):
            last = x.shape[axis] - 1
            at = np.abs(np.arange(-low, last + 1 + high))
            x = take_runs(x, axis, last - np.abs(last - at))
        return x

    return reflected(input)


def _replicate(input: Array, sides: Sides) -> Array:
    names = ("ReplicationPad1DBackward0", "ReplicationPad2DBackward0", "ReplicationPad3DBackward0")
    _check_spatial(input, sides, f"replication_pad{len(sides)}d")
    _check_output(input, sides)
    first = input.ndim - len(sides)

    @castable(f"replication_pad{len(sides)}d")
    @operation(names[len(sides) - 1])
    def replicated(x: Array) -> Array:
        for axis, (low, high) in enumerate(sides, first):
            last = x.shape[axis] - 1
            x = take_runs(x, axis, np.clip(np.arange(-low, last + 1 + high), 0, last))
        return x

    return replicated(input)


@operation("PadBackward0")
def _circular(input: Array, sides: Sides) -> Array:
    first = input.ndim - len(sides)
    for axis, (low, high) in enumerate(sides, first):
        size = input.shape[axis]
        if low > size or high > size:
            raise RuntimeError(
                explain("Padding value causes wrapping around more than once.", got=f"{low}, {high} beside {size}")
            )
        if size + low + high < 0:
            raise RuntimeError("Negative padding value is resulting in an empty dimension")
    for axis, (low, high) in enumerate(sides, first):
        start, stop = max(-low, 0), input.shape[axis] - max(-high, 0)
        kept = max(stop - start, 1)
        at = np.arange(-max(low, 0), stop - start + max(high, 0))
        input = take_runs(input, axis, start + at % kept)
    return input


_MODES = {"reflect": _reflect, "replicate": _replicate, "circular": _circular}


def take_runs(x: Array, axis: int, at: np.ndarray) -> Array:
    """``x`` at known places along an axis, as few slices: runs that go up, go down or stay.

    A gather's gradient is a scatter, which is slow where slices and their sums are not.

    >>> take_runs(jnp.array([5, 6, 7]), 0, np.array([2, 1, 0, 1, 2, 2, 2])).tolist()
    [7, 6, 5, 6, 7, 7, 7]
    """
    pieces, start = [], 0
    while start < len(at):
        step = int(at[start + 1] - at[start]) if start + 1 < len(at) else 1
        end = start + 1
        while abs(step) <= 1 and end < len(at) and at[end] - at[end - 1] == step:
            end += 1
        run = at[start:end]
        if step == 0:
            one = jax.lax.slice_in_dim(x, int(run[0]), int(run[0]) + 1, axis=axis)
            pieces.append(jnp.broadcast_to(one, (*x.shape[:axis], len(run), *x.shape[axis + 1 :])))
        else:
            forward = jax.lax.slice_in_dim(x, int(run.min()), int(run.max()) + 1, axis=axis)
            pieces.append(forward if step > 0 or len(run) == 1 else jnp.flip(forward, axis))
        start = end
    if not pieces:
        return jax.lax.slice_in_dim(x, 0, 0, axis=axis)
    return pieces[0] if len(pieces) == 1 else jnp.concatenate(pieces, axis)


def _integers(pad: Any) -> Sizes:
    if not isinstance(pad, Sequence) or isinstance(pad, str):
        kind = type(pad).__name__
        raise TypeError(
            explain(
                f"pad(): argument 'pad' (position 2) must be tuple of ints, not {kind}",
                got=pad,
                expected="(left, right) for the last axis, and two more for each axis before it",
            )
        )
    for place, each in enumerate(pad):
        if not hasattr(each, "__index__"):
            raise TypeError(
                f"pad(): argument 'pad' (position 2) must be tuple of ints, but found element of type "
                f"{type(each).__name__} at pos {place}"
            )
    return tuple(as_integer(each, "pad", "pad") for each in pad)


def _check_spatial(input: Array, sides: Sides, kernel: str) -> None:
    n = len(sides)
    if 0 in input.shape[input.ndim - n - 1 :]:
        raise RuntimeError(
            f"Expected {n + 1}D or {n + 2}D (batch mode) tensor with possibly 0 batch size and other non-zero "
            f"dimensions for input, but got: {list(input.shape)}"
        )
    if input.dtype == jnp.bool_:
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{torch_name(input.dtype)}'")


def _check_output(input: Array, sides: Sides) -> None:
    sizes = input.shape[input.ndim - len(sides) :]
    out = [size + low + high for size, (low, high) in zip(sizes, sides, strict=True)]
    if min(out) >= 1:
        return
    names = ("D", "H", "W")[-len(sides) :]
    given = " ".join(f"{name}: {size}" for name, size in zip(names, sizes, strict=True))
    wanted = " ".join(f"{name}: {size}" for name, size in zip(names, out, strict=True))
    raise RuntimeError(f"input ({given}) is too small. Calculated output {wanted}")
