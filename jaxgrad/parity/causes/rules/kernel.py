"""Weights in the other layout, padding at the other side, no bias."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from jaxgrad.parity.causes.context import Array, Context
from jaxgrad.parity.causes.layers import outputs
from jaxgrad.parity.causes.rule import Prediction, rule


@rule("untransposed_kernel", "the weight is not transposed", "forward")
def untransposed_kernel(context: Context) -> Iterator[Prediction]:
    """``x @ W`` for a square W (flax keeps (in, out)); height and width of a kernel exchanged."""
    yield from outputs(context, ("Linear",), {"transposed": True}, weight="not transposed")
    sentence = "height and width of the kernel are exchanged"
    yield from outputs(context, ("Conv2d", "Conv3d"), {"transposed": True}, sentence=sentence, kernel="transposed")


@rule("flipped_kernel", "the kernel is flipped (a convolution for a correlation)", "forward")
def flipped_kernel(context: Context) -> Iterator[Prediction]:
    """As in signal processing."""
    yield from outputs(context, ("Conv",), {"flipped": True}, kernel="flipped")


@rule("bias_missing", "the bias is missing", "forward")
def bias_missing(context: Context) -> Iterator[Prediction]:
    """Of a linear or convolutional layer."""
    yield from outputs(context, ("Linear", "Conv"), {"without_bias": True}, bias="none")


@rule("padding_same", "the padding is that of SAME, more behind than in front", "forward")
def padding_same(context: Context) -> Iterator[Prediction]:
    """With a stride, SAME pads the end first where torch pads both sides alike."""
    yield from outputs(context, ("Conv",), {"padding_like": _same}, padding="SAME")


def _same(x: Array, window: tuple[int, ...], o: Any) -> Array:
    pads = [(0, 0), (0, 0)]
    for axis, size in enumerate(window):
        stride, dilation = _at(o.get("stride", 1), axis), _at(o.get("dilation", 1), axis)
        n = x.shape[2 + axis]
        total = max((-(-n // stride) - 1) * stride + (size - 1) * dilation + 1 - n, 0)
        pads.append((total // 2, total - total // 2))
    return np.pad(x, pads)


def _at(value: Any, axis: int) -> int:
    return int(value[axis]) if isinstance(value, (list, tuple)) else int(value)
