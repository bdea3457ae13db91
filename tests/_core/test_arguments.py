"""Arguments of the wrong kind get torch's sentence; every spelling of a number is one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad._core.arguments import as_callable, as_integer, as_number


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2), np.int8(2), np.array(2.0), jnp.array(2), True * 2])
def test_every_spelling_of_a_number_is_one(value):
    assert as_number(value, "x", "f") == 2.0 and type(as_number(value, "x", "f")) is float


@pytest.mark.parametrize("value", ["a", None, 1j, np.complex64(1), [1.0], (2,), np.ones(2), {}, abs, np.array("a")])
def test_what_is_no_number(value):
    with pytest.raises(TypeError, match=r"^f\(\): argument 'x' must be float, not "):
        as_number(value, "x", "f")


@pytest.mark.parametrize("value", ["a", None, 2.0, True, np.bool_(True), [1], np.ones(2), np.array(1.5)])
def test_what_is_no_integer(value):
    with pytest.raises(TypeError, match=r"^f\(\): argument 'n' must be int, not "):
        as_integer(value, "n", "f")
    assert [as_integer(n, "n", "f") for n in (3, np.int64(3), np.array(3), jnp.array(3))] == [3] * 4


def test_a_traced_number_is_said_to_be_one():
    for check in (as_number, as_integer):
        with pytest.raises(TypeError, match=r"must be an? \w+ that is known"):
            jax.jit(lambda x, check=check: check(x, "x", "f"))(1)


def test_what_cannot_be_called():
    with pytest.raises(TypeError, match="argument 'fn' must be callable, not int"):
        as_callable(3, "fn", "f")
