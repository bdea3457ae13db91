"""A folder of classes as a data set: every file that is no image is named."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.common import datasets

tfds = pytest.importorskip("tensorflow_datasets")


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
