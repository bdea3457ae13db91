"""Division of vectors by their norms."""

import jax.numpy as jnp
from jaxtyping import Inexact, Num

from jaxgrad._core.diagnosis import diagnosed
from jaxgrad._core.dtype_names import torch_name
from jaxgrad._core.errors import explain
from jaxgrad._core.norms import normalized
from jaxgrad._core.shapes import axis_of
from jaxgrad._core.types import Array


@diagnosed
def normalize(
    input: Num[Array, "*shape"], p: float = 2.0, dim: int | tuple[int, ...] = 1, eps: float = 1e-12, out: None = None
) -> Inexact[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.normalize``: :math:`y = x / \max(\|x\|_p, \epsilon)`.

    The derivative at x = 0 is :math:`1/\epsilon`, as in torch: that of the norm there is 0 (see
    ``jaxgrad._core.norms``), where JAX's would be nan.

    Args:
        input: any shape, floating or complex.
        p: exponent of the norm, infinities included.
        dim: the axis or axes of a vector.
        eps: the smallest divisor.
        out: must be None; nothing is written in place.

    Returns:
        The input's shape and dtype.

    Raises:
        RuntimeError: ``linalg.vector_norm: Expected a floating point or complex tensor as input. Got Long``.
        IndexError: an axis out of range.
        ValueError: ``out`` is given.

    >>> normalize(jnp.array([[3.0, 4.0], [0.0, 0.0]])).round(3).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]

    Source: torch/nn/functional.py, ``normalize``.
    """
    if out is not None:
        raise ValueError(explain("out= writes into an array, and arrays are values", remedy="y = F.normalize(x)"))
    input = jnp.asarray(input)
    if not jnp.issubdtype(input.dtype, jnp.inexact):
        name = torch_name(input.dtype)
        raise RuntimeError(f"linalg.vector_norm: Expected a floating point or complex tensor as input. Got {name}")
    axes = tuple(axis_of(each, input.ndim) for each in (dim if isinstance(dim, tuple | list) else (dim,)))
    x = jnp.atleast_1d(input)
    return normalized(x, p, axes or tuple(range(x.ndim)), eps).reshape(input.shape)
