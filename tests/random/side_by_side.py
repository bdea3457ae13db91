"""One generator here and one in torch, drawn from in step."""

import jax.numpy as jnp
import numpy as np
import torch

from jaxgrad import random

FLOATS = ("float32", "float64", "bfloat16", "float16")
INTEGERS = ("int8", "uint8", "int16", "int32", "int64")


def torch_dtype(name: str) -> torch.dtype:
    return getattr(torch, name)


def numbers(tensor: torch.Tensor) -> np.ndarray:
    """A tensor in numpy: every float exactly as float64, integers as they are."""
    return tensor.double().numpy() if tensor.dtype.is_floating_point else tensor.numpy()


def assert_equal(ours, theirs: torch.Tensor, what=None) -> None:
    """Same dtype, shape and bits."""
    assert ours.dtype == jnp.dtype(str(theirs.dtype).removeprefix("torch.")), what
    assert ours.shape == tuple(theirs.shape), what
    expected = numbers(theirs)
    got = np.asarray(ours).astype(expected.dtype)
    np.testing.assert_array_equal(got, expected, err_msg=str(what))


def assert_same_state(generator: random.Generator, theirs: torch.Generator, what=None) -> None:
    assert generator.get_state().tobytes() == theirs.get_state().numpy().tobytes(), what


class Pair:
    """Both generators after the same seed."""

    def __init__(self, seed: int):
        self.ours = random.manual_seed(seed)
        self.theirs = torch.Generator().manual_seed(seed)

    def draw(self, ours, theirs, what=None) -> None:
        """``ours(generator) -> (value, generator)`` against ``theirs(generator) -> tensor``: values and states."""
        expected = theirs(self.theirs)
        value, self.ours = ours(self.ours)
        assert_equal(value, expected, what)
        assert_same_state(self.ours, self.theirs, what)
