"""The images that the levers are tried on: a part of the training set, evenly or unevenly filled classes."""

from dataclasses import dataclass

import numpy as np

from experiments.common.experiment import Settings
from experiments.common.fashion import load_images, pixels
from experiments.common.levers.lever import Lever

CLASSES, RATIO, FAR = 10, 10.0, 2


@dataclass(frozen=True)
class Images:
    """What one lever is trained and tested on.

    Attributes:
        x, y: training images (n, 1, H, W) and labels.
        x_test, y_test: of the test set, whose classes are of equal size.
        source: where they come from.
    """

    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    source: str

    def weights(self) -> np.ndarray:
        """Of each class, inverse to its size; one on average."""
        sizes = np.bincount(self.y, minlength=CLASSES)
        inverse = 1.0 / np.maximum(sizes, 1)
        return (inverse / inverse.mean()).astype(np.float32)


def images_of(lever: Lever, settings: Settings) -> Images:
    """The first images of the training set; of unequal classes the later ones have fewer, the last a tenth."""
    train, test = load_images(settings), load_images(settings, "test")
    n = 640 if settings.quick else 6000
    x, y = pixels(train.images[:n])[:, None], np.asarray(train.labels[:n], np.int64)
    if lever.skewed:
        kept = _uneven(y)
        x, y = x[kept], y[kept]
    m = 200 if settings.quick else 2000
    return Images(x, y, pixels(test.images[:m])[:, None], np.asarray(test.labels[:m], np.int64), train.source)


def _uneven(y: np.ndarray) -> np.ndarray:
    rows = []
    for label in range(CLASSES):
        of_label = np.flatnonzero(y == label)
        rows.append(of_label[: max(1, round(len(of_label) * RATIO ** (-label / (CLASSES - 1))))])
    return np.sort(np.concatenate(rows))


def augmented(x: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """Every image moved down and right by its own numbers of pixels, zeros coming in.

    Args:
        x: (n, 1, H, W).
        moves: (n, 2) integers from -2 to 2.
    """
    height, width = x.shape[2:]
    framed = np.pad(x, ((0, 0), (0, 0), (FAR, FAR), (FAR, FAR)))
    rows = np.arange(height) + FAR - moves[:, :1]
    columns = np.arange(width) + FAR - moves[:, 1:]
    moved = framed[np.arange(len(x))[:, None, None], 0, rows[:, :, None], columns[:, None, :]]
    return np.ascontiguousarray(moved[:, None])
