"""Two training runs, step by step: are they the same; if not, where do they part first, how badly, and why?"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from jaxgrad._core.errors import explain
from jaxgrad.parity.comparison.bounds import Bounds
from jaxgrad.parity.comparison.observe import Observation, Observer, unreachable
from jaxgrad.parity.comparison.operation import with_operation
from jaxgrad.parity.comparison.verdict import Verdict
from jaxgrad.parity.record.model import Tensors
from jaxgrad.parity.report import Report
from jaxgrad.parity.sides.side import Side

_SURE = 0.1
"""The part of the bound within which the rounding of other steps is enough to know."""

_MODULES = "a side of from_jax with a step of train.make_train_step, whose loss calls modules"


def compare(
    reference: Side,
    candidate: Side,
    batches: Iterable[Any],
    mode: str = "free",
    *,
    bounds: Bounds | None = None,
    float64: bool = True,
    explain_it: bool = True,
) -> Report:
    """Run both sides over the batches and compare every phase of every step.

    The verdict is no tolerance: distances are given in units of the reference's own rounding, which is measured by
    running the reference in float64 and from starts that are perturbed by one unit in the last place. Where the
    candidate can be run in float64 too, that run decides whether it computes the same; its own precision then has to
    show only that it does not round worse. See ``Bounds``.

    Args:
        reference: of ``from_torch`` (or any side).
        candidate: of ``from_jax`` (or any side).
        batches: what ``reference`` and ``candidate`` take, arrays of numpy, torch or JAX; gone through once.
        mode: "free": both run on by themselves, and what differs once goes on to differ. "single": every step of the
            candidate starts from the reference's values, so that errors do not add up. "module": every module of the
            candidate, too, takes what the reference's modules returned, so that each one is judged alone and several
            wrong ones are told apart (the phase ``forward`` of ``report.distances``); for steps of ours with modules.
        bounds: the largest distances that are no divergence.
        float64: whether to run both sides in float64 too.
        explain_it: whether to look for the cause of a divergence.

    Returns:
        The report; ``report.ok``, ``report.first``, ``report.cause``, ``report.assert_ok()``. Where the candidate is a
        step of a traced module (``trace.from_torch``), ``report.first.operation`` is the operation to blame, with its
        line: every one is judged alone, on torch's inputs.

    Raises:
        ValueError: another mode, or no batches.
        TypeError: "module" with a candidate whose modules cannot be reached.

    >>> import jax.numpy as jnp
    >>> import numpy as np
    >>> import torch
    >>> from jaxgrad import optim, parity, train
    >>> from jaxgrad.nn import functional as F
    >>> model = torch.nn.Linear(2, 1)
    >>> reference = parity.from_torch(model, torch.nn.functional.mse_loss, torch.optim.SGD(model.parameters(), lr=0.1))
    >>> params = {name: jnp.asarray(value.detach().numpy()) for name, value in model.named_parameters()}
    >>> def loss_fn(params, x, y):
    ...     return F.mse_loss(F.linear(x, params["weight"], params["bias"]), y)
    >>> tx = optim.SGD(0.1)
    >>> candidate = parity.from_jax(train.make_train_step(loss_fn, tx), train.init_state(params, tx))
    >>> parity.compare(reference, candidate, [(np.ones((4, 2)), np.ones((4, 1)))] * 3).ok
    True
    """
    if mode not in ("free", "single", "module"):
        raise ValueError(explain(f"{mode!r} is not a mode", expected='"free", "single" or "module"'))
    if mode == "module":
        candidate = _by_module(candidate)
    made = bounds or Bounds()
    reference = reference.watching(module_inputs=explain_it) if hasattr(reference, "watching") else reference
    one = Observer(reference, made.members, float64=float64, afresh=mode != "free")
    other = Observer(candidate, float64=float64)
    starts, metas = (one.run.initial(), other.run.initial()), (one.run.meta, other.run.meta)
    again = getattr(reference, "again", None)
    verdict = Verdict(starts, metas, getattr(candidate, "names", None), mode, made, other.narrow, again)
    other.naming = verdict.naming
    before: Mapping[str, Tensors] = starts[0]
    parted: tuple[Any, Mapping[str, Tensors]] | None = None
    for batch in batches:
        if mode == "free":
            pair = _step(one, other, verdict, batch)
            verdict.add(*pair, verdict.judged(*pair))
        else:
            pair = _single_step(one, other, verdict, batch, before)
        parted = (batch, before) if parted is None and verdict.apart else parted
        before = pair[0].own
    report = verdict.report({"reference": one.why_not, "candidate": other.why_not}, explain_it=explain_it)
    if report.first is None or parted is None or not explain_it:
        return report
    try:
        return replace(report, first=with_operation(report.first, candidate, *parted, made.alone))
    except Exception as error:  # what cannot be judged alone must not cost the report, which says so
        return replace(report, noise={**report.noise, "explaining_failed": f"{type(error).__name__}: {error}"})


def _by_module(candidate: Any) -> Any:
    if not hasattr(candidate, "by_module"):
        raise unreachable(candidate, _MODULES, 'mode="single"')
    return candidate.by_module()


def _step(one: Observer, other: Observer, verdict: Verdict, batch: Any) -> tuple[Observation, Observation]:
    made = verdict.reference(one.step(batch))
    if verdict.mode != "module":
        return made, verdict.named(other.alone(batch, overflowed=made.own.overflowed()), made)
    judged = other.alone(batch, made)
    if not judged.own["forward"]:
        raise unreachable(other.run, _MODULES, 'mode="single"')
    return made, verdict.named(judged, made)


def _single_step(
    one: Observer, other: Observer, verdict: Verdict, batch: Any, before: Mapping[str, Tensors]
) -> tuple[Observation, Observation]:
    """A step from the reference's values; the perturbed runs are made only where something seems to differ.

    Without a run in float64 they are all that tells the rounding. The least that they told of a tensor so far is taken
    for a step, as long as the candidate is far inside of it: by a tenth of what the bound allows.
    """
    settings = one.run.settings()
    other.restore(before)
    one.restore(before, own=False)
    made, judged = _step(one, other, verdict, batch)
    found = verdict.judged(made, judged)
    bound = verdict.bounds.semantics if one.in_doubles else verdict.bounds.alone
    sure = bound * _SURE if made.doubles is None and one.members else math.inf
    if not all(each.ok and (each.ratio or 0.0) <= sure for each in found):
        made = verdict.reference(one.perturbed(made, batch, before, settings))
        found = verdict.judged(made, judged)
    verdict.add(made, judged, found)
    return made, judged
