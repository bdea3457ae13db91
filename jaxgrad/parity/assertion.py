"""Parity as an assertion of a user's own test-suite."""

import os
from collections.abc import Iterable
from typing import Any

from jaxgrad.parity.comparison.bounds import Bounds
from jaxgrad.parity.comparison.compare import compare
from jaxgrad.parity.report import Report
from jaxgrad.parity.sides.side import Side
from jaxgrad.serialization.atomic import replacing


def assert_parity(
    reference: Side,
    candidate: Side,
    batches: Iterable[Any],
    mode: str = "free",
    *,
    bounds: Bounds | None = None,
    float64: bool = True,
    save: str | os.PathLike[str] | None = None,
) -> Report:
    """Assert that two training steps are the same, in a test: ``jaxgrad.testing.assert_parity``.

    Args:
        reference, candidate: of ``parity.from_torch`` and ``parity.from_jax``.
        batches: a few; each is a step.
        mode: "free", "single" or "module", see ``parity.compare``.
        bounds: the largest distances that are no divergence.
        float64: whether to run both sides in float64 too.
        save: where to write the report as JSON if it fails, for a continuous integration to keep.

    Returns:
        The report of two sides that are the same.

    Raises:
        AssertionError: they are not; the text says where they part first, how badly, and why.

    >>> import jax.numpy as jnp
    >>> from jaxgrad import parity, testing
    >>> def side(rate):
    ...     step = lambda state, x: ({"w": state["w"] - rate * x}, {"loss": x.sum()})
    ...     return parity.from_jax(step, {"w": jnp.ones(2)})
    >>> testing.assert_parity(side(0.5), side(0.5), [jnp.ones(2)]).ok
    True
    >>> testing.assert_parity(side(0.5), side(0.25), [jnp.ones(2)])
    Traceback (most recent call last):
        ...
    AssertionError: ...
    """
    report = compare(reference, candidate, batches, mode, bounds=bounds, float64=float64)
    if save is not None and not report.ok:
        with replacing(save) as temporary, open(temporary, "x", encoding="utf-8") as file:
            file.write(report.to_json())
    report.assert_ok()
    return report
