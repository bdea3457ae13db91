"""Buffers of BatchNorm: biased variance, momentum the other way round, or not updated at all."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from jaxgrad.parity.causes.context import Array, Context, wide
from jaxgrad.parity.causes.fit import fit
from jaxgrad.parity.causes.rule import Prediction, rule


def _momentum(context: Context, name: str) -> float:
    module = context.meta.get("modules", {}).get(name.rpartition(".")[0], {})
    momentum = module.get("options", {}).get("momentum", 0.1)
    return 0.1 if momentum is None else float(momentum)


def _count(context: Context, name: str) -> int | None:
    """Values per channel of what is normalised."""
    path = name.rpartition(".")[0]
    right = context.right("forward")
    out = right.get(path, right.get(f"{path}#0"))
    return None if out is None or np.ndim(out) < 2 else int(np.size(out) // np.shape(out)[1])


def _running(context: Context, *suffixes: str) -> Iterator[tuple[str, Array, Array, float]]:
    """Name, value before, value of this batch, momentum; of the buffers that move."""
    before = context.own_before("buffers", context.step)
    for name in context.shared:
        if name.endswith(suffixes) and name in before:
            m = _momentum(context, name)
            start, end = wide(context.before("buffers")[name]), wide(context.right("buffers")[name])
            yield name, wide(before[name]), (end - (1 - m) * start) / m, m


@rule("biased_running_variance", "running_var takes the biased variance of the batch", "buffers")
def biased_running_variance(context: Context) -> Iterator[Prediction]:
    """``n`` where torch stores the unbiased, ``n - 1`` (flax)."""

    def values(n: float | None) -> dict[str, Array]:
        found = {}
        for name, before, batch, m in _running(context, "running_var"):
            count = _count(context, name) if n is None else n
            if count is not None:
                found[name] = (1 - m) * before + m * batch * (count - 1) / count
        return found

    yield Prediction(values(None), {"variance": "biased"})
    if _count(context, context.tensor) is None:
        n = fit(context, values, tuple(2.0**k for k in range(1, 21)))
        if n is not None and abs(n - round(n)) < 1e-2 * n:
            yield Prediction(values(float(round(n))), {"variance": "biased", "count": round(n)}, fitted=1)


@rule("running_momentum_convention", "momentum of the running statistics is taken the other way round", "buffers")
def running_momentum_convention(context: Context) -> Iterator[Prediction]:
    """torch's 0.1 is the weight of the new, flax's and Keras' 0.9 that of the old."""
    found = {
        name: m * before + (1 - m) * batch
        for name, before, batch, m in _running(context, "running_var", "running_mean")
    }
    yield Prediction(found, {"momentum": "weight of the old"})


@rule("another_running_momentum", "momentum of the running statistics has another value", "buffers")
def another_running_momentum(context: Context) -> Iterator[Prediction]:
    """Fitted (flax's default 0.99 is torch's 0.01); with it, the biased variance where that is needed too."""

    def values(momentum: float, biased: bool) -> dict[str, Array]:
        found = {}
        for name, before, batch, _ in _running(context, "running_var", "running_mean"):
            count = _count(context, name)
            if biased and name.endswith("running_var"):
                if count is None:
                    continue
                batch = batch * (count - 1) / count
            found[name] = (1 - momentum) * before + momentum * batch
        return found

    for biased in (False, True):
        grid = (0.0, 1e-4, 1e-3, 1e-2, 0.05, 0.1, 0.2, 0.5, 0.9, 1.0)
        momentum = fit(context, partial(values, biased=biased), grid)
        if momentum is not None:
            also = ", and the variance is biased" if biased else ""
            sentence = f"momentum of the running statistics is {momentum:g}{also}"
            yield Prediction(
                values(momentum, biased), {"momentum": momentum, "biased": biased}, sentence, fitted=1 + biased
            )


@rule("stale_buffer", "a buffer is not updated", "buffers")
def stale_buffer(context: Context) -> Iterator[Prediction]:
    """It stays as the step found it."""
    before = context.own_before("buffers", context.step)
    wrong, right = context.wrong("buffers"), context.right("buffers")
    still = [name for name in context.shared if name in before and np.array_equal(wrong[name], before[name])]
    stale = [name for name in still if not np.array_equal(right[name], before[name])]
    if context.tensor in stale:
        yield Prediction({name: wide(before[name]) for name in stale}, {"buffers": sorted(stale)})


@rule("buffer_updated_twice", "the running statistics are updated twice in a step", "buffers")
def buffer_updated_twice(context: Context) -> Iterator[Prediction]:
    """By a second pass over the same batch."""
    found = {
        name: (1 - m) * ((1 - m) * before + m * batch) + m * batch
        for name, before, batch, m in _running(context, "running_var", "running_mean")
    }
    before, right = context.before("buffers"), context.right("buffers")
    for name in context.shared:
        if name.endswith("num_batches_tracked") and name in before:
            found[name] = 2 * wide(right[name]) - wide(before[name])
    yield Prediction(found, {"updates": 2})
