"""Pooling and resampling by the other convention."""

from collections.abc import Iterator

from jaxgrad.parity.causes.again import remade, with_arguments
from jaxgrad.parity.causes.context import Context
from jaxgrad.parity.causes.layers import layer, outputs
from jaxgrad.parity.causes.rule import Prediction, rule

ANY = ("forward", "loss", "grads", "params")
AVG_POOL = ("input", "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")
INTERPOLATE = ("input", "size", "scale_factor", "mode", "align_corners")


@rule("count_include_pad", "the padding counts in the mean of avg_pool on one side only", *ANY)
def count_include_pad(context: Context) -> Iterator[Prediction]:
    """torch counts it by default, flax does not ask."""
    found = layer(context)
    flag = found is not None and bool(found.options.get("count_include_pad", True))
    yield from outputs(context, ("AvgPool",), {"count_include_pad": not flag}, count_include_pad=not flag)
    for name in ("avg_pool1d", "avg_pool2d", "avg_pool3d"):
        change = with_arguments(AVG_POOL, count_include_pad=lambda flag: flag is False)
        yield from remade(context, {name: change}, count_include_pad="the other way")


@rule("align_corners", "align_corners differs", *ANY)
def align_corners(context: Context) -> Iterator[Prediction]:
    """Of an upsampling."""
    found = layer(context)
    flag = found is not None and bool(found.options.get("align_corners"))
    yield from outputs(context, ("Upsample",), {"align_corners": not flag}, align_corners=not flag)
    change = with_arguments(INTERPOLATE, align_corners=lambda flag: not flag)
    yield from remade(context, {"interpolate": change}, align_corners="the other way")
