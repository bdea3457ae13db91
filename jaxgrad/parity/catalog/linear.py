"""Cases of the affine map and of activations."""

import numpy as np

from jaxgrad.parity.case import Case
from jaxgrad.parity.catalog.draw import normal

LINEAR = "nn.functional.linear"
RELU = "nn.functional.relu"
LOG_SOFTMAX = "nn.functional.log_softmax"

_SPECIAL = np.array([[np.inf, 1.0, 0.0], [-np.inf, 1.0, 0.0], [100.0, -100.0, 0.0]])

CASES = (
    Case(LINEAR, "bias", lambda r: (normal(r, 32, 10), normal(r, 7, 10), normal(r, 7)), wrt=(0, 1, 2)),
    Case(LINEAR, "no bias", lambda r: (normal(r, 5, 10), normal(r, 7, 10)), wrt=(0, 1)),
    Case(LINEAR, "one row", lambda r: (normal(r, 10), normal(r, 7, 10), normal(r, 7)), wrt=(0, 1, 2)),
    Case(LINEAR, "two batch axes", lambda r: (normal(r, 2, 3, 10), normal(r, 7, 10), normal(r, 7)), wrt=(0, 1, 2)),
    Case(LINEAR, "weight of one output", lambda r: (normal(r, 4, 10), normal(r, 10)), wrt=(0, 1)),
    Case(LINEAR, "bias of one element", lambda r: (normal(r, 4, 10), normal(r, 3, 10), normal(r, 1)), wrt=(0, 1, 2)),
    Case(LINEAR, "784 inputs", lambda r: (normal(r, 64, 784), normal(r, 32, 784), normal(r, 32)), wrt=(0, 1, 2)),
    Case(
        LINEAR,
        "shapes that do not fit",
        lambda r: (normal(r, 32, 10), normal(r, 3, 5)),
        error="mat1 and mat2 shapes cannot be multiplied (32x10 and 5x3)",
    ),
    Case(
        LINEAR,
        "bias that does not fit",
        lambda r: (normal(r, 4, 5), normal(r, 3, 5), normal(r, 4)),
        error="The expanded size of the tensor (3) must match the existing size (4) at non-singleton dimension 1.",
    ),
    Case(
        LINEAR,
        "integer input",
        lambda r: (np.arange(5, dtype=np.int16), normal(r, 3, 5)),
        wrt=(),
        error="expected m1 and m2 to have the same dtype, but got: short int != double",
    ),
    Case(
        LINEAR,
        "integer input, bias",
        lambda r: (np.zeros((2, 5), np.int16), normal(r, 3, 5), normal(r, 3)),
        wrt=(),
        error="mat1 and mat2 must have the same dtype, but got Short and Double",
    ),
    Case(RELU, "values", lambda r: (normal(r, 4, 50),)),
    Case(RELU, "kink, infinities, nan", lambda r: (np.array([-1.0, -0.0, 0.0, 1.0, np.inf, -np.inf, np.nan]),)),
    Case(
        RELU,
        "booleans",
        lambda r: (np.array([True, False]),),
        wrt=(),
        error="Boolean inputs not supported for relu",
    ),
    Case(LOG_SOFTMAX, "rows", lambda r: (normal(r, 6, 50),), {"dim": 1}),
    Case(LOG_SOFTMAX, "columns", lambda r: (3 * normal(r, 40, 3),), {"dim": 0}),
    Case(LOG_SOFTMAX, "negative axis", lambda r: (10 * normal(r, 3, 4, 5),), {"dim": -2}),
    Case(LOG_SOFTMAX, "infinite and far apart", lambda r: (_SPECIAL,), {"dim": 1}),
)
