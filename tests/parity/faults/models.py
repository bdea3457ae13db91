"""Four small models, in torch and here, with their batches."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxgrad.parity.catalog.models import gpt, lstm_classifier, token_loss

STEPS = 4


@dataclass(frozen=True)
class Small:
    """A model that is written once for both sides.

    Attributes:
        build: from a library of the catalogue.
        criterion: from ``nn.functional``.
        batch: from a generator of numpy's.
        optimizer, options: torch's, which a fault may change.
    """

    build: Callable[[Any], Any]
    criterion: Callable[[Any], Any]
    batch: Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]
    optimizer: str
    options: dict[str, Any]

    def batches(self, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
        rng = np.random.default_rng(seed)
        return [self.batch(rng) for _ in range(STEPS)]


def mlp(lib: Any) -> Any:
    nn = lib.nn
    return nn.Sequential(
        nn.Linear(6, 8, **lib.rngs),
        nn.GELU(),
        nn.LayerNorm(8),
        nn.Dropout(0.25),
        nn.Linear(8, 8, **lib.rngs),
        nn.LeakyReLU(),
        nn.Linear(8, 3, **lib.rngs),
    )


def cnn(lib: Any) -> Any:
    nn = lib.nn
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=2, padding=1, **lib.rngs),
        nn.BatchNorm2d(4),
        nn.GELU(),
        nn.AvgPool2d(3, stride=2, padding=1),
        nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(64, 3, **lib.rngs),
    )


def _classes(F: Any) -> Any:
    return F.cross_entropy


MODELS = {
    "mlp": Small(
        mlp,
        _classes,
        lambda rng: (rng.normal(size=(10, 6)).astype(np.float32), rng.integers(0, 3, 10)),
        "AdamW",
        {"lr": 1e-2, "weight_decay": 0.1},
    ),
    "cnn": Small(
        cnn,
        _classes,
        lambda rng: (rng.normal(size=(10, 2, 8, 8)).astype(np.float32), rng.integers(0, 3, 10)),
        "SGD",
        {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01},
    ),
    "lstm": Small(
        lstm_classifier,
        _classes,
        lambda rng: (rng.integers(0, 11, (10, 5)), rng.integers(0, 3, 10)),
        "RMSprop",
        {"lr": 1e-2, "weight_decay": 0.01, "momentum": 0.5},
    ),
    "gpt": Small(
        lambda lib: gpt(lib, layers=1, p=0.1),
        token_loss,
        lambda rng: (rng.integers(0, 11, (4, 7)), rng.integers(0, 11, (4, 7))),
        "Adam",
        {"lr": 1e-2, "weight_decay": 0.01},
    ),
}
