"""What is broken, cut off, killed or unreachable: named, and nothing half-done is left."""

import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from experiments.common import datasets
from experiments.common.datasets import prepared
from experiments.common.datasets.__main__ import main
from experiments.common.datasets.catalog import CATALOG
from tests.experiments.idx_files import idx_bytes, write_idx_folder

tfds = pytest.importorskip("tensorflow_datasets")


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
