"""The arithmetic underneath: one rounding where one is promised, in numpy, in JAX and in the compiled kernels."""

import math
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad import random
from jaxgrad.random import host
from jaxgrad.random._words import formulas, fused, mt19937
from jaxgrad.random.host import double, kernels
from jaxgrad.random.host.integers import _inside_out, shuffled
from tests.random.side_by_side import Pair


def nearest_float32(exact: Fraction) -> np.float32:
    """``exact`` rounded to float32, half to even, with no intermediate rounding (normal range)."""
    if not exact:
        return np.float32(0)
    exponent = 0
    while abs(exact) * Fraction(2) ** -exponent >= 2**24:
        exponent += 1
    while abs(exact) * Fraction(2) ** -exponent < 2**23:
        exponent -= 1
    return np.float32(float(round(exact / Fraction(2) ** exponent)) * 2.0**exponent)


def hard_cases(n: int = 2000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x * 1.5 half-way between two float32 for every odd x, z lost in float64, or 0, or not small."""
    values = np.random.default_rng(7)
    x = (2 * values.integers(2**22, 11184810 // 2, n) + 1).astype(np.float32)
    z = values.choice([0.0, 1e-12, -1e-12, 2.0**-60, -(2.0**-60), 0.25, -0.25], n).astype(np.float32)
    return x, np.full(n, 1.5, np.float32), z


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_fma32_rounds_once_also_where_float64_would_round_first(backend):
    x, y, z = hard_cases()
    exact = [Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c)) for a, b, c in zip(x, y, z, strict=True)]
    expected = [nearest_float32(value) for value in exact]
    twice = (np.float64(x) * np.float64(y) + np.float64(z)).astype(np.float32)
    assert (twice != expected).any()  # the cases are hard ones
    if backend == "numpy":
        got = formulas.fma32(np, x, y, z)
    else:
        with jax.enable_x64(True):
            got = jax.jit(lambda *a: formulas.fma32(jnp, *a))(x, y, z)
    np.testing.assert_array_equal(got, expected)


reals = st.floats(allow_nan=False, allow_infinity=False, width=64)


@settings(deadline=None, max_examples=500)
@given(reals, reals, reals)
def test_fma64_rounds_once_over_the_whole_range(x, y, z):
    exact = Fraction(x) * Fraction(y) + Fraction(z)
    try:
        expected = float(exact) if exact else x * y + z
    except OverflowError:
        expected = math.inf if exact > 0 else -math.inf
    assert float(double.fma64(np.array([x]), np.float64(y), np.float64(z))[0]) == expected


@settings(deadline=None, max_examples=200)
@given(st.floats(-10, 10), st.floats(-10, 10), st.floats(-10, 10))
def test_fma64_rounds_once_in_the_ordinary_range(x, y, z):
    exact = Fraction(x) * Fraction(y) + Fraction(z)
    assert float(double.fma64(np.array([x]), np.float64(y), np.float64(z))[0]) == float(exact)


def test_the_twister_is_numpys():
    theirs = np.random.RandomState(123)
    words, generator = mt19937.words(random.manual_seed(123), 2000)
    np.testing.assert_array_equal(words, theirs.randint(0, 2**32, 2000, dtype=np.uint32))
    words, _ = mt19937.words(generator, 1)
    np.testing.assert_array_equal(words, theirs.randint(0, 2**32, 1, dtype=np.uint32))


BOUNDARIES = [kernels.FEW - 1, kernels.FEW, kernels.SMALL, kernels.SMALL + 1, 4 * kernels.SMALL + 33, kernels.LARGE + 7]


@pytest.mark.parametrize("n", BOUNDARIES)
def test_large_draws_are_torchs(n):
    pair = Pair(n)
    pair.draw(lambda g: random.uniform(g, n, -0.3, 1.7), lambda g: torch.empty(n).uniform_(-0.3, 1.7, generator=g))
    pair.draw(lambda g: random.rand(g, n), lambda g: torch.rand(n, generator=g))
    pair.draw(lambda g: random.normal(g, n, 0.3, 1.7), lambda g: torch.empty(n).normal_(0.3, 1.7, generator=g))
    pair.draw(lambda g: random.bernoulli(g, n, 0.3), lambda g: torch.empty(n).bernoulli_(0.3, generator=g))
    pair.draw(
        lambda g: random.randint(g, 0, 1000, n, dtype="int32"),
        lambda g: torch.randint(0, 1000, (n,), dtype=torch.int32, generator=g),
    )


@pytest.mark.slow
def test_tens_of_millions_of_normals_are_torchs():
    pair = Pair(2024)
    for mean, std in ((0.0, 1.0), (-1.3, 0.02), (1e-3, 37.5)):
        pair.draw(
            lambda g, m=mean, s=std: random.normal(g, 10**7, m, s),
            lambda g, m=mean, s=std: torch.empty(10**7).normal_(m, s, generator=g),
        )


def test_the_compiled_kernel_is_in_use_on_this_machine():
    state = np.append(random.manual_seed(0).words, np.uint32(624))
    assert kernels.normal(state, kernels.SMALL, np.float32(0), np.float32(1)) is not None


def test_a_compiler_that_rounds_otherwise_is_not_believed(monkeypatch):
    kernels._normal_kernel.cache_clear()
    honest = fused._unchecked
    monkeypatch.setattr(fused, "_unchecked", lambda *a: honest(*a) * np.float32(1 + 2**-23))
    try:
        state = np.append(random.manual_seed(0).words, np.uint32(624))
        before = state.copy()
        assert kernels.normal(state, kernels.SMALL, np.float32(0), np.float32(1)) is None
        np.testing.assert_array_equal(state, before)
        pair = Pair(1)
        pair.draw(lambda g: random.randn(g, 5000), lambda g: torch.randn(5000, generator=g))
        pair.draw(jax.jit(lambda g: random.randn(g, 5000)), lambda g: torch.randn(5000, generator=g))
    finally:
        kernels._normal_kernel.cache_clear()


class RoundsTwiceOnce:
    """An exact multiply-add but for one call, which rounds the product and the sum."""

    def __init__(self, wrong: int | None) -> None:
        self.wrong, self.calls = wrong, 0

    def __call__(self, x, y, z, fits=False):
        self.calls += 1
        return x * y + z if self.calls - 1 == self.wrong else formulas.fma32(np, x, y, z)


def every_word(formula, wrong, chunk=1 << 21):
    """``formula`` of all words of 24 bits, a chunk at a time."""
    return [formula(np.arange(i, i + chunk, dtype=np.uint32), RoundsTwiceOnce(wrong)) for i in range(0, 1 << 24, chunk)]


def radius(words, fma):
    return np.sqrt(np.float32(-2) * formulas.log32(np, np.float32(1) - formulas.u24(words), fma))


def angle(words, fma):
    return np.stack(formulas.sincos32(np, formulas._TWO_PI * formulas.u24(words), fma))


NEVER_ROUND = (9, 10, 11)  # the last of the logarithm, the first two that reduce the angle


def test_the_telltales_see_every_multiply_add():
    words, normals = fused.telltales()
    halves = [part.ravel() for part in np.moveaxis(words.reshape(-1, 2, 8), 1, 0)]
    counter = RoundsTwiceOnce(None)
    exact = np.stack(formulas.box_muller32(np, *halves, fused.MEAN, fused.STD, counter))
    np.testing.assert_array_equal(np.moveaxis(normals.reshape(-1, 2, 8), 1, 0).reshape(2, -1), exact)
    for wrong in range(counter.calls):
        seen = np.stack(formulas.box_muller32(np, *halves, fused.MEAN, fused.STD, RoundsTwiceOnce(wrong))) != exact
        assert seen.any(axis=0).sum() >= 4 or (wrong in NEVER_ROUND and not seen.any())


@pytest.mark.slow
@pytest.mark.parametrize("wrong", NEVER_ROUND)
def test_three_multiply_adds_never_round(wrong):
    formula, call = (radius, wrong) if wrong == 9 else (angle, wrong - 10)
    for exact, mutated in zip(every_word(formula, None), every_word(formula, call), strict=True):
        np.testing.assert_array_equal(mutated, exact)


@pytest.mark.slow
def test_all_radii_and_all_angles_are_exact_in_jax():
    """A normal depends on 24 bits of one word and 24 of another: every value of each is tried, in both programs."""
    mean, std = np.float32(0), np.float32(1)
    fast = jax.jit(lambda words, zero: fused.normal32(words, mean, std, zero))
    careful = jax.jit(lambda words: fused.exact_normal32(words, mean, std))
    chunk = 1 << 20
    for i in range(0, 1 << 24, chunk):
        own = np.arange(i, i + chunk, dtype=np.uint32).reshape(-1, 8)
        for other, column in ((0, 0), (12345678, 1)):  # the angle 0, where a normal is the radius; some radius
            groups = np.full((chunk // 8, 2, 8), other, np.uint32)
            groups[:, column] = own
            expected = formulas.normal32(groups.ravel(), mean, std)
            values, trusted = fast(groups.ravel(), np.int32(0))
            assert trusted
            np.testing.assert_array_equal(values, expected)
            np.testing.assert_array_equal(careful(groups.ravel()), expected)


floats32 = st.floats(-(2.0**100), 2.0**100, width=32, allow_subnormal=False)


@settings(deadline=None, max_examples=300)
@given(
    floats32, st.floats(0, 2.0**100, width=32, allow_subnormal=False), st.lists(st.integers(0, 2**24 - 1), min_size=1)
)
def test_a_sum_that_is_said_to_fit_is_exact(low, span, words):
    low, span = np.float32(low), np.float32(span)
    if formulas.uniform_fits(low, span):
        u = formulas.u24(np.array(words, np.uint32))
        total = u.astype(np.float64) * np.float64(span) + np.float64(low)
        assert [Fraction(x) for x in total.tolist()] == [
            Fraction(float(x)) * Fraction(float(span)) + Fraction(float(low)) for x in u
        ]


def test_ordinary_ranges_fit_and_odd_ones_do_not():
    fits = [(0, 1), (-1, 2), (-0.3, 0.6), (1e-3, 5.0), (0, 1e-20), (100, 1)]
    assert all(formulas.uniform_fits(np.float32(low), np.float32(span)) for low, span in fits)
    assert not any(formulas.uniform_fits(np.float32(low), np.float32(span)) for low, span in [(1e-12, 1), (1e6, 0.1)])


def test_large_draws_without_a_compiler_for_the_host(monkeypatch):
    for name in ("words", "uniform", "normal"):
        monkeypatch.setattr(kernels, name, lambda *a: None)
    pair = Pair(8)
    pair.draw(lambda g: random.randn(g, 20000), lambda g: torch.randn(20000, generator=g))
    pair.draw(lambda g: random.uniform(g, 20000, 1, 3), lambda g: torch.empty(20000).uniform_(1, 3, generator=g))


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 60), st.integers(0, 2**32 - 1))
def test_swapping_at_once_is_swapping_one_by_one(n, seed):
    steps = max(n - 1, 0)
    targets = np.arange(steps) + np.random.default_rng(seed).integers(0, 2**32, steps) % np.arange(n, 1, -1)
    expected = list(range(n))
    for i, j in enumerate(targets.tolist()):
        expected[i], expected[j] = expected[j], expected[i]
    np.testing.assert_array_equal(shuffled(targets, n), expected)


@pytest.mark.slow
def test_a_permutation_of_a_million_is_torchs():
    pair = Pair(5)
    pair.draw(
        lambda g: random.randperm(g, 10**6, dtype="int32"),
        lambda g: torch.randperm(10**6, dtype=torch.int32, generator=g),
    )


def test_the_inside_out_shuffle_takes_a_wide_word_a_step():
    """The algorithm from 214,748,364 elements on; the whole of one would need 2 GB, so its first elements stand in."""
    stream, words = host.Stream(random.manual_seed(3)), host.Stream(random.manual_seed(3))
    expected = []
    for i, word in enumerate(words.words64(200).tolist()):
        k = word % (i + 1)
        expected.append(expected[k] if k < i else i)
        expected[k] = i
    np.testing.assert_array_equal(_inside_out(stream, 200), expected)


def test_settled_values_are_the_librarys_where_the_last_bit_shows():
    x = np.random.default_rng(0).random(1000)
    exact = double.mapped(math.log, x)
    rough = exact * (1 + 4e-16)  # a function that is off in the last bits
    settled = double.settle(rough.copy(), lambda index: exact[index], np.dtype("float32"))
    np.testing.assert_array_equal(settled.astype(np.float32), exact.astype(np.float32))
    np.testing.assert_array_equal(double.settle(rough.copy(), lambda index: exact[index], np.dtype("float64")), exact)
