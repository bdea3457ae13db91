"""One compiled step: forward, backward, optimizer, all state in and all state out."""

import inspect
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import optax

from jaxgrad import autograd, optim
from jaxgrad._core.errors import explain, quoted
from jaxgrad._core.types import Batch, Buffers, LossFn, Metrics
from jaxgrad.func import Aux
from jaxgrad.train.state import TrainState

TrainStep: TypeAlias = Callable[[TrainState, Batch], tuple[TrainState, Metrics]]

_CARRIED = ("buffers", "generator")


def make_train_step(loss_fn: LossFn, tx: optax.GradientTransformation, *, donate: bool = True) -> TrainStep:
    """``(state, batch) -> (state, metrics)``: ``zero_grad``, forward, ``backward`` and ``step``, compiled once.

    A loss function that needs more than parameters and batch names it as a keyword argument (``buffers``,
    ``generator``) and returns what became of it: ``return loss, aux`` with the ``aux`` of ``func.functional_call``, or
    ``train.Aux(buffers=..., generator=..., metrics=...)``. One that names ``training`` too is passed True.

    Args:
        loss_fn: ``loss_fn(params, *batch)``, with the keyword arguments it names; ``supervised`` makes the usual one.
        tx: the optimizer whose state is in ``state.opt_state``.
        donate: whether the step takes over the memory of the state it is given, so that one copy of it exists. The
            old state cannot be used afterwards.

    Returns:
        A jitted function. ``batch`` is a tuple or list of arrays, or one array; ``metrics`` has the ``loss`` before the
        step and whatever the loss function reports.

    Raises:
        TypeError: when called: the loss function returns something else, or names ``buffers`` or ``generator`` and
            does not return them.
        KeyError: when called: it returns a buffer that the state does not have.
        ValueError: when called: it reports a metric called ``loss``.

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
    named = inspect.signature(loss_fn).parameters
    takes = tuple(name for name in _CARRIED if name in named)
    mode = {"training": True} if "training" in named else {}

    def step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        carried = {name: getattr(state, name) for name in takes}

        def loss_and_aux(params: Any, *inputs: Any) -> tuple[Any, Aux]:
            return _with_aux(loss_fn(params, *inputs, **carried, **mode))

        inputs = batch if isinstance(batch, tuple | list) else (batch,)
        (loss, aux), grads = autograd.backward(loss_and_aux, state.params, *inputs, has_aux=True)
        _check_returned(carried, aux)
        held = state.params if aux.params is None else {**state.params, **aux.params}
        params, opt_state = optim.step(tx, held, grads, state.opt_state)
        after = TrainState(
            params=params,
            opt_state=opt_state,
            buffers=_updated(state.buffers, aux.buffers),
            generator=state.generator if aux.generator is None else aux.generator,
        )
        return after, {"loss": loss, **_metrics(aux.metrics)}

    return jax.jit(step, donate_argnums=(0,) if donate else ())


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


def _check_returned(carried: dict[str, Any], aux: Aux) -> None:
    for name, value in carried.items():
        if value is not None and value != {} and getattr(aux, name) is None:
            raise TypeError(
                explain(
                    f"the loss function names `{name}` and does not return what became of it: "
                    f"every step would start from the same {name}",
                    expected=f"return loss, aux with the aux of func.functional_call, or train.Aux({name}=...)",
                    remedy=f"return loss, train.Aux({name}={name}) where it is to stay as it is",
                )
            )


def _updated(buffers: Buffers, new: Buffers | None) -> Buffers:
    unknown = [name for name in new or {} if name not in buffers]
    if unknown:
        raise KeyError(
            explain(
                "the loss function returned buffers that the state does not have",
                got=quoted(unknown),
                expected=quoted(buffers),
                remedy="params, buffers = func.extract(model); train.init_state(params, tx, buffers=buffers)",
            )
        )
    return {**buffers, **(new or {})}


def _metrics(metrics: Metrics | None) -> Metrics:
    if metrics and "loss" in metrics:
        raise ValueError(
            explain(
                "a metric called `loss` would hide the loss of the step",
                remedy='give it another name; metrics["loss"] is the loss',
            )
        )
    return metrics or {}
