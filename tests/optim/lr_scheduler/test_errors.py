"""Invalid arguments raise torch's exception with torch's sentence: both sides are asked."""

import pytest
import torch

from jaxgrad.optim import lr_scheduler
from tests.optim.lr_scheduler.support import make_optimizer, quiet

INVALID = [
    ("ConstantLR", {"factor": 1.5}),
    ("ConstantLR", {"factor": -0.1}),
    ("LinearLR", {"start_factor": 0.0}),
    ("LinearLR", {"start_factor": 1.1}),
    ("LinearLR", {"end_factor": 1.1}),
    ("LinearLR", {"end_factor": -0.1}),
    ("LambdaLR", {"lr_lambda": [len]}),
    ("MultiplicativeLR", {"lr_lambda": [len, len, len]}),
    ("MultiplicativeLR", {"lr_lambda": 0.9}),
    ("CosineAnnealingWarmRestarts", {"T_0": 0}),
    ("CosineAnnealingWarmRestarts", {"T_0": 1.5}),
    ("CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 0}),
    ("CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 1.5}),
    ("CosineAnnealingWarmRestarts", {"T_0": 3, "eta_min": "low"}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.2, "mode": "square"}),
    ("CyclicLR", {"base_lr": [0.1], "max_lr": 0.2}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": [0.2, 0.3, 0.4]}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.3, "base_momentum": [0.8]}),
    ("OneCycleLR", {"max_lr": 0.1}),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 0}),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 1.5}),
    ("OneCycleLR", {"max_lr": 0.1, "epochs": 3}),
    ("OneCycleLR", {"max_lr": 0.1, "epochs": -1, "steps_per_epoch": 3}),
    ("OneCycleLR", {"max_lr": 0.1, "epochs": 2, "steps_per_epoch": 0}),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 10, "pct_start": 1.5}),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 10, "pct_start": 1}),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 10, "anneal_strategy": "steep"}),
    ("OneCycleLR", {"max_lr": [0.1], "total_steps": 10}),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 10, "max_momentum": [0.9]}),
    ("ReduceLROnPlateau", {"factor": 1.0}),
    ("ReduceLROnPlateau", {"mode": "low"}),
    ("ReduceLROnPlateau", {"threshold_mode": "any"}),
    ("ReduceLROnPlateau", {"min_lr": [0.1]}),
]


@pytest.mark.parametrize("name, kwargs", INVALID, ids=lambda value: str(value))
def test_torch_says_the_same(name, kwargs):
    with pytest.raises(Exception) as theirs:
        getattr(torch.optim.lr_scheduler, name)(make_optimizer([0.1, 0.2]), **kwargs)
    with pytest.raises(type(theirs.value)) as ours:
        getattr(lr_scheduler, name)([0.1, 0.2], **kwargs)
    assert str(ours.value).split("\n")[0] == str(theirs.value).split("\n")[0]


def compose(module, base, name, parts, milestones):
    schedulers = [part(module, base) for part in parts]
    if name == "ChainedScheduler":
        return module.ChainedScheduler(schedulers)
    return module.SequentialLR(base, schedulers, milestones)


def constant(module, base):
    return module.ConstantLR(base)


def plateau(module, base):
    return module.ReduceLROnPlateau(base)


def nothing(module, base):
    return "a string"


@pytest.mark.parametrize(
    "name, parts, milestones",
    [
        ("ChainedScheduler", [], []),
        ("ChainedScheduler", [constant, nothing], []),
        ("ChainedScheduler", [constant, plateau], []),
        ("SequentialLR", [], []),
        ("SequentialLR", [constant, nothing], [3]),
        ("SequentialLR", [constant, plateau], [3]),
        ("SequentialLR", [constant, constant], [3, 4]),
    ],
)
def test_composites_say_the_same(name, parts, milestones):
    with pytest.raises(Exception) as theirs, quiet():
        compose(torch.optim.lr_scheduler, make_optimizer(0.1), name, parts, milestones)
    with pytest.raises(type(theirs.value)) as ours:
        compose(lr_scheduler, 0.1, name, parts, milestones)
    assert str(ours.value).split("\n")[0] == str(theirs.value)


@pytest.mark.parametrize("name", ["ChainedScheduler", "SequentialLR"])
def test_parts_of_another_optimizer(name):
    sentence = f"{name} expects all schedulers to belong to the same optimizer, but got scheduler ConstantLR at index 1"
    one, other = make_optimizer(0.1), make_optimizer(0.2)
    theirs = [torch.optim.lr_scheduler.ConstantLR(each) for each in (one, other)]
    ours = [lr_scheduler.ConstantLR(each) for each in (0.1, 0.2)]
    for schedulers, module, base in ((theirs, torch.optim.lr_scheduler, one), (ours, lr_scheduler, 0.1)):
        with pytest.raises(ValueError, match=sentence):
            compose(module, base, name, [lambda m, b, s=s: s for s in schedulers], [3])


def test_two_one_cycles_are_refused():
    """In torch the second overwrites the bounds of the first in the groups; the numbers are nobody's intention."""
    first, second = (lr_scheduler.OneCycleLR(0.1, max_lr=top, total_steps=10) for top in (0.5, 0.2))
    with pytest.raises(ValueError, match="the OneCycleLR overwrites the entries"):
        lr_scheduler.SequentialLR([first, second], [5])
    with pytest.raises(ValueError, match="the CyclicLR overwrites the entries"):
        lr_scheduler.ChainedScheduler([first, lr_scheduler.CyclicLR(0.1, max_lr=0.2)])
    lr_scheduler.SequentialLR([first, lr_scheduler.CyclicLR(0.1, max_lr=0.2, cycle_momentum=False)], [5])


@pytest.mark.parametrize("lr", ["0.1", None, {"lr": 0.1}, [[0.1]], []])
def test_the_base_lr_is_a_number(lr):
    with pytest.raises(TypeError, match="is not a learning rate"):
        lr_scheduler.StepLR(lr, step_size=3)


def test_a_fresh_schedule_begins_at_its_base_lr():
    with pytest.raises(ValueError, match="begins at its base lr"):
        lr_scheduler.StepLR(0.1, 3).init(0.2)
    with pytest.raises(ValueError, match="begins at its base lr"):
        lr_scheduler.SequentialLR([lr_scheduler.StepLR(0.1, 3)], []).init(0.2)


def test_composites_take_no_epoch():
    schedule = lr_scheduler.ChainedScheduler([lr_scheduler.StepLR(0.1, 3)])
    with pytest.raises(TypeError, match="takes no epoch"):
        schedule.step(schedule.init(), 3)


def test_arguments_that_cannot_be_left_out():
    for call in (lambda: lr_scheduler.CyclicLR(0.1), lambda: lr_scheduler.SequentialLR(0.1, [])):
        with pytest.raises(TypeError, match="missing 1 required"):
            call()
