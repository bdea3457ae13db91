"""What each lever changes, by line of the training loop; one changes one thing of the baseline."""

from dataclasses import dataclass, field
from typing import Any

BATCH, LARGE, RATE = 64, 512, 0.1


@dataclass(frozen=True)
class Lever:
    """One way of training.

    Attributes:
        line: which line of the loop it changes.
        baseline: the lever that it is measured against.
        model: "perceptron" or "convolutional".
        optimizer: torch's name and its arguments.
        batch: rows of a batch.
        augment: whether images are moved by up to two pixels.
        skewed: whether the classes are of unequal size, 10 to 1.
        weights: whether the loss weighs a class by the inverse of its size.
        sampler: whether rows are drawn with probabilities of the inverse of their class's size.
        smoothing: of the labels.
        peak: the multiple of its lr to which it warms up before it falls (``OneCycleLR``); None for a constant lr.
        autocast: whether the forward pass runs in bfloat16.
        members: how many networks are trained side by side, and their probabilities averaged.
    """

    line: str
    baseline: str = "baseline"
    model: str = "perceptron"
    optimizer: tuple[str, dict[str, Any]] = field(default_factory=lambda: ("SGD", {"lr": RATE}))
    batch: int = BATCH
    augment: bool = False
    skewed: bool = False
    weights: bool = False
    sampler: bool = False
    smoothing: float = 0.0
    peak: float | None = None
    autocast: bool = False
    members: int = 1


UNEVEN: dict[str, Any] = {"skewed": True, "baseline": "unequal classes"}
TIMES = LARGE // BATCH

LEVERS: dict[str, Lever] = {
    "baseline": Lever("none"),
    "augmentation": Lever("for x, y in loader", augment=True),
    "convolutional network": Lever("model(x)", model="convolutional"),
    "mixed precision": Lever("with autocast()", autocast=True),
    "ensemble of 5": Lever("model(x), by vmap", members=5),
    "label smoothing 0.1": Lever("criterion(out, y)", smoothing=0.1),
    "momentum 0.9, lr 0.01": Lever("optimizer", optimizer=("SGD", {"lr": 0.01, "momentum": 0.9})),
    "Adam": Lever("optimizer", optimizer=("Adam", {"lr": 1e-3})),
    "AdamW": Lever("optimizer", optimizer=("AdamW", {"lr": 1e-3, "weight_decay": 0.01})),
    "schedule": Lever("scheduler.step()", peak=4.0),
    "large batch": Lever("DataLoader(batch_size)", batch=LARGE),
    "large batch, lr x 8": Lever("the same, and lr", batch=LARGE, optimizer=("SGD", {"lr": RATE * TIMES})),
    "large batch, lr x 8, warmed up": Lever(
        "the same, and scheduler.step()", batch=LARGE, optimizer=("SGD", {"lr": RATE * TIMES}), peak=1.0
    ),
    "unequal classes": Lever("the data", skewed=True),
    "class weights": Lever("criterion(out, y)", weights=True, **UNEVEN),
    "weighted sampler": Lever("DataLoader(sampler)", sampler=True, **UNEVEN),
}
"""By name; in the order in which they are shown."""
