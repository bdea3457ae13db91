"""One compiled step: forward, backward, optimizer, all state in and all state out."""

import inspect
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import optax

from jaxgrad import autograd, optim
from jaxgrad._core.errors import explain
from jaxgrad._core.types import Batch, LossFn, Metrics
from jaxgrad.train.state import Aux, TrainState

TrainStep: TypeAlias = Callable[[TrainState, Batch], tuple[TrainState, Metrics]]

_STATE_ARGUMENTS = ("buffers", "generator")


def make_train_step(loss_fn: LossFn, tx: optax.GradientTransformation, *, donate: bool = True) -> TrainStep:
    """``(state, batch) -> (state, metrics)``: ``zero_grad``, forward, ``backward`` and ``step``, compiled once.

    A loss function that needs more than parameters and batch names it as a keyword argument (``buffers``,
    ``generator``) and returns what became of it: ``return loss, train.Aux(buffers=..., generator=..., metrics=...)``.

    Args:
        loss_fn: ``loss_fn(params, *batch)``, with the keyword arguments it names; ``supervised`` makes the usual one.
        tx: the optimizer whose state is in ``state.opt_state``.
        donate: whether the step takes over the memory of the state it is given, so that one copy of it exists. The
            old state cannot be used afterwards.

    Returns:
        A jitted function. ``batch`` is a tuple or list of arrays, or one array; ``metrics`` has the ``loss`` before the
        step and whatever the loss function reports.

    >>> import jax.numpy as jnp
    >>> from jaxgrad import optim, train
    >>> def loss_fn(params, x):
    ...     return jnp.sum((params["w"] - x) ** 2)
    >>> tx = optim.SGD(0.25)
    >>> state = train.init_state({"w": jnp.zeros(2)}, tx)
    >>> step = train.make_train_step(loss_fn, tx)
    >>> state, metrics = step(state, jnp.ones(2))
    >>> state.params["w"].tolist(), float(metrics["loss"])
    ([0.5, 0.5], 2.0)
    """
    takes = _state_arguments(loss_fn)

    def step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        carried = {name: getattr(state, name) for name in takes}

        def loss_and_aux(params: Any, *inputs: Any) -> tuple[Any, Aux]:
            return _with_aux(loss_fn(params, *inputs, **carried))

        inputs = batch if isinstance(batch, tuple | list) else (batch,)
        (loss, aux), grads = autograd.backward(loss_and_aux, state.params, *inputs, has_aux=True)
        params, opt_state = optim.step(tx, state.params, grads, state.opt_state)
        after = TrainState(
            params=params,
            opt_state=opt_state,
            buffers=state.buffers if aux.buffers is None else {**state.buffers, **aux.buffers},
            generator=state.generator if aux.generator is None else aux.generator,
        )
        return after, {"loss": loss, **(aux.metrics or {})}

    return jax.jit(step, donate_argnums=(0,) if donate else ())


def _state_arguments(loss_fn: LossFn) -> tuple[str, ...]:
    named = inspect.signature(loss_fn).parameters
    return tuple(name for name in _STATE_ARGUMENTS if name in named)


def _with_aux(returned: Any) -> tuple[Any, Aux]:
    if not isinstance(returned, tuple):
        return returned, Aux()
    if len(returned) == 2 and isinstance(returned[1], Aux):
        return returned
    raise TypeError(
        explain(
            "a loss function returns a loss, or a loss and a train.Aux",
            got=f"a tuple of {', '.join(type(each).__name__ for each in returned)}",
            expected="loss, or (loss, train.Aux(...))",
            remedy="report further numbers as train.Aux(metrics={...})",
        )
    )
