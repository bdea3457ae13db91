"""ReduceLROnPlateau beside torch's on random metrics: the host form equal, the traced form in float64 equal."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad.optim.lr_scheduler import ReduceLROnPlateau
from tests.optim.lr_scheduler.support import GROUPS, make_optimizer, torch_sees

METRICS = st.lists(
    st.sampled_from([0.0, -1.0, 1.0, 0.9, 0.9999, 1.0001, float("nan"), float("inf")]) | st.floats(-2, 2), max_size=60
)
ARGUMENTS = st.fixed_dictionaries(
    {
        "mode": st.sampled_from(["min", "max"]),
        "factor": st.floats(0.05, 0.95),
        "patience": st.integers(0, 4),
        "threshold": st.sampled_from([0.0, 1e-4, 0.1]),
        "threshold_mode": st.sampled_from(["rel", "abs"]),
        "cooldown": st.integers(0, 3),
        "min_lr": st.sampled_from([0, 0.01, 0.2]),
        "eps": st.sampled_from([1e-8, 0.0, 0.05]),
    }
)


def torch_walk(arguments, lr, metrics):
    optimizer = make_optimizer(lr)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **arguments)
    for metric in metrics:
        scheduler.step(metric)
        memory = scheduler.last_epoch, scheduler.best, scheduler.cooldown_counter, scheduler.num_bad_epochs
        yield torch_sees(optimizer).lr, memory


@settings(deadline=None, max_examples=200)
@given(ARGUMENTS, GROUPS, METRICS)
def test_equals_torch(arguments, lr, metrics):
    schedule = ReduceLROnPlateau(lr, **arguments)
    state = schedule.init()
    for metric, (theirs, memory) in zip(metrics, torch_walk(arguments, lr, metrics), strict=True):
        state = schedule.step(state, metric)
        assert list(state.lr) == theirs
        assert tuple(state.memory) == memory


@settings(deadline=None, max_examples=8)
@given(ARGUMENTS, st.lists(st.floats(-2, 2), min_size=30, max_size=30))
def test_inside_scan_in_float64_equals_torch(x64_arguments, metrics):
    with jax.enable_x64(True):
        schedule = ReduceLROnPlateau([0.5, 0.25], **x64_arguments)

        def body(state, metric):
            state = schedule.step(state, metric)
            return state, (jnp.stack(state.lr), state.memory)

        start = jax.tree.map(jnp.asarray, schedule.init())
        _, (lrs, memories) = jax.jit(lambda xs: jax.lax.scan(body, start, xs))(jnp.asarray(metrics))
    for i, (theirs, memory) in enumerate(torch_walk(x64_arguments, [0.5, 0.25], metrics)):
        assert lrs[i].tolist() == theirs
        assert tuple(each[i].item() for each in memories) == memory


def test_inside_scan_in_float32():
    schedule = ReduceLROnPlateau(0.5, patience=1, factor=0.3)
    metrics = [3.0, 2.0, 2.5, 2.5, 2.5, 1.0, 1.5, float("nan"), 1.5]

    def body(state, metric):
        state = schedule.step(state, metric)
        return state, schedule.get_last_lr(state)

    _, lrs = jax.lax.scan(body, schedule.init(), jnp.asarray(metrics))
    theirs = [lr[0] for lr, _ in torch_walk({"patience": 1, "factor": 0.3}, 0.5, metrics)]
    assert len(set(theirs)) == 3
    np.testing.assert_allclose(lrs, theirs, rtol=3e-7)


def test_the_comparison_sees_patience_off_by_one():
    metrics = [1.0] * 20
    theirs = [lr[0] for lr, _ in torch_walk({"patience": 3}, 0.5, metrics)]
    for patience, same in ((3, True), (2, False), (4, False)):
        schedule = ReduceLROnPlateau(0.5, patience=patience)
        state, ours = schedule.init(), []
        for metric in metrics:
            state = schedule.step(state, metric)
            ours.append(schedule.get_last_lr(state))
        assert (ours == theirs) is same


def test_resumes_and_reads_torch():
    arguments, metrics = {"patience": 1, "cooldown": 2, "min_lr": [0.001, 0.2]}, [1.0, 1.0, 1.0, 2.0, 0.5] * 5
    schedule = ReduceLROnPlateau([0.5, 0.4], **arguments)
    optimizer = make_optimizer([0.5, 0.4])
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **arguments)
    for metric in metrics[:7]:
        scheduler.step(metric)
    state = schedule.load_state_dict(scheduler.state_dict())
    assert schedule.load_state_dict(schedule.state_dict(state)) == state
    for metric in metrics[7:]:
        scheduler.step(torch.tensor(metric))
        state = schedule.step(state, jnp.float32(metric))  # a concrete array is read as torch reads a tensor
        assert list(state.lr) == torch_sees(optimizer).lr


def test_epoch_is_stored():
    schedule = ReduceLROnPlateau(0.5)
    assert schedule.step(schedule.init(), 1.0, epoch=7).memory.last_epoch == 7


def test_a_metric_is_needed():
    schedule = ReduceLROnPlateau(0.5)
    with pytest.raises(TypeError, match="metrics"):
        schedule.step(schedule.init())
