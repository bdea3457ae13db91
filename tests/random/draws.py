"""Every kind of draw as a hypothesis strategy of pairs (ours, torch's), each a function of a generator."""

import jax.numpy as jnp
import numpy as np
import torch
from hypothesis import strategies as st

from jaxgrad import random
from tests.random.side_by_side import FLOATS, INTEGERS, torch_dtype

sizes = st.sampled_from([0, 1, 2, 3, 15, 16, 17, 31, 32, 33, 47, 100, 311, 623, 624, 625, 1000])
shapes = st.one_of(sizes.map(lambda n: (n,)), st.tuples(*[st.integers(0, 9)] * 2), st.tuples(*[st.integers(1, 5)] * 3))
means = st.floats(-3, 3)
scales = st.floats(0.01, 3)
probabilities = st.floats(0.001, 0.999)
floats = st.sampled_from(FLOATS)
integers = st.sampled_from(INTEGERS)
anything = st.sampled_from((*FLOATS, *INTEGERS, "bool"))


def array(tensor: torch.Tensor) -> np.ndarray:
    """A tensor as numpy's array of the same dtype, bfloat16 included."""
    return tensor.double().numpy().astype(jnp.dtype(str(tensor.dtype).removeprefix("torch.")))


def _filled(shape, name, method, *arguments):
    return lambda g: getattr(torch.empty(shape, dtype=torch_dtype(name)), method)(*arguments, generator=g)


def _both(function, method, shape, name, *arguments):
    return (
        lambda g: getattr(random, function)(g, shape, *arguments, dtype=name),
        _filled(shape, name, method, *arguments),
        (function, shape, name, arguments),
    )


@st.composite
def uniforms(draw):
    low = draw(means)
    return _both("uniform", "uniform_", draw(shapes), draw(floats), low, low + draw(scales))


@st.composite
def plain(draw):
    name, shape, dtype = draw(st.sampled_from(["rand", "randn"])), draw(shapes), draw(floats)
    return (
        lambda g: getattr(random, name)(g, shape, dtype=dtype),
        lambda g: getattr(torch, name)(shape, dtype=torch_dtype(dtype), generator=g),
        (name, shape, dtype),
    )


@st.composite
def normals(draw):
    return _both("normal", "normal_", draw(shapes), draw(floats), draw(means), draw(st.one_of(scales, st.just(0.0))))


@st.composite
def normals_each(draw):
    """torch.normal with arrays for the mean, the deviation, or both."""
    dtype, seed, shape = draw(floats), draw(st.integers(0, 99)), draw(shapes)
    values = np.random.default_rng(seed)
    mean = torch.from_numpy(values.normal(size=shape)).to(torch_dtype(dtype))
    std = torch.from_numpy(abs(values.normal(size=shape))).to(torch_dtype(dtype))
    which = draw(st.sampled_from(["both", "mean", "std"]))
    theirs = {"both": (mean, std), "mean": (mean, 0.7), "std": (0.3, std)}[which]
    ours = [v if isinstance(v, float) else array(v) for v in theirs]
    return (
        lambda g: random.normal(g, None, *ours),
        lambda g: torch.normal(*theirs, generator=g),
        ("normal of arrays", which, shape, dtype),
    )


@st.composite
def ranges(draw):
    dtype = draw(st.sampled_from((*INTEGERS, "float32", "float64")))
    lower, upper = (0, 2**15) if dtype == "uint8" else (-(2**15), 2**15)
    if dtype in ("int64", "float64"):
        lower, upper = -(2**50), 2**50
    if dtype in ("int8", "uint8"):
        lower, upper = (-128, 127) if dtype == "int8" else (0, 255)
    low = draw(st.integers(lower, upper - 1))
    high = draw(st.integers(low + 1, upper))
    shape = draw(shapes)
    return (
        lambda g: random.randint(g, low, high, shape, dtype=dtype),
        lambda g: torch.randint(low, high, shape, dtype=torch_dtype(dtype), generator=g),
        ("randint", low, high, shape, dtype),
    )


@st.composite
def wholes(draw):
    shape, dtype = draw(shapes), draw(anything)
    forms = [(), (1,), (100,), (3, None), (0, None)]
    forms += [(-(2**63), None)] if dtype in ("int64", "float64", "float32", "bfloat16") else []
    arguments = draw(st.sampled_from(forms))
    if dtype == "bool":
        arguments = ()
    return _both("random_", "random_", shape, dtype, *arguments)


@st.composite
def permutations(draw):
    n = draw(st.integers(0, 700))
    return (
        lambda g: random.randperm(g, n, dtype="int64"),
        lambda g: torch.randperm(n, generator=g),
        ("randperm", n),
    )


@st.composite
def coins(draw):
    return _both("bernoulli", "bernoulli_", draw(shapes), draw(anything), draw(st.floats(0, 1)))


@st.composite
def coins_each(draw):
    dtype, shape, seed = draw(floats), draw(shapes), draw(st.integers(0, 99))
    p = torch.from_numpy(np.random.default_rng(seed).random(shape)).to(torch_dtype(dtype))
    return (
        lambda g: random.bernoulli(g, None, array(p)),
        lambda g: torch.bernoulli(p, generator=g),
        ("bernoulli of an array", shape, dtype),
    )


@st.composite
def serial(draw):
    function, arguments = draw(
        st.one_of(
            st.tuples(st.just("exponential"), st.tuples(scales)),
            st.tuples(st.just("log_normal"), st.tuples(means, scales)),
            st.tuples(st.just("cauchy"), st.tuples(means, scales)),
        )
    )
    return _both(function, function + "_", draw(shapes), draw(floats), *arguments)


@st.composite
def trials(draw):
    dtype = draw(st.sampled_from((*FLOATS, "int16", "int32", "int64")))
    return _both("geometric", "geometric_", draw(shapes), dtype, draw(st.floats(0.01, 0.99)))


@st.composite
def counts(draw):
    dtype, shape, seed = draw(floats), draw(shapes), draw(st.integers(0, 99))
    values = np.random.default_rng(seed)
    rate = np.where(values.random(shape) < 0.1, 0, 10 ** values.uniform(-1, 2.5, shape))
    rate = torch.from_numpy(np.asarray(rate)).to(torch_dtype(dtype))
    return (
        lambda g: random.poisson(g, array(rate)),
        lambda g: torch.poisson(rate, generator=g),
        ("poisson", shape, dtype),
    )


@st.composite
def choices(draw):
    """With replacement in any dtype, without in those where equal keys are rare."""
    replacement = draw(st.booleans())
    dtype = draw(floats if replacement else st.sampled_from(["float32", "float64"]))
    shape = draw(st.one_of(st.tuples(st.integers(1, 60)), st.tuples(st.integers(1, 4), st.integers(1, 60))))
    k = draw(st.integers(1, 80 if replacement else shape[-1]))
    weights = np.random.default_rng(draw(st.integers(0, 99))).random(shape) + 0.01
    weights = torch.from_numpy(weights).to(torch_dtype(dtype))
    return (
        lambda g: random.multinomial(g, array(weights), k, replacement),
        lambda g: torch.multinomial(weights, k, replacement, generator=g),
        ("multinomial", shape, dtype, k, replacement),
    )


any_draw = st.one_of(
    uniforms(),
    plain(),
    normals(),
    normals_each(),
    ranges(),
    wholes(),
    permutations(),
    coins(),
    coins_each(),
    serial(),
    trials(),
    counts(),
    choices(),
)
