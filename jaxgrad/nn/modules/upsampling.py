"""Images made larger: ``F.interpolate`` with everything but the input fixed."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from jaxgrad._core.types import Array
from jaxgrad.nn import functional as F
from jaxgrad.nn.functional.sizes import Sizes
from jaxgrad.nn.modules.module import Module

Factor = float | Sequence[float]


class Upsample(Module):
    """Mirror of ``torch.nn.Upsample``.

    Args:
        size: of the output; or else
        scale_factor: its ratio to the input's.
        mode: as in ``F.interpolate``.
        align_corners: whether the corners' middles meet, rather than the corners.
        recompute_scale_factor: whether the ratio of the sizes replaces ``scale_factor``.

    >>> Upsample(scale_factor=2, mode="bilinear")(jnp.ones((1, 3, 4, 4))).shape
    (1, 3, 8, 8)

    Source: torch/nn/modules/upsampling.py.
    """

    def __init__(
        self,
        size: int | Sizes | None = None,
        scale_factor: Factor | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ):
        self.size = size
        self.scale_factor: float | tuple[float, ...] | None
        if isinstance(scale_factor, Sequence | np.ndarray):
            self.scale_factor = tuple(float(each) for each in scale_factor)
        else:
            self.scale_factor = float(scale_factor) if scale_factor else None
        self.mode = mode
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: Array) -> Array:
        r"""(N, C, \*spatial) -> (N, C, \*size)."""
        return F.interpolate(
            jnp.asarray(input),
            self.size,
            self.scale_factor,
            self.mode,
            self.align_corners,
            recompute_scale_factor=self.recompute_scale_factor,
        )

    def extra_repr(self) -> str:
        """Torch's."""
        what = f"size={self.size!r}" if self.scale_factor is None else f"scale_factor={self.scale_factor!r}"
        return f"{what}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """Mirror of ``torch.nn.UpsamplingNearest2d``: :class:`Upsample` in mode 'nearest'.

    >>> UpsamplingNearest2d(scale_factor=2)(jnp.ones((1, 3, 4, 4))).shape
    (1, 3, 8, 8)

    Source: torch/nn/modules/upsampling.py.
    """

    def __init__(self, size: int | Sizes | None = None, scale_factor: Factor | None = None):
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """Mirror of ``torch.nn.UpsamplingBilinear2d``: :class:`Upsample` in mode 'bilinear', corners aligned.

    >>> UpsamplingBilinear2d(scale_factor=2)(jnp.ones((1, 3, 4, 4))).shape
    (1, 3, 8, 8)

    Source: torch/nn/modules/upsampling.py.
    """

    def __init__(self, size: int | Sizes | None = None, scale_factor: Factor | None = None):
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)
