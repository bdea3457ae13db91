"""Cases of the activations: random inputs, and the points where derivatives are a matter of convention."""

from typing import Any

import numpy as np

from jaxgrad.parity.case import Case
from jaxgrad.parity.catalog.draw import normal

_CALLS: dict[str, dict[str, Any]] = {
    "celu": {"alpha": 0.5},
    "elu": {"alpha": 2.0},
    "gelu": {},
    "hardshrink": {},
    "hardsigmoid": {},
    "hardswish": {},
    "hardtanh": {},
    "leaky_relu": {"negative_slope": 0.2},
    "logsigmoid": {},
    "mish": {},
    "relu": {},
    "relu6": {},
    "selu": {},
    "sigmoid": {},
    "silu": {},
    "softplus": {},
    "softshrink": {},
    "softsign": {},
    "tanh": {},
    "tanhshrink": {},
}

_KINKS = np.array([-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 6.0, 20.0])


def _draw(rng: np.random.Generator) -> tuple[np.ndarray]:
    """The points where derivatives are a matter of convention, and some where they are not."""
    return (np.concatenate([_KINKS, 2 * normal(rng, 31)]),)


def _cases() -> list[Case]:
    return [Case(f"nn.functional.{name}", "kinks and others", _draw, kwargs) for name, kwargs in _CALLS.items()]


CASES = (
    *_cases(),
    Case("nn.functional.gelu", "tanh", lambda r: (2 * normal(r, 8, 5),), {"approximate": "tanh"}),
    Case("nn.functional.threshold", "random", lambda r: (normal(r, 8, 5), 0.1, 20.0)),
    Case("nn.functional.prelu", "a slope a channel", lambda r: (normal(r, 4, 3, 2), normal(r, 3)), wrt=(0, 1)),
    Case("nn.functional.glu", "random", lambda r: (normal(r, 4, 6),), {"dim": 1}),
    Case("nn.functional.softmax", "random", lambda r: (3 * normal(r, 4, 6),), {"dim": 1}),
    Case("nn.functional.softmin", "random", lambda r: (3 * normal(r, 4, 6),), {"dim": 0}),
    Case("nn.functional.log_softmax", "random", lambda r: (3 * normal(r, 4, 6),), {"dim": -1}),
    Case(
        "nn.functional.gelu",
        "unknown approximation",
        lambda r: (normal(r, 3),),
        {"approximate": "sigmoid"},
        error="approximate argument must be either none or tanh.",
    ),
    Case(
        "nn.functional.glu",
        "an odd axis",
        lambda r: (normal(r, 2, 3),),
        error="Halving dimension must be even, but dimension 1 is size 3",
    ),
)
