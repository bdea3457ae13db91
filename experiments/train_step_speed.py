"""How fast is a training step?

Perceptrons, a convolutional network, a ResNet with BatchNorm, an LSTM and a GPT, each timed in turn in one run: torch
eager with one and with all threads (the better one counts), torch.compile, our step called from Python, our epoch as
one scan, and for the perceptrons what one would write by hand with jax and optax, both ways. Then the options of the
step: eight micro-batches against one large batch, and everything at once against the plain step. Where JAX has a GPU,
torch runs on it too.

    python -m experiments run train_step_speed        # about 3 min with torch, 1 min without
    expected: 10-10-3: 5x torch per call, 30x under scan; 784-512-512-10: 1.2x and 1.3x; within 1.05x of hand-written
"""

from typing import Any

import jax

from experiments.common.experiment import Experiment, Record, Settings
from experiments.common.speed import by_hand, options, ours, reference
from experiments.common.speed.workloads import WORKLOADS, Workload
from experiments.common.timing import Timings, interleave
from jaxgrad.parity.claim import Info


def alone(settings: Settings) -> Record:
    """The JAX side alone."""
    record: Record = {}
    for workload in _workloads(settings):
        record |= _rows(workload, _time(settings, workload, with_torch=False))
    return record | options.rows(settings)


def together(settings: Settings) -> tuple[Record, Record, None]:
    """All candidates in turn."""
    found: Record = {}
    theirs: Record = {}
    for workload in _workloads(settings):
        timings = _time(settings, workload, with_torch=True)
        torch_names = [name for name in timings.seconds if name.startswith("torch")]
        eager = timings.fastest(name for name in torch_names if "eager" in name)
        found |= _rows(workload, timings)
        theirs[f"{workload.name}: {ours.CALL}, us"] = timings.microseconds(eager)
        for name in torch_names:
            theirs[f"{workload.name}: {name}, us"] = timings.microseconds(name)
        for name in (ours.CALL, ours.SCAN):
            found[f"{workload.name}: {eager} / {name}"] = timings.ratio_words(eager, name)
            for other in (reference.COMPILED, reference.RECORDED):
                if other in torch_names:
                    found[f"{workload.name}: {other} / {name}"] = timings.ratio_words(other, name)
    return found | options.rows(settings), theirs, None


def _workloads(settings: Settings) -> list[Workload]:
    return [workload for workload in WORKLOADS if workload.quick or not settings.quick]


def _rows(workload: Workload, timings: Timings) -> Record:
    names = [name for name in timings.seconds if not name.startswith("torch")]
    rows: Record = {f"{workload.name}: {name}, us": timings.microseconds(name) for name in names}
    if by_hand.CALL in names:
        rows[f"{workload.name}: ours / hand-written, per call"] = timings.ratio_words(ours.CALL, by_hand.CALL)
        rows[f"{workload.name}: ours / hand-written, scan"] = timings.ratio_words(ours.SCAN, by_hand.SCAN)
    return rows


def _time(settings: Settings, workload: Workload, with_torch: bool) -> Timings:
    steps, rounds = (5, 3) if settings.quick else (workload.steps, workload.rounds)
    candidates = ours.candidates(workload, settings.seed, steps) | by_hand.candidates(workload, settings.seed, steps)
    if with_torch:
        candidates |= reference.candidates(workload, settings.seed, steps, compiled=not settings.quick)
    with jax.default_matmul_precision("highest"):  # float32 on both sides; a GPU's default would be TF32
        return interleave(candidates, steps, rounds, settings.track, workload.name)


def figure(figure: Any, results: Any) -> None:
    shown = _workloads(results.settings)
    figure.set_figheight(0.6 + 1.35 * len(shown))
    axes = figure.subplots(len(shown), 1)
    for ax, workload in zip(axes, shown, strict=True):
        bars: dict[str, float] = {}
        for record, color in ((results.ours, "C0"), (results.reference or {}, "C1")):
            for name, value in record.items():
                candidate = name.removeprefix(f"{workload.name}: ").removesuffix(", us")
                if name == f"{workload.name}: {candidate}, us" and candidate not in bars:
                    bars[candidate] = value
                    ax.barh(candidate, value, color="0.6" if candidate.startswith("hand") else color)
                    ax.text(value, candidate, f" {value:.0f}", va="center", fontsize=7)
        ax.invert_yaxis()
        ax.tick_params(axis="y", labelsize=7)
        ax.set_title(workload.name, fontsize=9, loc="left")
    axes[-1].set_xlabel("microseconds per step, median")


def answer(results: Any) -> str:
    """Torch's eager step over a call of ours, for each workload."""
    ratios = [
        f"{workload} ({name.split(': ')[1].split(' / ')[0]}): {value}"
        for name, value in results.ours.items()
        if name.endswith(f" / {ours.CALL}") and "eager" in name and (workload := name.split(": ")[0])
    ]
    return f"Torch's step over ours, {'; '.join(ratios)}." if ratios else ""


EXPERIMENT = Experiment(
    name="train_step_speed",
    number=17,
    seconds=360,
    question="How fast is a training step?",
    ours=alone,
    reference=lambda settings, dtype: {},
    together=together,
    figure=figure,
    claims={"*": Info()},
    compares_float64=False,
    answer=answer,
    expected="Ratios are medians over rounds in which every candidate runs once, with quartiles; above 1 means slower "
    "than jaxgrad. The torch column beside 'per call' is torch eager with its better number of threads.",
)
