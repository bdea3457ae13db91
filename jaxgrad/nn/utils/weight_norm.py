"""A weight as length and direction, under torch's older names: ``weight_g`` and ``weight_v``."""

import dataclasses
from typing import Any

import jax.numpy as jnp

from jaxgrad._core.dtypes import opmath_dtype
from jaxgrad._core.norms import vector_norm
from jaxgrad._core.shapes import axis_of
from jaxgrad._core.types import Array
from jaxgrad.nn.parameter import Parameter
from jaxgrad.nn.utils.computed import Norm, computable, compute, own_again


def weight_norm(module: Any, name: str = "weight", dim: int | None = 0) -> Any:
    r"""Mirror of ``torch.nn.utils.weight_norm``, the older form: :math:`w = g \, v / \|v\|`.

    What is trained is g, ``weight_g``, and v, ``weight_v``; they begin as the norm of the weight and the weight. For
    checkpoints and scripts that have these names; otherwise :func:`jaxgrad.nn.utils.parametrizations.weight_norm`.
    Differs from torch: the module given does not change, and there is no warning of deprecation.

    Args:
        module: an ``nn.Module``.
        name: of a parameter of it.
        dim: the axis that the norm keeps, each entry of it with its own g; None, and -1, take one norm of the whole.

    Returns:
        A copy, of a class derived from the module's.

    Raises:
        RuntimeError: ``Cannot register two weight_norm hooks on the same parameter ...``; the module is parametrized.
        AttributeError: ``'...' object has no attribute '...'``.
        IndexError: ``Dimension out of range ...``.

    >>> from jaxgrad import func, nn, random
    >>> layer = weight_norm(nn.Linear(3, 2, rngs=nn.Rngs(random.manual_seed(0))))
    >>> {name: value.shape for name, value in func.extract(layer)[0].items()}
    {'bias': (2,), 'weight_g': (2, 1), 'weight_v': (2, 3)}

    Source: Salimans and Kingma, 2016; torch/nn/utils/weight_norm.py.
    """
    made = computable(module, name, WeightNorm, "weight_norm")
    norm = WeightNorm(name, -1 if dim is None else dim)
    weight = vars(made)[name].get_value()
    length = norm_except_dim(weight, norm.dim)
    made = compute(made, norm)
    for held, value in zip(norm.held(), (length, weight), strict=True):
        setattr(made, held, Parameter(value))
    return made


def remove_weight_norm(module: Any, name: str = "weight") -> Any:
    """Mirror of ``torch.nn.utils.remove_weight_norm``: one parameter again, with the value that was computed.

    Differs from torch: the module given does not change.

    Args:
        module: what :func:`weight_norm` returned.
        name: of the parameter.

    Returns:
        A copy, of the former class when nothing in it is computed any more.

    Raises:
        ValueError: ``weight_norm of '...' not found in ...``.

    >>> from jaxgrad import nn, random
    >>> layer = weight_norm(nn.Linear(3, 2, rngs=nn.Rngs(random.manual_seed(0))))
    >>> [name for name, _ in remove_weight_norm(layer).named_parameters()]
    ['bias', 'weight']

    Source: torch/nn/utils/weight_norm.py.
    """
    return own_again(module, name, WeightNorm, "weight_norm")


@dataclasses.dataclass(frozen=True)
class WeightNorm(Norm):
    """The formula of :func:`weight_norm`.

    >>> WeightNorm("weight", 0).held()
    ('weight_g', 'weight_v')
    """

    dim: int

    title = "weight_norm"

    def held(self) -> tuple[str, ...]:
        """Length and direction."""
        return f"{self.name}_g", f"{self.name}_v"

    def value(self, module: Any) -> Array:
        """Of the length and in the direction that the module holds."""
        g, v = (getattr(module, each).get_value() for each in self.held())
        return directed(g, v, self.dim)


def directed(g: Array, v: Array, dim: int) -> Array:
    r"""The weight of length ``g`` in the direction of ``v``: :math:`g \, v / \|v\|`.

    >>> directed(jnp.array([[10.0]]), jnp.array([[3.0, 4.0]]), 0).tolist()
    [[6.0, 8.0]]
    """
    exact = v.astype(opmath_dtype(v.dtype))
    scale = g.astype(exact.dtype) / _norm_except_dim(exact, dim)
    return (exact * jnp.broadcast_to(scale, v.shape)).astype(v.dtype)


def norm_except_dim(v: Array, dim: int) -> Array:
    """The norm over all axes but one, which stay with size 1; over all, without axes, for -1.

    >>> norm_except_dim(jnp.array([[3.0, 4.0]]), 0).tolist(), norm_except_dim(jnp.array([[3.0, 4.0]]), -1).item()
    ([[5.0]], 5.0)
    """
    return _norm_except_dim(v.astype(opmath_dtype(v.dtype)), dim).astype(v.dtype)


def _norm_except_dim(v: Array, dim: int) -> Array:
    if dim == -1:
        return vector_norm(v, 2, tuple(range(v.ndim)))
    if not v.ndim:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    kept = axis_of(dim, v.ndim)
    rest = tuple(axis for axis in range(v.ndim) if axis != kept)
    return vector_norm(v, 2, rest, keepdims=True) if rest else jnp.abs(v)
