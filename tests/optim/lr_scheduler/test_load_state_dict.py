"""A scheduler that loads the state of another with other arguments goes on as the other would have, as in torch."""

import jax
import numpy as np
import pytest
import torch

from jaxgrad.optim import lr_scheduler, swa_utils
from tests.optim.lr_scheduler.support import make_optimizer, quiet, torch_sees


class Power:
    """A callable object, whose attributes torch saves."""

    def __init__(self, base):
        self.base = base

    def __call__(self, epoch):
        return self.base**epoch


PAIRS = {
    "StepLR": ({"step_size": 2, "gamma": 0.5}, {"step_size": 3, "gamma": 0.9}),
    "MultiStepLR": ({"milestones": [1, 5, 5], "gamma": 0.5}, {"milestones": [7]}),
    "ConstantLR": ({"factor": 0.5, "total_iters": 6}, {"factor": 0.25}),
    "LinearLR": ({"start_factor": 0.5, "total_iters": 8}, {"total_iters": 3}),
    "ExponentialLR": ({"gamma": 0.5}, {"gamma": 0.9}),
    "PolynomialLR": ({"total_iters": 9, "power": 2.0}, {}),
    "CosineAnnealingLR": ({"T_max": 5, "eta_min": 0.01}, {"T_max": 50}),
    "CosineAnnealingWarmRestarts": ({"T_0": 3, "T_mult": 2}, {"T_0": 5}),
    "LambdaLR": ({"lr_lambda": Power(0.5)}, {"lr_lambda": Power(0.9)}),
    "MultiplicativeLR": ({"lr_lambda": Power(0.99)}, {"lr_lambda": Power(0.9)}),
    "CyclicLR": (
        {"base_lr": 0.1, "max_lr": 0.5, "step_size_up": 3, "step_size_down": 4, "mode": "triangular2"},
        {"base_lr": 0.2, "max_lr": 0.3, "max_momentum": 0.7},
    ),
    "SWALR": ({"swa_lr": 0.05, "anneal_epochs": 6, "anneal_strategy": "linear"}, {"swa_lr": 0.05}),
    "ReduceLROnPlateau": ({"factor": 0.5, "patience": 0, "mode": "max", "cooldown": 1}, {}),
}


def ours_of(name, lr, kwargs):
    return getattr(swa_utils if name == "SWALR" else lr_scheduler, name)(lr, **kwargs)


def theirs_of(name, optimizer, kwargs):
    module = torch.optim.swa_utils if name == "SWALR" else torch.optim.lr_scheduler
    return getattr(module, name)(optimizer, **kwargs)


def stepped(schedule, state, name, i):
    return schedule.step(state, 1.0) if name == "ReduceLROnPlateau" else schedule.step(state)


@pytest.mark.parametrize("name", list(PAIRS))
def test_the_saved_arguments_are_taken_over(name):
    saved, other = PAIRS[name]
    arguments = (1.0,) if name == "ReduceLROnPlateau" else ()
    with quiet():
        optimizer = make_optimizer(1.0)
        reference = theirs_of(name, optimizer, saved)
        for _ in range(4):
            reference.step(*arguments)
        theirs = reference.state_dict()
        first = ours_of(name, 1.0, saved)
        state = first.init()
        for i in range(4):
            state = stepped(first, state, name, i)
        ours = first.state_dict(state)
        assert {key: ours[key] for key in theirs if key in ours} == {key: theirs[key] for key in theirs if key in ours}
        missing = set(theirs) - set(ours)
        assert missing <= {"_is_initial", "_get_lr_called_within_step", "use_beta1", "mode_worse", "default_min_lr"}
        schedule = ours_of(name, 1.0, other)
        loaded = {"ours": schedule.load_state_dict(ours), "theirs": schedule.load_state_dict(theirs)}
        for _ in range(4):
            reference.step(*arguments)
            loaded = {key: stepped(schedule, each, name, 0) for key, each in loaded.items()}
            for each in loaded.values():
                assert list(each.lr) == torch_sees(optimizer).lr
                if each.momentum:
                    assert list(each.momentum) == torch_sees(optimizer).momentum
        again = schedule.state_dict(loaded["ours"])
        assert again == schedule.state_dict(loaded["theirs"])
        assert schedule.load_state_dict(again) == loaded["ours"] or name in ("LambdaLR", "MultiplicativeLR")
        resumed = theirs_of(name, optimizer, other)
        resumed.load_state_dict(again)  # and torch takes ours


def test_parts_take_over_their_own():
    def of(module, gamma, milestones, base):
        parts = [module.ConstantLR(base, factor=0.5, total_iters=2), module.ExponentialLR(base, gamma=gamma)]
        return module.SequentialLR(base, parts, milestones)

    with quiet():
        optimizer = make_optimizer(1.0)
        reference = of(torch.optim.lr_scheduler, 0.5, [3], optimizer)
        for _ in range(2):
            reference.step()
        schedule = of(lr_scheduler, 0.9, [4], 1.0)
        state = schedule.load_state_dict(reference.state_dict())
        for _ in range(4):
            reference.step()
            state = schedule.step(state)
            assert list(state.lr) == torch_sees(optimizer).lr
    chained = lr_scheduler.ChainedScheduler([lr_scheduler.ExponentialLR(1.0, 0.5)])
    other = lr_scheduler.ChainedScheduler([lr_scheduler.ExponentialLR(1.0, 0.9)])
    state = other.load_state_dict(chained.state_dict(chained.state_at(2)))
    assert other.get_last_lr(other.step(state)) == 0.125


def test_a_state_that_was_taken_over_goes_through_jit():
    saved = lr_scheduler.StepLR(1.0, step_size=1, gamma=0.5)
    schedule = lr_scheduler.StepLR(1.0, step_size=1, gamma=0.9)
    state = schedule.load_state_dict(saved.state_dict(saved.state_at(2)))
    traced = jax.jit(schedule.step)(jax.tree.map(jax.numpy.asarray, state))
    np.testing.assert_allclose(traced.lr[0], 0.125, rtol=1e-6)


def test_one_cycle_says_what_a_dictionary_does_not_hold():
    saved = lr_scheduler.OneCycleLR(1.0, max_lr=1.0, total_steps=10)
    dictionary = saved.state_dict(saved.state_at(3))
    assert saved.load_state_dict(dictionary) == saved.state_at(3)
    for other in (
        {"total_steps": 12},
        {"total_steps": 10, "pct_start": 0.5},
        {"total_steps": 10, "cycle_momentum": False},
        {"total_steps": 10, "max_lr": 1.001},
        {"total_steps": 10, "div_factor": 10.0},
    ):
        with pytest.raises(ValueError, match="of a OneCycleLR with another"):
            lr_scheduler.OneCycleLR(1.0, **{"max_lr": 1.0} | other).load_state_dict(dictionary)
    with pytest.raises(ValueError, match="another max_lr or div_factor"):
        lr_scheduler.OneCycleLR([1.0, 1.0], max_lr=1.0, total_steps=10).load_state_dict(dictionary)
