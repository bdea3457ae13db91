"""What every source gives: all images and labels in memory, in the order of the original files."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class LabelledImages:
    """A labelled set of images of one size, which is also a map-style dataset of ``(image, label)``.

    Attributes:
        images: uint8 ``(n, height, width)``, with a last axis of 3 where there is colour; 0 to 255.
        labels: int64 ``(n,)``, an index into ``classes``.
        classes: the names of the classes.
        source: one sentence that says where the data came from.
    """

    images: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    source: str

    def __post_init__(self) -> None:
        if self.images.dtype != np.uint8 or self.labels.dtype != np.int64:
            raise TypeError(f"expected uint8 images and int64 labels, got {self.images.dtype}, {self.labels.dtype}")
        if len(self.images) != len(self.labels):
            raise ValueError(f"{len(self.images)} images do not go with {len(self.labels)} labels")

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return self.images[index], int(self.labels[index])
