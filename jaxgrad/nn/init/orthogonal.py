"""Initial values under which a layer keeps lengths and angles."""

import math
from typing import Any

import jax.numpy as jnp

from jaxgrad import random
from jaxgrad._core.arguments import as_number
from jaxgrad._core.dtypes import keep_dtype
from jaxgrad._core.errors import explain
from jaxgrad._core.types import Shape
from jaxgrad.nn.init.fans import Drawn
from jaxgrad.random import Generator
from jaxgrad.random.checks import as_shape, takes_generator
from jaxgrad.random.dtypes import check_dtype


@takes_generator
def orthogonal(generator: Generator, shape: Shape, gain: float = 1, *, dtype: Any = jnp.float32) -> Drawn:
    """A (semi-)orthogonal matrix times ``gain``: ``torch.nn.init.orthogonal_``.

    The QR factorisation of a normal matrix with the signs of R's diagonal. The normals and the generator are torch's
    bit for bit; the factorisation is the installed linear algebra library's, 1e-6 (float32) or 2e-15 (float64) away
    from torch's, which itself moves by 1e-7 with its number of threads.

    Args:
        generator: where the stream stands.
        shape: at least 2 axes; those after the first are flattened.
        gain: scale of the result.
        dtype: float32 or float64.

    Returns:
        The values, and the generator after the normals.

    Raises:
        ValueError: ``Only tensors with 2 or more dimensions are supported``.

    >>> value, generator = orthogonal(random.manual_seed(0), (3, 2))
    >>> bool(jnp.allclose(value.T @ value, jnp.eye(2), atol=1e-6))
    True

    Source: Saxe et al., 2013; Mezzadri, 2006, for the signs.
    """
    shape = as_shape(shape)
    if len(shape) < 2:
        raise ValueError(explain("Only tensors with 2 or more dimensions are supported", got=shape))
    gain = as_number(gain, "gain", "orthogonal")
    dtype = keep_dtype(check_dtype(dtype, ("float32", "float64"), "geqrf_cpu"))
    if 0 in shape:
        return jnp.zeros(shape, dtype), generator
    rows, columns = shape[0], math.prod(shape[1:])
    flat, generator = random.normal(generator, (rows, columns), dtype=dtype)
    q, r = jnp.linalg.qr(flat if rows >= columns else flat.T)
    q = q * jnp.sign(jnp.diagonal(r))[None, :]
    q = q if rows >= columns else q.T
    return q.reshape(shape) * jnp.asarray(gain, dtype), generator
