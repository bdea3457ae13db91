"""Our step called from Python, and our epoch as one scan."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.speed.workloads import Workload
from jaxgrad import func, optim, train
from jaxgrad.nn import functional as F
from jaxgrad.parity.catalog.models import jaxgrad_library

CALL, SCAN = "jaxgrad, per call", "jaxgrad, epoch as a scan"

State = Any


def made(workload: Workload, seed: int, **options: Any) -> tuple[Any, State]:
    """A compiled step of the workload with these options of ``make_train_step``, and the state it begins with.

    ``average`` is given as a function of the parameters, which are made here.
    """
    lib = jaxgrad_library(seed)
    model = workload.build(lib)
    params, buffers = func.extract(model)
    name, arguments = workload.optimizer
    tx = getattr(optim, name)(**arguments)
    if "average" in options:
        options["average"] = options["average"](params)
    kept = {key: options[key] for key in ("schedule", "scaler", "average") if key in options}
    state = train.init_state(params, tx, buffers=buffers, generator=lib.rngs["rngs"].generator, **kept)
    return train.make_train_step(train.supervised(model, workload.loss(F)), tx, **options), state


def batches_of(workload: Workload, seed: int, steps: int) -> tuple[Any, Any]:
    """Stacked batches on the device."""
    x, y = workload.batches(np.random.default_rng(seed), steps)
    return jnp.asarray(x), jnp.asarray(y)


def candidates(workload: Workload, seed: int, steps: int) -> dict[str, Callable[[], Any]]:
    """What is timed: each makes all steps once and waits."""
    x, y = batches_of(workload, seed, steps)
    step, state = made(workload, seed)
    found = {CALL: calls(step, state, list(zip(x, y, strict=True)))}
    if workload.scan:
        found[SCAN] = calls(train.make_epoch(step), copied(state), [(x, y)])
    return found


def calls(step: Callable[..., Any], state: State, batches: list[Any]) -> Callable[[], None]:
    """Call ``step`` on every batch, going on from where the last call ended, and wait."""
    kept = [copied(state)]

    def run() -> None:
        state = kept[0]
        for batch in batches:
            state, _ = step(state, batch)
        kept[0] = jax.block_until_ready(state)

    return run


def copied(tree: Any) -> Any:
    """The same values in memory of their own, since a step takes over that of its state."""
    return jax.tree.map(lambda leaf: jnp.array(leaf, copy=True), tree)
