"""The sources: right bytes in the original order, broken files named, nothing half-done, no network unasked."""

import gzip
import hashlib
import io
import tarfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from experiments.common import datasets
from experiments.common.datasets import prepared
from experiments.common.datasets.catalog import CATALOG
from experiments.common.datasets.idx import read_idx
from tests.experiments.idx_files import idx_bytes, write_idx_folder

tfds = pytest.importorskip("tensorflow_datasets")

SYSTEM = CATALOG["fashion_mnist"].system[0]
needs_fashion = pytest.mark.skipif(
    not SYSTEM.is_dir(), reason=f"FashionMNIST is not in {SYSTEM} (apt install dataset-fashion-mnist)"
)


# ---- the IDX format ----


@settings(deadline=None, max_examples=50)
@given(
    array=hnp.arrays(
        st.sampled_from([np.uint8, np.int8, np.int16, np.int32, np.float32, np.float64]),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
    ),
    packed=st.booleans(),
)
def test_idx_round_trip(tmp_path_factory, array, packed):
    path = tmp_path_factory.mktemp("idx") / ("a.gz" if packed else "a")
    path.write_bytes(gzip.compress(idx_bytes(array)) if packed else idx_bytes(array))
    read = read_idx(path)
    assert read.dtype == array.dtype and read.shape == array.shape
    assert read.tobytes() == array.tobytes()


@pytest.mark.parametrize("packed", [True, False])
def test_every_truncation_of_an_idx_file_is_named(tmp_path, packed):
    whole = idx_bytes(np.arange(12, dtype=np.uint8).reshape(3, 4))
    whole = gzip.compress(whole) if packed else whole
    path = tmp_path / ("a.gz" if packed else "a")
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(datasets.DamagedData, match=r"is truncated|is not a sound gzip file") as caught:
            read_idx(path)
        assert str(path) in str(caught.value)


def test_other_files_are_not_taken_for_idx(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(30))
    with pytest.raises(datasets.DamagedData, match="is not an IDX file: it begins with the bytes 89 50 4e 47"):
        read_idx(path)
    path.write_bytes(idx_bytes(np.zeros(3, np.uint8)) + b"more")
    with pytest.raises(datasets.DamagedData, match="is too long"):
        read_idx(path)
    packed = tmp_path / "b.gz"
    packed.write_bytes(b"not gzip at all")
    with pytest.raises(datasets.DamagedData, match="is not a sound gzip file"):
        read_idx(packed)


# ---- load ----


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("below", [".", "FashionMNIST/raw"])
def test_idx_files_are_prepared_once_and_keep_their_order(tmp_path, no_network, packed, below):
    arrays = write_idx_folder(tmp_path / below, packed=packed)
    for split in ("train", "test"):
        data = datasets.load("fashion_mnist", split, tmp_path)
        np.testing.assert_array_equal(data.images, arrays[split][0])
        np.testing.assert_array_equal(data.labels, arrays[split][1])
        assert data.images.dtype == np.uint8 and data.labels.dtype == np.int64
        assert "tensorflow-datasets" in data.source
    image, label = data[3]
    assert len(data) == 11 and (image == arrays["test"][0][3]).all() and label == arrays["test"][1][3]

    for path in (tmp_path / below).glob("*ubyte*"):
        path.unlink()
    again = datasets.load("fashion_mnist", "train", tmp_path)  # from the prepared set alone
    np.testing.assert_array_equal(again.images, arrays["train"][0])


@needs_fashion
def test_fashion_mnist_is_the_published_set(tmp_path, no_network, monkeypatch):
    monkeypatch.setattr(prepared, "default_data_dir", lambda: tmp_path)
    train = datasets.load("fashion_mnist")
    assert train.images.shape == (60000, 28, 28) and train.labels.shape == (60000,)
    assert (np.bincount(train.labels) == 6000).all()
    assert train.labels[:10].tolist() == [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]
    raw = gzip.decompress((SYSTEM / "train-images-idx3-ubyte.gz").read_bytes())
    assert hashlib.sha256(raw[16:]).digest() == hashlib.sha256(train.images.tobytes()).digest()
    assert len(datasets.load("fashion_mnist", split="test")) == 10000


def test_a_set_prepared_by_the_stock_builder_is_put_in_order(tmp_path, no_network):
    """tensorflow-datasets shuffles by hashed keys while preparing, and stores PNGs: the order is restored."""
    from PIL import Image

    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (60, 28, 28), dtype=np.uint8)

    def png(pixels):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        file.seek(0)
        return file

    class Stock(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("3.0.1")
        url_infos = {}  # noqa: RUF012
        name = "fashion_mnist"

        def _info(self):
            features = {
                "image": tfds.features.Image(shape=(28, 28, 1)),
                "label": tfds.features.ClassLabel(num_classes=10),
            }
            return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            for i, image in enumerate(images):
                yield i, {"image": png(image), "label": i % 10}

    builder = Stock(data_dir=tmp_path, file_format="array_record")
    builder.download_and_prepare(download_dir=tmp_path / "downloads")
    stored = builder.as_data_source("train")
    assert not all((stored[i]["image"][..., 0] == images[i]).all() for i in range(60))

    data = datasets.load("fashion_mnist", "train", tmp_path)
    np.testing.assert_array_equal(data.images, images)
    np.testing.assert_array_equal(data.labels, np.arange(60) % 10)


@pytest.mark.parametrize("archive", [True, False])
def test_cifar10(tmp_path, no_network, archive):
    rng = np.random.default_rng(2)
    names = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
    batches = {name: rng.integers(0, 10, (4, 3073), dtype=np.uint8) for name in names}
    if archive:
        with tarfile.open(tmp_path / "cifar-10-binary.tar.gz", "w:gz") as members:
            for name, records in batches.items():
                member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
                member.size = records.size
                members.addfile(member, io.BytesIO(records.tobytes()))
    else:
        for name, records in batches.items():
            (tmp_path / name).write_bytes(records.tobytes())
    data = datasets.load("cifar10", "train", tmp_path)
    expected = np.concatenate([batches[name] for name in names[:5]])
    assert data.images.shape == (20, 32, 32, 3)
    np.testing.assert_array_equal(data.labels, expected[:, 0])
    np.testing.assert_array_equal(data.images[7, :, :, 1].ravel(), expected[7, 1 + 1024 : 1 + 2048])


def test_digits_are_always_there(no_network):
    train, test = datasets.load("digits", "train"), datasets.load("digits", "test")
    assert (len(train), len(test)) == (1438, 359)
    assert train.images.shape[1:] == (8, 8) and train.images.max() == 255
    assert set(train.labels) == set(test.labels) == set(range(10))
    np.testing.assert_array_equal(test.images, datasets.load("digits", "test").images)
    from sklearn.datasets import load_digits

    np.testing.assert_array_equal(np.rint(test.images / 255 * 16), load_digits().images[4::5])
