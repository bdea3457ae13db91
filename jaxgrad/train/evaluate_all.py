"""The metrics of a whole data set: the mean over its rows, whatever the sizes of its batches."""

from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.errors import explain
from jaxgrad._core.types import Batch, Metrics
from jaxgrad.train.state import TrainState


def evaluate(
    eval_step: Callable[[TrainState, Batch], Metrics], state: TrainState, batches: Iterable[Batch]
) -> dict[str, float]:
    """Mean of each metric over all rows: ``sum(metric * rows) / sum(rows)``.

    The sums stay on the device until the last batch; a last batch that is not full counts by what it has.

    Args:
        eval_step: from ``make_eval_step``; its metrics are means over the rows of a batch.
        state: is not changed.
        batches: ``batches, state = loader.epoch(state)``, which draws what torch's ``iter(loader)`` draws; or any
            iterable. Rows are counted along the first axis of a batch's first array.

    Returns:
        Python's numbers: the loss, and what else the loss function reports.

    Raises:
        ValueError: there is no batch, or one without rows.

    >>> from jaxgrad import optim, train
    >>> loss_fn = lambda params, x: jnp.mean(params["w"] * x)
    >>> state = train.init_state({"w": jnp.ones(())}, optim.SGD(0.1))
    >>> train.evaluate(train.make_eval_step(loss_fn), state, [jnp.array([1.0, 2.0]), jnp.array([6.0])])
    {'loss': 3.0}
    """
    total: Any = None
    for batch in batches:
        rows = _rows(batch)
        values = eval_step(state, batch)
        weighted = {name: _weighted(value, rows) for name, value in values.items()}
        total = (weighted, rows) if total is None else (jax.tree.map(jnp.add, total[0], weighted), total[1] + rows)
    if total is None:
        raise ValueError(explain("there is nothing to evaluate", got="no batch"))
    sums, count = jax.device_get(total[0]), total[1]
    return {name: float(np.mean(value)) / count for name, value in sums.items()}


def _rows(batch: Batch) -> int:
    for leaf in jax.tree.leaves(batch):
        if np.ndim(leaf):
            return int(np.shape(leaf)[0])
    raise ValueError(explain("the rows of a batch are counted along its first axis", got="no array with an axis"))


def _weighted(value: Any, rows: int) -> jax.Array:
    array = jnp.asarray(value)
    wide = array if jnp.issubdtype(array.dtype, jnp.inexact) else array.astype(jnp.float32)
    return wide * rows
