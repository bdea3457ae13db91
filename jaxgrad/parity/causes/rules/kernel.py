"""Weights in the other layout, padding at the other side, no bias."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from jaxgrad.parity.causes.again import remade
from jaxgrad.parity.causes.context import Array, Context
from jaxgrad.parity.causes.layers import outputs
from jaxgrad.parity.causes.rule import Prediction, rule

ANY = ("forward", "loss", "grads", "params")
CONVOLUTIONS = ("conv1d", "conv2d", "conv3d")


def _with_weight(change: Callable[[Any], Any]) -> Callable[..., Any]:
    """A function whose second argument, the weight, is changed."""
    return lambda torch, function, args, kwargs: function(args[0], change(args[1]), *args[2:], **kwargs)


def _transposed(weight: Any) -> Any:
    """Only where that fits."""
    return weight.transpose(-1, -2) if weight.shape[-1] == weight.shape[-2] else weight


def _flipped(weight: Any) -> Any:
    return weight.flip(tuple(range(2, weight.ndim)))


def padded_same(torch: Any, function: Any, args: Any, kwargs: Any) -> Any:
    """A convolution of torch's, padded as SAME pads."""
    given = (
        dict(zip(("input", "weight", "bias", "stride", "padding", "dilation", "groups"), args, strict=False)) | kwargs
    )
    sizes, kernels = given["input"].shape[2:], given["weight"].shape[2:]
    strides, dilations = (_each(given.get(name, 1), len(sizes)) for name in ("stride", "dilation"))
    pads: list[int] = []
    for size, kernel, stride, dilation in zip(sizes, kernels, strides, dilations, strict=True):
        total = max((-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
        pads = [total // 2, total - total // 2, *pads]  # torch's pad begins with the last axis
    return function(**given | {"input": torch.nn.functional.pad(given["input"], pads), "padding": 0})


def _each(value: Any, count: int) -> tuple[int, ...]:
    return (value,) * count if isinstance(value, int) else tuple(value) * (count // len(value))


@rule("untransposed_kernel", "the weight is not transposed", *ANY)
def untransposed_kernel(context: Context) -> Iterator[Prediction]:
    """``x @ W`` for a square W (flax keeps (in, out)); height and width of a kernel exchanged."""
    yield from outputs(context, ("Linear",), {"transposed": True}, weight="not transposed")
    if context.phase != "forward":
        yield from remade(context, {"linear": _with_weight(_transposed)}, weight="not transposed")
        yield from remade(context, dict.fromkeys(CONVOLUTIONS, _with_weight(_transposed)), kernel="transposed")
    sentence = "height and width of the kernel are exchanged"
    yield from outputs(context, ("Conv2d", "Conv3d"), {"transposed": True}, sentence=sentence, kernel="transposed")


@rule("flipped_kernel", "the kernel is flipped (a convolution for a correlation)", *ANY)
def flipped_kernel(context: Context) -> Iterator[Prediction]:
    """As in signal processing."""
    if context.phase != "forward":
        yield from remade(context, dict.fromkeys(CONVOLUTIONS, _with_weight(_flipped)), kernel="flipped")
    yield from outputs(context, ("Conv",), {"flipped": True}, kernel="flipped")


@rule("bias_missing", "the bias is missing", "forward")
def bias_missing(context: Context) -> Iterator[Prediction]:
    """Of a linear or convolutional layer."""
    yield from outputs(context, ("Linear", "Conv"), {"without_bias": True}, bias="none")


@rule("padding_same", "the padding is that of SAME, more behind than in front", *ANY)
def padding_same(context: Context) -> Iterator[Prediction]:
    """With a stride, SAME pads the end first where torch pads both sides alike."""
    yield from outputs(context, ("Conv",), {"padding_like": _same}, padding="SAME")
    if context.phase != "forward":
        yield from remade(context, dict.fromkeys(CONVOLUTIONS, padded_same), padding="SAME")


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
