"""The strictest JAX the whole suite runs under: implicit broadcasting of ranks raises, two CPU devices.

Warnings are errors (pyproject.toml). Nothing here changes a number.
"""

import os

os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=2")
os.environ.setdefault("KMP_BLOCKTIME", "0")  # torch's idle OpenMP threads otherwise starve XLA's on few cores
os.environ.setdefault("MPLBACKEND", "agg")

import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture
def x64():
    """JAX in float64 for one test: the mode in which semantics are compared."""
    with jax.enable_x64(True):
        yield
