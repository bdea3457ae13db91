"""A weight over its largest singular value, under torch's older names: ``weight_orig``, ``weight_u``, ``weight_v``."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.norms import normalized
from jaxgrad._core.shapes import axis_of
from jaxgrad._core.types import Array
from jaxgrad.nn.parameter import Buffer
from jaxgrad.nn.rngs import Rngs
from jaxgrad.nn.utils.computed import Norm, computable, compute, own_again
from jaxgrad.random import normal


def spectral_norm(
    module: Any,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
    *,
    rngs: Rngs,
) -> Any:
    r"""Mirror of ``torch.nn.utils.spectral_norm``, the older form: :math:`W / \sigma`, :math:`\sigma = u^T W v`.

    What is trained is ``weight_orig``; u and v are the buffers ``weight_u`` and ``weight_v``. Every call with
    ``training=True`` first brings them nearer to the first singular vectors, and ``aux.buffers`` has them; derivatives
    take them as constants. For checkpoints and scripts that have these names; otherwise
    :func:`jaxgrad.nn.utils.parametrizations.spectral_norm`, which iterates whenever the weight is read, 15 times at
    the start, and takes u before v. Differs from torch: the module given does not change.

    Args:
        module: an ``nn.Module``.
        name: of a parameter of it; all axes but ``dim`` are taken as one.
        n_power_iterations: how many, > 0; :math:`v = W^T u / \|W^T u\|`, then :math:`u = Wv / \|Wv\|`.
        eps: the smallest norm that is divided by.
        dim: the axis of the outputs; None is 0, and 1 for transposed convolutions.
        rngs: where the first u, then v, are drawn from.

    Returns:
        A copy, of a class derived from the module's.

    Raises:
        ValueError: ``Expected n_power_iterations to be positive, but got n_power_iterations=...``.
        RuntimeError: ``Cannot register two spectral_norm hooks on the same parameter ...``; the module is parametrized.
        AttributeError: ``'...' object has no attribute '...'`` (torch: ``KeyError: '...'``).
        IndexError: ``Dimension out of range ...``.

    >>> from jaxgrad import func, nn, random
    >>> rngs = nn.Rngs(random.manual_seed(0))
    >>> params, buffers = func.extract(spectral_norm(nn.Linear(3, 2, rngs=rngs), rngs=rngs))
    >>> list(params), list(buffers)
    (['bias', 'weight_orig'], ['weight_u', 'weight_v'])

    Source: Miyato et al., 2018; torch/nn/utils/spectral_norm.py.
    """
    made = computable(module, name, SpectralNorm, "spectral_norm")
    if n_power_iterations <= 0:
        raise ValueError(f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}")
    held = vars(made)[name]
    weight = held.get_value()
    if dim is None:
        dim = 1 if any(cls.__name__ in TRANSPOSED for cls in type(made).__mro__) else 0
    norm = SpectralNorm(name, n_power_iterations, eps, axis_of(dim, weight.ndim))
    made = compute(made, norm)
    original, *vectors = norm.held()
    setattr(made, original, held)
    for vector, size in zip(vectors, outputs_first(weight, norm.dim).shape, strict=True):
        setattr(made, vector, Buffer(normalized(rngs.draw(normal, (size,), dtype=weight.dtype), 2, 0, eps)))
    return made


def remove_spectral_norm(module: Any, name: str = "weight") -> Any:
    """Mirror of ``torch.nn.utils.remove_spectral_norm``: one parameter again, with the value that was computed.

    Differs from torch: the module given does not change.

    Args:
        module: what :func:`spectral_norm` returned.
        name: of the parameter.

    Returns:
        A copy, of the former class when nothing in it is computed any more.

    Raises:
        ValueError: ``spectral_norm of '...' not found in ...``.

    >>> from jaxgrad import nn, random
    >>> rngs = nn.Rngs(random.manual_seed(0))
    >>> layer = spectral_norm(nn.Linear(3, 2, rngs=rngs), rngs=rngs)
    >>> list(remove_spectral_norm(layer).state_dict())
    ['bias', 'weight']

    Source: torch/nn/utils/spectral_norm.py.
    """
    return own_again(module, name, SpectralNorm, "spectral_norm")


TRANSPOSED = frozenset({"ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"})
"""Layers whose weight has its outputs on the second axis."""


@dataclasses.dataclass(frozen=True)
class SpectralNorm(Norm):
    """The formula of :func:`spectral_norm`.

    >>> SpectralNorm("weight", 1, 1e-12, 0).held()
    ('weight_orig', 'weight_u', 'weight_v')
    """

    n_power_iterations: int
    eps: float
    dim: int

    title = "spectral_norm"

    def held(self) -> tuple[str, ...]:
        """The original, and the first singular vectors as far as they are known."""
        return f"{self.name}_orig", f"{self.name}_u", f"{self.name}_v"

    def renew(self, module: Any) -> None:
        """One step towards the singular vectors, or some, in training."""
        if not module.training:
            return
        original, u, v = (getattr(module, each) for each in self.held())
        matrix = outputs_first(jax.lax.stop_gradient(original.get_value()), self.dim)
        left = u.get_value()
        for _ in range(self.n_power_iterations):
            right = normalized(matrix.T @ left, 2, 0, self.eps)
            left = normalized(matrix @ right, 2, 0, self.eps)
        u.set_value(left)
        v.set_value(right)

    def value(self, module: Any) -> Array:
        """The original over the singular value that the vectors tell."""
        weight, u, v = (getattr(module, each).get_value() for each in self.held())
        u, v = jax.lax.stop_gradient((u, v))
        return weight / jnp.vdot(u, outputs_first(weight, self.dim) @ v)


def outputs_first(weight: Array, dim: int) -> Array:
    """A weight as a matrix with a row for each output, which lie along ``dim``.

    >>> outputs_first(jnp.zeros((2, 3, 4)), 1).shape
    (3, 8)
    """
    front = jnp.moveaxis(weight, dim, 0)
    return front.reshape(front.shape[0], -1)
