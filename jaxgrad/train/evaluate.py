"""The step that changes nothing."""

from collections.abc import Callable
from typing import Any

import jax

from jaxgrad import amp
from jaxgrad._core.errors import explain, quoted
from jaxgrad._core.types import Batch, LossFn, Metrics
from jaxgrad.train.loss import Loss
from jaxgrad.train.state import TrainState, check_not_taken


class EvalStep:
    """A compiled evaluation; call it with ``(state, batch)``.

    Args:
        evaluate: the function to compile.
    """

    def __init__(self, evaluate: Callable[[TrainState, Batch], Metrics]) -> None:
        self.jitted: Any = jax.jit(evaluate)

    def __call__(self, state: TrainState, batch: Batch) -> Metrics:
        """The metrics of a batch."""
        if getattr(state, "taken_by", None) is not None:
            check_not_taken(state)
        metrics: Metrics = self.jitted(state, batch)
        return metrics

    def _cache_size(self) -> int:
        size: int = self.jitted._cache_size()
        return size


def make_eval_step(loss_fn: LossFn, *, autocast: amp.autocast | None = None) -> EvalStep:
    """``(state, batch) -> metrics``: the loss and what is reported beside it, in evaluation mode, compiled once.

    ``model.eval()`` and ``with torch.no_grad()``: a loss function that names ``training`` is passed False.

    Args:
        loss_fn: as for ``make_train_step``.
        autocast: as for ``make_train_step``.

    Returns:
        A jitted function; ``metrics`` has the ``loss`` and whatever the loss function reports.

    Raises:
        RuntimeError: when called: the loss function updates buffers or draws from the generator, which would be lost;
            a state whose memory a step has taken over.

    >>> import jax.numpy as jnp
    >>> from jaxgrad import func, nn, optim, random, train
    >>> from jaxgrad.nn import functional as F
    >>> model = nn.Sequential(nn.Linear(2, 1, rngs=nn.Rngs(random.manual_seed(0))), nn.Dropout(0.5))
    >>> loss_fn, tx = train.supervised(model, F.mse_loss), optim.SGD(0.1)
    >>> state = train.init_state(func.extract(model)[0], tx, generator=random.manual_seed(1))
    >>> sorted(train.make_eval_step(loss_fn)(state, (jnp.zeros((4, 2)), jnp.zeros((4, 1)))))
    ['loss']
    """
    loss = Loss.of(loss_fn, autocast)

    def evaluate(state: TrainState, batch: Batch) -> Metrics:
        buffers, generator = state.buffers, state.generator
        value, aux = loss(state.params, batch, buffers=buffers, generator=generator, training=False)
        changed = [name for name, new in (aux.buffers or {}).items() if new is not buffers.get(name)]
        changed += list(aux.params or {})
        if changed:
            raise _lost("updates buffers", quoted(changed))
        if aux.generator is not None and not _same(aux.generator, generator):
            raise _lost("draws from the generator", None)
        return {"loss": value, **(aux.metrics or {})}

    return EvalStep(evaluate)


def _same(one: Any, other: Any) -> bool:
    leaves = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return all(a is b for a, b in leaves)


def _lost(what: str, got: str | None) -> RuntimeError:
    return RuntimeError(
        explain(
            f"the loss function {what} in evaluation, which returns metrics alone",
            got=got,
            remedy="name `training`, which is False here, and hand it to func.functional_call(..., training=training)",
        )
    )
