"""The images that the experiments train on, and the perceptron that they train."""

from functools import lru_cache
from pathlib import Path

import numpy as np

from experiments.common import datasets
from experiments.common.datasets import DataUnavailable, LabelledImages
from experiments.common.experiment import Settings
from jaxgrad.parity.training import TrainingCase


def load_images(settings: Settings, split: str = "train") -> LabelledImages:
    """FashionMNIST; where it is not to be had and no directory was named, scikit-learn's digits, whose source says so.

    Raises:
        DataUnavailable: a directory was named and does not hold it.
    """
    return _load(settings.data, split)


@lru_cache(maxsize=4)
def _load(data: Path | None, split: str) -> LabelledImages:
    try:
        return datasets.load("fashion_mnist", split, data)
    except DataUnavailable:
        if data is not None:
            raise
        return datasets.load("digits", split)


def pixels(images: np.ndarray) -> np.ndarray:
    """Bytes as float32 from 0 to 1, one division as in torchvision's ``ToTensor``."""
    return images.astype(np.float32) / np.float32(255)


def perceptron(images: np.ndarray, hidden: int = 512, **optimizer: object) -> TrainingCase:
    """Flatten, Linear(784, 512), ReLU, Linear(512, 512), ReLU, Linear(512, 10) for images of 28 x 28."""
    features = int(np.prod(images.shape[1:]))
    name = str(optimizer.pop("optimizer", "SGD"))
    layers = (
        ("Flatten",),
        ("Linear", features, hidden),
        ("ReLU",),
        ("Linear", hidden, hidden),
        ("ReLU",),
        ("Linear", hidden, 10),
    )
    return TrainingCase(layers, optimizer=name, hyperparameters=optimizer)
