"""The sources: right bytes in the original order, broken files named, nothing half-done, no network unasked."""

import gzip
import hashlib
import io
import os
import signal
import socket
import struct
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from experiments.common import datasets
from experiments.common.datasets import prepared
from experiments.common.datasets.__main__ import main
from experiments.common.datasets.catalog import CATALOG
from experiments.common.datasets.idx import ELEMENT_TYPES, read_idx

tfds = pytest.importorskip("tensorflow_datasets")

SYSTEM = CATALOG["fashion_mnist"].system[0]
needs_fashion = pytest.mark.skipif(
    not SYSTEM.is_dir(), reason=f"FashionMNIST is not in {SYSTEM} (apt install dataset-fashion-mnist)"
)


def idx_bytes(array: np.ndarray) -> bytes:
    code = {np.dtype(text): code for code, text in ELEMENT_TYPES.items()}[array.dtype.newbyteorder(">")]
    return (
        struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
        + array.astype(array.dtype.newbyteorder(">")).tobytes()
    )


def write_idx_folder(folder: Path, sizes=(37, 11), *, packed=True, seed=0):
    """The four files of a small FashionMNIST; gives the arrays by split."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {}
    for split, prefix, n in zip(("train", "test"), ("train", "t10k"), sizes, strict=True):
        images = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        labels = rng.integers(0, 10, n, dtype=np.uint8)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            content = idx_bytes(array)
            path = folder / f"{prefix}-{kind}-ubyte{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(content) if packed else content)
        arrays[split] = images, labels
    return arrays


@pytest.fixture
def no_network(monkeypatch):
    """Whoever reaches for the network fails the test."""

    def refuse(*args, **kwargs):
        raise AssertionError("the network was used without being asked for")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


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


# ---- what goes wrong ----


def test_nowhere_is_one_sentence_with_three_ways(tmp_path, no_network):
    began = time.monotonic()
    for name, ways in {
        "fashion_mnist": ["dataset-fashion-mnist", "four IDX files", "--data DIR", "-m experiments.common.datasets"],
        "mnist": ["four IDX files", "tensorflow-datasets", "python -m experiments.common.datasets mnist"],
        "cifar10": ["binary version's files", "tensorflow-datasets", "python -m experiments.common.datasets cifar10"],
    }.items():
        for where in (tmp_path, tmp_path / "missing"):
            with pytest.raises(datasets.DataUnavailable) as caught:
                datasets.load(name, data=where)
            text = str(caught.value)
            assert "\n" not in text and str(where) in text and ". " not in text
            assert all(way in text for way in ways), text
    assert time.monotonic() - began < 30  # retries would take minutes


def test_unknown_names_and_splits():
    with pytest.raises(ValueError, match="did you mean 'fashion_mnist'"):
        datasets.load("fashon_mnist")
    with pytest.raises(ValueError, match="expected 'train' or 'test'"):
        datasets.load("digits", "validation")


def test_a_truncated_file_leaves_nothing_prepared(tmp_path):
    write_idx_folder(tmp_path, packed=False)
    victim = tmp_path / "t10k-images-idx3-ubyte"
    victim.write_bytes(victim.read_bytes()[:-1])
    with pytest.raises(datasets.DamagedData, match=r"t10k-images-idx3-ubyte is truncated"):
        datasets.load("fashion_mnist", "train", tmp_path)
    assert prepared.find_prepared("fashion_mnist", tmp_path) is None


def test_images_and_labels_that_do_not_fit(tmp_path):
    write_idx_folder(tmp_path, packed=False)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros(36, np.uint8)))
    with pytest.raises(datasets.DamagedData, match=r"labels of shape \(36,\) for 37 images"):
        datasets.load("fashion_mnist", "train", tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.full(37, 10, np.uint8)))
    with pytest.raises(datasets.DamagedData, match="labels from 10 to 10"):
        datasets.load("fashion_mnist", "train", tmp_path)


def test_a_damaged_prepared_set_is_named(tmp_path):
    write_idx_folder(tmp_path, packed=False)
    datasets.load("fashion_mnist", "train", tmp_path)
    directory = prepared.find_prepared("fashion_mnist", tmp_path)
    for shard in directory.glob("*.array_record*"):
        shard.write_bytes(shard.read_bytes()[:100])
    with pytest.raises(datasets.DamagedData, match="delete it, and it can be prepared again"):
        datasets.load("fashion_mnist", "train", tmp_path)


def test_a_directory_that_cannot_be_written_still_serves(tmp_path, monkeypatch):
    arrays = write_idx_folder(tmp_path)

    def refuse(*args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(prepared, "prepare", refuse)
    data = datasets.load("fashion_mnist", "train", tmp_path)
    np.testing.assert_array_equal(data.images, arrays["train"][0])
    assert "cannot be written (Permission denied)" in data.source


def test_a_set_in_another_format_is_mentioned(tmp_path):
    directory = tmp_path / "mnist" / "3.0.1"
    directory.mkdir(parents=True)
    (directory / "dataset_info.json").write_text('{"fileFormat": "tfrecord"}')
    with pytest.raises(datasets.DataUnavailable, match="in a format that needs TensorFlow"):
        datasets.load("mnist", data=tmp_path)


def test_a_killed_preparation_leaves_no_set_behind(tmp_path):
    """The process is killed while samples are written; the next one prepares the set as if nothing had been."""
    arrays = write_idx_folder(tmp_path, sizes=(50, 20))
    script = f"""
import os, signal
from experiments.common.datasets import prepared
class Images(list): pass
read = prepared.read_originals
def dying(name, folder, split):
    images, labels = read(name, folder, split)
    class Dying:
        def __iter__(self):
            for i, image in enumerate(images):
                if split == "test" and i == 10:
                    os.kill(os.getpid(), signal.SIGKILL)
                yield image
    return Dying(), labels
prepared.read_originals = dying
from pathlib import Path
prepared.prepare("fashion_mnist", Path({str(tmp_path)!r}), Path({str(tmp_path)!r}))
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, env=dict(os.environ))
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert prepared.find_prepared("fashion_mnist", tmp_path) is None
    (left,) = (tmp_path / "fashion_mnist_in_order").iterdir()
    os.utime(left, (0, 0))  # as if it had been left long ago
    data = datasets.load("fashion_mnist", "test", tmp_path)
    np.testing.assert_array_equal(data.images, arrays["test"][0])
    assert [path.name for path in (tmp_path / "fashion_mnist_in_order").iterdir()] == ["1.0.0"]


def test_two_preparations_at_once_both_succeed(tmp_path, monkeypatch):
    """The second to finish finds the first one's set in place, and that is as good."""
    arrays = write_idx_folder(tmp_path)
    first = prepared._builder_class
    raced = []

    def racing(name):
        if not raced:
            raced.append(True)
            cls = first(name)

            class Slow(cls, skip_registration=True):
                name = cls.name

                def _split_generators(self, dl_manager):
                    prepared.prepare("fashion_mnist", tmp_path, tmp_path)
                    return super()._split_generators(dl_manager)

            return Slow
        return first(name)

    monkeypatch.setattr(prepared, "_builder_class", racing)
    data = datasets.load("fashion_mnist", "train", tmp_path)
    np.testing.assert_array_equal(data.images, arrays["train"][0])


# ---- download, only when asked for ----


def test_download_checks_what_comes(tmp_path, monkeypatch, capsys):
    """One attempt against a directory served as file:// URLs: right bytes are prepared, wrong ones refused."""
    import dataclasses

    from experiments.common.datasets import catalog, download

    served = tmp_path / "served"
    arrays = write_idx_folder(served)
    entry = CATALOG["fashion_mnist"]
    files = tuple(
        catalog.Download(path.as_uri(), hashlib.sha256(path.read_bytes()).hexdigest()) for path in served.glob("*")
    )
    monkeypatch.setitem(CATALOG, "fashion_mnist", dataclasses.replace(entry, downloads=files))
    data_dir = tmp_path / "data"
    assert main(["fashion_mnist", "--data", str(data_dir)]) == 0
    np.testing.assert_array_equal(datasets.load("fashion_mnist", data=data_dir).images, arrays["train"][0])

    wrong = tuple(dataclasses.replace(file, sha256="0" * 64) for file in files)
    monkeypatch.setitem(CATALOG, "fashion_mnist", dataclasses.replace(entry, downloads=wrong))
    other = tmp_path / "other"
    with pytest.raises(datasets.DataUnavailable, match="expected 0000"):
        download("fashion_mnist", other)
    assert [path.name for path in other.rglob("*") if path.is_file()] == []
    capsys.readouterr()


def test_download_without_a_network_ends_at_once(tmp_path, monkeypatch, capsys):
    def unreachable(*args, **kwargs):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unreachable)
    for proxy in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    assert main(["mnist", "--data", str(tmp_path)]) == 1
    text = capsys.readouterr().err
    assert "Name or service not known" in text and "four IDX files" in text


# ---- a folder of classes ----


@pytest.fixture
def letters(tmp_path):
    from experiments.common.datasets.letters import render_letters

    render_letters(tmp_path / "letters", 3, seed=1)
    return tmp_path / "letters"


def test_broken_files_are_listed_and_everything_else_is_read(letters):
    (letters / "C" / ".hidden").write_text("left by a file manager")
    seen = []

    def track(items, description):
        seen.extend(items)
        return items

    images = datasets.FolderOfClasses(letters, track=track)
    assert images.classes == tuple("ABCDEFGHIJ")
    assert len(images) == 30 and (np.bincount(images.labels) == 3).all()
    reasons = {path.name: reason for path, reason in images.unreadable.items()}
    assert set(reasons) == {"empty.png", "truncated.png", "text.png", "narrow.png"}
    assert (
        reasons["truncated.png"].startswith("cannot be read as an image: ") and "truncated" in reasons["truncated.png"]
    )
    assert reasons["narrow.png"] == "has 28 x 20 pixels, not 28 x 28"
    assert len(seen) == 34
    for i in range(30):
        pixels, label = images[i]
        assert pixels.dtype == np.uint8 and pixels.shape == (28, 28) and pixels.max() > 100
        assert images.files[i].parent.name == "ABCDEFGHIJ"[label]
    doubled = datasets.FolderOfClasses(letters, transform=lambda image: image / 2)
    np.testing.assert_array_equal(doubled[4][0], images[4][0] / 2)


@settings(deadline=None, max_examples=40)
@given(cut=st.floats(0, 1, exclude_max=True), seed=st.integers(0, 3))
def test_no_truncation_of_an_image_passes_for_one(tmp_path_factory, cut, seed):
    from PIL import Image

    from experiments.common.datasets.folder import read_grey

    path = tmp_path_factory.mktemp("png") / "a.png"
    pixels = np.random.default_rng(seed).integers(0, 256, (28, 28), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    np.testing.assert_array_equal(read_grey(path, (28, 28)), pixels)
    whole = path.read_bytes()
    kept = int(cut * (len(whole) - 12))  # the last twelve bytes say only that the file has ended
    path.write_bytes(whole[:kept])
    with pytest.raises(datasets.DamagedData, match="cannot be read as an image"):
        read_grey(path, (28, 28))


def test_a_file_that_breaks_later_is_named_by_the_loader(letters):
    from jaxgrad import random
    from jaxgrad.utils import data

    images = datasets.FolderOfClasses(letters)
    images.files[7].write_bytes(b"gone bad")
    batches, _ = data.DataLoader(images, batch_size=5).epoch(random.manual_seed(0))
    next(batches)
    with pytest.raises(datasets.DamagedData) as caught:
        next(batches)
    assert str(images.files[7]) in str(caught.value) and "sample 7 of FolderOfClasses" in caught.value.__notes__[0]
    assert sum(len(labels) for _, labels in batches) == 20


def test_no_folder_no_class_no_image(tmp_path):
    for root in (tmp_path / "missing", tmp_path):
        with pytest.raises(datasets.DataUnavailable, match="one folder of images for each class"):
            datasets.FolderOfClasses(root)
    (tmp_path / "A").mkdir()
    (tmp_path / "A" / "a.png").write_bytes(b"")
    with pytest.raises(datasets.DataUnavailable, match="none of the 1 files"):
        datasets.FolderOfClasses(tmp_path)
