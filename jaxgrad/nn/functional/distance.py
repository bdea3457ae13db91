"""Distances between vectors, and their cosines."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Inexact, Num

from jaxgrad._core.arguments import as_number
from jaxgrad._core.castable import castable
from jaxgrad._core.diagnosis import diagnosed
from jaxgrad._core.dtype_names import torch_name
from jaxgrad._core.dtypes import as_inexact, common_dtype
from jaxgrad._core.elementwise import check_kernel, elementwise
from jaxgrad._core.errors import explain
from jaxgrad._core.norms import vector_norm
from jaxgrad._core.operations import operation
from jaxgrad._core.shapes import axis_of, broadcast
from jaxgrad._core.types import Array


@diagnosed
def pairwise_distance(
    x1: Num[Array, "*#vectors"], x2: Num[Array, "*#vectors"], p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Num[Array, "*distances"]:
    r"""Mirror of ``torch.nn.functional.pairwise_distance``: :math:`|x_1 - x_2 + \varepsilon|_p` along the last axis.

    The derivative of a norm that is 0 is 0 (nan in JAX).

    Args:
        x1: (..., D).
        x2: (..., D), or any shape to be broadcast; integers are taken as float32.
        p: degree of the norm.
        eps: added to the difference.
        keepdim: whether the last axis stays with size 1.

    Returns:
        The common shape without its last axis (of size 1 with ``keepdim``).

    Raises:
        RuntimeError: shapes that cannot be broadcast.

    >>> pairwise_distance(jnp.array([3.0, 4.0]), jnp.zeros(2), eps=0.0).item()
    5.0

    Source: torch/nn/functional.py, ``pairwise_distance``.
    """
    a, b = (jnp.asarray(x) for x in (x1, x2))
    if a.dtype == b.dtype == jnp.bool_:
        raise RuntimeError(
            "Subtraction, the `-` operator, with two bool tensors is not supported. "
            "Use the `^` or `logical_xor()` operator instead."
        )
    a, b = broadcast(a, b)
    shifted = as_inexact(a - b) + eps
    if shifted.ndim == 0:
        return vector_norm(shifted[None], p, 0, keepdim).reshape(())
    return vector_norm(shifted, as_number(p, "p", "pairwise_distance"), -1, keepdim)


@diagnosed
@castable("cosine_similarity")
def cosine_similarity(
    x1: Inexact[Array, "*#vectors"], x2: Inexact[Array, "*#vectors"], dim: int = 1, eps: float = 1e-8
) -> Inexact[Array, "*cosines"]:
    r"""Mirror of ``torch.nn.functional.cosine_similarity``: :math:`x_1 \cdot x_2 / (\max(|x_1|, \varepsilon)
    \max(|x_2|, \varepsilon))` along ``dim``.

    The derivative is that of the norms themselves, also where eps takes their place, as in torch.

    Args:
        x1: floating point.
        x2: the same shape, or one to be broadcast.
        dim: the axis of the vectors.
        eps: least norm.

    Returns:
        The common shape without the axis ``dim``.

    Raises:
        RuntimeError: ``expected common dtype to be floating point, yet common dtype is Long``, or shapes that cannot
            be broadcast.
        IndexError: an axis out of range.

    >>> cosine_similarity(jnp.array([[1.0, 0.0]]), jnp.array([[2.0, 0.0]])).tolist()
    [1.0]

    Source: torch/nn/functional.py, ``cosine_similarity``.
    """
    a, b = jnp.asarray(x1), jnp.asarray(x2)
    dtype = common_dtype(a, b)
    if not jnp.issubdtype(dtype, jnp.floating):
        raise RuntimeError(
            explain(
                f"expected common dtype to be floating point, yet common dtype is {torch_name(dtype)}",
                got=f"{a.dtype} and {b.dtype}",
            )
        )
    a, b = broadcast(a.astype(dtype), b.astype(dtype))
    axis = axis_of(dim, a.ndim)
    if a.ndim == 0:
        a, b = a[None], b[None]
    unit1, unit2 = (x / _at_least(vector_norm(x, 2, axis, keepdims=True), float(eps)) for x in (a, b))
    return jnp.sum(unit1 * unit2, axis)


@elementwise(lambda g, norm, eps: g)
def _at_least(norm: Array, eps: float) -> Array:
    return jnp.maximum(norm, eps)


@castable("pdist")
@operation("PdistBackward0")
def pdist(input: Float[Array, "rows features"], p: float = 2) -> Float[Array, " pairs"]:
    r"""Mirror of ``torch.nn.functional.pdist``: the distances :math:`|x_i - x_j|_p` of all pairs i < j.

    The derivative of a distance that is 0 is 0. For infinite p each of several equal greatest entries has all of it.

    Args:
        input: (N, D), float32 or float64.
        p: degree of the norm, not negative.

    Returns:
        (N (N - 1) / 2,), the pairs in the order (0, 1), (0, 2), ...

    Raises:
        RuntimeError: ``pdist only supports 2D tensors, got: 1D``, ``pdist only supports non-negative p values``, or
            ``pdist only supports floating-point dtypes``.

    >>> pdist(jnp.array([[0.0, 0.0], [3.0, 4.0], [0.0, 8.0]])).tolist()
    [5.0, 8.0, 5.0]

    Source: torch/nn/functional.py, ``pdist``.
    """
    x, p = jnp.asarray(input), as_number(p, "p", "pdist")
    if x.ndim != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {x.ndim}D")
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise RuntimeError("pdist only supports floating-point dtypes")
    if p < 0:
        raise RuntimeError("pdist only supports non-negative p values")
    if x.dtype in (jnp.float16, jnp.bfloat16):
        check_kernel("pdist", x, jnp.float32, jnp.float64)
    first, second = np.triu_indices(x.shape[0], 1)
    return vector_norm(x[first] - x[second], p, 1, share_ties=False)
