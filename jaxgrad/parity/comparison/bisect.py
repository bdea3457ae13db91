"""The first wrong module in few runs, where what all of them return is too much to record."""

from typing import Any

from jaxgrad.parity.comparison.bounds import Bounds
from jaxgrad.parity.comparison.compare import compare
from jaxgrad.parity.comparison.observe import unreachable
from jaxgrad.parity.report import Divergence
from jaxgrad.parity.sides.side import Side


def bisect(reference: Side, candidate: Side, batch: Any, *, bounds: Bounds | None = None) -> Divergence | None:
    """The first module whose output differs in the first step, found in about ``log2(modules)`` runs.

    Each run records what one module returns, on both sides, and goes on with the half in which it went wrong: what has
    gone wrong is taken to stay wrong. ``compare`` records all modules at once and needs no such belief; this is for
    models whose activations do not fit.

    Args:
        reference, candidate: sides that can be watched, of ``from_torch`` and ``from_jax`` with a step of ours.
        batch: of the step.
        bounds: the largest distances that are no divergence.

    Returns:
        The divergence in the phase ``forward``, or None if the output of the whole model agrees.

    Raises:
        TypeError: a side whose modules cannot be reached.

    >>> import jax.numpy as jnp
    >>> import numpy as np
    >>> import torch
    >>> from jaxgrad import func, nn, optim, parity, random, train
    >>> from jaxgrad.nn import functional as F
    >>> theirs = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.GELU(), torch.nn.Linear(2, 1))
    >>> optimizer = torch.optim.SGD(theirs.parameters(), lr=0.1)
    >>> reference = parity.from_torch(theirs, torch.nn.functional.mse_loss, optimizer)
    >>> rngs = nn.Rngs(random.manual_seed(0))
    >>> ours = nn.Sequential(nn.Linear(2, 2, rngs=rngs), nn.GELU(approximate="tanh"), nn.Linear(2, 1, rngs=rngs))
    >>> params = {name: jnp.asarray(value.detach().numpy()) for name, value in theirs.named_parameters()}
    >>> tx = optim.SGD(0.1)
    >>> step = train.make_train_step(train.supervised(ours, F.mse_loss), tx)
    >>> candidate = parity.from_jax(step, train.init_state(params, tx))
    >>> parity.bisect(reference, candidate, (np.ones((4, 2)), np.ones((4, 1)))).tensor
    '1'
    """
    for side in (reference, candidate):
        if not hasattr(side, "watching"):
            raise unreachable(side, "a side of from_torch, or of from_jax with a step of train.make_train_step")
    first: Any = reference
    probe = first.watching(only=frozenset({"model"})).start()
    probe.step(batch)
    names = list(probe.meta.get("called", ("model",)))
    low, high = 0, len(names) - 1
    found = _differs(reference, candidate, batch, names[high], bounds)
    if found is None:
        return None
    while low < high:
        middle = (low + high) // 2
        here = _differs(reference, candidate, batch, names[middle], bounds)
        if here is None:
            low = middle + 1
        else:
            high, found = middle, here
    return found


def _differs(reference: Any, candidate: Any, batch: Any, name: str, bounds: Bounds | None) -> Divergence | None:
    """The divergence of one module's output."""
    one, other = (side.watching(only=frozenset({name})) for side in (reference, candidate))
    first = compare(one, other, [batch], bounds=bounds, explain_it=False).first
    return first if first is not None and first.phase in ("forward", "inputs") else None
