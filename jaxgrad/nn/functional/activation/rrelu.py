"""The randomized leaky rectifier, with torch's slopes."""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxgrad import random
from jaxgrad._core.arguments import as_number, refuse_inplace
from jaxgrad._core.elementwise import check_kernel
from jaxgrad._core.errors import explain
from jaxgrad._core.operations import operation
from jaxgrad._core.types import Array
from jaxgrad.nn.functional.activation.rectifiers import leaky_relu
from jaxgrad.random import host
from jaxgrad.random.dispatch import draw


@operation("RreluWithNoiseBackward0")
def rrelu(
    input: Float[Array, "*shape"],
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    inplace: bool = False,
    *,
    generator: Any = None,
) -> Any:
    r"""Mirror of ``torch.nn.functional.rrelu``: x where x > 0, :math:`a x` elsewhere, with a random slope a.

    In training :math:`a \sim U(\mathrm{lower}, \mathrm{upper})`, drawn for each element that is not positive (two words
    of the stream each), otherwise :math:`a = (\mathrm{lower} + \mathrm{upper}) / 2`. How much of the stream is used
    depends on the input, so that inside jit the slopes are drawn on the host.

    Args:
        input: any shape, floating point.
        lower: least slope.
        upper: greatest slope.
        training: whether slopes are drawn.
        inplace: must be False, since arrays are values.
        generator: a ``jaxgrad.random.Generator`` for torch's slopes, a JAX key for JAX's.

    Returns:
        ``(output, generator)`` if a generator was passed, else the output.

    Raises:
        RuntimeError: ``Lower bound should be less than or equal to the upper bound``.
        TypeError: slopes have to be drawn and no generator was passed.
        ValueError: ``inplace=True``.

    >>> rrelu(jnp.array([-2.0, 2.0]), 0.2, 0.3).tolist()
    [-0.5, 2.0]
    >>> output, generator = rrelu(jnp.array([-1.0, 2.0]), training=True, generator=random.manual_seed(0))
    >>> print(output)
    [-0.32709438  2.        ]

    Source: torch/nn/functional.py, ``rrelu``; Xu et al., 2015.
    """
    refuse_inplace(inplace)
    input = jnp.asarray(input)
    lower, upper = as_number(lower, "lower", "rrelu"), as_number(upper, "upper", "rrelu")
    for name, bound in (("lower", lower), ("upper", upper)):
        if not math.isfinite(bound):
            raise RuntimeError(f"rrelu: {name} bound must be finite, got {bound:g}")
    if lower > upper:
        raise RuntimeError(
            explain("Lower bound should be less than or equal to the upper bound", got=f"lower={lower}, upper={upper}")
        )
    if not training:
        output = leaky_relu(input, (lower + upper) / 2)
        return output if generator is None else (output, generator)
    check_kernel("rrelu_with_noise_out_cpu", input)
    slopes, generator = _slopes(generator, input, lower, upper)
    output = jnp.where(input <= 0, input * slopes, input)
    return output, generator


def _slopes(generator: Any, input: Array, lower: float, upper: float) -> tuple[Array, Any]:
    if generator is None:
        raise TypeError(
            explain(
                "rrelu in training mode draws slopes, and nothing was given to draw them from",
                expected="generator=random.manual_seed(seed) or generator=jax.random.key(seed)",
                remedy="output, generator = F.rrelu(input, training=True, generator=generator); or training=False",
            )
        )
    if not isinstance(generator, random.Generator):
        after, now = jax.random.split(generator)
        return jax.random.uniform(now, input.shape, input.dtype, lower, upper), after
    fill = partial(_drawn, lower=lower, upper=upper)
    given = jax.lax.stop_gradient(input)
    return draw(generator, fill, given, shape=input.shape, dtype=np.dtype(input.dtype))


def _drawn(stream: Any, x: np.ndarray, lower: float, upper: float) -> np.ndarray:
    """A slope for each element that is not positive, in order of memory; 1 for the others."""
    slopes = np.ones(x.shape, x.dtype)
    drawn = x <= 0
    # the bounds are rounded to the precision torch computes in, the draw itself is double
    compute = np.float64 if x.dtype == np.float64 else np.float32
    low, high = float(compute(lower)), float(compute(upper))
    slopes[drawn] = host.uniform(stream, (int(drawn.sum()),), low, high, np.dtype(np.float64)).astype(x.dtype)
    return slopes
