"""Recurrent layers by another library's convention: the order of the gates, one bias instead of two, reset before."""

from collections.abc import Iterator
from itertools import permutations

from jaxgrad.parity.causes.context import Context
from jaxgrad.parity.causes.layers import layer, outputs
from jaxgrad.parity.causes.rule import Prediction, rule

LSTM, GRU = "ifgo", "rzn"


@rule("gate_order", "the gates stand in another order", "forward")
def gate_order(context: Context) -> Iterator[Prediction]:
    """torch: input, forget, cell, output; and reset, update, new."""
    found = layer(context)
    if found is not None and found.kind in ("LSTM", "GRU"):
        gates = LSTM if found.kind == "LSTM" else GRU
        for order in permutations(range(len(gates))):
            if order != tuple(range(len(gates))):
                spoken = "".join(gates[each] for each in order)
                sentence = f"the gates are taken in the order {spoken} instead of {gates}"
                yield from outputs(context, (found.kind,), {"order": order}, sentence=sentence, order=spoken)


@rule("second_bias_missing", "the second bias of the recurrent layer is missing", "forward")
def second_bias_missing(context: Context) -> Iterator[Prediction]:
    """All of ``bias_hh`` (one bias an LSTM), or the new gate's (flax's GRU)."""
    yield from outputs(context, ("LSTM", "GRU"), {"second_bias": "none"}, bias_hh="none")
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
