"""The strictest JAX, in tests and doctests: implicit broadcasting of ranks and implicit promotion of dtypes raise. Two
CPU devices.

Warnings are errors (pyproject.toml). Nothing here changes a number.
"""

import itertools
import os
from pathlib import Path

os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=2")
os.environ.setdefault("KMP_BLOCKTIME", "0")  # torch's idle OpenMP threads otherwise starve XLA's on few cores
os.environ.setdefault("MPLBACKEND", "agg")

import jax
import pytest

from tests.support import annotations

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
annotations.install()


collect_ignore = ["trace/real"]  # real models, whose packages only docs/make_trace.py needs

TESTS = Path(__file__).parent
PROMOTING = {
    "test_autocast.py",
    "test_autocast_lists.py",
    "test_backward.py",
    "test_functional.py",
    "test_gradcheck.py",
    "test_random_histories.py",
    "test_random_programs.py",
}
"""Their functions mix dtypes as a user's do (real numbers with ``1j`` or integers, what autocast leaves in float32 with
what it does not); how that comes out beside torch is what they compare."""


TO_FOLLOW = {"experiments", "models", "parity"}
"""Rooms that have yet to be run strictly to their end."""

SWEEPS_TO_FOLLOW = {"nn", "optim", "serialization", "tensor", "trace", "train"}
"""Rooms of whose tests only the slow and exhaustive ones have yet to be run strictly; all else is strict."""


@pytest.fixture(autouse=True)
def dtype_promotion(request):
    """JAX's own promotion of dtypes, for the few that are not strict."""
    room = request.path.relative_to(TESTS).parts[0]
    sweep = any(request.node.get_closest_marker(name) for name in ("slow", "exhaustive"))
    if request.path.name in PROMOTING or room in TO_FOLLOW or (sweep and room in SWEEPS_TO_FOLLOW):
        with jax.numpy_dtype_promotion("standard"):
            yield
    else:
        yield


BETWEEN_CLEARINGS = 150


@pytest.fixture(scope="session")
def tests_run():
    return itertools.count(1)


@pytest.fixture(autouse=True)
def few_programs(tests_run):
    """JAX keeps a few thousand compiled calls and forgets the oldest; a test that counts its own must not lose them."""
    yield
    if next(tests_run) % BETWEEN_CLEARINGS == 0:
        jax.clear_caches()


@pytest.fixture
def x64():
    """JAX in float64 for one test: the mode in which semantics are compared."""
    with jax.enable_x64(True):
        yield
