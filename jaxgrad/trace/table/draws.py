"""Operations that draw: ``(generator, meta, *args) -> (value, generator)``.

Torch fills in memory order, which is that of the node's ``meta``: the numbers are drawn in the shape that its axes have
from the outermost to the innermost, and turned back.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad import random
from jaxgrad._core.types import Array
from jaxgrad.nn import functional as F
from jaxgrad.trace.graph import Meta
from jaxgrad.trace.table.align import dtype_of

Drawn = tuple[Any, random.Generator]


def _in_memory_order(meta: Meta, draw: Callable[[tuple[int, ...]], tuple[Array, random.Generator]]) -> Drawn:
    value, generator = draw(tuple(meta.shape[axis] for axis in meta.order))
    return jnp.transpose(value, np.argsort(meta.order).tolist()), generator


def _bernoulli(generator: random.Generator, meta: Meta, x: Array, p: Any = 0.5) -> Drawn:
    return _in_memory_order(meta, lambda shape: random.bernoulli(generator, shape, p, dtype=dtype_of(meta.dtype)))


def _native_dropout(generator: random.Generator, meta: Meta, x: Array, p: float, train: bool | None = True) -> Drawn:
    if not train or p == 0:
        return (x, jnp.ones(x.shape, bool)), generator
    if p == 1:
        return (jnp.zeros_like(x), jnp.zeros(x.shape, bool)), generator
    mask, generator = _bernoulli(generator, meta, x, 1 - p)
    return (x * (mask / (1 - p)).astype(x.dtype), mask != 0), generator


def _each(generator: random.Generator, meta: Meta, draw: Callable[..., Drawn], *values: Any) -> Drawn:
    """Draws with a parameter an element, in memory order too."""
    laid = [
        jnp.transpose(jnp.broadcast_to(each, meta.shape), meta.order) if isinstance(each, jax.Array) else each
        for each in values
    ]
    value, generator = draw(generator, *laid)
    return jnp.transpose(value, np.argsort(meta.order).tolist()), generator


def _filled(fn: Callable[..., Drawn], *names: str) -> Callable[..., Drawn]:
    """``x.fn_(*parameters)``; the parameters by place or name."""

    def call(generator: random.Generator, meta: Meta, x: Any, *parameters: Any, **named: Any) -> Drawn:
        given = {**dict(zip(names, parameters, strict=False)), **{k: v for k, v in named.items() if k in names}}
        in_order = [given[name] for name in names if name in given]
        return _in_memory_order(meta, lambda shape: fn(generator, shape, *in_order, dtype=dtype_of(meta.dtype)))

    return call


def _fresh(fn: Callable[..., Drawn]) -> Callable[..., Drawn]:
    """``torch.fn(size)``."""
    return lambda generator, meta, *_, **__: _in_memory_order(
        meta, lambda shape: fn(generator, shape, dtype=dtype_of(meta.dtype))
    )


def _integers(generator: random.Generator, meta: Meta, low: int, high: int) -> Drawn:
    return _in_memory_order(meta, lambda shape: random.randint(generator, low, high, shape, dtype=dtype_of(meta.dtype)))


def _bernoulli_each(generator: random.Generator, meta: Meta, x: Array, p: Any = None) -> Drawn:
    chances = x if p is None else p
    value, generator = _each(generator, meta, lambda g, p: random.bernoulli(g, None, p), chances)
    return value.astype(dtype_of(meta.dtype)), generator


def _normal_each(generator: random.Generator, meta: Meta, mean: Any, std: Any = 1.0) -> Drawn:
    return _each(generator, meta, lambda g, mean, std: random.normal(g, None, mean, std), mean, std)


def _normal_by_rows(generator: random.Generator, meta: Meta, mean: Any, std: Any) -> Drawn:
    """With a deviation an element torch fills row by row, whatever the strides."""
    return random.normal(generator, meta.shape, mean, std)


def _poisson(generator: random.Generator, meta: Meta, x: Array) -> Drawn:
    return _each(generator, meta, random.poisson, x)


def _multinomial(generator: random.Generator, meta: Meta, x: Array, samples: int, replacement: bool = False) -> Drawn:
    return random.multinomial(generator, x, samples, replacement)


def _permutation(generator: random.Generator, meta: Meta, n: int, **_: Any) -> Drawn:
    return random.randperm(generator, n, dtype=dtype_of(meta.dtype))


def _rrelu(
    generator: random.Generator, meta: Meta, x: Array, noise: Array, lower: float, upper: float, training: bool = False
) -> Drawn:
    if not training:
        return (F.rrelu(x, lower, upper), noise), generator
    output, pull, after = jax.vjp(lambda x: F.rrelu(x, lower, upper, True, generator=generator), x, has_aux=True)
    return (output, pull(jnp.ones_like(output))[0]), after  # the noise is the slope


DRAWS: dict[str, Callable[..., Drawn]] = {
    "bernoulli": _bernoulli_each,
    "bernoulli.p": _bernoulli,
    "bernoulli.Tensor": _bernoulli_each,
    "native_dropout": _native_dropout,
    "rand": _fresh(random.rand),
    "rand_like": _fresh(random.rand),
    "randn": _fresh(random.randn),
    "randn_like": _fresh(random.randn),
    "normal.Tensor_Tensor": _normal_by_rows,
    "normal.Tensor_float": _normal_each,
    "normal.float_Tensor": _normal_by_rows,
    "normal.float_float": lambda g, meta, mean, std, size, **_: _filled(random.normal, "mean", "std")(
        g, meta, None, mean, std
    ),
    "normal_functional": _filled(random.normal, "mean", "std"),
    "uniform": _filled(random.uniform, "from", "to"),
    "exponential": _filled(random.exponential, "lambd"),
    "cauchy": _filled(random.cauchy, "median", "sigma"),
    "log_normal": _filled(random.log_normal, "mean", "std"),
    "geometric": _filled(random.geometric, "p"),
    "random": _filled(random.random_),
    "random.from": _filled(random.random_, "from", "to"),
    "random.to": lambda g, meta, x, to: _filled(random.random_, "from", "to")(g, meta, x, 0, to),
    "randint": lambda g, meta, high, size, **_: _integers(g, meta, 0, high),
    "randint.low": lambda g, meta, low, high, size, **_: _integers(g, meta, low, high),
    "randint_like": lambda g, meta, x, high, **_: _integers(g, meta, 0, high),
    "randint_like.low_dtype": lambda g, meta, x, low, high, **_: _integers(g, meta, low, high),
    "randperm": _permutation,
    "poisson": _poisson,
    "multinomial": _multinomial,
    "rrelu_with_noise_functional": _rrelu,
}

FILLING = frozenset({"bernoulli.p", "bernoulli.Tensor"})
"""Draws into memory that is there."""
