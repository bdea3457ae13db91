"""Calling a loss function: what it names, what it is given, what it must return."""

import inspect
from dataclasses import dataclass
from typing import Any

from flax import nnx

from jaxgrad import amp
from jaxgrad._core.errors import explain, quoted
from jaxgrad._core.selection import Where
from jaxgrad._core.types import Batch, Buffers, LossFn, Metrics, Params
from jaxgrad.func import Aux

_CARRIED = ("buffers", "generator")


@dataclass(frozen=True)
class Loss:
    """A loss function and the keyword arguments that it names.

    Attributes:
        fn: ``fn(params, *batch, buffers=, generator=, training=) -> loss`` or ``(loss, aux)``.
        carried: which of ``buffers`` and ``generator`` it names.
        has_mode: whether it names ``training``.
        names: all that it names.
        autocast: what it runs in, or None.
        frozen: the parameters that it is not differentiated for, or None.
    """

    fn: LossFn
    carried: tuple[str, ...]
    has_mode: bool
    names: frozenset[str]
    autocast: amp.autocast | None
    frozen: Where

    @classmethod
    def of(cls, fn: LossFn, autocast: amp.autocast | None = None, frozen: Where = None) -> "Loss":
        """Read a loss function's signature.

        Raises:
            TypeError: it cannot be called, or what it is to run in is no autocast.
        """
        _check_autocast(autocast)
        if not callable(fn) or isinstance(fn, nnx.Module):
            raise TypeError(
                explain(
                    "a train step is made of a loss function",
                    got=type(fn).__name__,
                    expected="loss_fn(params, *batch) -> loss",
                    remedy="train.supervised(model, F.cross_entropy)",
                )
            )
        named = inspect.signature(fn).parameters
        carried = tuple(name for name in _CARRIED if name in named)
        return cls(fn, carried, "training" in named, frozenset(named), autocast, frozen)

    def arguments(self, batch: Batch) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """A batch as arguments: a tuple or list as positional ones; a dict as keywords if all its keys are named."""
        if isinstance(batch, dict) and batch.keys() <= self.names:
            return (), batch
        return (tuple(batch) if isinstance(batch, tuple | list) else (batch,)), {}

    def __call__(
        self, params: Params, batch: Batch, *, buffers: Buffers, generator: Any, training: bool
    ) -> tuple[Any, Aux]:
        """The loss of a batch, and what became of the state."""
        held = {"buffers": buffers, "generator": generator}
        carried = {name: held[name] for name in self.carried}
        mode = {"training": training} if self.has_mode else {}
        positional, named = self.arguments(batch)
        _check_fits(self.fn, batch, (params, *positional), {**named, **carried, **mode})
        fn = self.fn if self.autocast is None else self.autocast(self.fn)
        loss, aux = _with_aux(fn(params, *positional, **named, **carried, **mode))
        _check_returned(carried, aux)
        _check_metrics(aux.metrics)
        return loss, aux


def _check_autocast(given: Any) -> None:
    if given is not None and not isinstance(given, amp.autocast):
        raise TypeError(
            explain("autocast= takes an amp.autocast", got=repr(given), remedy='autocast=amp.autocast("cpu")')
        )


def _check_fits(fn: LossFn, batch: Batch, positional: tuple[Any, ...], named: dict[str, Any]) -> None:
    signature = inspect.signature(fn)
    try:
        signature.bind(*positional, **named)
    except TypeError as error:
        raise TypeError(
            explain(
                f"the batch does not fit the loss function: {error}",
                got=f"a {type(batch).__name__}"
                + (f" of {len(batch)}" if isinstance(batch, tuple | list | dict) else ""),
                expected=f"loss_fn{signature}",
                remedy="a batch is a tuple with an entry for each argument after the parameters",
            )
        ) from None


def updated(buffers: Buffers, new: Buffers | None) -> Buffers:
    """The buffers of the state with those that a loss function returned.

    Raises:
        RuntimeError: it returned one that the state does not have.
    """
    unknown = [name for name in new or {} if name not in buffers]
    if unknown:
        raise RuntimeError(
            explain(
                "the loss function returned buffers that the state does not have",
                got=quoted(unknown),
                expected=quoted(buffers),
                remedy="params, buffers = func.extract(model); train.init_state(params, tx, buffers=buffers)",
            )
        )
    return {**buffers, **(new or {})}


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
        held = bool(value) if name == "buffers" else value is not None
        if held and getattr(aux, name) is None:
            raise TypeError(
                explain(
                    f"the loss function names `{name}` and does not return what became of it: "
                    f"every step would start from the same {name}",
                    expected=f"return loss, aux with the aux of func.functional_call, or train.Aux({name}=...)",
                    remedy=f"return loss, train.Aux({name}={name}) where it is to stay as it is",
                )
            )


def _check_metrics(metrics: Metrics | None) -> None:
    if metrics and "loss" in metrics:
        raise ValueError(
            explain(
                "a metric called `loss` would hide the loss of the step",
                remedy='give it another name; metrics["loss"] is the loss',
            )
        )
