"""Recurrent layers by another library's convention: the order of the gates, one bias instead of two, reset before."""

from collections.abc import Callable, Iterator
from itertools import permutations
from typing import Any

from jaxgrad.parity.causes.again import remade
from jaxgrad.parity.causes.context import Context
from jaxgrad.parity.causes.layers import layer, outputs
from jaxgrad.parity.causes.rule import Prediction, rule

ANY = ("forward", "loss", "grads", "params")
LSTM, GRU = "ifgo", "rzn"
ORDERS = {"lstm": ((0, 2, 1, 3), (0, 1, 3, 2), (1, 0, 2, 3), (0, 3, 1, 2), (0, 2, 3, 1)), "gru": ((1, 0, 2),)}
"""Of i, f, g, o: those of other libraries."""


def _weights(change: Callable[..., Any]) -> Callable[..., Any]:
    """A recurrent function with its list of weights changed."""

    def changed(torch: Any, function: Any, args: Any, kwargs: Any) -> Any:
        where = next(index for index, each in enumerate(args) if isinstance(each, list))
        weights = [change(torch, index, each) for index, each in enumerate(args[where])]
        return function(*args[:where], weights, *args[where + 1 :], **kwargs)

    return changed


def _in_order(order: tuple[int, ...]) -> Callable[..., Any]:
    return lambda torch, index, weight: torch.cat([weight.chunk(len(order))[each] for each in order])


def _without_second(torch: Any, index: int, weight: Any) -> Any:
    return torch.zeros_like(weight) if index % 4 == 3 else weight


@rule("gate_order", "the gates stand in another order", *ANY)
def gate_order(context: Context) -> Iterator[Prediction]:
    """torch: input, forget, cell, output; and reset, update, new."""
    if context.phase != "forward":
        for name, gates in (("lstm", LSTM), ("gru", GRU)):
            for order in ORDERS[name]:
                spoken = "".join(gates[each] for each in order)
                sentence = f"the gates are taken in the order {spoken} instead of {gates}"
                yield from remade(context, {name: _weights(_in_order(order))}, sentence=sentence, order=spoken)
    found = layer(context)
    if found is not None and found.kind in ("LSTM", "GRU"):
        gates = LSTM if found.kind == "LSTM" else GRU
        for order in permutations(range(len(gates))):
            if order != tuple(range(len(gates))):
                spoken = "".join(gates[each] for each in order)
                sentence = f"the gates are taken in the order {spoken} instead of {gates}"
                yield from outputs(context, (found.kind,), {"order": order}, sentence=sentence, order=spoken)


@rule("second_bias_missing", "the second bias of the recurrent layer is missing", *ANY)
def second_bias_missing(context: Context) -> Iterator[Prediction]:
    """All of ``bias_hh`` (one bias an LSTM), or the new gate's (flax's GRU)."""
    yield from outputs(context, ("LSTM", "GRU"), {"second_bias": "none"}, bias_hh="none")
    if context.phase != "forward":
        yield from remade(context, dict.fromkeys(("lstm", "gru"), _weights(_without_second)), bias_hh="none")
    sentence = "the hidden bias of the new gate is missing"
    yield from outputs(
        context, ("GRU",), {"second_bias": "not_new"}, sentence=sentence, bias_hh="without the new gate's"
    )


@rule("reset_before_product", "the reset gate acts before the product", "forward")
def reset_before_product(context: Context) -> Iterator[Prediction]:
    """``(r * h) @ W`` where torch has ``r * (h @ W + b)``; or the update gate the other way round."""
    yield from outputs(context, ("GRU",), {"reset": "before"}, reset="before the product")
    sentence = "the update gate keeps the new where torch keeps the old"
    yield from outputs(context, ("GRU",), {"update": "swapped"}, sentence=sentence, update="swapped")


@rule("forget_bias", "1 is added to the forget gate", "forward")
def forget_bias(context: Context) -> Iterator[Prediction]:
    """TensorFlow's habit."""
    yield from outputs(context, ("LSTM",), {"forget_bias": 1.0}, forget_bias=1.0)
