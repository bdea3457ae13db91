"""Data sets prepared by tensorflow-datasets and read with ``tfds.data_source``; TensorFlow itself is not needed.

Two kinds of prepared sets are read. Ours, ``<name>_in_order``, keeps the order of the original files and holds raw
bytes. tensorflow-datasets' own, ``<name>``, holds its samples sorted by a hash of their index; the hash is undone, so
that sample i is sample i of the original files here too. A set in the ``tfrecord`` format needs TensorFlow and is
passed over.

Preparing writes under a temporary name and renames at the end, so that an interrupted run leaves no set behind that
looks whole.
"""

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from experiments.common.datasets.catalog import CATALOG, read_originals
from experiments.common.datasets.errors import DamagedData
from jaxgrad._core.optional import require

VERSION = "1.0.0"
SPLITS = ("train", "test")


def find_prepared(name: str, data_dir: Path) -> Path | None:
    """The directory of a prepared set that can be read here, ours before tensorflow-datasets' own."""
    candidates = [data_dir / f"{name}_in_order" / VERSION, *sorted((data_dir / name).glob("[0-9]*.[0-9]*.[0-9]*"))]
    for directory in candidates:
        info = directory / "dataset_info.json"
        if info.is_file() and json.loads(info.read_text()).get("fileFormat") == "array_record":
            return directory
    return None


def read_prepared(name: str, directory: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (uint8) and labels (int64) of one split, in the order of the original files.

    Raises:
        DamagedData: the directory is not what its description says.
    """
    tfds = _tensorflow_datasets()
    try:
        builder = tfds.builder_from_directory(directory)
        source = builder.as_data_source(split)
        samples = source.__getitems__(range(len(source)))
    except Exception as error:  # whatever the readers below raise, the remedy is the same
        raise DamagedData(directory, f"is damaged ({error}): delete it, and it can be prepared again") from error
    images = np.stack([sample["image"] for sample in samples]).reshape(len(samples), *CATALOG[name].shape)
    labels = np.array([sample["label"] for sample in samples], np.int64)
    if builder.info.disable_shuffling:
        return images, labels
    original = _hash_order(split, len(labels))
    in_order = np.empty_like(original)
    in_order[original] = np.arange(len(labels))
    return images[in_order], labels[in_order]


def prepare(name: str, folder: Path, data_dir: Path) -> Path:
    """Prepare the original files in ``folder`` under ``data_dir``, showing progress; gives the prepared directory.

    Raises:
        DamagedData: an original file is broken; nothing is written then.
        OSError: ``data_dir`` cannot be written.
    """
    arrays = {split: read_originals(name, folder, split) for split in SPLITS}
    data_dir.mkdir(parents=True, exist_ok=True)
    _sweep(data_dir / f"{name}_in_order")
    builder = _builder_class(name)(arrays, data_dir=data_dir, file_format="array_record")
    with tempfile.TemporaryDirectory() as nothing_is_downloaded:
        try:
            builder.download_and_prepare(download_dir=nothing_is_downloaded)
        except OSError:
            # Another process may have been faster with the last rename; then its set is as good.
            if find_prepared(name, data_dir) is None:
                raise
    return Path(builder.data_path)


def _sweep(directory: Path) -> None:
    """Remove what preparations that were killed more than a day ago left under their temporary names."""
    for left in directory.glob("incomplete.*"):
        if time.time() - left.stat().st_mtime > 24 * 3600:
            shutil.rmtree(left, ignore_errors=True)


def default_data_dir() -> Path:
    """Where tensorflow-datasets keeps data by default: ``TFDS_DATA_DIR`` or ``~/tensorflow_datasets``."""
    return Path(_tensorflow_datasets().core.constants.DATA_DIR).expanduser()


def _tensorflow_datasets() -> Any:
    return require("tensorflow_datasets", extra="data", purpose="reading a prepared data set")


def _hash_order(split: str, n: int) -> np.ndarray:
    """The original index at each place of a set that tensorflow-datasets shuffled by its keys, the indices."""
    return np.array(sorted(range(n), key=lambda i: hashlib.md5(f"{split}{i}".encode()).digest()), np.int64)


def _builder_class(name: str) -> type:
    """A tensorflow-datasets builder that writes arrays as they are, without TensorFlow."""
    tfds: Any = _tensorflow_datasets()
    entry = CATALOG[name]
    generator_based: Any = tfds.core.GeneratorBasedBuilder

    class InOrder(generator_based, skip_registration=True):  # type: ignore[call-arg]
        VERSION = tfds.core.Version(VERSION)
        url_infos: dict[str, Any] = {}  # noqa: RUF012 (tensorflow-datasets' own class attribute)

        def __init__(self, arrays: dict[str, tuple[np.ndarray, np.ndarray]], **kwargs: Any):
            self._arrays = arrays
            super().__init__(**kwargs)

        def _info(self) -> Any:
            return tfds.core.DatasetInfo(
                builder=self,
                description=f"{entry.title} in the order of its original files.",
                features=tfds.features.FeaturesDict(
                    {
                        "image": tfds.features.Tensor(shape=entry.shape, dtype=np.uint8, encoding="bytes"),
                        "label": tfds.features.ClassLabel(names=list(entry.classes)),
                    }
                ),
                disable_shuffling=True,
            )

        def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
            del dl_manager
            return {split: self._generate_examples(*arrays) for split, arrays in self._arrays.items()}

        def _generate_examples(self, images: np.ndarray, labels: np.ndarray) -> Iterator[tuple[int, Any]]:
            for i, (image, label) in enumerate(zip(images, labels, strict=True)):
                yield i, {"image": image, "label": int(label)}

    InOrder.name = f"{name}_in_order"
    return InOrder
