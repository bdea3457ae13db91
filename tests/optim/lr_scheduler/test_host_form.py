"""The host form beside torch's schedulers on real optimizers: every number equal, over several periods."""

import json
import math

import jax
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad.optim import lr_scheduler
from tests.optim.lr_scheduler.support import (
    GROUPS,
    PARTS,
    SIMPLE,
    Recipe,
    assert_alive,
    assert_same,
    chained,
    make_optimizer,
    our_walk,
    quiet,
    sequential,
    torch_sees,
    torch_walk,
)

STEPS = 40
property_test = settings(deadline=None, max_examples=60)


def test_every_scheduler_of_torch_is_here():
    ours = set(lr_scheduler.__all__) - {"State", "TabulatedLR"}
    assert ours == set(torch.optim.lr_scheduler.__all__)


@pytest.mark.parametrize("name", SIMPLE)
def test_equals_torch(name):
    @property_test
    @given(SIMPLE[name], GROUPS, st.sampled_from(["SGD", "Adam"]))
    def check(recipe, lr, kind):
        assert_same(our_walk(recipe.ours(lr), STEPS), torch_walk(recipe, lr, STEPS, kind))

    check()


@property_test
@given(sequential(), GROUPS)
def test_sequential_equals_torch(recipe, lr):
    assert_same(our_walk(recipe.ours(lr), STEPS), torch_walk(recipe, lr, STEPS))


@property_test
@given(chained(), GROUPS)
def test_chained_equals_torch(recipe, lr):
    assert_same(our_walk(recipe.ours(lr), STEPS), torch_walk(recipe, lr, STEPS))


@property_test
@given(chained(st.lists(PARTS | sequential(st.lists(PARTS, min_size=1, max_size=3)), min_size=1, max_size=3)), GROUPS)
def test_chain_of_sequences_equals_torch(recipe, lr):
    assert_same(our_walk(recipe.ours(lr), STEPS), torch_walk(recipe, lr, STEPS))


@property_test
@given(chained(), sequential(), PARTS.filter(lambda r: r.name != "CyclicLR"), st.booleans(), GROUPS)
def test_sequence_that_begins_with_a_composite_equals_torch(chain, sequence, last, which, lr):
    recipe = Recipe("SequentialLR", {"schedulers": [chain if which else sequence, last], "milestones": [7]})
    assert_same(our_walk(recipe.ours(lr), STEPS), torch_walk(recipe, lr, STEPS))


def test_a_composite_cannot_restart_in_torch_nor_here():
    inner = Recipe("ChainedScheduler", {"schedulers": [Recipe("ExponentialLR", {"gamma": 0.5})]})
    recipe = Recipe("SequentialLR", {"schedulers": [Recipe("ConstantLR", {}), inner], "milestones": [2]})
    with pytest.raises((NotImplementedError, AttributeError)):
        torch_walk(recipe, 0.1, 3)
    with pytest.raises(NotImplementedError, match="cannot be restarted"):
        our_walk(recipe.ours(0.1), 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(SIMPLE) - {"OneCycleLR"}))
def test_long_runs_do_not_drift(name):
    @settings(deadline=None, max_examples=8)
    @given(SIMPLE[name], GROUPS)
    def check(recipe, lr):
        assert_same(our_walk(recipe.ours(lr), 1500), torch_walk(recipe, lr, 1500))

    check()


LIVELY = [
    Recipe("StepLR", {"step_size": 5}),
    Recipe("MultiStepLR", {"milestones": [3, 7, 7, 20], "gamma": 0.3}),
    Recipe("ConstantLR", {"factor": 0.2, "total_iters": 4}),
    Recipe("LinearLR", {"start_factor": 0.1, "total_iters": 9}),
    Recipe("ExponentialLR", {"gamma": 0.93}),
    Recipe("PolynomialLR", {"total_iters": 17, "power": 1.7}),
    Recipe("LambdaLR", {"lr_lambda": lambda epoch: 1 / (1 + epoch)}),
    Recipe("MultiplicativeLR", {"lr_lambda": lambda epoch: 1 - 0.5 / epoch}),
    Recipe("CosineAnnealingLR", {"T_max": 9, "eta_min": 0.001}),
    Recipe("CosineAnnealingWarmRestarts", {"T_0": 5, "T_mult": 2}),
    Recipe("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 6, "mode": "triangular2"}),
    Recipe("OneCycleLR", {"max_lr": 0.5, "total_steps": 50}),
]
LIVELY += [
    Recipe("ChainedScheduler", {"schedulers": [LIVELY[3], LIVELY[8], LIVELY[1]]}),
    Recipe("SequentialLR", {"schedulers": [LIVELY[3], LIVELY[8], LIVELY[9]], "milestones": [6, 20]}),
]
lively = pytest.mark.parametrize("recipe", LIVELY, ids=lambda recipe: recipe.name)


@lively
def test_the_comparison_sees_one_step_late_and_one_per_mille(recipe):
    seen = torch_walk(recipe, [0.1, 0.3], STEPS)
    assert_alive(seen)
    states = our_walk(recipe.ours([0.1, 0.3]), STEPS + 1)
    assert_same(states[:-1], seen)
    with pytest.raises(AssertionError):
        assert_same(states[1:], seen)
    planted = [s._replace(lr=tuple(lr * 1.001 if i == 10 else lr for lr in s.lr)) for i, s in enumerate(states[:-1])]
    with pytest.raises(AssertionError, match="step 10"):
        assert_same(planted, seen)
    for key, value in recipe.kwargs.items():
        if key in ("gamma", "factor", "start_factor", "power", "max_lr"):
            wrong = recipe._replace(kwargs={**recipe.kwargs, key: value * 0.999})
            with pytest.raises(AssertionError):
                assert_same(our_walk(wrong.ours([0.1, 0.3]), STEPS), seen)


@lively
def test_resumes_in_the_middle(recipe):
    """A stored state is plain numbers: through JSON, or as numpy scalars out of a checkpoint."""
    schedule = recipe.ours([0.1, 0.3])
    states = our_walk(schedule, STEPS)
    leaves, structure = jax.tree.flatten(states[13])
    assert all(type(leaf) in (int, float) for leaf in leaves)
    for store in (lambda x: x, np.asarray, lambda x: np.asarray(x)[()]):
        restored = jax.tree.unflatten(structure, [store(x) for x in json.loads(json.dumps(leaves))])
        for state in states[14:]:
            restored = schedule.step(restored)
            assert restored == state


@lively
def test_state_dict_goes_to_torch_and_comes_back(recipe):
    schedule = recipe.ours([0.1, 0.3])
    states = our_walk(schedule, STEPS)
    seen = torch_walk(recipe, [0.1, 0.3], STEPS)
    assert schedule.load_state_dict(schedule.state_dict(states[13])) == states[13]

    with quiet():
        # ours from torch's dictionary in the middle of its run
        optimizer = make_optimizer([0.1, 0.3])
        scheduler = recipe.theirs(optimizer)
        for _ in range(13):
            scheduler.step()
        state = schedule.load_state_dict(scheduler.state_dict())
        assert list(state.lr) == seen[13].lr
        for theirs in seen[14:]:
            state = schedule.step(state)
            assert_same([state], [theirs])

        # torch's from ours, into a fresh scheduler
        optimizer = make_optimizer([0.1, 0.3])
        scheduler = recipe.theirs(optimizer)
        for group, lr in zip(optimizer.param_groups, states[13].lr, strict=True):
            group["lr"] = lr  # which torch restores with the optimizer
        scheduler.load_state_dict(schedule.state_dict(states[13]))
        for theirs in seen[14:]:
            scheduler.step()
            assert torch_sees(optimizer).lr == theirs.lr


@pytest.mark.parametrize("name", sorted(set(SIMPLE) - {"OneCycleLR", "CyclicLR"}))
def test_last_epoch_resumes_as_in_torch(name):
    """``last_epoch=e`` begins at ``e + 1`` from the lr that stands in the optimizer beside ``initial_lr``."""

    @settings(deadline=None, max_examples=25)
    @given(SIMPLE[name], st.floats(0.01, 1.0), st.floats(0.01, 1.0), st.integers(0, 11))
    def check(recipe, base, current, last_epoch):
        recipe = recipe._replace(kwargs={**recipe.kwargs, "last_epoch": last_epoch})
        optimizer = make_optimizer(base)
        optimizer.param_groups[0].update(lr=current, initial_lr=base)
        schedule = recipe.ours(base)
        with quiet():
            scheduler = recipe.theirs(optimizer)
            state = schedule.init(current)
            for _ in range(25):
                assert list(state.lr) == torch_sees(optimizer).lr
                scheduler.step()
                state = schedule.step(state)

    check()


@pytest.mark.parametrize("name", ["OneCycleLR", "CyclicLR"])
def test_last_epoch_of_cycling_schedulers(name):
    @settings(deadline=None, max_examples=25)
    @given(SIMPLE[name], st.integers(0, 11))
    def check(recipe, last_epoch):
        optimizer = make_optimizer(0.1)
        schedule = recipe._replace(kwargs={**recipe.kwargs, "last_epoch": last_epoch}).ours(0.1)
        with quiet():
            recipe.theirs(optimizer)  # fills in the entries that a checkpoint of the optimizer brings back
            scheduler = recipe._replace(kwargs={**recipe.kwargs, "last_epoch": last_epoch}).theirs(optimizer)
            state = schedule.init()
            for _ in range(25):
                assert_same([state], [torch_sees(optimizer)])
                scheduler.step()
                state = schedule.step(state)

    check()


@pytest.mark.parametrize("name", SIMPLE)
def test_step_with_an_epoch_equals_torch(name):
    """``step(epoch)`` jumps, by the closed form where torch has one, and goes on from there."""

    @settings(deadline=None, max_examples=25)
    @given(SIMPLE[name], GROUPS, st.lists(st.integers(0, 30) | st.none(), min_size=1, max_size=12))
    def check(recipe, lr, epochs):
        optimizer = make_optimizer(lr)
        schedule = recipe.ours(lr)
        with quiet():
            scheduler, state = recipe.theirs(optimizer), schedule.init()
            for epoch in epochs:
                if state.memory.last_epoch >= 40:
                    break
                try:
                    scheduler.step(epoch)
                except ZeroDivisionError:
                    with pytest.raises(ZeroDivisionError):
                        schedule.step(state, epoch)
                    break
                state = schedule.step(state, epoch)
                assert_same([state], [torch_sees(optimizer)])

    check()


@settings(deadline=None, max_examples=60)
@given(SIMPLE["CosineAnnealingWarmRestarts"], GROUPS, st.lists(st.floats(0, 100) | st.none(), max_size=20))
def test_fractional_epochs_equal_torch(recipe, lr, epochs):
    optimizer = make_optimizer(lr)
    schedule = recipe.ours(lr)
    with quiet():
        scheduler, state = recipe.theirs(optimizer), schedule.init()
        for epoch in [*epochs, 0.0, 0.25, 7.75, None, 3]:
            scheduler.step(epoch)
            state = schedule.step(state, epoch)
            assert_same([state], [torch_sees(optimizer)])


def test_negative_epoch_is_refused():
    schedule = lr_scheduler.CosineAnnealingWarmRestarts(0.1, T_0=3)
    with pytest.raises(ValueError, match="Expected non-negative epoch, but got -1"):
        schedule.step(schedule.init(), -1)


def test_an_lr_changed_from_outside_is_gone_on_from():
    optimizer = make_optimizer(0.1)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    schedule = lr_scheduler.ExponentialLR(0.1, 0.9)
    optimizer.param_groups[0]["lr"] = 5.0
    with quiet():
        scheduler.step()
    assert schedule.step(schedule.init()._replace(lr=(5.0,))).lr == (optimizer.param_groups[0]["lr"],)


def test_groups_and_single():
    single, several = lr_scheduler.StepLR(0.1, 3), lr_scheduler.StepLR([0.1, 0.2], 3)
    assert single.get_last_lr(single.init()) == 0.1
    assert several.get_last_lr(several.init()) == [0.1, 0.2]
    assert several.get_last_lr(several.init()) is not several.get_last_lr(several.init())
    one = lr_scheduler.StepLR([0.1], 3)
    assert one.get_last_lr(one.init()) == [0.1]


def test_a_schedule_is_a_value():
    """Immutable, hashable (a static argument of jit), and two inits of one schedule know nothing of each other."""
    schedule = lr_scheduler.OneCycleLR([0.1, 0.2], max_lr=[0.5, 0.6], total_steps=10)
    assert hash(schedule) == hash(lr_scheduler.OneCycleLR([0.1, 0.2], max_lr=[0.5, 0.6], total_steps=10))
    with pytest.raises(AttributeError):
        schedule.pct_start = 0.5
    first = our_walk(schedule, 5)
    assert our_walk(schedule, 5) == first
    assert math.isclose(schedule.get_last_momentum(first[0])[0], 0.95)


def test_momentum_of_a_schedule_without_one():
    schedule = lr_scheduler.StepLR(0.1, 3)
    with pytest.raises(ValueError, match="does not change the momentum"):
        schedule.get_last_momentum(schedule.init())
    schedule = lr_scheduler.CyclicLR(0.1, max_lr=0.3, cycle_momentum=False)
    with pytest.raises(ValueError, match="does not change the momentum"):
        schedule.get_last_momentum(schedule.init())


def test_custom_scale_functions():
    for scale_mode in ("cycle", "iterations"):
        kwargs = {"base_lr": 0.1, "max_lr": 0.5, "step_size_up": 3, "scale_fn": lambda x: 1 / (1 + x)}
        recipe = Recipe("CyclicLR", {**kwargs, "scale_mode": scale_mode, "mode": "whatever"})
        assert_same(our_walk(recipe.ours(0.1), STEPS), torch_walk(recipe, 0.1, STEPS))


def test_state_at_is_the_walk():
    schedule = LIVELY[-1].ours(0.1)
    assert schedule.state_at(30) == our_walk(schedule, 30)[-1]
