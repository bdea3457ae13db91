"""Pooling and resampling by the other convention."""

from collections.abc import Iterator

from jaxgrad.parity.causes.context import Context
from jaxgrad.parity.causes.layers import layer, outputs
from jaxgrad.parity.causes.rule import Prediction, rule


@rule("count_include_pad", "the padding counts in the mean of avg_pool on one side only", "forward")
def count_include_pad(context: Context) -> Iterator[Prediction]:
    """torch counts it by default, flax does not ask."""
    found = layer(context)
    flag = found is not None and bool(found.options.get("count_include_pad", True))
    yield from outputs(context, ("AvgPool",), {"count_include_pad": not flag}, count_include_pad=not flag)


@rule("align_corners", "align_corners differs", "forward")
def align_corners(context: Context) -> Iterator[Prediction]:
    """Of an upsampling."""
    found = layer(context)
    flag = found is not None and bool(found.options.get("align_corners"))
    yield from outputs(context, ("Upsample",), {"align_corners": not flag}, align_corners=not flag)
