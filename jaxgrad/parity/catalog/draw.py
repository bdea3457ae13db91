"""What cases draw their arguments with."""

import numpy as np


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Standard normal numbers."""
    return rng.standard_normal(shape)


def labels(rng: np.random.Generator, classes: int, *shape: int) -> np.ndarray:
    """Class indices, int64."""
    return rng.integers(0, classes, shape)


def probabilities(rng: np.random.Generator, *shape: int, axis: int = 1) -> np.ndarray:
    """Positive numbers that sum to 1 along the class axis."""
    drawn = rng.uniform(0.1, 1.0, shape)
    return drawn / drawn.sum(axis=axis, keepdims=True)


def some_ignored(rng: np.random.Generator, classes: int, *shape: int, ignore_index: int = -100) -> np.ndarray:
    """Class indices of which about a third, and at least the first, are ``ignore_index``."""
    drawn = labels(rng, classes, *shape)
    ignored = rng.uniform(size=shape) < 1 / 3
    ignored.flat[0] = True
    ignored.flat[-1] = False
    return np.where(ignored, ignore_index, drawn)
