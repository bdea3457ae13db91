"""One module of the reference computed once more, from what went into it, with one thing wrong."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from jaxgrad.nn import functional as F
from jaxgrad.parity.causes.context import Array, Context, wide
from jaxgrad.parity.causes.precision import ROUNDINGS
from jaxgrad.parity.causes.recurrent import gru, lstm
from jaxgrad.parity.causes.rule import Prediction
from jaxgrad.parity.causes.weigh import epsilon, norm
from jaxgrad.parity.record.model import MODULE_INPUTS

AT_MOST = 4_000_000
"""Modules with more numbers than this in their input are not computed again."""

SURE = 1e-4
"""What the module gave must come out of what is taken for its input, within this."""

Options = Mapping[str, Any]


@dataclass(frozen=True)
class Layer:
    """A module as the diverging step found it.

    Args:
        kind: the name of torch's class.
        options: its attributes, with torch's names.
        params: parameters and buffers by their last name, in double precision.
        x: what went in.
        right, wrong: what came out of the reference's and the candidate's.
        dtype: in which it computes.
    """

    kind: str
    options: Options
    params: Mapping[str, Any]
    x: Array
    right: Array
    wrong: Array
    dtype: Any = np.float64

    def out(self, **switches: Any) -> Array | None:
        """Its output, with options changed or switched to something wrong; None where this cannot be computed."""
        formula = FORMULAS.get(self.kind)
        if formula is None:
            return None
        try:
            with jax.enable_x64(True), np.errstate(all="ignore"):
                value = np.asarray(formula(self, self.x, {**self.options, **switches}), np.float64)
        except (TypeError, ValueError, RuntimeError, KeyError, IndexError):
            return None  # the deviation cannot be had with these shapes
        return value if value.shape == self.right.shape else None


def path_of(tensor: str) -> str:
    """The module's path in the name of its output: ``"lstm#0"`` and ``"block.act@1"``."""
    return tensor.partition("#")[0].partition("@")[0]


def layer(context: Context) -> Layer | None:
    """The module whose output is the first to differ; None if it or its input is not known."""
    if "layer" not in context.memo:
        context.memo["layer"] = _layer(context)
    found: Layer | None = context.memo["layer"]
    return found


def deviating(context: Context, kinds: tuple[str, ...], **switches: Any) -> Iterator[Array]:
    """The output with something wrong, of a module of these kinds."""
    found = layer(context)
    if found is not None and found.kind.startswith(kinds):
        value = found.out(**switches)
        if value is not None:
            yield value


def outputs(
    context: Context, kinds: tuple[str, ...], switches: Options, *, sentence: str = "", **parameters: Any
) -> Iterator[Prediction]:
    """``deviating`` as a prediction."""
    for value in deviating(context, kinds, **switches):
        yield Prediction({context.tensor: value}, parameters, sentence)


def _layer(context: Context) -> Layer | None:
    path = path_of(context.tensor)
    module = context.meta.get("modules", {}).get(path)
    right, wrong = context.right("forward").get(context.tensor), context.wrong("forward").get(context.tensor)
    if module is None or right is None or wrong is None or np.shape(right) != np.shape(wrong):
        return None
    if context.tensor.endswith(tuple(f"#{n}" for n in range(1, 9))):
        return None
    state = {**context.before("params"), **context.before("buffers")}
    prefix = f"{path}." if path != "model" else ""
    params = {name.removeprefix(prefix): wide(value) for name, value in state.items() if name.startswith(prefix)}
    params = {name: value for name, value in params.items() if "." not in name}
    for x in _inputs(context, path):
        if np.size(x) > AT_MOST:
            continue
        kind, options = module.get("class", ""), module.get("options", {})
        found = Layer(kind, options, params, wide(x), wide(right), wide(wrong), right.dtype)
        again = found.out()
        if again is not None and norm(again - found.right) <= max(SURE, 100 * epsilon(right)) * norm(found.right):
            return found
    return None


def _inputs(context: Context, path: str) -> Iterator[Array]:
    """What may have gone in: what was recorded, then what came out of the modules before, the nearest first."""
    record = context.reference.at(context.step)
    if record is None:
        return
    for name in (f"{path}#0", path):
        if name in record[MODULE_INPUTS]:
            yield record[MODULE_INPUTS][name]
            return
    outs = list(context.right("forward").items())
    here = next((index for index, (name, _) in enumerate(outs) if name == context.tensor), 0)
    yield from (value for _, value in reversed(outs[:here]))
    yield from context.right("inputs").values()


def _linear(layer: Layer, x: Any, o: Options) -> Any:
    rounded = ROUNDINGS[o.get("products", "exact")]
    weight = layer.params["weight"]
    out = rounded(x) @ rounded(weight if o.get("transposed") else weight.T)
    return out + layer.params["bias"] if "bias" in layer.params and not o.get("without_bias") else out


def _conv(layer: Layer, x: Any, o: Options) -> Any:
    n = int(layer.kind[4])
    rounded: Any = ROUNDINGS[o.get("products", "exact")]
    weight = layer.params["weight"]
    spatial = tuple(range(2, 2 + n))
    if o.get("flipped"):
        weight = np.flip(weight, spatial)
    if o.get("transposed"):
        weight = np.swapaxes(weight, -1, -2)
    padding = o.get("padding", 0)
    if o.get("padding_like") is not None:
        x, padding = o["padding_like"](x, weight.shape[2:], o), 0
    bias = None if o.get("without_bias") else layer.params.get("bias")
    conv = (F.conv1d, F.conv2d, F.conv3d)[n - 1]
    padding = padding if isinstance(padding, (str, int)) else tuple(padding)
    return conv(
        rounded(x),
        rounded(weight),
        bias,
        stride=_each(o.get("stride", 1)),
        padding=padding,
        dilation=_each(o.get("dilation", 1)),
        groups=o.get("groups", 1),
    )


def _each(value: Any) -> Any:
    return tuple(value) if isinstance(value, (list, tuple)) else value


def _batch_norm(layer: Layer, x: Any, o: Options) -> Any:
    axes = (0, *range(2, x.ndim))
    shape = (1, -1, *(1,) * (x.ndim - 2))
    mean, var = x.mean(axes), x.var(axes, ddof=int(bool(o.get("unbiased"))))
    if o.get("running") or not o.get("training", True):
        mean, var = layer.params["running_mean"], layer.params["running_var"]
    y = (x - mean.reshape(shape)) / np.sqrt(var + o.get("eps", 1e-5)).reshape(shape)
    return _affine(layer, y, shape)


def _affine(layer: Layer, y: Array, shape: tuple[int, ...]) -> Any:
    y = y * layer.params["weight"].reshape(shape) if "weight" in layer.params else y
    return y + layer.params["bias"].reshape(shape) if "bias" in layer.params else y


def _layer_norm(layer: Layer, x: Any, o: Options) -> Any:
    dims = tuple(o.get("normalized_shape", x.shape[-1:]))
    axes = tuple(range(x.ndim - len(dims), x.ndim))
    if layer.kind == "RMSNorm":
        eps = o.get("eps")
        eps = np.finfo(layer.dtype).eps if eps is None else eps
        return _affine(layer, x / np.sqrt((x * x).mean(axes, keepdims=True) + eps), dims)
    var = x.var(axes, ddof=int(bool(o.get("unbiased"))), keepdims=True)
    return _affine(layer, (x - x.mean(axes, keepdims=True)) / np.sqrt(var + o.get("eps", 1e-5)), dims)


def _group_norm(layer: Layer, x: Any, o: Options) -> Any:
    grouped = x.reshape(x.shape[0], int(o["num_groups"]), -1)
    var = grouped.var(-1, keepdims=True, ddof=int(bool(o.get("unbiased"))))
    y = (grouped - grouped.mean(-1, keepdims=True)) / np.sqrt(var + o.get("eps", 1e-5))
    return _affine(layer, y.reshape(x.shape), (1, -1, *(1,) * (x.ndim - 2)))


def _avg_pool(layer: Layer, x: Any, o: Options) -> Any:
    pool = {"AvgPool1d": F.avg_pool1d, "AvgPool2d": F.avg_pool2d, "AvgPool3d": F.avg_pool3d}[layer.kind]
    how = {name: _each(o[name]) for name in ("kernel_size", "stride", "padding") if o.get(name) is not None}
    return pool(x, **how, ceil_mode=o.get("ceil_mode", False), count_include_pad=o.get("count_include_pad", True))


def _upsample(layer: Layer, x: Any, o: Options) -> Any:
    size, scale, mode = _each(o.get("size")), _each(o.get("scale_factor")), o.get("mode", "nearest")
    align = None if mode.startswith("nearest") else bool(o.get("align_corners"))
    return F.interpolate(x, size=size, scale_factor=scale, mode=mode, align_corners=align)


def _embedding(layer: Layer, x: Any, o: Options) -> Any:
    return layer.params["weight"][x.astype(int)] * o.get("times", 1.0)


def _dropout(layer: Layer, x: Any, o: Options) -> Any:
    """By the reference's own mask."""
    return np.where(layer.right != 0, x / (1 - o.get("p", 0.5)), 0.0)


def _softmax(layer: Layer, x: Any, o: Options) -> Any:
    function = F.log_softmax if layer.kind == "LogSoftmax" else F.softmax
    return function(x, dim=o.get("dim", -1))


ACTIVATIONS: Mapping[str, Callable[[Any, Options], Any]] = {
    "ReLU": lambda x, o: F.relu(x),
    "GELU": lambda x, o: F.gelu(x, approximate=o.get("approximate", "none")),
    "SiLU": lambda x, o: F.silu(x),
    "Tanh": lambda x, o: np.tanh(x),
    "Sigmoid": lambda x, o: F.sigmoid(x),
    "LeakyReLU": lambda x, o: F.leaky_relu(x, o.get("negative_slope", 0.01)),
    "ELU": lambda x, o: F.elu(x, o.get("alpha", 1.0)),
    "Softplus": lambda x, o: F.softplus(x, o.get("beta", 1.0), o.get("threshold", 20.0)),
    "ReLU6": lambda x, o: F.relu6(x),
    "Hardswish": lambda x, o: F.hardswish(x),
    "Mish": lambda x, o: F.mish(x),
    "Identity": lambda x, o: x,
}
"""By torch's class; a rule tries one for the other."""


def _activation(layer: Layer, x: Any, o: Options) -> Any:
    return ACTIVATIONS[o.get("kind", layer.kind)](x, o)


FORMULAS: Mapping[str, Callable[[Layer, Array, Options], Any]] = {
    "Linear": _linear,
    **dict.fromkeys(("Conv1d", "Conv2d", "Conv3d"), _conv),
    **dict.fromkeys(("BatchNorm1d", "BatchNorm2d", "BatchNorm3d"), _batch_norm),
    **dict.fromkeys(("LayerNorm", "RMSNorm"), _layer_norm),
    "GroupNorm": _group_norm,
    **dict.fromkeys(("AvgPool1d", "AvgPool2d", "AvgPool3d"), _avg_pool),
    "Upsample": _upsample,
    "Embedding": _embedding,
    **dict.fromkeys(("Softmax", "LogSoftmax"), _softmax),
    **dict.fromkeys(ACTIVATIONS, _activation),
    **dict.fromkeys(("Dropout", "Dropout1d", "Dropout2d", "Dropout3d"), _dropout),
    "LSTM": lambda layer, x, o: lstm(layer.params, x, o),
    "GRU": lambda layer, x, o: gru(layer.params, x, o),
}
"""What a module of torch's computes, by its class; ``out`` gives them the options."""
