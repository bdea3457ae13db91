"""Random schedules that exist twice, here and in torch with a real optimizer, and the walk along both."""

import contextlib
import warnings
from typing import Any, NamedTuple

import numpy as np
import torch
from hypothesis import strategies as st

from jaxgrad.optim import lr_scheduler

LRS = st.floats(1e-4, 2.0)
FACTORS = st.floats(0.05, 1.0)


class Recipe(NamedTuple):
    """A scheduler by name and arguments; arguments that are themselves recipes are built first."""

    name: str
    kwargs: dict[str, Any]

    def ours(self, lr: Any) -> lr_scheduler.LRScheduler:
        if self.name == "ChainedScheduler":
            return lr_scheduler.ChainedScheduler([each.ours(lr) for each in self.kwargs["schedulers"]])
        kwargs = dict(self.kwargs)
        if self.name == "SequentialLR":
            kwargs["schedulers"] = [each.ours(lr) for each in kwargs["schedulers"]]
        return getattr(lr_scheduler, self.name)(lr, **kwargs)

    def theirs(self, optimizer: torch.optim.Optimizer) -> Any:
        if self.name == "ChainedScheduler":
            parts = [each.theirs(optimizer) for each in self.kwargs["schedulers"]]
            return torch.optim.lr_scheduler.ChainedScheduler(parts)
        kwargs = dict(self.kwargs)
        if self.name == "SequentialLR":
            kwargs["schedulers"] = [each.theirs(optimizer) for each in kwargs["schedulers"]]
        return getattr(torch.optim.lr_scheduler, self.name)(optimizer, **kwargs)


def make_optimizer(lr: Any, kind: str = "SGD") -> torch.optim.Optimizer:
    lrs = lr if isinstance(lr, list) else [lr]
    groups = [{"params": [torch.zeros(1, requires_grad=True)], "lr": each} for each in lrs]
    options = {"momentum": 0.3} if kind == "SGD" else {}
    return getattr(torch.optim, kind)(groups, **options)


@contextlib.contextmanager
def quiet():
    """torch warns of an optimizer that has not stepped and of ``step(epoch)``; neither is a difference."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


class Seen(NamedTuple):
    lr: list[float]
    momentum: list[float]


def torch_sees(optimizer: torch.optim.Optimizer) -> Seen:
    groups = optimizer.param_groups
    momentum = [g["betas"][0] if "betas" in g else g["momentum"] for g in groups]
    return Seen([float(g["lr"]) for g in groups], momentum)


def torch_walk(recipe: Recipe, lr: Any, steps: int, kind: str = "SGD") -> list[Seen]:
    """What torch's optimizer holds after the constructor and after every step."""
    with quiet():
        optimizer = make_optimizer(lr, kind)
        scheduler = recipe.theirs(optimizer)
        seen = [torch_sees(optimizer)]
        for _ in range(steps):
            scheduler.step()
            seen.append(torch_sees(optimizer))
    return seen


def our_walk(schedule: lr_scheduler.LRScheduler, steps: int) -> list[lr_scheduler.State]:
    states = [schedule.init()]
    for _ in range(steps):
        states.append(schedule.step(states[-1]))
    return states


def assert_same(states: list[lr_scheduler.State], seen: list[Seen]) -> None:
    """Equal, not close: the host form is torch's recursion in torch's order of operations."""
    assert len(states) == len(seen)
    for step, (state, theirs) in enumerate(zip(states, seen, strict=True)):
        assert list(state.lr) == theirs.lr, f"step {step}"
        if state.momentum:
            assert list(state.momentum) == theirs.momentum, f"step {step}"


def assert_alive(seen: list[Seen]) -> None:
    """The reference moved at all."""
    assert len({tuple(each.lr) for each in seen}) > 1


def relative(ours: Any, theirs: Any, scale: float = 0.0) -> float:
    """Largest relative distance; ``scale`` adds an absolute part for values that cross zero."""
    a, b = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    return float(np.max(np.abs(a - b) / np.maximum(np.maximum(np.abs(b), scale), 1e-300)))


# --- recipes ---


def _wave(epoch):
    return 1.0 / (1.0 + 0.1 * epoch)


def _halves(epoch):
    return 0.5 ** (epoch // 3)


def _mixed(epoch):
    return 1.0 + 0.25 / (1 + epoch % 4)


FUNCTIONS = st.sampled_from([_wave, _halves, _mixed])

STEP = st.builds(lambda n, g: Recipe("StepLR", {"step_size": n, "gamma": g}), st.integers(1, 9), st.floats(0.1, 1.2))
MULTI_STEP = st.builds(
    lambda m, g: Recipe("MultiStepLR", {"milestones": m, "gamma": g}),
    st.lists(st.integers(0, 25), max_size=5),
    st.floats(0.1, 1.2),
)
CONSTANT = st.builds(lambda f, n: Recipe("ConstantLR", {"factor": f, "total_iters": n}), FACTORS, st.integers(0, 12))
LINEAR = st.builds(
    lambda a, b, n: Recipe("LinearLR", {"start_factor": a, "end_factor": b, "total_iters": n}),
    FACTORS,
    FACTORS,
    st.integers(1, 12),
)
EXPONENTIAL = st.builds(lambda g: Recipe("ExponentialLR", {"gamma": g}), st.floats(0.7, 1.1))
POLYNOMIAL = st.builds(
    lambda n, p: Recipe("PolynomialLR", {"total_iters": n, "power": p}), st.integers(1, 20), st.floats(0.3, 4.0)
)
LAMBDA = st.builds(lambda f: Recipe("LambdaLR", {"lr_lambda": f}), FUNCTIONS)
MULTIPLICATIVE = st.builds(lambda f: Recipe("MultiplicativeLR", {"lr_lambda": f}), FUNCTIONS)
COSINE = st.builds(
    lambda n, e: Recipe("CosineAnnealingLR", {"T_max": n, "eta_min": e}),
    st.integers(1, 12),
    st.sampled_from([0.0, 1e-5, 0.02]),
)
RESTARTS = st.builds(
    lambda n, m, e: Recipe("CosineAnnealingWarmRestarts", {"T_0": n, "T_mult": m, "eta_min": e}),
    st.integers(1, 7),
    st.integers(1, 3),
    st.sampled_from([0.0, 1e-5, 0.02]),
)
CYCLIC = st.builds(
    lambda base, top, up, down, mode, gamma, cycle, low: Recipe(
        "CyclicLR",
        {
            "base_lr": base,
            "max_lr": top,
            "step_size_up": up,
            "step_size_down": down,
            "mode": mode,
            "gamma": gamma,
            "cycle_momentum": cycle,
            "base_momentum": low,
        },
    ),
    st.floats(1e-4, 0.1),
    st.floats(0.1, 1.0),
    st.integers(1, 8),
    st.none() | st.integers(1, 8),
    st.sampled_from(["triangular", "triangular2", "exp_range"]),
    st.floats(0.8, 1.0),
    st.booleans(),
    st.floats(0.5, 0.85),
)
ONE_CYCLE = st.builds(
    lambda top, total, pct, strategy, cycle, div, final, three: Recipe(
        "OneCycleLR",
        {
            "max_lr": top,
            "total_steps": total,
            "pct_start": pct,
            "anneal_strategy": strategy,
            "cycle_momentum": cycle,
            "div_factor": div,
            "final_div_factor": final,
            "three_phase": three,
        },
    ),
    st.floats(0.01, 1.0),
    st.integers(45, 60),
    st.floats(0.1, 0.49),
    st.sampled_from(["cos", "linear"]),
    st.booleans(),
    st.floats(2.0, 50.0),
    st.floats(2.0, 1e5),
    st.booleans(),
)
SIMPLE = {
    "StepLR": STEP,
    "MultiStepLR": MULTI_STEP,
    "ConstantLR": CONSTANT,
    "LinearLR": LINEAR,
    "ExponentialLR": EXPONENTIAL,
    "PolynomialLR": POLYNOMIAL,
    "LambdaLR": LAMBDA,
    "MultiplicativeLR": MULTIPLICATIVE,
    "CosineAnnealingLR": COSINE,
    "CosineAnnealingWarmRestarts": RESTARTS,
    "CyclicLR": CYCLIC,
    "OneCycleLR": ONE_CYCLE,
}
MULTIPLYING = st.one_of(STEP, MULTI_STEP, CONSTANT, LINEAR, EXPONENTIAL, POLYNOMIAL, MULTIPLICATIVE)


PARTS = st.one_of(*(SIMPLE[name] for name in SIMPLE if name != "OneCycleLR"))
"""Two OneCycleLR in one composite overwrite each other in torch and are refused here, so there is at most one."""


@st.composite
def parts(draw, max_size=4):
    schedulers = draw(st.lists(PARTS, min_size=1, max_size=max_size))
    if draw(st.booleans()):
        place = draw(st.integers(0, len(schedulers) - 1))
        schedulers[place] = draw(ONE_CYCLE)
        for later in schedulers[place + 1 :]:
            if later.name == "CyclicLR":
                later.kwargs["cycle_momentum"] = False
    return schedulers


@st.composite
def sequential(draw, of=None):
    schedulers = draw(parts() if of is None else of)
    gaps = draw(st.lists(st.integers(1, 12), min_size=len(schedulers) - 1, max_size=len(schedulers) - 1))
    milestones = [int(m) for m in np.cumsum(gaps)]
    return Recipe("SequentialLR", {"schedulers": schedulers, "milestones": milestones})


def chained(of=None):
    return st.builds(lambda s: Recipe("ChainedScheduler", {"schedulers": s}), parts() if of is None else of)


GROUPS = LRS | st.lists(LRS, min_size=1, max_size=3)
