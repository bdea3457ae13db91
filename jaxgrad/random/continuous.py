"""Real-valued draws: uniform, normal, and the distributions that torch derives from them.

Everything is bit-exact with torch 2.13 on x86-64 CPUs with AVX2 or AVX512 and the same C library. (torch's build
without vector units rounds float32 uniforms and normals otherwise, up to 2e-6 away.)
"""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxgrad._core.arguments import as_number, wrong_kind
from jaxgrad._core.dtypes import keep_dtype
from jaxgrad._core.errors import explain
from jaxgrad._core.types import Array, Shape
from jaxgrad.random import host, traced
from jaxgrad.random.checks import (
    as_shape,
    check_continuous,
    check_positive,
    check_std,
    check_uniform,
    takes_generator,
)
from jaxgrad.random.dispatch import draw
from jaxgrad.random.dtypes import FLOATS, check_dtype
from jaxgrad.random.generator import Generator


@takes_generator
def rand(
    generator: Generator, shape: Shape | int, *, dtype: Any = jnp.float32
) -> tuple[Float[Array, "*shape"], Generator]:
    """Uniform on [0, 1): ``torch.rand(shape)``, bit for bit. See :func:`uniform`.

    Args:
        generator: where the stream stands.
        shape: sizes, or one size.
        dtype: float32, float64, bfloat16 or float16.

    Returns:
        The values, and the generator after them.

    >>> from jaxgrad import random
    >>> value, generator = random.rand(random.manual_seed(0), 3)
    >>> print(value)
    [0.4962566 0.7682218 0.08847743]
    """
    return uniform(generator, shape, dtype=dtype)


@takes_generator
def uniform(
    generator: Generator, shape: Shape | int, low: float = 0.0, high: float = 1.0, *, dtype: Any = jnp.float32
) -> tuple[Float[Array, "*shape"], Generator]:
    """Uniform on [low, high): ``torch.empty(shape).uniform_(low, high)``, bit for bit.

    u * (high - low) + low with one rounding, u of 24 random bits (53 for float64). ``jax.random.uniform`` fills the
    mantissa instead, and has no stream.

    Args:
        generator: where the stream stands.
        shape: sizes, or one size.
        low, high: bounds, Python numbers.
        dtype: float32, float64, bfloat16 or float16.

    Returns:
        The values, and the generator after them: one word of the stream a value, two for float64.

    Raises:
        RuntimeError: ``uniform_ expects to return a [from, to) range, but found from=2 > to=1`` and its kin.
        NotImplementedError: an integer dtype.

    >>> from jaxgrad import random
    >>> value, generator = random.uniform(random.manual_seed(0), (2, 2), -1, 1)
    >>> value.shape, value.dtype
    ((2, 2), dtype('float32'))
    """
    shape, dtype = as_shape(shape), keep_dtype(check_dtype(dtype, FLOATS, "check_uniform_bounds"))
    low, high = as_number(low, "low", "uniform"), as_number(high, "high", "uniform")
    check_uniform(low, high, dtype)
    arguments: dict[str, Any] = {"shape": shape, "low": low, "high": high, "dtype": dtype}
    inside = None if dtype == np.float64 else partial(traced.uniform, **arguments)
    return draw(generator, partial(host.uniform, **arguments), shape=shape, dtype=dtype, traced=inside)


@takes_generator
def randn(
    generator: Generator, shape: Shape | int, *, dtype: Any = jnp.float32
) -> tuple[Float[Array, "*shape"], Generator]:
    """Standard normal: ``torch.randn(shape)``, bit for bit. See :func:`normal`.

    Args:
        generator: where the stream stands.
        shape: sizes, or one size.
        dtype: float32, float64, bfloat16 or float16.

    Returns:
        The values, and the generator after them.

    >>> from jaxgrad import random
    >>> value, generator = random.randn(random.manual_seed(0), 3)
    >>> print(value)
    [ 1.5409961 -0.2934289 -2.1787894]
    """
    return normal(generator, shape, dtype=dtype)


@takes_generator
def normal(
    generator: Generator,
    shape: Shape | int | None = None,
    mean: float | Float[Array, "*#shape"] = 0.0,
    std: float | Float[Array, "*#shape"] = 1.0,
    *,
    dtype: Any = None,
) -> tuple[Float[Array, "*drawn"], Generator]:
    """Normal: ``torch.empty(shape).normal_(mean, std)`` or ``torch.normal(mean, std)``, bit for bit.

    Box and Muller's transformation. Fewer than 16 values are computed in double precision, in pairs whose second
    half waits in the generator; more in groups of 16, in float32 with torch's polynomials (in double precision for
    float64).

    Args:
        generator: where the stream stands.
        shape: sizes, or one size; None with an array of means or deviations, whose common shape is meant.
        mean, std: numbers, or arrays of one floating dtype. No gradient flows to them, as in torch.
        dtype: float32, float64, bfloat16 or float16; by default float32, or what the array of means (deviations)
            has.

    Returns:
        The values, and the generator after them.

    Raises:
        RuntimeError: ``normal expects std >= 0.0, but found std -1`` (under jit it comes from the callback).
        NotImplementedError: an integer dtype.

    >>> from jaxgrad import random
    >>> value, generator = random.normal(random.manual_seed(0), (2, 8), 5.0, 0.1)
    >>> value.shape
    (2, 8)
    >>> value, generator = random.normal(generator, None, jnp.zeros((2, 1)), jnp.ones(3)[None])
    >>> value.shape
    (2, 3)
    """
    for name, value in (("mean", mean), ("std", std)):
        _check_mean(name, value)
    if not (_is_number(mean) and _is_number(std)):
        return _normal_each(generator, shape, mean, std, dtype)
    dtype = keep_dtype(check_dtype(jnp.float32 if dtype is None else dtype, FLOATS, "normal_kernel_cpu"))
    if shape is None:
        raise TypeError(
            explain("normal needs a shape when mean and std are numbers", remedy="normal(g, (), mean, std)")
        )
    shape = as_shape(shape)
    arguments: dict[str, Any] = {"shape": shape, "mean": float(mean), "std": float(std), "dtype": dtype}
    check_std(arguments["std"])
    grouped = dtype != np.float64 and math.prod(shape) >= traced.GROUP
    inside = partial(traced.normal, **arguments) if grouped else None
    return draw(generator, partial(host.normal, **arguments), shape=shape, dtype=dtype, traced=inside)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number | np.bool_)


def _check_mean(name: str, value: Any) -> None:
    if not (_is_number(value) or isinstance(value, np.ndarray | jax.Array)):
        remedy = "torch.normal(mean, std, size) is random.normal(generator, shape, mean, std)"
        raise wrong_kind(value, name, "normal", "float or an array", remedy)


def _normal_each(
    generator: Generator, shape: Shape | int | None, mean: Any, std: Any, dtype: Any
) -> tuple[Array, Generator]:
    """One mean or deviation an element: standard normals, scaled and shifted with a rounding after each step."""
    arrays = [value if _is_number(value) else jnp.asarray(value) for value in (mean, std)]
    own = jnp.result_type(arrays[1] if _is_number(mean) else arrays[0])
    dtype = keep_dtype(check_dtype(own if dtype is None else dtype, FLOATS, "normal_kernel_cpu"))
    common = jnp.broadcast_shapes(*map(jnp.shape, arrays))
    shape = common if shape is None else as_shape(shape)
    if _is_number(std):
        check_std(float(std))

    def fill(stream: host.Stream, *given: np.ndarray) -> np.ndarray:
        rest = iter(given)
        mean, std = (float(value) if _is_number(value) else next(rest) for value in arrays)
        return host.normal_each(stream, shape, mean, std, dtype)

    operands = [value for value in arrays if not _is_number(value)]
    return draw(generator, fill, *operands, shape=shape, dtype=dtype)


@takes_generator
def exponential(
    generator: Generator, shape: Shape | int, lambd: float = 1.0, *, dtype: Any = jnp.float32
) -> tuple[Float[Array, "*shape"], Generator]:
    """Exponential: ``torch.empty(shape).exponential_(lambd)``, bit for bit: -log(1 - u) / lambd.

    Args:
        generator: where the stream stands.
        shape: sizes, or one size.
        lambd: the rate.
        dtype: float32, float64, bfloat16 or float16.

    Returns:
        The values, and the generator after them.

    Raises:
        RuntimeError: ``exponential_ expects lambda > 0.0, but found lambda=0``.

    >>> from jaxgrad import random
    >>> value, generator = random.exponential(random.manual_seed(0), 3, 2.0)
    >>> bool((value > 0).all())
    True
    """
    lambd = as_number(lambd, "lambd", "exponential")
    check_positive(lambd, "exponential_", "lambda")
    check_continuous(dtype, "Exponential")
    return _serial(generator, host.exponential, shape, dtype, lambd=lambd)


@takes_generator
def log_normal(
    generator: Generator, shape: Shape | int, mean: float = 1.0, std: float = 2.0, *, dtype: Any = jnp.float32
) -> tuple[Float[Array, "*shape"], Generator]:
    """Log-normal: ``torch.empty(shape).log_normal_(mean, std)``, bit for bit: exp of a normal.

    Args:
        generator: where the stream stands.
        shape: sizes, or one size.
        mean, std: of the logarithm.
        dtype: float32, float64, bfloat16 or float16.

    Returns:
        The values, and the generator after them.

    Raises:
        RuntimeError: ``log_normal_ expects std > 0.0, but found std=0``.

    >>> from jaxgrad import random
    >>> value, generator = random.log_normal(random.manual_seed(0), 3)
    >>> bool((value > 0).all())
    True
    """
    mean, std = as_number(mean, "mean", "log_normal"), as_number(std, "std", "log_normal")
    check_positive(std, "log_normal_", "std")
    check_dtype(dtype, FLOATS, "log_normal_cpu")
    return _serial(generator, host.log_normal, shape, dtype, mean=mean, std=std)


@takes_generator
def cauchy(
    generator: Generator, shape: Shape | int, median: float = 0.0, sigma: float = 1.0, *, dtype: Any = jnp.float32
) -> tuple[Float[Array, "*shape"], Generator]:
    """Cauchy: ``torch.empty(shape).cauchy_(median, sigma)``, bit for bit: median + sigma tan(pi (u - 1/2)).

    Args:
        generator: where the stream stands.
        shape: sizes, or one size.
        median, sigma: middle and half-width.
        dtype: float32, float64, bfloat16 or float16.

    Returns:
        The values, and the generator after them.

    Raises:
        RuntimeError: ``cauchy_ expects sigma > 0.0, but found sigma=0``.

    >>> from jaxgrad import random
    >>> value, generator = random.cauchy(random.manual_seed(0), 3)
    >>> value.shape
    (3,)
    """
    median, sigma = as_number(median, "median", "cauchy"), as_number(sigma, "sigma", "cauchy")
    check_positive(sigma, "cauchy_", "sigma")
    check_continuous(dtype, "Cauchy")
    return _serial(generator, host.cauchy, shape, dtype, median=median, sigma=sigma)


def _serial(generator: Generator, fill: Any, shape: Shape | int, dtype: Any, **arguments: float) -> Any:
    shape, dtype = as_shape(shape), keep_dtype(dtype)
    return draw(generator, partial(fill, shape=shape, dtype=dtype, **arguments), shape=shape, dtype=dtype)
