"""The loss that was kept whole."""

from collections.abc import Callable
from typing import Any

from jaxgrad._core.types import Array
from jaxgrad.nn import functional as F
from jaxgrad.trace.table.align import pullback


def _ctc(log_probs: Array, targets: Array, *rest: Any) -> Array:
    input_lengths, target_lengths, *options = rest
    return F.ctc_loss(log_probs, targets, tuple(input_lengths), tuple(target_lengths), *options)


TABLE: dict[str, Callable[..., Any]] = {"jaxgrad.ctc_loss": _ctc, "jaxgrad.ctc_loss_backward": pullback(_ctc)}
