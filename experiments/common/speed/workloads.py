"""What is timed: a model of the catalogue, its batches, its optimizer."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from jaxgrad.parity.catalog import models
from jaxgrad.parity.catalog.models import Library

Batches = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Workload:
    """One training step.

    Attributes:
        name: how it is shown.
        build: the model, for either library.
        batches: ``(rng, steps) -> (x, y)``, stacked along a leading axis of steps.
        optimizer: its name in ``torch.optim`` and ``jaxgrad.optim``, and its options.
        steps: steps a round.
        rounds: how often every candidate has its turn.
        loss: ``functional -> (output, target) -> loss``.
        sizes: of a perceptron that is also written by hand with jax and optax; empty for the others.
        scan: whether the epoch is run as one scan too.
        quick: whether a quick run has it.
    """

    name: str
    build: Callable[[Library], Any]
    batches: Callable[[np.random.Generator, int], Batches]
    optimizer: tuple[str, dict[str, Any]]
    steps: int
    rounds: int
    loss: Callable[[Any], Callable[[Any, Any], Any]] = models.token_loss
    sizes: tuple[int, ...] = field(default=())
    scan: bool = True
    quick: bool = False


def _rows(batch: int, features: int, classes: int, rng: np.random.Generator, steps: int) -> Batches:
    x = rng.standard_normal((steps, batch, features)).astype(np.float32)
    return x, rng.integers(0, classes, (steps, batch))


def _images(batch: int, shape: tuple[int, int, int], classes: int, rng: np.random.Generator, steps: int) -> Batches:
    x = rng.standard_normal((steps, batch, *shape)).astype(np.float32)
    return x, rng.integers(0, classes, (steps, batch))


def _text(batch: int, length: int, words: int, classes: int, rng: np.random.Generator, steps: int) -> Batches:
    return rng.integers(0, words, (steps, batch, length)), rng.integers(0, classes, (steps, batch))


def _next_words(batch: int, length: int, words: int, rng: np.random.Generator, steps: int) -> Batches:
    text = rng.integers(0, words, (steps, batch, length + 1))
    return text[..., :-1], text[..., 1:]


def perceptron(sizes: tuple[int, ...], batch: int, optimizer: str, steps: int, rounds: int, quick: bool) -> Workload:
    """Dense layers, which are also written by hand."""
    return Workload(
        f"MLP {'-'.join(map(str, sizes))}, batch {batch}, {optimizer}",
        lambda lib: models.perceptron(lib, sizes),
        partial(_rows, batch, sizes[0], sizes[-1]),
        (optimizer, {"lr": 1e-3}),
        steps,
        rounds,
        sizes=sizes,
        quick=quick,
    )


FASHION = (784, 512, 512, 10)

WORKLOADS = (
    perceptron((10, 10, 3), 32, "Adam", steps=300, rounds=21, quick=True),
    perceptron(FASHION, 64, "SGD", steps=60, rounds=15, quick=True),
    perceptron(FASHION, 64, "Adam", steps=40, rounds=15, quick=False),
    Workload(
        "CNN 32-64-128 on 28x28, batch 64, SGD with momentum",
        lambda lib: models.fashion_cnn(lib, (32, 64), 128, 28, p=0.0),
        partial(_images, 64, (1, 28, 28), 10),
        ("SGD", {"lr": 1e-2, "momentum": 0.9}),
        steps=6,
        rounds=9,
    ),
    Workload(
        "ResNet-18 of width 16 on 32x32, batch 32, SGD with momentum",
        lambda lib: models.resnet(lib, 16, 10, (2, 2, 2, 2), p=0.0, momentum=0.1),
        partial(_images, 32, (3, 32, 32), 10),
        ("SGD", {"lr": 1e-2, "momentum": 0.9}),
        steps=4,
        rounds=9,
    ),
    Workload(
        "LSTM classifier 128-256, 32 x 50 words, Adam",
        lambda lib: models.lstm_classifier(lib, 1000, 128, 256, 10),
        partial(_text, 32, 50, 1000, 10),
        ("Adam", {"lr": 1e-3}),
        steps=4,
        rounds=9,
    ),
    Workload(
        "GPT of 4 layers of 128, 16 x 64 words, AdamW",
        lambda lib: models.gpt(lib, 512, 128, 4, 64, 4, p=0.0),
        partial(_next_words, 16, 64, 512),
        ("AdamW", {"lr": 1e-3}),
        steps=4,
        rounds=9,
    ),
)
