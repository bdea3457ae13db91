"""Images made larger or smaller, to a size or by a factor."""

import warnings
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Num

from jaxgrad._core.arguments import as_number
from jaxgrad._core.caller import users_level
from jaxgrad._core.castable import castable
from jaxgrad._core.diagnosis import diagnosed
from jaxgrad._core.dtype_names import torch_name
from jaxgrad._core.errors import explain
from jaxgrad._core.operations import operation
from jaxgrad._core.types import Array
from jaxgrad.nn.functional import pooling
from jaxgrad.nn.functional.sizes import Sizes
from jaxgrad.nn.functional.vision import bytes, taps
from jaxgrad.nn.functional.vision.taps import Taps

_AXES = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3, "lanczos": 2}
_ALL = "nearest | linear | bilinear | bicubic | trilinear | lanczos | area | nearest-exact"

Factors = tuple[float, ...]


@diagnosed
def interpolate(
    input: Num[Array, "batch channels *size_in"],
    size: int | Sizes | None = None,
    scale_factor: float | Factors | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Num[Array, "batch channels *size_out"]:
    r"""Mirror of ``torch.nn.functional.interpolate``.

    Differs from ``jax.image.resize``: torch's modes, and places that follow ``scale_factor`` itself rather than the
    sizes; downsampling is not smoothed unless ``antialias`` says so. uint8 images (two axes, or a nearest mode) are
    resampled in fixed point, bit for bit as torch does it (torch gives all rows of an image one wide the first one's
    value where both axes change; these have their own).

    Args:
        input: (N, C, \*spatial), one to three spatial axes.
        size: of the output, one integer or one for each axis; or else
        scale_factor: its ratio to the input's.
        mode: 'nearest', 'nearest-exact', 'area', 'linear' (one axis), 'bilinear', 'bicubic', 'lanczos' (two),
            'trilinear' (three).
        align_corners: whether the corners' middles meet, rather than the corners; for the linear and cubic modes.
        recompute_scale_factor: whether the ratio of the sizes replaces ``scale_factor``.
        antialias: whether to smooth when making smaller; 'bilinear', 'bicubic', 'lanczos'.

    Returns:
        (N, C, \*size).

    Raises:
        ValueError: arguments that contradict each other, in torch's words.
        NotImplementedError: a mode that does not go with the number of axes, or the dtype.
        RuntimeError: empty axes.

    >>> x = jnp.array([[[1.0, 3.0]]])
    >>> interpolate(x, scale_factor=2).tolist(), interpolate(x, 4, mode="linear").tolist()
    ([[[1.0, 1.0, 3.0, 3.0]]], [[[1.0, 1.5, 2.5, 3.0]]])

    Source: torch/nn/functional.py, ``interpolate``.
    """
    input = jnp.asarray(input)
    if mode in ("nearest", "area", "nearest-exact") and align_corners is not None:
        raise ValueError(
            "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear"
        )
    out, factors = _sizes(input, size, scale_factor)
    if recompute_scale_factor and size is not None:
        raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
    if recompute_scale_factor or mode == "area":
        factors = (None,) * len(out)
    if antialias and not (mode in ("bilinear", "bicubic", "lanczos") and input.ndim == 4):
        raise ValueError(
            "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires a 4-D tensor as input"
        )
    _check_mode(input, mode, bool(align_corners), antialias)
    if mode == "area":
        wanted: Any = out[0] if len(out) == 1 else out
        pools = (pooling.adaptive_avg_pool1d, pooling.adaptive_avg_pool2d, pooling.adaptive_avg_pool3d)
        return pools[len(out) - 1](input, wanted)
    _check_sizes(input, out)
    _check_dtype(input, mode, antialias)
    marked = operation(_grad_fn(mode, len(out), antialias))(_resampled)
    resampled = castable(_aten_name(mode, len(out), antialias))(marked)
    return resampled(input, out, factors, mode, bool(align_corners), bool(antialias))


@diagnosed
def upsample(
    input: Num[Array, "batch channels *size_in"],
    size: int | Sizes | None = None,
    scale_factor: float | Factors | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Num[Array, "batch channels *size_out"]:
    """Mirror of ``torch.nn.functional.upsample``, which warns that it is :func:`interpolate`.

    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     upsample(jnp.ones((1, 1, 2)), 4).shape
    (1, 1, 4)

    Source: torch/nn/functional.py, ``upsample``.
    """
    warnings.warn(
        "`nn.functional.upsample` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=users_level(),
    )
    return interpolate(input, size, scale_factor, mode, align_corners)


@diagnosed
def upsample_nearest(
    input: Num[Array, "batch channels *size_in"],
    size: int | Sizes | None = None,
    scale_factor: float | Factors | None = None,
) -> Num[Array, "batch channels *size_out"]:
    """Mirror of ``torch.nn.functional.upsample_nearest``, which warns that it is ``interpolate(mode='nearest')``.

    Args:
        input: (N, C, ...), three to five axes.
        size: of the output.
        scale_factor: its ratio to the input's.

    Returns:
        What ``interpolate`` gives.

    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     upsample_nearest(jnp.ones((1, 1, 2)), 4).shape
    (1, 1, 4)

    Source: torch/nn/functional.py, ``upsample_nearest``.
    """
    warnings.warn(
        "`nn.functional.upsample_nearest` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=users_level(),
    )
    return interpolate(input, size, scale_factor, mode="nearest")


@diagnosed
def upsample_bilinear(
    input: Num[Array, "batch channels *size_in"],
    size: int | Sizes | None = None,
    scale_factor: float | Factors | None = None,
) -> Num[Array, "batch channels *size_out"]:
    """Mirror of ``torch.nn.functional.upsample_bilinear``: bilinear with ``align_corners=True``, and a warning.

    Args:
        input: (N, C, H, W).
        size: of the output.
        scale_factor: its ratio to the input's.

    Returns:
        What ``interpolate`` gives.

    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     upsample_bilinear(jnp.ones((1, 1, 2, 2)), 4).shape
    (1, 1, 4, 4)

    Source: torch/nn/functional.py, ``upsample_bilinear``.
    """
    warnings.warn(
        "`nn.functional.upsample_bilinear` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=users_level(),
    )
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)


def _resampled(x: Array, *how: Any) -> Array:
    return _compiled(x, *how)


@partial(jax.jit, static_argnums=(1, 2, 3, 4, 5))
def _compiled(
    x: Array, out: Sizes, factors: tuple[float | None, ...], mode: str, align_corners: bool, antialias: bool
) -> Array:
    """Along every axis, in float32 where the image has sixteen bits."""
    dtype = x.dtype
    if dtype.itemsize == 2 and jnp.issubdtype(dtype, jnp.floating):
        x = x.astype(jnp.float32)
    whole = dtype == jnp.uint8 and not mode.startswith("nearest")
    for axis in reversed(range(2, x.ndim)):
        if whole and out[axis - 2] == x.shape[axis]:
            continue  # whatever the factor says
        table = _table(mode, x.shape[axis], out[axis - 2], factors[axis - 2], align_corners, antialias)
        if table.at.shape[1] > 1 or not np.array_equal(table.at[:, 0], np.arange(x.shape[axis])):
            x = bytes.apply(x, axis, table) if whole else taps.apply(x, axis, table)
    return x.astype(dtype)


def _table(mode: str, size: int, out: int, factor: float | None, align_corners: bool, antialias: bool) -> Taps:
    if mode.startswith("nearest"):
        return taps.nearest(size, out, factor, exact=mode == "nearest-exact")
    if antialias:
        kernel, support = {
            "bilinear": (taps.triangle, 1.0),
            "bicubic": (taps.keys, 2.0),
            "lanczos": (taps.lanczos, 3.0),
        }[mode]
        return taps.antialiased(size, out, factor, kernel, support, align_corners=align_corners)
    if mode == "bicubic":
        return taps.cubic(size, out, factor, align_corners=align_corners)
    return taps.linear(size, out, factor, align_corners=align_corners)


def _sizes(input: Array, size: Any, scale_factor: Any) -> tuple[Sizes, tuple[float | None, ...]]:
    """The output's sizes, and the factors that places follow (None: the ratio of the sizes)."""
    dim, spatial = input.ndim - 2, list(input.shape[2:])
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    if size is not None:
        if isinstance(size, list | tuple):
            if len(size) != dim:
                raise ValueError(
                    "Input and output must have the same number of spatial dimensions, but got "
                    f"input with spatial dimensions of {spatial} and output size of {size}. "
                    "Please provide input tensor in (N, C, d1, d2, ...,dK) format and "
                    "output size in (o1, o2, ...,oK) format."
                )
            if not all(hasattr(each, "__index__") for each in size):
                raise TypeError(
                    "expected size to be one of int or Tuple[int] or Tuple[int, int] or "
                    f"Tuple[int, int, int], but got size with types {[type(x) for x in size]}"
                )
            return tuple(int(each) for each in size), (None,) * dim
        if not hasattr(size, "__index__"):
            raise TypeError(f"interpolate(): argument 'size' must be tuple of ints, not {type(size).__name__}")
        return (int(size),) * max(dim, 0), (None,) * max(dim, 0)
    if scale_factor is None:
        raise ValueError("either size or scale_factor should be defined")
    if isinstance(scale_factor, list | tuple):
        if len(scale_factor) != dim:
            raise ValueError(
                "Input and scale_factor must have the same number of spatial dimensions, but "
                f"got input with spatial dimensions of {spatial} and scale_factor of shape {scale_factor}. "
                "Please provide input tensor in (N, C, d1, d2, ...,dK) format and "
                "scale_factor in (s1, s2, ...,sK) format."
            )
        given = scale_factor
    else:
        given = (scale_factor,) * max(dim, 0)
    factors = tuple(as_number(each, "scale_factor", "interpolate") for each in given)
    return tuple(taps.rounded_down(n, f) for n, f in zip(spatial, factors, strict=True)), factors


def _check_mode(input: Array, mode: str, align_corners: bool, antialias: bool) -> None:
    dim = input.ndim - 2
    if mode in _AXES and _AXES[mode] == dim:
        if mode == "lanczos" and align_corners:
            raise ValueError("Lanczos mode does not support align_corners=True")
        if mode == "lanczos" and not antialias:
            raise ValueError("Lanczos mode requires antialias=True")
        return
    if mode in ("nearest", "nearest-exact", "area") and dim in (1, 2, 3):
        return
    if mode in ("linear", "bilinear", "trilinear") and dim in (1, 2, 3):
        raise NotImplementedError(f"Got {input.ndim}D input, but {mode} mode needs {_AXES[mode] + 2}D input")
    raise NotImplementedError(
        f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {input.ndim}D) for the modes: {_ALL}"
        f" (got {mode})"
    )


def _check_sizes(input: Array, out: Sizes) -> None:
    spatial = input.shape[2:]
    if min(spatial) <= 0 or min(out) <= 0:
        names = ("D", "H", "W")[-len(out) :]
        given = ", ".join(f"{name}: {size}" for name, size in zip(names, spatial, strict=True))
        wanted = ", ".join(f"{name}: {size}" for name, size in zip(names, out, strict=True))
        joint = " and output" if len(out) == 1 else " output"
        raise RuntimeError(
            f"Input and output sizes should be greater than 0, but got input ({given}){joint} ({wanted})"
        )
    if 0 in input.shape[1:]:
        raise RuntimeError(
            f"Non-empty {input.ndim}D data tensor expected but got a tensor with sizes {list(input.shape)}"
        )


def _check_dtype(input: Array, mode: str, antialias: bool) -> None:
    if jnp.issubdtype(input.dtype, jnp.floating):
        return
    if input.dtype == jnp.uint8 and (mode.startswith("nearest") or input.ndim == 4):
        return
    kind = "nearest" if mode.startswith("nearest") else "cubic" if mode == "bicubic" else "linear"
    kernel = "compute_index_ranges_weights" if antialias else f"compute_indices_weights_{kind}"
    raise NotImplementedError(
        explain(
            f"\"{kernel}\" not implemented for '{torch_name(input.dtype)}'",
            got=f"input {input.dtype}",
            remedy="input.astype(float)",
        )
    )


def _aten_name(mode: str, n: int, antialias: bool) -> str:
    """Torch's name of the operation."""
    hidden = "_" if antialias or mode == "nearest-exact" else ""
    return f"{hidden}upsample_{mode.replace('-', '_')}{n}d{'_aa' if antialias else ''}"


def _grad_fn(mode: str, n: int, antialias: bool) -> str:
    """Torch's name of the node."""
    kind = {"nearest": "Nearest", "nearest-exact": "NearestExact", "bicubic": "Bicubic", "lanczos": "Lanczos"}
    named = kind.get(mode, mode.capitalize())
    return f"Upsample{named}{n}D{'Aa' if antialias else ''}Backward0"
