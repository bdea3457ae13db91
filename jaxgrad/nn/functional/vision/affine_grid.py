"""The grid of places that an affine map gives, for ``grid_sample``."""

import warnings
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxgrad._core.caller import users_level
from jaxgrad._core.diagnosis import diagnosed
from jaxgrad._core.operations import operation
from jaxgrad._core.shapes import torch_size
from jaxgrad._core.types import Array
from jaxgrad.nn.functional.vision.grid_sample import warn_of_corners


@diagnosed
def affine_grid(
    theta: Float[Array, "batch rows columns"], size: Sequence[int], align_corners: bool | None = None
) -> Float[Array, "batch *size rows"]:
    r"""Mirror of ``torch.nn.functional.affine_grid``: :math:`\theta \, (x, y, 1)^T` at all places (x, y).

    Args:
        theta: (N, 2, 3) for (x, y), or (N, 3, 4) for (x, y, z), floating.
        size: of the image to be made, (N, C, H, W) or (N, C, D, H, W).
        align_corners: whether -1 and 1 are the middles of the corner pixels; False, with a warning, if not given.

    Returns:
        (N, H, W, 2) or (N, D, H, W, 3).

    Raises:
        ValueError: shapes that do not fit, in torch's words.
        NotImplementedError: another number of axes.

    >>> theta = jnp.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    >>> affine_grid(theta, (1, 1, 1, 2), align_corners=False).tolist()
    [[[[-0.5, 0.0], [0.5, 0.0]]]]

    Source: Jaderberg et al., 2015; torch/nn/functional.py, ``affine_grid``.
    """
    if align_corners is None:
        warn_of_corners()
        align_corners = False
    theta = jnp.asarray(theta)
    if not jnp.issubdtype(theta.dtype, jnp.floating):
        raise ValueError(f"Expected theta to have floating point type, but got torch.{theta.dtype.name}")
    n = len(size) - 2
    if n not in (2, 3):
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. "
            f"Got size {size}."
        )
    if theta.ndim != 3 or theta.shape[1:] != (n, n + 1):
        raise ValueError(
            f"Expected a batch of {n}D affine matrices of shape Nx{n}x{n + 1} for size {size}. Got {torch_size(theta)}."
        )
    if align_corners and min(size[2:]) == 1:
        warnings.warn(
            "Since version 1.3.0, affine_grid behavior has changed for unit-size grids when align_corners=True. "
            "This is not an intended use case of affine_grid. See the documentation of affine_grid for details.",
            stacklevel=users_level(),
        )
    elif min(size) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {size}")
    if theta.shape[0] != size[0]:
        raise RuntimeError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{size[0]}, {n + 1}] but got: "
            f"[{theta.shape[0]}, {n + 1}]."
        )
    return _placed(theta, tuple(int(each) for each in size[2:]), bool(align_corners))


@operation("AffineGridGeneratorBackward0")
def _placed(theta: Array, sizes: tuple[int, ...], align_corners: bool) -> Array:
    lines = [_line(size, align_corners) for size in sizes]
    axes = np.meshgrid(*lines, indexing="ij")[::-1]  # x first
    base = np.stack([*axes, np.ones(sizes)], -1).reshape(-1, len(sizes) + 1)
    dtype = theta.dtype
    wide = theta.astype(jnp.float32) if dtype.itemsize == 2 else theta
    grid = jnp.einsum("pk,nik->npi", jnp.asarray(base, wide.dtype), wide)
    return grid.reshape(theta.shape[0], *sizes, len(sizes)).astype(dtype)


def _line(size: int, align_corners: bool) -> np.ndarray:
    """Places of the pixels' middles along one axis."""
    if size <= 1:
        return np.zeros(size)
    line = np.linspace(-1.0, 1.0, size)
    return line if align_corners else line * (size - 1) / size
