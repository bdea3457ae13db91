"""Functions of ``torch.special`` whose values or derivatives differ from ``jax.scipy.special``'s."""

from jaxgrad._tensor.special import digamma, gammaln, polygamma, psi, xlogy

__all__ = ["digamma", "gammaln", "polygamma", "psi", "xlogy"]
