"""Cases of the squared error and of binary cross-entropy with logits."""

import itertools
from typing import Any

import numpy as np

from jaxgrad.parity.case import Case
from jaxgrad.parity.catalog.draw import normal

MSE = "nn.functional.mse_loss"
BCE = "nn.functional.binary_cross_entropy_with_logits"


def _positive(*shape: int) -> Any:
    return lambda rng: rng.uniform(0.2, 2.0, shape)


def _mse() -> list[Case]:
    cases = []
    for reduction, weighted in itertools.product(("mean", "sum", "none"), (False, True)):
        kwargs = {"reduction": reduction} | ({"weight": _positive(6, 4)} if weighted else {})
        name = reduction + (", weights" if weighted else "")
        wrt = (0, 1, "weight") if weighted else (0, 1)
        cases.append(Case(MSE, name, lambda r: (normal(r, 6, 4), normal(r, 6, 4)), kwargs, wrt=wrt))
    return cases


def _bce() -> list[Case]:
    cases = []
    for reduction, weight, pos_weight in itertools.product(
        ("mean", "sum", "none"), (None, (6, 4), (4,)), (None, (4,), (1,))
    ):
        kwargs = {"reduction": reduction}
        kwargs |= {"weight": _positive(*weight)} if weight else {}
        kwargs |= {"pos_weight": _positive(*pos_weight)} if pos_weight else {}
        name = f"{reduction}, weight {weight}, pos_weight {pos_weight}"
        cases.append(
            Case(BCE, name, lambda r: (3 * normal(r, 6, 4), r.uniform(0.05, 0.95, (6, 4))), kwargs, wrt=(0, 1))
        )
    return cases


_X = np.array([np.inf, -np.inf, -np.inf, 0.0, 0.0, 60.0, -60.0, 1e4])
_T = np.array([0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0])

CASES = (
    *_mse(),
    Case(MSE, "a scalar", lambda r: (normal(r), normal(r)), wrt=(0, 1)),
    Case(MSE, "nothing", lambda r: (np.zeros(0), np.zeros(0)), wrt=(0,)),
    Case(
        MSE,
        "weights that do not fit",
        lambda r: (normal(r, 4, 2), normal(r, 4, 2)),
        {"weight": np.ones(2)},
        error="Weights and input must have the same size.",
    ),
    Case(
        MSE,
        "unknown reduction",
        lambda r: (normal(r, 4), normal(r, 4)),
        {"reduction": "total"},
        error="total is not a valid value for reduction",
    ),
    *_bce(),
    Case(BCE, "infinite and far logits", lambda r: (_X, _T), {"reduction": "none"}),
    Case(
        BCE,
        "infinite and far logits, pos_weight",
        lambda r: (_X, _T),
        {"reduction": "none", "pos_weight": np.array([2.0])},
    ),
    Case(BCE, "nothing", lambda r: (np.zeros(0), np.zeros(0))),
    Case(
        BCE,
        "sizes that differ",
        lambda r: (normal(r, 4, 1), np.zeros(4)),
        error="Target size (torch.Size([4])) must be the same as input size (torch.Size([4, 1]))",
    ),
    Case(
        BCE,
        "integer target",
        lambda r: (normal(r, 4), np.zeros(4, np.int16)),
        error="result type Double can't be cast to the desired output type Short",
    ),
    Case(
        BCE,
        "integer input",
        lambda r: (np.zeros(4, np.int16), np.zeros(4, np.int16)),
        wrt=(),
        error="\"log_sigmoid_cpu\" not implemented for 'Short'",
    ),
    Case(
        MSE,
        "integers",
        lambda r: (np.zeros(4, np.int16), np.zeros(4, np.int16)),
        wrt=(),
        error="\"mse_cpu\" not implemented for 'Short'",
    ),
    Case(
        BCE,
        "pos_weight that does not fit",
        lambda r: (normal(r, 4, 3), np.zeros((4, 3))),
        {"pos_weight": np.ones(2)},
        error="must match the size of tensor b",
    ),
)
