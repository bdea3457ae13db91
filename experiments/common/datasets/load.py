"""``load(name, split, data)``: from a prepared set, from the original files, or one sentence that says what to do."""

import difflib
from pathlib import Path

import numpy as np

from experiments.common.datasets import prepared
from experiments.common.datasets.catalog import CATALOG, find_originals, read_originals, ways_to_get
from experiments.common.datasets.errors import DataUnavailable
from experiments.common.datasets.images import LabelledImages

NAMES = (*CATALOG, "digits")


def load(name: str, split: str = "train", data: str | Path | None = None) -> LabelledImages:
    """One split of a data set, in the order of its original files. Nothing is ever downloaded here.

    Args:
        name: ``fashion_mnist``, ``mnist``, ``cifar10`` or ``digits``.
        split: ``train`` or ``test``.
        data: a data directory of tensorflow-datasets that holds the prepared set, or a directory with the original
            files (for FashionMNIST and MNIST the four IDX files, packed or not), which are prepared there once.
            None looks in the user's data directory, then where a package of the distribution puts the files.
            ``digits`` comes with scikit-learn and needs no directory.

    Raises:
        ValueError: there is no such data set or split, or (as ``DamagedData``) a file is broken.
        DataUnavailable: the data is nowhere; the sentence names the ways to get it.
    """
    if name not in NAMES:
        near = difflib.get_close_matches(name, NAMES, n=1)
        raise ValueError(f"unknown data set {name!r}; " + (f"did you mean {near[0]!r}?" if near else f"one of {NAMES}"))
    if split not in prepared.SPLITS:
        raise ValueError(f"unknown split {split!r}: expected 'train' or 'test'")
    if name == "digits":
        return _digits(split)

    entry = CATALOG[name]
    data_dir = prepared.default_data_dir() if data is None else Path(data).expanduser()
    directory = prepared.find_prepared(name, data_dir)
    if directory is None:
        folder = find_originals(name, data_dir)
        if folder is None and data is None and entry.system is not None:
            folder = find_originals(name, entry.system[0])
        if folder is None:
            looked = [data_dir] if data is not None or entry.system is None else [data_dir, entry.system[0]]
            places = " or ".join(map(str, looked))
            if list((data_dir / name).glob("*/dataset_info.json")):
                places += f" ({data_dir / name} is in a format that needs TensorFlow)"
            raise DataUnavailable(f"{entry.title} was not found in {places}: {ways_to_get(name)}")
        try:
            directory = prepared.prepare(name, folder, data_dir)
        except OSError as error:  # a place that cannot be written; the files can be read all the same
            images, labels = read_originals(name, folder, split)
            why = f"{data_dir} cannot be written ({error.strerror})"
            source = f"{entry.title} ({split}) from the original files in {folder}; {why}"
            return LabelledImages(images, labels, entry.classes, source)
    images, labels = prepared.read_prepared(name, directory, split)
    source = f"{entry.title} ({split}) through tensorflow-datasets, prepared in {directory}"
    return LabelledImages(images, labels, entry.classes, source)


def _digits(split: str) -> LabelledImages:
    """scikit-learn's 1,797 digits of 8x8 pixels, every fifth a test sample, 0..16 spread to 0..255."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    chosen = (np.arange(len(digits.target)) % 5 == 4) == (split == "test")
    images = np.rint(digits.images[chosen] * (255 / 16)).astype(np.uint8)
    source = f"the digits of scikit-learn's load_digits ({split}), 8x8 pixels, spread to 0..255"
    return LabelledImages(images, digits.target[chosen].astype(np.int64), tuple("0123456789"), source)
