"""Which lever raises the result?

A perceptron with one hidden layer on 6,000 images of FashionMNIST, SGD(0.1), batch 64, five epochs: the baseline. Each
lever changes one line of that loop and is run from five seeds: moved images, a convolutional network, bfloat16 where
torch's autocast takes it, five networks by ``vmap`` whose probabilities are averaged, smoothed labels, momentum, Adam,
AdamW, a lr that warms up and falls, and a batch eight times as large: with the same lr, with one eight times as large
from the first step on, and with that one warmed up. Two levers are for classes of unequal size (10 to 1, on a test set
of equal classes), and have a baseline of their own: weights in the loss, and a sampler that draws rare classes as often
as common ones.

What is shown is the accuracy, its spread over the seeds and the time. A gain that is smaller than the spread is none.
Torch runs the same levers from the same seeds: the same first parameters, the same batches in the same order, the same
moves of images. What is judged is that, and the losses of the first steps, which differ by rounding alone (in bfloat16
by its own, which is shown).

    python -m experiments run training_levers          # about 3 min with torch
    expected: Adam, AdamW and a schedule gain 3 points, momentum 2, class weights 3 on unequal classes; what makes the
    task harder (moved images) or the steps fewer (a large batch) loses in so short a run
"""

import time
from typing import Any

import numpy as np

from experiments.common.experiment import Experiment, Record, Settings
from experiments.common.levers import LEVERS, Lever, images_of, ours, reference
from jaxgrad.parity.claim import Exact, Info, Noise

FIRST = 20
"""Steps whose losses are compared."""


def run_ours(settings: Settings) -> Record:
    def of(lever: Lever) -> Any:
        return ours.Run(lever, images_of(lever, settings), *_size(settings))

    return _all(settings, of, "jaxgrad", trained=True)


def run_torch(settings: Settings, dtype: str) -> Record:
    def of(lever: Lever) -> Any:
        return reference.Run(lever, images_of(lever, settings), *_size(settings), dtype)

    return _all(settings, of, f"torch, {dtype}", trained=dtype == "float32")


def _size(settings: Settings) -> tuple[int, int]:
    """Hidden features and epochs."""
    return (32, 2) if settings.quick else (256, 5)


def _shown(settings: Settings) -> dict[str, Lever]:
    quick = ("baseline", "augmentation", "mixed precision", "ensemble of 5", "unequal classes", "weighted sampler")
    return {name: lever for name, lever in LEVERS.items() if not settings.quick or name in quick}


def _all(settings: Settings, of: Any, side: str, *, trained: bool) -> Record:
    record: Record = {"data": images_of(LEVERS["baseline"], settings).source}
    seeds = [settings.seed + i for i in range(2 if settings.quick else 5)]
    for name, lever in settings.track(list(_shown(settings).items()), f"levers, {side}"):
        run = of(lever)
        record[f"{name}: first parameters"] = run.begin(seeds[0]).start()
        losses, labels = run.epoch(FIRST)
        record |= {f"{name}: first labels": labels, f"{name}: first losses": losses}
        if trained:
            record |= _trained(name, run, seeds, _size(settings)[1])
    if trained:
        record |= {f"{name}: gain": _gain(name, lever, record) for name, lever in _shown(settings).items()}
    return record


def _trained(name: str, run: Any, seeds: list[int], epochs: int) -> Record:
    accuracies, seconds = [], []
    for seed in seeds:
        run.begin(seed)
        for epoch in range(epochs):
            began = time.perf_counter()
            run.epoch()
            if epoch:  # what is loaded and compiled is so after the first
                seconds.append(time.perf_counter() - began)
        accuracies.append(run.accuracy())
    return {
        f"{name}: accuracy of each seed": np.asarray(accuracies),
        f"{name}: accuracy": f"{100 * np.mean(accuracies):.2f} +- {100 * np.std(accuracies, ddof=1):.2f} %",
        f"{name}: seconds an epoch": round(float(np.median(seconds)), 3),
    }


def _difference(name: str, lever: Lever, record: Record) -> tuple[float, float]:
    """Points over its baseline, seed by seed: the mean of the differences and its standard error."""
    base = record[f"{lever.baseline}: accuracy of each seed"]
    differences = 100 * (record[f"{name}: accuracy of each seed"] - base)
    return float(np.mean(differences)), float(np.std(differences, ddof=1) / np.sqrt(len(differences)))


def _gain(name: str, lever: Lever, record: Record) -> str:
    points, error = _difference(name, lever, record)
    return f"{points:+.2f} +- {error:.2f} points; {lever.line}"


def answer(results: Any) -> str:
    """The levers whose gain is more than twice its error, and those whose loss is."""
    found = {
        name: _difference(name, lever, results.ours)
        for name, lever in _shown(results.settings).items()
        if name not in ("baseline", "unequal classes")
    }
    best = sorted(found, key=lambda name: -found[name][0])
    gain, lose = (
        [f"{name} ({found[name][0]:+.1f})" for name in order if sign * found[name][0] > 2 * found[name][1]]
        for sign, order in ((1, best), (-1, best[::-1]))
    )
    silent = len(found) - len(gain) - len(lose)
    return (
        f"Beyond twice their error gain, in points: {', '.join(gain) or 'none'}; lose: {', '.join(lose) or 'none'}. Of "
        f"the other {silent} these seeds tell nothing. The baseline is right in {results.ours['baseline: accuracy']}."
    )


def figure(figure: Any, results: Any) -> None:
    shown = list(_shown(results.settings))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(2, 1))
    figure.suptitle(f"{results.ours['data'].split(' through')[0]}: each lever alone, over the seeds")
    sides = [("jaxgrad", results.ours, "C0", -0.12)]
    if results.reference is not None:
        sides.append(("torch", results.reference, "C1", 0.12))
    for label, record, color, lift in sides:
        for place, name in enumerate(shown):
            values = 100 * record[f"{name}: accuracy of each seed"]
            left.plot(values, [place + lift] * len(values), ".", color=color, alpha=0.5)
            left.plot(np.mean(values), place + lift, "|", color=color, ms=14, mew=2, label=None if place else label)
        times = [record[f"{name}: seconds an epoch"] for name in shown]
        right.barh(np.arange(len(shown)) + lift, times, 0.24, color=color, label=label)
    left.set_yticks(range(len(shown)), shown, fontsize=8)
    left.invert_yaxis()
    left.set_xlabel("test accuracy, %: every seed, and the mean")
    left.legend(fontsize=8)
    right.set_xlabel("seconds an epoch")


EXPERIMENT = Experiment(
    name="training_levers",
    number=16,
    seconds=150,
    question="Which lever raises the result, by line of the loop?",
    ours=run_ours,
    reference=run_torch,
    figure=figure,
    seed=1,
    answer=answer,
    claims={
        "data": Exact(),
        "*first parameters": Exact(),
        "*first labels": Exact(),
        "mixed precision: first losses": Info(measured=True),
        "*first losses": Noise(),
        "*": Info(),
    },
    expected="In five epochs a better optimizer and a schedule gain most (3 points), then weights for unequal classes; "
    "bfloat16 and averaging networks that have not yet fitted the images change nothing beyond the spread, and moved "
    "images lose. A large batch loses; eight times the lr wins part of it back when warmed up, and loses the rest when "
    "not. A gain below its error is none.",
)
