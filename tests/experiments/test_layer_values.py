"""What experiments 8, 9 and 11 must find, for other seeds too, from the JAX side alone."""

import numpy as np
import pytest

from experiments import custom_layer, gather_diagonal, linear_regression
from experiments.common.experiment import Settings


@pytest.mark.parametrize("seed", [0, 5])
def test_gather_diagonal(seed):
    found = gather_diagonal.ours(Settings(seed=seed))
    assert all(value for name, value in found.items() if name.startswith("equals diagonal()"))
    square = found["gradient, square (3, 4, 4)"]
    np.testing.assert_array_equal(np.diagonal(square, axis1=1, axis2=2), np.arange(1, 13).reshape(3, 4))
    assert np.count_nonzero(square) == 12
    twice = found["gradient where columns are read twice"]
    np.testing.assert_array_equal(twice, [[1 + 2 + 4, 0, 3, 0], [0, 6 + 7 + 8, 0, 5]])
    assert found["index 4 of 4 columns"].startswith(
        "RuntimeError: index 4 is out of bounds for dimension 1 with size 4"
    )


@pytest.mark.parametrize("seed", [0, 5])
def test_custom_layer(seed):
    found = custom_layer.ours(Settings(seed=seed, quick=True))
    assert found["Parameter: parameters"] == "bias, weight" and found["plain array: parameters"] == "bias"
    assert found["Buffer: buffers"] == "weight" and found["plain array: buffers"] == "none"
    moved = [found[f"{kind}: the weight moved"] for kind in custom_layer.KINDS]
    assert moved == [True, False, False]
    assert all(np.diff(found[f"{kind}: losses"]).max() < 0 for kind in custom_layer.KINDS)


@pytest.mark.parametrize("seed", [0, 5])
def test_linear_regression(seed):
    found = linear_regression.ours(Settings(seed=seed))
    ends = [found[f"w and b, {way}"] for way in linear_regression.WAYS]
    np.testing.assert_allclose(ends, [[3.0, 4.0]] * 3, atol=0.2)
    np.testing.assert_allclose(ends[1:], ends[:1] * 2, rtol=1e-5)
    assert found["loss, by hand"][-1] < 1.2 * linear_regression.SPREAD**2
