"""Updates with something wrong, written without any of the rules' arithmetic: torch's optimizer is the reference, optax
or a few plain lines are the candidate."""

from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
import optax
import torch

from jaxgrad.parity.causes import Context
from jaxgrad.parity.record.model import Recording, StepRecord
from jaxgrad.parity.report.parts import Divergence
from jaxgrad.parity.sides.torch_doubles import default_dtype
from tests.support.promotion import as_written

SHAPES = {"fc.weight": (5, 4), "fc.bias": (5,), "norm.weight": (4,)}


@dataclass(frozen=True)
class Planted:
    """A fault in an update.

    Attributes:
        cause: the name of the rule that is to be found.
        optimizer, options: of torch, the reference.
        candidate: an optax transformation that is wrong.
        parameters: of the cause, as far as they matter.
        lrs: the learning rates, if they change.
        clip: the reference's ``max_norm``.
        phases: what the candidate records.
    """

    cause: str | None
    optimizer: str
    options: dict[str, Any]
    candidate: Any
    parameters: dict[str, Any] = field(default_factory=dict)
    lrs: tuple[float, ...] = ()
    clip: float | None = None
    scale: float = 1.0
    phases: tuple[str, ...] = ("grads", "params")

    def __str__(self) -> str:
        return f"{self.optimizer}-{self.cause}"


def gradients(seed: int, steps: int, scale: float = 1.0) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    return [{name: scale * rng.normal(size=shape) for name, shape in SHAPES.items()} for _ in range(steps)]


def start(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed + 100)
    return {name: rng.normal(size=shape) for name, shape in SHAPES.items()}


def cast(tree: Any, dtype: Any) -> Any:
    return {name: np.asarray(value, dtype) for name, value in tree.items()}


def torch_run(case: Planted, dtype: Any, seed: int = 0, steps: int = 4) -> Recording:
    with default_dtype(getattr(torch, np.dtype(dtype).name)):  # of NAdam's product of momenta
        return _torch_run(case, dtype, seed, steps)


def _torch_run(case: Planted, dtype: Any, seed: int, steps: int) -> Recording:
    params = {n: torch.nn.Parameter(torch.tensor(v)) for n, v in cast(start(seed), dtype).items()}
    optimizer = getattr(torch.optim, case.optimizer)(params.values(), **case.options)
    initial = {"params": {n: p.detach().numpy().copy() for n, p in params.items()}}
    records = []
    for step, grads in enumerate(gradients(seed, steps, case.scale)):
        for name, param in params.items():
            param.grad = torch.tensor(np.asarray(grads[name], dtype))
        phases = {"grads": {n: p.grad.numpy().copy() for n, p in params.items()}}
        if case.clip is not None:
            torch.nn.utils.clip_grad_norm_(params.values(), case.clip)
            phases["clipped"] = {n: p.grad.numpy().copy() for n, p in params.items()}
        lr = case.lrs[step] if case.lrs else optimizer.param_groups[0]["lr"]
        optimizer.param_groups[0]["lr"] = lr
        phases["lr"] = {"lr": np.asarray(lr)}
        optimizer.step()
        phases["optimizer"] = {
            f"{key}[{name!r}]": torch.as_tensor(value).numpy().copy()
            for name, param in params.items()
            for key, value in optimizer.state[param].items()
            if value is not None
        }
        phases["params"] = {n: p.detach().numpy().copy() for n, p in params.items()}
        records.append(StepRecord(step, phases))
    group = {k: v for k, v in optimizer.param_groups[0].items() if k != "params"}
    if case.lrs:
        group["lr"] = case.lrs[0]
    meta = {
        "optimizer": {"class": case.optimizer, "groups": [{**group, "params": list(params)}]},
        "clip": None if case.clip is None else {"norm": case.clip, "norm_type": 2.0},
    }
    return Recording(initial, records, meta)


@as_written
def optax_run(case: Planted, dtype: Any, seed: int = 0, steps: int = 4) -> Recording:
    params = cast(start(seed), dtype)
    records = []
    with jax.enable_x64(dtype == np.float64):
        state = case.candidate.init(params)
        for step, grads in enumerate(gradients(seed, steps, case.scale)):
            grads = cast(grads, dtype)
            updates, state = case.candidate.update(grads, state, params)
            params = cast(optax.apply_updates(params, updates), dtype)
            found = {"grads": grads, "params": params}
            records.append(StepRecord(step, {phase: found[phase] for phase in case.phases}))
    return Recording({}, records)


def first(reference: Recording, candidate: Recording) -> Divergence | None:
    """Where they part by more than some rounding: a stand-in for the comparison itself."""
    for right, wrong in zip(reference.steps, candidate.steps, strict=True):
        for phase in ("grads", "clipped", "lr", "optimizer", "params"):
            start = reference.before(right.step, phase) or right[phase]
            for name in wrong[phase]:
                a, b = np.asarray(right[phase][name]), np.asarray(wrong[phase][name])
                moved = np.linalg.norm(np.float64(a) - start.get(name, 0.0)) if phase == "params" else 0.0
                floor = 4 * np.finfo(a.dtype).eps * (np.linalg.norm(a) + moved)
                if np.linalg.norm(np.float64(a) - b) > floor:
                    return Divergence(right.step, phase, name, "differs")
    return None


def context_of(case: Planted, dtype: Any, seed: int = 0, steps: int = 4) -> Context | None:
    reference, candidate = torch_run(case, dtype, seed, steps), optax_run(case, dtype, seed, steps)
    divergence = first(reference, candidate)
    return None if divergence is None else Context(reference, candidate, divergence)
