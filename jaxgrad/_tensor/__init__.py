"""Functions of torch's top level whose values or derivatives differ from JAX's; they are found at ``jaxgrad`` itself.

What ``jax.numpy`` does exactly as torch (``exp``, ``log``, ``where``, ``matmul`` ...) is not repeated here: use it.
"""

from jaxgrad._tensor.clamp import clamp, clip
from jaxgrad._tensor.extrema import amax, amin, aminmax, fmax, fmin, max, maximum, min, minimum
from jaxgrad._tensor.factorizations import det, inverse, logdet, slogdet
from jaxgrad._tensor.gather import gather, index_select, take, take_along_dim
from jaxgrad._tensor.index_write import index_add, index_copy, index_fill, index_put, index_reduce, masked_fill
from jaxgrad._tensor.matrix_norms import norm, nuclear_norm
from jaxgrad._tensor.norms import cdist, dist, renorm
from jaxgrad._tensor.order import argsort, cummax, cummin, kthvalue, median, mode, msort, nanmedian, sort, topk
from jaxgrad._tensor.pointwise import (
    abs,
    absolute,
    arctan2,
    atan2,
    copysign,
    float_power,
    heaviside,
    hypot,
    logaddexp,
    pow,
    sgn,
    sign,
)
from jaxgrad._tensor.scatter import scatter, scatter_add, scatter_reduce
from jaxgrad._tensor.special import digamma, lgamma, polygamma, xlogy
from jaxgrad._tensor.statistics import nanmean, std, std_mean, var, var_mean

__all__ = [
    "abs",
    "absolute",
    "amax",
    "amin",
    "aminmax",
    "arctan2",
    "argsort",
    "atan2",
    "cdist",
    "clamp",
    "clip",
    "copysign",
    "cummax",
    "cummin",
    "det",
    "digamma",
    "dist",
    "float_power",
    "fmax",
    "fmin",
    "gather",
    "heaviside",
    "hypot",
    "index_add",
    "index_copy",
    "index_fill",
    "index_put",
    "index_reduce",
    "index_select",
    "inverse",
    "kthvalue",
    "lgamma",
    "logaddexp",
    "logdet",
    "masked_fill",
    "max",
    "maximum",
    "median",
    "min",
    "minimum",
    "mode",
    "msort",
    "nanmean",
    "nanmedian",
    "norm",
    "nuclear_norm",
    "polygamma",
    "pow",
    "renorm",
    "scatter",
    "scatter_add",
    "scatter_reduce",
    "sgn",
    "sign",
    "slogdet",
    "sort",
    "std",
    "std_mean",
    "take",
    "take_along_dim",
    "topk",
    "var",
    "var_mean",
    "xlogy",
]
