"""No schedule mixes dtypes in silence: a traced count meets a float where the code says so."""

import jax
import jax.numpy as jnp
import pytest

from jaxgrad.optim import lr_scheduler as schedulers
from jaxgrad.optim.swa_utils import SWALR

SCHEDULES = [
    schedulers.LinearLR(0.1),
    schedulers.CosineAnnealingLR(0.1, 7),
    schedulers.CosineAnnealingWarmRestarts(0.1, 3),
    schedulers.CosineAnnealingWarmRestarts(0.1, 2, 2),
    schedulers.CyclicLR(0.1, 0.1, 0.5, 4, mode="triangular2"),
    schedulers.CyclicLR(0.1, 0.1, 0.5, 4, mode="exp_range", gamma=0.99),
    schedulers.LambdaLR(0.1, lambda epoch: epoch + 1),
    SWALR(0.1, 0.05, 4),
]


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: type(schedule).__name__)
def test_the_form_in_a_graph_is_the_same_under_strict_promotion(schedule, wide):
    with jax.enable_x64(wide), jax.numpy_dtype_promotion("strict"):
        found = schedule.value_at(jnp.int32(3))
    with jax.enable_x64(wide):
        promoted = schedule.value_at(jnp.int32(3))
    assert found.dtype == promoted.dtype == (jnp.float64 if wide else jnp.float32)
    assert found == promoted
    assert float(found) == pytest.approx(schedule.state_at(3).lr[0], rel=1e-12 if wide else 1e-6)
