"""Cases of the losses of class indices and class probabilities."""

import itertools
from functools import partial
from typing import Any

import numpy as np

from jaxgrad.parity.case import Case
from jaxgrad.parity.catalog.draw import labels, normal, probabilities, some_ignored

CE = "nn.functional.cross_entropy"
NLL = "nn.functional.nll_loss"


def _weights(classes: int) -> Any:
    return lambda rng: rng.uniform(0.2, 2.0, classes)


def _draw(target: str, shape: tuple[int, ...], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    logits = 3 * normal(rng, *shape)
    if target == "probabilities":
        return logits, probabilities(rng, *shape)
    draw = labels if target == "indices" else some_ignored
    return logits, draw(rng, shape[1], shape[0], *shape[2:])


def _grid() -> list[Case]:
    """Every argument of cross-entropy with every other, on flat and on spatial inputs."""
    cases = []
    shapes = {"flat": (16, 5), "spatial": (3, 4, 2, 3)}
    for (shape_name, shape), weighted, reduction, smoothing, target in itertools.product(
        shapes.items(), (False, True), ("mean", "sum", "none"), (0.0, 0.2), ("indices", "ignored", "probabilities")
    ):
        draw = partial(_draw, target, shape)
        kwargs: dict[str, Any] = {"reduction": reduction, "label_smoothing": smoothing}
        if weighted:
            kwargs["weight"] = _weights(shape[1])
        name = f"{shape_name}, {target}, {reduction}, smoothing {smoothing}" + (", weights" if weighted else "")
        cases.append(Case(CE, name, draw, kwargs, wrt=(0, 1) if target == "probabilities" else (0,)))
    return cases


_LOGITS = np.array([[1.0, 2.0, 3.0], [3.0, 1.0, 0.0]])
_IGNORED = np.array([-100, -100])

_SPECIAL = [
    Case(CE, "one sample without a batch", lambda r: (normal(r, 5), np.array(2)), {"reduction": "none"}),
    Case(CE, "one sample, probabilities", lambda r: (normal(r, 5), probabilities(r, 5, axis=0))),
    Case(CE, "one sample, smoothing", lambda r: (normal(r, 5), np.array(2)), {"label_smoothing": 0.1}),
    Case(
        CE,
        "another ignored class",
        lambda r: (normal(r, 9, 4), some_ignored(r, 4, 9, ignore_index=1)),
        {"ignore_index": 1},
    ),
    Case(CE, "all ignored, mean", lambda r: (_LOGITS, _IGNORED)),
    Case(CE, "all ignored, mean, weights", lambda r: (_LOGITS, _IGNORED), {"weight": _weights(3)}),
    Case(CE, "all ignored, sum", lambda r: (_LOGITS, _IGNORED), {"reduction": "sum"}),
    Case(
        CE, "weight zero for the target", lambda r: (_LOGITS, np.array([0, 0])), {"weight": np.array([0.0, 1.0, 1.0])}
    ),
    Case(CE, "empty batch", lambda r: (np.zeros((0, 3)), np.zeros(0, int))),
    Case(CE, "empty batch, weights", lambda r: (np.zeros((0, 3)), np.zeros(0, int)), {"weight": _weights(3)}),
    Case(CE, "infinite logit at the target", lambda r: (np.array([[-np.inf, 0.0]]), np.array([0]))),
    Case(CE, "infinite logit off the target", lambda r: (np.array([[-np.inf, 0.0, 1.0]]), np.array([1]))),
    Case(CE, "large logits", lambda r: (1e4 * normal(r, 8, 5), labels(r, 5, 8))),
    Case(
        NLL,
        "mean, weights, ignored",
        lambda r: (normal(r, 16, 5), some_ignored(r, 5, 16)),
        {"weight": _weights(5)},
    ),
    Case(NLL, "spatial, none", lambda r: (normal(r, 3, 4, 2, 3), labels(r, 4, 3, 2, 3)), {"reduction": "none"}),
    Case(NLL, "one sample", lambda r: (normal(r, 5), np.array(2))),
]

_ERRORS = [
    Case(
        CE,
        "batch sizes that differ",
        lambda r: (normal(r, 4, 3), np.zeros(3, int)),
        error="Expected input batch_size (4) to match target batch_size (3).",
    ),
    Case(CE, "label out of range", lambda r: (_LOGITS, np.array([0, 7])), error="Target 7 is out of bounds."),
    Case(CE, "negative label", lambda r: (_LOGITS, np.array([0, -1])), error="Target -1 is out of bounds."),
    Case(
        CE,
        "floating labels",
        lambda r: (_LOGITS, np.zeros(2)),
        error="expected target dtype to be Long or Byte, but got",
    ),
    Case(
        CE,
        "integer probabilities",
        lambda r: (_LOGITS, np.zeros((2, 3), np.int16)),
        error="Expected floating point type for target with class probabilities, got Short",
    ),
    Case(
        CE,
        "weights that do not fit",
        lambda r: (_LOGITS, np.zeros(2, int)),
        {"weight": np.ones(2)},
        error="weight tensor should be defined either for all 3 classes or no classes "
        "but got weight tensor of shape: [2]",
    ),
    Case(
        CE,
        "weights that do not fit, probabilities",
        lambda r: (_LOGITS, probabilities(r, 2, 3)),
        {"weight": np.ones(2)},
        error="cross_entropy: weight tensor should be defined either for all 3 classes or no classes",
    ),
    Case(
        CE,
        "unknown reduction",
        lambda r: (_LOGITS, np.zeros(2, int)),
        {"reduction": "avg"},
        error="avg is not a valid value for reduction",
    ),
    Case(
        CE,
        "too much smoothing",
        lambda r: (_LOGITS, np.zeros(2, int)),
        {"label_smoothing": 1.5},
        error="label_smoothing must be between 0.0 and 1.0. Got: 1.5",
    ),
    Case(
        CE,
        "ignored class of probabilities",
        lambda r: (_LOGITS, probabilities(r, 2, 3)),
        {"ignore_index": 2},
        error="ignore_index is not supported for floating point target",
    ),
    Case(
        CE,
        "two targets for one sample",
        lambda r: (normal(r, 3), np.array([1, 2])),
        error="For 1D input, 1D target must have size 1, but got target size: 2",
    ),
    Case(
        CE,
        "too many target axes",
        lambda r: (normal(r, 4, 3), np.zeros((4, 2), int)),
        error="0D or 1D target tensor expected, multi-target not supported",
    ),
    Case(
        CE,
        "spatial sizes that differ",
        lambda r: (normal(r, 2, 3, 4, 5), np.zeros((2, 4, 6), int)),
        error="size mismatch (got input: [2, 3, 4, 5] , target: [2, 4, 6]",
    ),
    Case(
        CE,
        "lengths that differ",
        lambda r: (normal(r, 2, 3, 4), np.zeros((2, 5), int)),
        error="Expected target size [2, 4], got [2, 5]",
    ),
    Case(
        CE,
        "missing target axis",
        lambda r: (normal(r, 2, 3, 4, 5), np.zeros((2, 4), int)),
        error="only batches of spatial targets supported (3D tensors) but got targets of dimension: 2",
    ),
]

CASES = (*_grid(), *_SPECIAL, *_ERRORS)
