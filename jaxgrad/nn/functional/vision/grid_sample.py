r"""An image read off at places that a grid gives, as in a spatial transformer.

A place is (x, y), or (x, y, z): x counts along the last axis, from -1 to 1. ``align_corners`` says whether these are
the middles of the corner pixels or their outer edges.
"""

import itertools
import warnings
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxgrad._core.caller import users_level
from jaxgrad._core.castable import castable
from jaxgrad._core.diagnosis import diagnosed
from jaxgrad._core.dtype_names import torch_name
from jaxgrad._core.errors import explain
from jaxgrad._core.operations import operation
from jaxgrad._core.types import Array

MODES = ("bilinear", "nearest", "bicubic")
PADDINGS = ("zeros", "border", "reflection")


@diagnosed
@castable("grid_sampler")
def grid_sample(
    input: Float[Array, "batch channels *size_in"],
    grid: Float[Array, "batch *size_out axes"],
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Float[Array, "batch channels *size_out"]:
    r"""Mirror of ``torch.nn.functional.grid_sample``.

    Derivatives by the grid are those of the interpolation, 0 where a place lies at or beyond a clipped border; in
    mode 'nearest' they are 0.

    Args:
        input: (N, C, H, W) or (N, C, D, H, W), floating.
        grid: (N, H', W', 2) of (x, y), or (N, D', H', W', 3) of (x, y, z), in [-1, 1].
        mode: 'bilinear' (trilinear for three axes), 'nearest', or 'bicubic' (two axes).
        padding_mode: what lies outside: 'zeros', the 'border', or the 'reflection' of the inside.
        align_corners: whether -1 and 1 are the middles of the corner pixels; False, with a warning, if not given.

    Returns:
        (N, C, H', W') or (N, C, D', H', W').

    Raises:
        ValueError: a mode that there is not.
        RuntimeError: shapes that do not fit, in torch's words.

    >>> image = jnp.array([[[[0.0, 1.0], [2.0, 3.0]]]])
    >>> grid_sample(image, jnp.array([[[[0.0, 0.0], [1.0, -1.0]]]]), align_corners=True).tolist()
    [[[[1.5, 1.0]]]]

    Source: Jaderberg et al., 2015; torch/nn/functional.py, ``grid_sample``.
    """
    if mode not in MODES:
        raise ValueError(
            f"nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '{mode}'"
        )
    if padding_mode not in PADDINGS:
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', "
            f"but got: '{padding_mode}'"
        )
    if align_corners is None:
        warn_of_corners()
        align_corners = False
    input, grid = jnp.asarray(input), jnp.asarray(grid)
    _check(input, grid, mode)
    n = input.ndim - 2
    sampled = operation(f"GridSampler{n}DBackward0")(_sampled)
    return sampled(input, grid, mode, padding_mode, bool(align_corners))


def warn_of_corners() -> None:
    """Torch's warning that corners are not aligned by default."""
    warnings.warn(
        "Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. Please specify "
        "align_corners=True if the old behavior is desired. See the documentation of grid_sample for details.",
        stacklevel=users_level(),
    )


def _sampled(input: Array, grid: Array, mode: str, padding_mode: str, align_corners: bool) -> Array:
    return _compiled(input, grid, mode, padding_mode, align_corners)


@partial(jax.jit, static_argnums=(2, 3, 4))
def _compiled(input: Array, grid: Array, mode: str, padding_mode: str, align_corners: bool) -> Array:
    n = input.ndim - 2
    sizes = input.shape[2:]
    dtype = input.dtype
    if dtype.itemsize == 2:
        input, grid = input.astype(jnp.float32), grid.astype(jnp.float32)
    places = [_unnormalized(grid[..., n - 1 - axis], sizes[axis], align_corners) for axis in range(n)]
    if mode == "bicubic":
        return _bicubic(input, places, padding_mode, align_corners).astype(dtype)
    inner = [
        _brought_inside(place, size, padding_mode, align_corners) for place, size in zip(places, sizes, strict=True)
    ]
    if mode == "nearest":
        return _at(input, [jnp.round(each) for each in inner]).astype(dtype)
    total = None
    lows = [jnp.floor(each) for each in inner]
    for corner in itertools.product((0, 1), repeat=n):
        weight = None
        for place, low, step in zip(inner, lows, corner, strict=True):
            share = place - low if step else low + 1 - place
            weight = share if weight is None else weight * share
        value = _at(input, [low + step for low, step in zip(lows, corner, strict=True)])
        assert weight is not None
        term = value * weight[:, None]
        total = term if total is None else total + term
    assert total is not None
    return total.astype(dtype)


def _unnormalized(x: Array, size: int, align_corners: bool) -> Array:
    """From [-1, 1] to pixels."""
    return (x + 1) / 2 * (size - 1) if align_corners else ((x + 1) * size - 1) / 2


def _brought_inside(x: Array, size: int, padding_mode: str, align_corners: bool) -> Array:
    if padding_mode == "zeros":
        return x
    if padding_mode == "reflection":
        x = _reflected(x, 0, 2 * (size - 1)) if align_corners else _reflected(x, -1, 2 * size - 1)
    return _clipped(x, size)


def _clipped(x: Array, size: int) -> Array:
    """Into [0, size - 1], with gradient 0 at the bounds; nan becomes 0, as in torch."""
    return jnp.where(x > 0, jnp.where(x < size - 1, x, size - 1), 0).astype(x.dtype)


def _reflected(x: Array, twice_low: int, twice_high: int) -> Array:
    """Into [low, high] by reflecting at its ends."""
    if twice_low == twice_high:
        return jnp.zeros_like(x)
    low, span = twice_low / 2, (twice_high - twice_low) / 2
    x = x - low
    distance = jnp.where(x < 0, -x, x)
    flips = jnp.floor(distance / span)
    extra = distance - flips * span
    return jnp.where(flips % 2 == 0, extra + low, span - extra + low)


def _at(input: Array, places: list[Array]) -> Array:
    """(N, C, *spatial) at whole places (N, *out), 0 outside -> (N, C, *out)."""
    n_batch, channels, *sizes = input.shape
    inside = None
    flat = None
    for place, size in zip(places, sizes, strict=True):
        within = (place >= 0) & (place <= size - 1)
        inside = within if inside is None else inside & within
        index = jnp.where(within, place, 0).astype(int)
        flat = index if flat is None else flat * size + index
    assert inside is not None and flat is not None
    rows = flat.reshape(n_batch, 1, int(np.prod(flat.shape[1:])))
    taken = jnp.take_along_axis(input.reshape(n_batch, channels, int(np.prod(sizes))), rows, 2)
    taken = taken.reshape(n_batch, channels, *flat.shape[1:])
    return jnp.where(inside[:, None], taken, 0)


def _bicubic(input: Array, places: list[Array], padding_mode: str, align_corners: bool) -> Array:
    """Sixteen taps; each tap by itself is brought inside."""
    sizes = input.shape[2:]
    lows = [jnp.floor(place) for place in places]
    weights = [_keys(place - low) for place, low in zip(places, lows, strict=True)]

    def tap(axis: int, step: int) -> Array:
        return _brought_inside(lows[axis] + step, sizes[axis], padding_mode, align_corners)

    total = None
    for i in range(4):
        row = None
        for j in range(4):
            value = _at(input, [tap(0, i - 1), tap(1, j - 1)]) * weights[1][j][:, None]
            row = value if row is None else row + value
        assert row is not None
        term = row * weights[0][i][:, None]
        total = term if total is None else total + term
    assert total is not None
    return total


def _keys(t: Array, a: float = -0.75) -> list[Array]:
    """Weights of the four taps around a place that lies t behind the second of them."""

    def near(x: Array) -> Array:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x: Array) -> Array:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return [far(t + 1), near(t), near(1 - t), far(2 - t)]


def _check(input: Array, grid: Array, mode: str) -> None:
    n = input.ndim - 2
    sizes = f"but got input with sizes {list(input.shape)} and grid with sizes {list(grid.shape)}"
    if not input.ndim or not grid.ndim or input.shape[0] != grid.shape[0]:
        raise RuntimeError(
            explain(
                f"grid_sampler(): expected grid and input to have same batch size, {sizes}",
                got=f"input {input.shape}, grid {grid.shape}",
                expected="input (batch, channels, height, width), grid (batch, height', width', 2)",
            )
        )
    if grid.shape[-1] != n:
        raise RuntimeError(
            f"grid_sampler(): expected grid to have size {n} in last dimension, but got grid with sizes "
            f"{list(grid.shape)}"
        )
    if n not in (2, 3) or grid.ndim != input.ndim:
        raise RuntimeError(f"grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, {sizes}")
    for dim in range(2, input.ndim):
        if input.shape[dim] == 0:
            raise RuntimeError(
                "grid_sampler(): expected input to have non-empty spatial dimensions, but input has sizes "
                f"{list(input.shape)} with dimension {dim} being empty"
            )
    if mode == "bicubic" and n == 3:
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")
    if grid.dtype != input.dtype:
        raise RuntimeError(
            explain(
                f"expected scalar type {torch_name(input.dtype)} but found {torch_name(grid.dtype)}",
                got=f"input {input.dtype}, grid {grid.dtype}",
                remedy=f"grid.astype({input.dtype})",
            )
        )
    if not jnp.issubdtype(input.dtype, jnp.floating):
        raise NotImplementedError(
            f'"grid_sampler_{n}d_cpu{"_kernel_impl" if n == 2 else ""}" not implemented for '
            f"'{torch_name(input.dtype)}'"
        )
