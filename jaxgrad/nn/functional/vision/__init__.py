"""Images resampled, sampled at places, and rearranged."""

from jaxgrad.nn.functional.vision.affine_grid import affine_grid
from jaxgrad.nn.functional.vision.grid_sample import grid_sample
from jaxgrad.nn.functional.vision.interpolate import interpolate, upsample, upsample_bilinear, upsample_nearest
from jaxgrad.nn.functional.vision.shuffle import (
    channel_shuffle,
    native_channel_shuffle,
    pixel_shuffle,
    pixel_unshuffle,
)

__all__ = [
    "affine_grid",
    "channel_shuffle",
    "grid_sample",
    "interpolate",
    "native_channel_shuffle",
    "pixel_shuffle",
    "pixel_unshuffle",
    "upsample",
    "upsample_bilinear",
    "upsample_nearest",
]
