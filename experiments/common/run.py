"""Run one experiment: our side, the reference if it is there, the comparison, the record and the figure."""

import importlib.util
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib

from experiments.common import record
from experiments.common.compare import compare
from experiments.common.experiment import Experiment, Record, Results, Settings
from experiments.common.files import write_whole


def torch_is_installed() -> bool:
    """Whether the reference can be run, found out without importing it."""
    return importlib.util.find_spec("torch") is not None


def run(
    experiment: Experiment,
    settings: Settings,
    *,
    seed: int | None = None,
    with_torch: bool = True,
    say: Callable[[str], None] = lambda words: None,
) -> Results:
    """Both sides and their comparison; ``seed`` None takes the experiment's own."""
    settings = replace(settings, seed=experiment.seed if seed is None else seed)
    started = time.perf_counter()
    ours, reference, truth = _both_sides(experiment, settings, with_torch, say)
    rows = compare(experiment, ours, reference, truth)
    return Results(experiment, settings, ours, reference, truth, rows, time.perf_counter() - started)


def _both_sides(
    experiment: Experiment, settings: Settings, with_torch: bool, say: Callable[[str], None]
) -> tuple[Record, Record | None, Record | None]:
    if with_torch and experiment.together is not None:
        say("jaxgrad and torch in turn")
        return experiment.together(settings)
    say("jaxgrad")
    ours = experiment.ours(settings)
    if not with_torch:
        return ours, None, None
    say("torch")
    reference = experiment.reference(settings, "float32")
    if not experiment.compares_float64:
        return ours, reference, None
    say("torch in float64")
    return ours, reference, experiment.reference(settings, "float64")


def write(results: Results, out: Path) -> None:
    """The record as JSON and the figure as SVG and PNG, under the experiment's name in ``out``."""
    from matplotlib.figure import Figure

    name = results.experiment.name
    record.write(results, out / f"{name}.json")
    with matplotlib.rc_context({"svg.hashsalt": name, "font.size": 10}):
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        results.experiment.figure(figure, results)
        for suffix in (".svg", ".png"):
            metadata = {"Date": None} if suffix == ".svg" else None
            write_whole(out / f"{name}{suffix}", lambda path, m=metadata: figure.savefig(path, dpi=120, metadata=m))  # type: ignore[misc]
