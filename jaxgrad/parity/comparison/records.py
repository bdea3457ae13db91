"""Runs that are written down now and compared later, on another machine or by other bounds."""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from jaxgrad._core.errors import explain
from jaxgrad.parity.comparison.bounds import Bounds
from jaxgrad.parity.comparison.observe import CANNOT_SKIP, Observation, Observer
from jaxgrad.parity.comparison.verdict import Verdict
from jaxgrad.parity.record.file import Writer, read
from jaxgrad.parity.record.model import Recording
from jaxgrad.parity.report import Report
from jaxgrad.parity.sides.purity import NOTHING
from jaxgrad.parity.sides.side import Side


def record(
    side: Side,
    batches: Iterable[Any],
    path: str | os.PathLike[str] | None = None,
    *,
    members: int = 3,
    float64: bool = True,
) -> Recording:
    """Run a side over the batches and write down every phase of every step.

    Everything that a comparison needs of this side alone is made and kept: the run itself, the run in float64, and how
    far runs from perturbed starts are from that (two numbers a tensor).

    Args:
        side: of ``from_torch`` or ``from_jax``.
        batches: what it takes.
        path: a directory to write to, a file after each step, so that a run that is killed leaves what it made and only
            one step is held in memory; the format is that of ``jaxgrad.parity.record.file``. None keeps it in memory.
        members: how many runs from perturbed starts tell the rounding; 0 for a side that is only to be judged.
        float64: whether to run it in float64 too.

    Returns:
        The recording.

    Raises:
        FileExistsError: there is a recording at ``path``.

    >>> import jax.numpy as jnp
    >>> from jaxgrad import parity
    >>> side = parity.from_jax(lambda state, x: ({"w": state["w"] - x}, {"loss": x.sum()}), {"w": jnp.ones(2)})
    >>> recording = parity.record(side, [jnp.ones(2)] * 3)
    >>> len(recording.steps), float(recording.steps[2]["loss"]["loss"])
    (3, 2.0)
    """
    observer = Observer(side, members, float64=float64)
    initial, meta = observer.run.initial(), observer.run.meta
    writer = None if path is None else Writer(path)
    if writer is not None:
        writer.start(initial, meta)
    steps, doubles, noises = [], [], []
    for batch in batches:
        seen = observer.step(batch)
        noise = (seen.noise, seen.double_noise) if members else None
        if writer is None:
            steps.append(seen.own)
            doubles.append(seen.doubles)
            noises.append(noise or ({}, {}))
        else:
            writer.step(seen.own, noise, seen.doubles)
            if seen.own.step == 0:  # the run has learnt what its modules are called
                writer.header(meta, finished=False)
    meta = {
        **meta,
        "follows": observer.follows,
        "narrow": observer.narrow(),
        "not_in_float64": observer.why_not,
        "names": _plain(side),
    }
    if writer is not None:
        writer.header(meta, finished=True)
        return read(writer.path)
    whole = [each for each in doubles if each is not None]
    in_doubles = Recording(initial, whole, meta) if whole and len(whole) == len(steps) else None
    return Recording(initial, steps, meta, in_doubles, noises)


def compare_records(
    reference: Recording | str | os.PathLike[str],
    candidate: Recording | str | os.PathLike[str],
    *,
    bounds: Bounds | None = None,
    names: Mapping[str, Any] | None = None,
) -> Report:
    """Compare two runs that were recorded, or judge them again by other bounds; nothing is run.

    Args:
        reference: of ``record``, or the path of one.
        candidate: of ``record``, or the path of one.
        bounds: the largest distances that are no divergence.
        names: of ``from_jax``, where the candidate's arrays are not found by themselves.

    Returns:
        The report on the steps that both have.

    Raises:
        ValueError: one of them has no steps.

    >>> import jax.numpy as jnp
    >>> from jaxgrad import parity
    >>> def side(rate):
    ...     step = lambda state, x: ({"w": state["w"] - rate * x}, {"loss": x.sum()})
    ...     return parity.from_jax(step, {"w": jnp.ones(2)})
    >>> one, other = (parity.record(side(rate), [jnp.ones(2)] * 3) for rate in (0.5, 0.25))
    >>> parity.compare_records(one, one).ok, parity.compare_records(one, other).ok
    (True, False)
    """
    one, other = (each if isinstance(each, Recording) else read(each) for each in (reference, candidate))
    if not len(one.steps) or not len(other.steps):
        raise ValueError(explain("there is nothing to compare", got="a recording without steps"))
    said = names if names is not None else other.meta.get("names")
    narrow = str(other.meta.get("narrow", NOTHING))
    starts, metas = (one.initial, other.initial), (one.meta, other.meta)
    verdict = Verdict(starts, metas, said, "free", bounds or Bounds(), lambda: narrow)
    why_not = {"reference": one.meta.get("not_in_float64", ""), "candidate": other.meta.get("not_in_float64", "")}
    for step in range(min(len(one.steps), len(other.steps))):
        if one.steps[step].overflowed() and not other.meta.get("follows", False):
            other, why_not["candidate"] = replace(other, float64=None), CANNOT_SKIP
        made = verdict.reference(_observation(one, step))
        judged = verdict.named(_observation(other, step), made)
        verdict.add(made, judged, verdict.judged(made, judged))
    return verdict.report(why_not)


def _observation(recording: Recording, step: int) -> Observation:
    doubles = None if recording.float64 is None else recording.float64.at(step)
    own, wide = recording.noise[step] if step < len(recording.noise) else ({}, {})
    return Observation(recording.steps[step], doubles, own, wide)


def _plain(side: Any) -> Any:
    """Names that can be written down: those that are no functions."""
    names: Any = None
    with suppress(AttributeError):
        names = side.names
    return {key: value for key, value in (names or {}).items() if not callable(value)} or None
