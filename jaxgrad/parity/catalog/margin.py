"""Cases of the losses of differences, distributions, margins and sequences."""

from collections.abc import Callable
from typing import Any

import numpy as np

from jaxgrad.parity.case import Case
from jaxgrad.parity.catalog.draw import labels, normal, probabilities

F = "nn.functional."


def _signs(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return np.sign(rng.uniform(-1.0, 1.0, shape))


def _log_probabilities(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return np.log(probabilities(rng, *shape, axis=-1))


Draw = Callable[[np.random.Generator], tuple[Any, ...]]

_DRAWS: dict[str, tuple[Draw, dict[str, Any], tuple[int, ...]]] = {
    "l1_loss": (lambda r: (normal(r, 6, 4), normal(r, 6, 4)), {}, (0, 1)),
    "smooth_l1_loss": (lambda r: (normal(r, 6, 4), normal(r, 6, 4)), {"beta": 0.5}, (0, 1)),
    "huber_loss": (lambda r: (normal(r, 6, 4), normal(r, 6, 4)), {"delta": 0.5}, (0, 1)),
    "poisson_nll_loss": (lambda r: (normal(r, 6, 4), r.integers(0, 5, (6, 4)).astype(float)), {"full": True}, (0,)),
    "gaussian_nll_loss": (
        lambda r: (normal(r, 6, 4), normal(r, 6, 4), r.uniform(0.1, 2.0, (6, 4))),
        {"full": True},
        (0, 1, 2),
    ),
    "kl_div": (
        lambda r: (_log_probabilities(r, 6, 4), _log_probabilities(r, 6, 4)),
        {"log_target": True},
        (0, 1),
    ),
    "binary_cross_entropy": (
        lambda r: (r.uniform(0.05, 0.95, (6, 4)), r.uniform(0.05, 0.95, (6, 4))),
        {},
        (0, 1),
    ),
    "hinge_embedding_loss": (lambda r: (r.uniform(0.0, 2.0, (6, 4)), _signs(r, 6, 4)), {}, (0,)),
    "soft_margin_loss": (lambda r: (normal(r, 6, 4), _signs(r, 6, 4)), {}, (0,)),
    "multi_margin_loss": (lambda r: (normal(r, 6, 4), labels(r, 4, 6)), {"p": 2}, (0,)),
    "multilabel_margin_loss": (lambda r: (normal(r, 6, 4), labels(r, 5, 6, 4) - 1), {}, (0,)),
    "multilabel_soft_margin_loss": (lambda r: (normal(r, 6, 4), r.uniform(0.0, 1.0, (6, 4))), {}, (0, 1)),
    "cosine_embedding_loss": (lambda r: (normal(r, 6, 4), normal(r, 6, 4), _signs(r, 6)), {"margin": -0.5}, (0, 1)),
    "margin_ranking_loss": (lambda r: (normal(r, 6), normal(r, 6), _signs(r, 6)), {"margin": 0.1}, (0, 1)),
    "triplet_margin_loss": (
        lambda r: (normal(r, 6, 4), normal(r, 6, 4), normal(r, 6, 4)),
        {"swap": True},
        (0, 1, 2),
    ),
}

_CTC = (
    lambda r: (_log_probabilities(r, 7, 3, 4), 1 + labels(r, 3, 3, 2), np.array([7, 6, 5]), np.array([2, 1, 2])),
    (0,),
)


def _cases() -> list[Case]:
    cases = []
    for name, (draw, kwargs, wrt) in _DRAWS.items():
        reduction = "batchmean" if name == "kl_div" else "none"
        cases.append(Case(F + name, reduction, draw, {**kwargs, "reduction": reduction}, wrt=wrt))
    return cases


CASES = (
    *_cases(),
    Case(F + "ctc_loss", "mean", _CTC[0], {}, wrt=_CTC[1]),
    Case(F + "cosine_similarity", "random", lambda r: (normal(r, 6, 4), normal(r, 6, 4)), wrt=(0, 1)),
    Case(F + "pairwise_distance", "random", lambda r: (normal(r, 6, 4), normal(r, 6, 4)), wrt=(0, 1)),
    Case(F + "pdist", "random", lambda r: (normal(r, 5, 4),)),
    Case(
        F + "binary_cross_entropy",
        "not a probability",
        lambda r: (np.array([1.5]), np.array([1.0])),
        error="all elements of input should be between 0 and 1",
    ),
    Case(
        F + "huber_loss",
        "no width",
        lambda r: (normal(r, 3), normal(r, 3)),
        {"delta": 0.0},
        error="huber_loss does not support non-positive values for delta.",
    ),
    Case(
        F + "triplet_margin_loss",
        "no margin",
        lambda r: (normal(r, 2, 3), normal(r, 2, 3), normal(r, 2, 3)),
        {"margin": 0.0},
        error="margin must be greater than 0, got 0.0",
    ),
)
