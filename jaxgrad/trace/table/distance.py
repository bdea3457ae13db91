"""Norms and distances that stay whole, and their backwards."""

from collections.abc import Callable
from typing import Any

import jax

import jaxgrad._tensor as tensor
from jaxgrad import linalg
from jaxgrad._core.types import Array
from jaxgrad.nn import functional as F
from jaxgrad.trace.table.align import dtype_of

_MODES = {None: "use_mm_for_euclid_dist_if_necessary", 0: "use_mm_for_euclid_dist_if_necessary",
          1: "use_mm_for_euclid_dist", 2: "donot_use_mm_for_euclid_dist"}  # fmt: skip


def _norm(x: Array, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Array:
    axes = tuple(dim) if isinstance(dim, list) else dim
    return linalg.vector_norm(x, ord, axes, keepdim, dtype=None if dtype is None else dtype_of(dtype))


def _cdist(x1: Array, x2: Array, p: float, mode: int | None) -> Array:
    return tensor.cdist(x1, x2, p, _MODES[mode])


def _cdist_backward(grad: Array, x1: Array, x2: Array, p: float, distances: Array) -> Array:
    del distances
    to_x1: Array = jax.vjp(lambda x: tensor.cdist(x, x2, p, _MODES[2]), x1)[1](grad)[0]
    return to_x1


def _pdist_backward(grad: Array, x: Array, p: float, distances: Array) -> Array:
    del distances
    to_x: Array = jax.vjp(lambda x: F.pdist(x, p), x)[1](grad)[0]
    return to_x


TABLE: dict[str, Callable[..., Any]] = {
    "linalg_vector_norm": _norm,
    "_cdist_forward": _cdist,
    "_cdist_backward": _cdist_backward,
    "_pdist_forward": lambda x, p=2.0: F.pdist(x, p),
    "_pdist_backward": _pdist_backward,
    "dist": tensor.dist,
}
