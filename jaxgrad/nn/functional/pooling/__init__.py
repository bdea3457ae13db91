"""Pools: maxima, means and norms over windows, windows of a given number, and maxima put back."""

from jaxgrad.nn.functional.pooling.adaptive import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    adaptive_max_pool3d,
)
from jaxgrad.nn.functional.pooling.avg_pool import avg_pool1d, avg_pool2d, avg_pool3d
from jaxgrad.nn.functional.pooling.fractional import fractional_max_pool2d, fractional_max_pool3d
from jaxgrad.nn.functional.pooling.lp_pool import lp_pool1d, lp_pool2d, lp_pool3d
from jaxgrad.nn.functional.pooling.max_pool import max_pool1d, max_pool2d, max_pool3d
from jaxgrad.nn.functional.pooling.unpool import max_unpool1d, max_unpool2d, max_unpool3d

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "fractional_max_pool2d",
    "fractional_max_pool3d",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
]
