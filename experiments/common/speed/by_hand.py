"""What one writes without a library: a perceptron with weights of shape (in, out), optax's loss and optimizer."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax

from experiments.common.speed.ours import batches_of, calls, copied
from experiments.common.speed.workloads import Workload
from jaxgrad import func
from jaxgrad.parity.catalog.models import jaxgrad_library

CALL, SCAN = "hand-written jax + optax, per call", "hand-written jax + optax, scan"


def candidates(workload: Workload, seed: int, steps: int) -> dict[str, Callable[[], Any]]:
    """The same steps as ours; none for what is not a perceptron."""
    if not workload.sizes:
        return {}
    x, y = batches_of(workload, seed, steps)
    tx = optax.adam(1e-3) if workload.optimizer[0] == "Adam" else optax.sgd(1e-3)
    step = partial(jax.jit, donate_argnums=(0,))(_step(tx))
    epoch = jax.jit(lambda state, batches: jax.lax.scan(step, state, batches), donate_argnums=(0,))
    values = list(func.extract(workload.build(jaxgrad_library(seed)))[0].values())
    params = [(jnp.array(w).T, jnp.array(b)) for w, b in zip(values[::2], values[1::2], strict=True)]
    state = (params, tx.init(params))
    return {
        CALL: calls(step, state, list(zip(x, y, strict=True))),
        SCAN: calls(epoch, copied(state), [(x, y)]),
    }


def _step(tx: optax.GradientTransformation) -> Callable[..., Any]:
    def loss_fn(params: Any, x: Any, y: Any) -> Any:
        *hidden, (w, b) = params
        for v, c in hidden:
            x = jax.nn.relu(x @ v + c[None])
        logits = x @ w + b[None]
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

    def step(state: Any, batch: Any) -> Any:
        params, opt_state = state
        loss, grads = jax.value_and_grad(loss_fn)(params, *batch)
        updates, opt_state = tx.update(grads, opt_state, params)
        return (optax.apply_updates(params, updates), opt_state), loss

    return step
