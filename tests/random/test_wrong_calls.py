"""A draw that is called as torch's, or with anything else in the wrong place, says so and says what to write."""

import inspect
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad import random
from tests.support.sentences import complaint

G = random.manual_seed(0)
DRAWS = [
    getattr(random, name)
    for name in (
        "rand randn uniform normal exponential log_normal cauchy randint random_ randperm bernoulli geometric "
        "poisson multinomial"
    ).split()
]

PORTED = {
    "sizes": (lambda: random.randn(32, 10), "draws from a generator", "randn(generator, shape)"),
    "more sizes": (lambda: random.rand(32, 10, 3), "takes 2 positional arguments but 3", "shape is one tuple"),
    "sizes after the generator": (lambda: random.randn(G, 32, 10), "takes 2 positional", "shape is one tuple"),
    "a shape alone": (lambda: random.rand((2, 3)), "draws from a generator", "manual_seed"),
    "nothing": (lambda: random.rand(), "draws from a generator", "manual_seed"),
    "a seed": (lambda: random.randperm(0, 5), "draws from a generator", "manual_seed"),
    "torch's normal": (lambda: random.normal(G, 0.0, 1.0, (2,)), "argument 'std'", "normal(generator, shape, mean"),
    "torch's normal of numbers": (lambda: random.normal(G, 0.0, 1.0), "argument 'shape'", "fn(generator, shape"),
    "torch's bernoulli": (lambda: random.bernoulli(G, jnp.ones(3) / 2), "argument 'shape'", "bernoulli(generator, p="),
    "torch's randint without a bound": (lambda: random.randint(G, 3), "needs an upper bound", "randint(generator,"),
    "a float as size": (lambda: random.rand(G, (2, 3.0)), "float at pos 1", "fn(generator, shape"),
    "a traced size": (lambda: jax.jit(lambda n: random.rand(G, (2, n)))(3), "a traced value at pos 1", "fn(generator"),
    "a string": (lambda: random.rand(G, "ab"), "tuple of ints, not str", "fn(generator, shape"),
    "a dtype that is none": (lambda: random.rand(G, 3, dtype="flaot32"), "must be a dtype", "float32"),
    "a float bound": (lambda: random.randint(G, 0, 2.5, (2,)), "argument 'high' must be int, not float", "2.5"),
}  # fmt: skip


@pytest.mark.parametrize("name", PORTED)
def test_what_a_porter_writes_first(name):
    fn, sentence, remedy = PORTED[name]
    with pytest.raises(TypeError) as caught:
        fn()
    assert sentence in str(caught.value).splitlines()[0]
    assert remedy in str(caught.value)


def test_torchs_dtypes_have_a_name_here():
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match=r"remedy: +jnp\.float64"):
        random.rand(G, 3, dtype=torch.float64)
    assert random.rand(G, 3, dtype=None)[0].dtype == np.float32


def test_randint_has_both_forms_of_torch():
    torch = pytest.importorskip("torch")
    expected = torch.randint(9, (4,), generator=torch.Generator().manual_seed(0)).tolist()
    for value, _ in (random.randint(G, 9, (4,)), random.randint(G, 0, 9, (4,)), random.randint(G, high=9, shape=4)):
        assert value.tolist() == expected


ANYTHING = [None, "a", 2.5, -1, 1j, (), (2, -1), [1.5], {}, np.nan, np.inf, np.ones(2), object(), int, [[1], [2, 3]]]


def test_nothing_but_our_words_comes_out():
    """Every draw with something odd in each place: it works, or says in torch's words or ours what is wrong."""
    usual = {"shape": 3, "input": jnp.ones(3), "low": 0, "high": 3, "num_samples": 2, "n": 3, "p": 0.5}
    said = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for draw in DRAWS:
            parameters = inspect.signature(draw).parameters
            arguments = {name: usual[name] for name in parameters if name in usual}
            for name in parameters:
                for odd in ANYTHING:
                    words = complaint(draw, **{"generator": G, **arguments, name: odd})
                    said += [f"{draw.__name__}({name}={odd!r}): {words}"] if words else []
    assert not said, "\n".join(said)
