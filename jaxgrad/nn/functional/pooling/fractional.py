"""Fractional max pools: windows of one size at places that are drawn, so that the output is a fraction of the input.

For each plane of channels and each axis one number u is drawn; window i begins at
:math:`\\lfloor (i + u) a \\rfloor - \\lfloor u a \\rfloor` with a the mean distance, the last one at the end.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Float

from jaxgrad import random
from jaxgrad._core.castable import castable
from jaxgrad._core.diagnosis import diagnosed
from jaxgrad._core.errors import explain
from jaxgrad._core.operations import operation
from jaxgrad._core.types import Array
from jaxgrad.nn.functional.pooling.maximum import chosen
from jaxgrad.nn.functional.sizes import Sizes, integers

Ratio = float | Sequence[float]


@diagnosed
@castable("fractional_max_pool2d")
def fractional_max_pool2d(
    input: Float[Array, "*batch channels height width"],
    kernel_size: int | Sizes,
    output_size: int | Sizes | None = None,
    output_ratio: Ratio | None = None,
    return_indices: bool = False,
    _random_samples: Float[Array, "samples channels 2"] | None = None,
    *,
    generator: random.Generator | None = None,
) -> Any:
    """Mirror of ``torch.nn.functional.fractional_max_pool2d``.

    Derivative: the whole gradient goes to the first of equal elements, as in torch.

    Args:
        input: (N, C, H, W), or (C, H, W), floating.
        kernel_size: of the windows.
        output_size: (H', W'); goes before the ratio.
        output_ratio: H' / H and W' / W.
        return_indices: whether to return too where the elements lay.
        _random_samples: (N, C, 2), numbers in [0, 1) that take the place of drawn ones.
        generator: what they are drawn from, torch's numbers.

    Returns:
        (N, C, H', W'), or ``(output, indices)``; with a generator ``(that, generator)``.

    Raises:
        ValueError: neither a size nor a ratio.
        RuntimeError: sizes that do not fit, in torch's words.
        TypeError: something has to be drawn and no generator was passed.

    >>> from jaxgrad import random
    >>> x = jnp.arange(16.0).reshape(1, 4, 4)
    >>> output, generator = fractional_max_pool2d(x, 2, output_size=3, generator=random.manual_seed(0))
    >>> output.shape, output[0, -1, -1].item()
    ((1, 3, 3), 15.0)

    Source: Graham, 2014; torch/nn/functional.py, ``fractional_max_pool2d``.
    """
    return _fractional(2, input, kernel_size, output_size, output_ratio, return_indices, _random_samples, generator)


@diagnosed
@castable("fractional_max_pool3d")
def fractional_max_pool3d(
    input: Float[Array, "*batch channels depth height width"],
    kernel_size: int | Sizes,
    output_size: int | Sizes | None = None,
    output_ratio: Ratio | None = None,
    return_indices: bool = False,
    _random_samples: Float[Array, "samples channels 3"] | None = None,
    *,
    generator: random.Generator | None = None,
) -> Any:
    """Mirror of ``torch.nn.functional.fractional_max_pool3d``; arguments as :func:`fractional_max_pool2d`.

    >>> samples = jnp.full((1, 1, 3), 0.5)
    >>> fractional_max_pool3d(jnp.ones((1, 4, 4, 4)), 2, output_ratio=0.5, _random_samples=samples).shape
    (1, 2, 2, 2)

    Source: Graham, 2014; torch/nn/functional.py, ``fractional_max_pool3d``.
    """
    return _fractional(3, input, kernel_size, output_size, output_ratio, return_indices, _random_samples, generator)


def _fractional(
    n: int,
    input: Any,
    kernel_size: Any,
    output_size: Any,
    output_ratio: Any,
    return_indices: bool,
    samples: Any,
    generator: random.Generator | None,
) -> Any:
    input, function = jnp.asarray(input), f"fractional_max_pool{n}d"
    out = _output_size(n, input, output_size, output_ratio, function)
    kernel = _numbers(kernel_size, n, "kernel_size", function)
    if input.ndim not in (n + 1, n + 2):
        if samples is not None:
            raise RuntimeError(
                f"{function}{'_out' * (n == 3)}(): Expected {n + 1}D or {n + 2}D tensor, but got: {list(input.shape)}"
            )
        raise IndexError(
            explain(
                f"Dimension out of range (expected to be in range of [{-input.ndim}, {input.ndim - 1}], "
                f"but got {-n - 1})",
                got=f"input {input.shape}",
                expected=f"(batch, channels, {', '.join(('depth', 'height', 'width')[3 - n :])})",
            )
        )
    x = input if input.ndim == n + 2 else input[None]
    drawn = samples is None and generator is not None
    if samples is None:
        if generator is None:
            raise TypeError(
                explain(
                    f"{function} has to draw where its windows lie",
                    got="neither generator nor _random_samples",
                    remedy="output, generator = fractional_max_pool2d(..., generator=generator)",
                )
            )
        samples, generator = random.rand(generator, (*x.shape[:2], n), dtype=input.dtype)
    samples = jnp.asarray(samples)
    _check(n, input, x, kernel, out, samples, function)
    values, indices = _POOLED[n](x, kernel, out, samples)
    if input.ndim == n + 1:
        values, indices = values[0], indices[0]
    result = (values, indices) if return_indices else values
    return (result, generator) if drawn or generator is not None else result


def _output_size(n: int, input: Array, size: Any, ratio: Any, function: str) -> Sizes:
    if size is not None:
        return _numbers(size, n, "output_size", function)
    if ratio is None:
        raise ValueError(f"{function} requires specifying either an output_size or an output_ratio")
    if isinstance(ratio, int | float):
        ratio = (ratio,) * n
    if len(ratio) > n:
        raise ValueError(f"{function} requires output_ratio to either be a single Int or tuple of Ints.")
    sizes = input.shape[input.ndim - n :]
    return tuple(int(m * each) for m, each in zip(sizes, ratio, strict=True))


def _numbers(value: Any, n: int, name: str, function: str) -> Sizes:
    given = integers(value, name, function)
    if len(given) == 1:
        return given * n
    if len(given) != n:
        kind = "Ints" if n == 2 else "three Ints"
        raise RuntimeError(f"{function}: {name} must either be a single Int or tuple of {kind}")
    return given


def _check(n: int, input: Array, x: Array, kernel: Sizes, out: Sizes, samples: Array, function: str) -> None:
    kernels = f"{function}()" if n == 2 else f"{function}_out()"
    for dim in range(input.ndim - n - 1, input.ndim):
        if input.shape[dim] == 0:
            raise RuntimeError(
                f"{kernels}: Expected input to have non-zero size for non-batch dimensions, but got"
                f"{list(input.shape)} with dimension {dim} being empty."
            )
    names = ("height", "width") if n == 2 else ("time", "height", "width")
    for name, size, k, m in zip(names, x.shape[2:], kernel, out, strict=True):
        if m + k - 1 > size:
            raise RuntimeError(
                explain(
                    f"{kernels}: pool {name} {k} too large relative to input {name} {size}",
                    got=f"{m} windows of {k} along {size} elements",
                    expected=f"at most {max(size - k + 1, 0)} windows",
                )
            )
    if samples.dtype != input.dtype:
        raise RuntimeError("Expect _random_samples to have the same dtype as input")
    if samples.ndim != 3:
        raise RuntimeError(f"Expect _random_samples to have 3 dimensions, got {samples.ndim}")
    if samples.shape[0] < x.shape[0]:
        raise RuntimeError("Expect _random_samples.size(0) no less then input batch size.")
    if samples.shape[1] != x.shape[1]:
        raise RuntimeError("Expect _random_samples.size(1) equals to input channel size.")
    if samples.shape[2] != n:
        raise RuntimeError(f"Expect _random_samples.size(2) equals to {n}; got {samples.shape[2]}.")


def _pooled(x: Array, kernel: Sizes, out: Sizes, samples: Array) -> tuple[Array, Array]:
    return _compiled(x, kernel, out, samples)


@partial(jax.jit, static_argnums=(1, 2))
def _compiled(x: Array, kernel: Sizes, out: Sizes, samples: Array) -> tuple[Array, Array]:
    n = len(kernel)
    flat = jnp.arange(_product(x.shape[2:])).reshape((1, 1, *x.shape[2:]))
    index = jnp.broadcast_to(flat, x.shape)
    samples = samples[: x.shape[0]]
    for axis in reversed(range(n)):
        u = samples[..., n - 1 - axis if n == 2 else axis]  # torch: (W, H) for two axes, (T, H, W) for three
        at = (
            _starts(u, x.shape[2 + axis], out[axis], kernel[axis])[..., None]
            + jnp.arange(kernel[axis])[None, None, None]
        )
        x, index = (_windows(v, at, 2 + axis) for v in (x, index))
        x, found = chosen(x, index, 3 + axis)
        assert found is not None
        index = found
    return x, index


def _starts(u: Array, size: int, out: int, kernel: int) -> Array:
    """(N, C) numbers -> (N, C, out) places where windows begin, in the arithmetic of the input's dtype."""
    room = size - kernel
    if out <= 1:
        return jnp.full((*u.shape, out), room)
    alpha = jnp.asarray(room, u.dtype) / jnp.asarray(out - 1, u.dtype)
    i = jnp.arange(out - 1, dtype=u.dtype)[None, None, :]
    inner = ((i + u[..., None]) * alpha).astype(int) - (u * alpha).astype(int)[..., None]
    return jnp.concatenate([inner, jnp.full((*u.shape, 1), room)], -1)


def _windows(x: Array, at: Array, axis: int) -> Array:
    """(N, C, ..., size, ...) at (N, C, out, kernel) places -> (N, C, ..., out, kernel, ...)."""
    n, c, out, kernel = at.shape
    places = at.reshape(n, c, *(1,) * (axis - 2), out * kernel, *(1,) * (x.ndim - axis - 1))
    picked = jnp.take_along_axis(x, places, axis)
    return picked.reshape(*picked.shape[:axis], out, kernel, *picked.shape[axis + 1 :])


def _product(sizes: Sizes) -> int:
    product = 1
    for size in sizes:
        product *= size
    return product


_POOLED = {n: operation(f"FractionalMaxPool{n}DBackward0")(_pooled) for n in (2, 3)}
