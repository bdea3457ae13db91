"""Local response normalisation: every value by the squares of its neighbours in the channel axis."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxgrad._core.diagnosis import diagnosed
from jaxgrad._core.types import Array


@diagnosed
def local_response_norm(
    input: Float[Array, "batch channels *size"], size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Float[Array, "batch channels *size"]:
    r"""Mirror of ``torch.nn.functional.local_response_norm``.

    .. math:: y_c = x_c \Big(k + \frac{\alpha}{n} \sum_{c' = c - \lfloor n/2 \rfloor}^{c + \lfloor (n-1)/2 \rfloor}
              x_{c'}^2\Big)^{-\beta}

    Channels beyond the ends count as zeros. With an even n the window has one channel more before than after.

    Args:
        input: (N, C, \*), floating, with three axes or more.
        size: n, the number of channels in a window.
        alpha: factor of the mean of squares.
        beta: exponent.
        k: what is added.

    Returns:
        The input's shape and dtype.

    Raises:
        ValueError: ``Expected 3D or higher dimensionality ...``.
        RuntimeError: ``kernel size should be greater than zero ...``.

    >>> local_response_norm(jnp.ones((1, 2, 1)), 2, alpha=2.0, beta=1.0).round(3).ravel().tolist()
    [0.5, 0.3330000042915344]

    Source: Krizhevsky et al., 2012; torch/nn/functional.py, ``local_response_norm``.
    """
    input = jnp.asarray(input)
    if input.ndim < 3:
        blanks = " " * 26  # torch's sentence has them
        raise ValueError(f"Expected 3D or higher dimensionality{blanks}input (got {input.ndim} dimensions)")
    if input.size == 0:
        return input
    if size < 1:
        where = f"kH: {size} kW: 1" if input.ndim == 3 else f"kT: {size} kH: 1 kW: 1"
        raise RuntimeError(f"kernel size should be greater than zero, but got {where}")
    mean = window_sum(input * input, size // 2, (size - 1) // 2) / size
    return input / (mean * alpha + k) ** beta


def window_sum(x: Array, before: int, after: int) -> Array:
    """Sums over windows of the second axis that reach ``before`` and ``after`` their place, zeros beyond the ends."""
    window = [1] * x.ndim
    window[1] = before + 1 + after
    padding = [(0, 0)] * x.ndim
    padding[1] = (before, after)
    zero = np.zeros((), x.dtype)  # known also inside jit, where JAX must see that this is a sum
    return jax.lax.reduce_window(x, zero, jax.lax.add, window, (1,) * x.ndim, padding)
