"""The data sets by name: their classes, the files they are shipped in, and where those are had."""

import dataclasses
from pathlib import Path

import numpy as np

from experiments.common.datasets.cifar import read_cifar10
from experiments.common.datasets.errors import DamagedData
from experiments.common.datasets.idx import read_idx


@dataclasses.dataclass(frozen=True)
class Download:
    """One file on the network, checked by its SHA-256 (the numbers tensorflow-datasets records)."""

    url: str
    sha256: str

    @property
    def file_name(self) -> str:
        return self.url.rsplit("/", 1)[1]


@dataclasses.dataclass(frozen=True)
class Entry:
    """What is known of one data set.

    Attributes:
        title: the name people use.
        classes: the names of the classes, in the order of the labels.
        shape: of one image.
        folders: where below a data directory its original files are looked for, torchvision's places included.
        files: the original files in words.
        system: where a distribution's package puts the files, and that package's name.
        downloads: the original files.
    """

    title: str
    classes: tuple[str, ...]
    shape: tuple[int, ...]
    folders: tuple[str, ...]
    files: str
    system: tuple[Path, str] | None
    downloads: tuple[Download, ...]


_FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
_MNIST = "https://storage.googleapis.com/cvdf-datasets/mnist/"
_IDX_PREFIX = {"train": "train", "test": "t10k"}

CATALOG = {
    "fashion_mnist": Entry(
        title="FashionMNIST",
        classes=(
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
        shape=(28, 28),
        folders=("fashion_mnist", "fashion-mnist", "FashionMNIST/raw", "."),
        files="the four IDX files",
        system=(Path("/usr/share/datasets/fashion-mnist"), "dataset-fashion-mnist"),
        downloads=(
            Download(
                _FASHION + "train-images-idx3-ubyte.gz",
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            ),
            Download(
                _FASHION + "train-labels-idx1-ubyte.gz",
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            ),
            Download(
                _FASHION + "t10k-images-idx3-ubyte.gz",
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            ),
            Download(
                _FASHION + "t10k-labels-idx1-ubyte.gz",
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
        ),
    ),
    "mnist": Entry(
        title="MNIST",
        classes=tuple("0123456789"),
        shape=(28, 28),
        folders=("mnist", "MNIST/raw", "."),
        files="the four IDX files",
        system=None,
        downloads=(
            Download(
                _MNIST + "train-images-idx3-ubyte.gz",
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            ),
            Download(
                _MNIST + "train-labels-idx1-ubyte.gz",
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            ),
            Download(
                _MNIST + "t10k-images-idx3-ubyte.gz",
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            ),
            Download(
                _MNIST + "t10k-labels-idx1-ubyte.gz",
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            ),
        ),
    ),
    "cifar10": Entry(
        title="CIFAR-10",
        classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        shape=(32, 32, 3),
        folders=("cifar10", "cifar-10-batches-bin", "."),
        files="the binary version's files",
        system=None,
        downloads=(
            Download(
                "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            ),
        ),
    ),
}


def find_originals(name: str, directory: Path) -> Path | None:
    """The folder in or below ``directory`` that holds the original files of a data set, if there is one."""
    for folder in CATALOG[name].folders:
        place = directory / folder
        if _holds_originals(name, place):
            return place
    return None


def read_originals(name: str, folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (uint8) and labels (int64) of one split from the original files.

    Raises:
        DamagedData: a file is cut off, of another format, or does not fit the others.
    """
    if name == "cifar10":
        images, labels = read_cifar10(folder, split)
    else:
        files = [_idx_file(folder, split, kind) for kind in ("images-idx3", "labels-idx1")]
        assert files[0] is not None and files[1] is not None
        images, labels = read_idx(files[0]), read_idx(files[1])
        if images.dtype != np.uint8 or images.shape[1:] != CATALOG[name].shape:
            raise DamagedData(files[0], f"holds {images.dtype} of shape {images.shape}, not images of {name}")
        if labels.shape != images.shape[:1]:
            raise DamagedData(files[1], f"holds labels of shape {labels.shape} for {len(images)} images")
    if labels.size and not 0 <= labels.min() <= labels.max() < len(CATALOG[name].classes):
        raise DamagedData(folder, f"holds labels from {labels.min()} to {labels.max()}, which {name} does not have")
    return images, labels.astype(np.int64)


def ways_to_get(name: str) -> str:
    """The three ways to get a data set, as the second half of a sentence."""
    entry = CATALOG[name]
    directory = f"give a directory that holds {entry.files}"
    ways = [f"{directory} or the prepared set (--data DIR)"]
    if entry.system is None:
        ways = [f"{directory} (--data DIR)", "give a data directory of tensorflow-datasets that holds it (--data DIR)"]
    else:
        ways.insert(0, f"install Debian's package {entry.system[1]}")
    return f"{', '.join(ways)}, or download it (python -m experiments.common.datasets {name})"


def _holds_originals(name: str, folder: Path) -> bool:
    if name == "cifar10":
        return (folder / "test_batch.bin").is_file() or (folder / "cifar-10-binary.tar.gz").is_file()
    return all(_idx_file(folder, split, kind) for split in _IDX_PREFIX for kind in ("images-idx3", "labels-idx1"))


def _idx_file(folder: Path, split: str, kind: str) -> Path | None:
    stem = f"{_IDX_PREFIX[split]}-{kind}-ubyte"
    for path in (folder / f"{stem}.gz", folder / stem):
        if path.is_file():
            return path
    return None
