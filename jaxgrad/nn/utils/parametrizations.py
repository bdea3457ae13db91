"""Weights normed or made orthogonal as they are read, after ``torch.nn.utils.parametrizations``.

The older ``nn.utils.weight_norm`` and ``nn.utils.spectral_norm`` have other names for what is trained.
"""

from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.norms import normalized
from jaxgrad._core.types import Array
from jaxgrad.nn.parameter import Buffer
from jaxgrad.nn.rngs import Rngs
from jaxgrad.nn.utils.orthogonal import orthogonal
from jaxgrad.nn.utils.parametrization_list import Part
from jaxgrad.nn.utils.parametrize import current, is_parametrized, parametrizable, register
from jaxgrad.nn.utils.spectral_norm import TRANSPOSED, outputs_first
from jaxgrad.nn.utils.weight_norm import directed, norm_except_dim
from jaxgrad.random import normal

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]


def weight_norm(module: Any, name: str = "weight", dim: int | None = 0) -> Any:
    r"""Mirror of ``torch.nn.utils.parametrizations.weight_norm``: :math:`w = g \, v / \|v\|`.

    What is trained is g, ``parametrizations.weight.original0``, and v, ``parametrizations.weight.original1``; they
    begin as the norm of the weight and the weight. Differs from torch: the module given does not change; see
    :func:`jaxgrad.nn.utils.parametrize.register_parametrization`.

    Args:
        module: an ``nn.Module``.
        name: of a parameter of it.
        dim: the axis that the norm keeps, each entry of it with its own g; None takes one norm of the whole weight.
            So does -1, as in torch.

    Returns:
        A copy, of a class derived from the module's.

    Raises:
        ValueError: ``Module '...' does not have a parameter, a buffer, or a parametrized element with name '...'``;
            it is parametrized already.
        IndexError: ``Dimension out of range ...``.

    >>> from jaxgrad import func, nn, random
    >>> layer = weight_norm(nn.Linear(3, 2, rngs=nn.Rngs(random.manual_seed(0))))
    >>> {name: value.shape for name, value in func.extract(layer)[0].items()}  # doctest: +NORMALIZE_WHITESPACE
    {'bias': (2,),
     'parametrizations.weight.original0': (2, 1),
     'parametrizations.weight.original1': (2, 3)}
    >>> layer(jnp.ones(3)).shape
    (2,)

    Source: Salimans and Kingma, 2016; torch/nn/utils/parametrizations.py.
    """
    made = parametrizable(module)
    if is_parametrized(made, name):
        raise ValueError(f"'{name}' is parametrized already, and weight_norm has two originals: it must come first")
    return register(made, name, _WeightNorm(dim), unsafe=True)


def spectral_norm(
    module: Any,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
    *,
    rngs: Rngs | None = None,
) -> Any:
    r"""Mirror of ``torch.nn.utils.parametrizations.spectral_norm``: :math:`W / \sigma`, :math:`\sigma = u^T W v`.

    u and v are buffers, ``parametrizations.weight.0._u`` and ``_v``. Each reading of the weight in a call with
    ``training=True`` brings them nearer to the first singular vectors, and ``aux.buffers`` has them; derivatives take
    them as constants. A weight with one axis is divided by its norm, and has neither.

    Differs from torch: the module given does not change; see
    :func:`jaxgrad.nn.utils.parametrize.register_parametrization`. Recurrent layers read a weight twice in one call, the
    first that is computed four times; self-attention reads ``in_proj_weight`` three times; all as torch does.

    Args:
        module: an ``nn.Module``.
        name: of a parameter of it; all axes but ``dim`` are taken as one.
        n_power_iterations: how many, > 0; :math:`u = Wv / \|Wv\|`, then :math:`v = W^T u / \|W^T u\|`.
        eps: the smallest norm that is divided by.
        dim: the axis of the outputs; None is 0, and 1 for transposed convolutions.
        rngs: where the first u, then v, are drawn from; 15 iterations follow. Not needed for a weight with one axis.

    Returns:
        A copy, of a class derived from the module's.

    Raises:
        ValueError: ``Module '...' has no parameter or buffer with name '...'``; ``Expected n_power_iterations to be
            positive, but got n_power_iterations=...``.
        IndexError: ``Dimension out of range ...``.
        TypeError: ``rngs`` is needed and missing.

    >>> from jaxgrad import func, nn, random
    >>> rngs = nn.Rngs(random.manual_seed(0))
    >>> layer = spectral_norm(nn.Linear(3, 2, rngs=rngs), rngs=rngs)
    >>> params, buffers = func.extract(layer)
    >>> list(params), list(buffers)  # doctest: +NORMALIZE_WHITESPACE
    (['bias', 'parametrizations.weight.original'],
     ['parametrizations.weight.0._u', 'parametrizations.weight.0._v'])
    >>> y, aux = func.functional_call(layer, (params, buffers), jnp.ones(3), training=True, has_aux=True)

    Source: Miyato et al., 2018; torch/nn/utils/parametrizations.py.
    """
    made = parametrizable(module)
    weight = current(made, name)
    if weight is None:
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    if dim is None:
        dim = 1 if any(cls.__name__ in TRANSPOSED for cls in type(made).__mro__) else 0
    return register(made, name, _SpectralNorm(weight, n_power_iterations, dim, eps, rngs))


class _WeightNorm(Part):
    def __init__(self, dim: int | None):
        self.dim = -1 if dim is None else dim

    def __call__(self, g: Array, v: Array) -> Array:
        return directed(g, v, self.dim)

    def right_inverse(self, weight: Array) -> tuple[Array, Array]:
        return norm_except_dim(weight, self.dim), weight


class _SpectralNorm(Part):
    def __init__(self, weight: Array, n_power_iterations: int, dim: int, eps: float, rngs: Rngs | None):
        if not -weight.ndim <= dim < weight.ndim:
            raise IndexError(
                "Dimension out of range (expected to be in range of "
                f"[-{weight.ndim}, {weight.ndim - 1}] but got {dim})"  # without the comma that torch writes elsewhere
            )
        self.dim = dim % weight.ndim
        if n_power_iterations <= 0:
            raise ValueError(
                f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}"
            )
        self.eps = eps
        if weight.ndim > 1:
            if rngs is None:
                raise TypeError("spectral_norm() missing 1 required keyword-only argument: 'rngs'")
            self.n_power_iterations = n_power_iterations
            matrix = outputs_first(weight, self.dim)
            for name, size in zip(("_u", "_v"), matrix.shape, strict=True):
                drawn = rngs.draw(normal, (size,), dtype=weight.dtype)
                setattr(self, name, Buffer(normalized(drawn, 2, 0, eps)))
            self._iterate(matrix, 15)

    def _iterate(self, matrix: Array, times: int) -> None:
        matrix = jax.lax.stop_gradient(matrix)
        u, v = self._u.get_value(), self._v.get_value()
        for _ in range(times):
            u = normalized(matrix @ v, 2, 0, self.eps)
            v = normalized(matrix.conj().T @ u, 2, 0, self.eps)
        self._u.set_value(u)
        self._v.set_value(v)

    def __call__(self, weight: Array) -> Array:
        if weight.ndim == 1:
            return normalized(weight, 2, 0, self.eps)
        matrix = outputs_first(weight, self.dim)
        if self.training:
            self._iterate(matrix, self.n_power_iterations)
        u, v = (jax.lax.stop_gradient(each.get_value()) for each in (self._u, self._v))
        return weight / jnp.vdot(u, matrix @ v)

    def right_inverse(self, value: Array) -> Array:
        return value
