"""Where mutants of the comparison lived: boundaries, devices, widths, and what is compared as what."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad.testing import assert_close
from jaxgrad.testing.comparison import ulp_distance

torch = pytest.importorskip("torch", reason="the reference is not installed")


def test_a_difference_as_large_as_is_allowed_is_close():
    for compare, array in ((assert_close, np.array), (torch.testing.assert_close, torch.tensor)):
        compare(array([1.5]), array([1.0]), rtol=0.0, atol=0.5)
        with pytest.raises(AssertionError):
            compare(array([1.5]), array([1.0]), rtol=0.0, atol=0.4999)


def test_arrays_of_numpy_and_jax_are_the_same_kind_of_thing():
    assert_close(np.ones(2, np.float32), jnp.ones(2))
    with pytest.raises(AssertionError, match="type equality"):
        assert_close(np.ones(2, np.float32), jnp.ones(2), allow_subclasses=False)


def test_devices_are_compared_only_if_asked_for():
    one, two = jax.devices()[:2]
    here, there = jax.device_put(jnp.ones(2), one), jax.device_put(jnp.ones(2), two)
    assert_close(here, jax.device_put(jnp.ones(2), one), check_device=True)
    assert_close(here, there, check_device=False)
    with pytest.raises(AssertionError, match="attribute 'device' do not match"):
        assert_close(here, there, check_device=True)


@pytest.mark.parametrize("only", ["rtol", "atol"])
def test_which_tolerance_is_missing_is_said_as_by_torch(only):
    with pytest.raises(ValueError) as theirs:
        torch.testing.assert_close(torch.ones(1), torch.ones(1), **{only: 0.1})
    with pytest.raises(ValueError) as ours:
        assert_close(np.ones(1), np.ones(1), **{only: 0.1})
    assert str(ours.value) == str(theirs.value)


def test_integers_at_both_ends_do_not_wrap_around():
    least, most = np.array([-(2**63)]), np.array([2**63 - 1])
    for a, e in ((least, most), (most, least)):
        with pytest.raises(AssertionError):
            assert_close(a, e, rtol=0.0, atol=1.0)


@pytest.mark.parametrize("dtype", [np.float16, jnp.bfloat16, np.float32, np.float64])
def test_the_next_number_is_one_ulp_away(dtype):
    x = np.array([1.0, -2.0, 0.0], dtype)
    bits = x.view({2: np.int16, 4: np.int32, 8: np.int64}[x.itemsize])
    assert ulp_distance(x, (bits + 1).view(dtype)).tolist() == [1, 1, 1]
    assert ulp_distance(x, x.astype(np.complex64)) is None


def test_a_missing_gradient_is_called_one():
    for a, e, words in ((None, np.float32([1.0]), "None (no gradient) is not float32[1]"),):
        with pytest.raises(AssertionError) as caught:
            assert_close({"w": a}, {"w": e})
        assert words in str(caught.value)
