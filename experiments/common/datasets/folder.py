"""A folder of class folders of images, as NotMNIST is shipped: ``A/*.png`` to ``J/*.png``, some of them broken.

Every file is opened once in the beginning. What can be read is the dataset; what cannot is listed with its reason,
so that neither an epoch fails over one file nor a file is missing without anybody knowing.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from experiments.common.datasets.errors import DamagedData, DataUnavailable
from jaxgrad.utils import data

Track = Callable[[Iterable[Any], str], Iterable[Any]]


class FolderOfClasses(data.Dataset):
    """Grey images by class, read from their files when they are asked for: ``(image, label)``.

    Args:
        root: a directory whose sub-directories are the classes, in the order of their names.
        size: height and width that every image must have.
        transform: applied to each image, a uint8 array (height, width); the loader's worker does it.
        track: shows progress over an iterable.

    Attributes:
        classes: the names of the sub-directories.
        files: the readable files, class by class in the order of their names.
        labels: int64, one for each file.
        unreadable: the other files, and why each cannot be used.

    Raises:
        DataUnavailable: there is no such directory, no class in it, or no readable image.
    """

    def __init__(
        self,
        root: str | Path,
        size: tuple[int, int] = (28, 28),
        transform: Callable[[np.ndarray], Any] | None = None,
        track: Track = lambda items, description: items,
    ):
        root = Path(root)
        folders = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
        if not folders:
            raise DataUnavailable(f"{root} is not a directory with one folder of images for each class")
        self.size, self.transform = size, transform
        self.classes = tuple(folder.name for folder in folders)
        self.files: list[Path] = []
        self.unreadable: dict[Path, str] = {}
        labels = []
        candidates = [
            (label, path)
            for label, folder in enumerate(folders)
            for path in sorted(folder.iterdir())
            if not path.name.startswith(".")
        ]
        for label, path in track(candidates, f"reading {root.name}"):
            try:
                read_grey(path, size)
            except DamagedData as error:
                self.unreadable[path] = str(error).removeprefix(f"{path} ")
            else:
                self.files.append(path)
                labels.append(label)
        self.labels = np.array(labels, np.int64)
        if not self.files:
            raise DataUnavailable(f"none of the {len(candidates)} files in {root} is a grey image of {size}")

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        image = read_grey(self.files[index], self.size)
        return image if self.transform is None else self.transform(image), int(self.labels[index])


def read_grey(path: Path, size: tuple[int, int]) -> np.ndarray:
    """The pixels of a grey image, uint8 ``(height, width)``; colours are turned to grey.

    Raises:
        DamagedData: the file is empty, cut off, no image, or of another size.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("L"))
        with Image.open(path) as image:
            image.verify()  # the checksums, which decoding does not look at
    except Exception as error:  # image libraries raise whatever their decoders do
        raise DamagedData(path, f"cannot be read as an image: {error}".replace(f" {str(path)!r}", "")) from error
    if pixels.shape != size:
        raise DamagedData(path, f"has {pixels.shape[0]} x {pixels.shape[1]} pixels, not {size[0]} x {size[1]}")
    return pixels
