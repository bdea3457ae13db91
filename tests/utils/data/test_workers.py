"""Worker processes: the same samples, seeds and order as torch's, and nothing lost whatever the workers do.

torch's half runs once in a process of its own. No test looks at a clock to decide.
"""

import itertools
import json
import multiprocessing
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from jaxgrad import random
from jaxgrad.utils import data
from tests.utils.data import worker_datasets as sets

pytest.importorskip("grain")
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def torchs():
    pytest.importorskip("torch")
    done = subprocess.run(
        [sys.executable, "-m", "tests.utils.data.torch_workers"], cwd=ROOT, capture_output=True, timeout=300
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


@pytest.fixture(autouse=True)
def no_process_is_left():
    yield
    deadline = time.monotonic() + 60
    while left := [child for child in multiprocessing.active_children() if child.name.startswith("grain")]:
        assert time.monotonic() < deadline, f"left behind: {left}"
        time.sleep(0.05)


def plain(batch):
    if isinstance(batch, np.ndarray):
        return batch.tolist()
    if isinstance(batch, dict):
        return {key: plain(value) for key, value in batch.items()}
    return batch


class Sharded(data.IterableDataset):
    def __iter__(self):
        info = data.get_worker_info()
        return iter(range(100 * info.id, 100 * info.id + (3, 8)[info.id]))


def run(loader, seed, between, n_epochs, read):
    """What ``torch_workers.epochs`` does, here."""
    generator, batches, epochs = random.manual_seed(seed), None, []
    for _ in range(n_epochs):
        opened, generator = loader.open(generator, after=batches)
        _, generator = random.rand(generator, between)
        batches, generator = opened.start(generator)
        epochs.append(read(batches))
    batches.close()
    return epochs, generator.get_state().tolist()


CASES = {
    "plain": (dict(batch_size=2, shuffle=True, worker_init_fn=sets.announce), 3, 2, 2),
    "persistent": (dict(batch_size=3, shuffle=True, persistent_workers=True), 4, 1, 3),
    "own": (dict(batch_size=2, shuffle=True, generator=random.manual_seed(5)), 5, 1, 2),
    "persistent own": (
        dict(batch_size=2, shuffle=True, generator=random.manual_seed(5), persistent_workers=True), 6, 3, 3,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_orders_and_draws_are_torchs(torchs, case):
    """Without starting a worker: when what is drawn is decided in the main process."""
    arguments, *numbers = CASES[case]
    loader = data.DataLoader(sets.Augmented("jaxgrad"), num_workers=2, **arguments)
    orders, state = run(loader, *numbers, read=lambda batches: list(batches.index_batches))
    assert orders == [[batch["index"] for batch in epoch] for epoch in torchs[case]["epochs"]]
    assert state == torchs[case]["state"]


@pytest.mark.parametrize("case", ["plain", "persistent"])
def test_samples_and_worker_seeds_are_torchs(torchs, case):
    """Which worker reads which batch, its seeds, and what random augmentation makes of them, epoch after epoch."""
    arguments, *numbers = CASES[case]
    loader = data.DataLoader(sets.Augmented("jaxgrad"), num_workers=2, **arguments)
    epochs, _ = run(loader, *numbers, read=lambda batches: [plain(batch) for batch in batches])
    assert epochs == torchs[case]["epochs"]
    assert {worker for batch in epochs[0] for worker in batch["worker"]} == {0, 1}


UNEVEN = {
    "persistent uneven": ({}, 8, 0, 3, 5, None),
    "persistent left": ({"shuffle": True}, 9, 1, 3, 11, 3),
}


@pytest.mark.parametrize("case", UNEVEN)
def test_persistent_workers_begin_each_epoch_anew(torchs, case):
    """Also if batches do not divide among them, and after an epoch that was left early: order, workers and seeds.

    What is drawn in a worker that has read ahead of an epoch left early is chance in torch too.
    """
    arguments, seed, between, n_epochs, n, leave = UNEVEN[case]
    loader = data.DataLoader(sets.Augmented("jaxgrad", n), num_workers=2, persistent_workers=True, **arguments)
    left = [leave] * (n_epochs - 1) + [None]
    epochs, state = run(
        loader,
        seed,
        between,
        n_epochs,
        lambda batches: [plain(batch) for batch in itertools.islice(batches, left.pop(0))],
    )
    keys = ("index", "worker", "seed") if leave else ("index", "worker", "seed", "python", "numpy")
    expected = torchs[case]["epochs"]
    assert [[batch[key] for key in keys] for epoch in epochs for batch in epoch] == [
        [batch[key] for key in keys] for epoch in expected for batch in epoch
    ]
    assert state == torchs[case]["state"]


@pytest.mark.slow
def test_persistent_workers_after_an_epoch_that_was_resumed():
    """Batch k is still worker k modulo n's, though another slot read the first one."""
    loader = data.DataLoader(sets.Augmented("jaxgrad", 5), num_workers=2, persistent_workers=True)
    opened, generator = loader.epoch(random.manual_seed(0), after=None)
    resumed = loader.resume({**opened.state(), "position": 3})
    assert [plain(batch)["worker"] for batch in resumed] == [[1], [0]]
    batches, generator = loader.epoch(generator, after=resumed)
    assert [(plain(batch)["index"], plain(batch)["worker"]) for batch in batches] == [([k], [k % 2]) for k in range(5)]
    batches.close()


@pytest.mark.parametrize(
    "case",
    [
        pytest.param("stream", marks=pytest.mark.slow),
        pytest.param("stream drop", marks=pytest.mark.slow),
        "persistent stream",
    ],
)
def test_streams_are_interleaved_as_torchs(torchs, case):
    arguments = {"batch_size": 2, "drop_last": case == "stream drop", "persistent_workers": "persistent" in case}
    numbers = (2, 2) if "persistent" in case else (0, 1)
    loader = data.DataLoader(Sharded(), num_workers=2, **arguments)
    epochs, state = run(loader, 7, *numbers, read=lambda batches: [plain(batch) for batch in batches])
    assert epochs == torchs[case]["epochs"]
    assert state == torchs[case]["state"]


def test_failures_name_the_sample_and_the_epoch_goes_on():
    loader = data.DataLoader(sets.Failing("jaxgrad", 8), num_workers=2, collate_fn=lambda batch: batch[0])
    batches, _ = loader.epoch(random.manual_seed(0))
    read, raised = [], []
    while True:
        try:
            read.append(next(batches))
        except StopIteration:
            break
        except Exception as error:
            raised.append(error)
    assert read == [0, 2, 3, 5, 7]
    assert [type(error) for error in raised] == [KeyError, RuntimeError, RuntimeError]
    for error, cause, sample, worker in zip(
        raised, ["no such file", "a and b", "gone"], [1, 4, 6], [1, 0, 0], strict=True
    ):
        text = str(error)
        assert text.startswith("Caught ") and f"in DataLoader worker process {worker}." in text
        assert cause in text and "worker_datasets.py" in text
        assert f"raised by sample {sample} of Failing" in text or sample == 6


def test_a_killed_worker_ends_the_epoch_with_an_error():
    loader = data.DataLoader(sets.Deadly("jaxgrad", 8), num_workers=2)
    batches, _ = loader.epoch(random.manual_seed(0))
    with pytest.raises(RuntimeError, match="exited unexpectedly") as caught:
        for _ in range(8):
            next(batches)
    assert "-9" in str(caught.value)
    with pytest.raises(RuntimeError, match="exited unexpectedly"):  # it does not look like an end afterwards
        next(batches)


@pytest.mark.slow
def test_a_worker_that_does_not_answer():
    loader = data.DataLoader(sets.Stuck("jaxgrad", 4), num_workers=1, timeout=30)
    batches, _ = loader.epoch(random.manual_seed(0))
    assert [next(batches).tolist(), next(batches).tolist()] == [[0], [1]]
    with pytest.raises(RuntimeError, match="DataLoader timed out after 30 seconds"):
        next(batches)


@pytest.mark.slow
def test_a_worker_that_cannot_start():
    loader = data.DataLoader(sets.Augmented("jaxgrad"), num_workers=1, worker_init_fn=sets.refuse)
    batches, _ = loader.epoch(random.manual_seed(0))
    with pytest.raises(LookupError, match="worker 0 cannot start"):
        next(batches)
    batches.close()


@pytest.mark.slow
def test_a_batch_that_cannot_be_sent():
    loader = data.DataLoader(sets.Unpicklable("jaxgrad", 4), num_workers=1, collate_fn=list)
    batches, _ = loader.epoch(random.manual_seed(0))
    assert [next(batches), next(batches)] == [[0], [1]]
    with pytest.raises(Exception, match="pickle"):
        next(batches)
    assert next(batches) == [3]
    batches.close()


def test_two_workers_read_at_the_same_time(tmp_path):
    batches, _ = data.DataLoader(sets.Meeting(str(tmp_path), 4), num_workers=2).epoch(random.manual_seed(0))
    assert [batch.tolist() for batch in batches] == [[True]] * 4


def test_any_structure_arrives_as_it_was():
    """Large arrays through shared memory, small ones beside them, keys in their own order, writable."""
    dataset = sets.Texts("jaxgrad", 5)
    alone, _ = data.DataLoader(dataset, batch_size=2).epoch(random.manual_seed(0))
    batches, _ = data.DataLoader(dataset, batch_size=2, num_workers=1).epoch(random.manual_seed(0))
    for ours, expected in zip(batches, alone, strict=True):
        assert list(ours) == list(expected) == ["text", "array", 3]
        assert ours["text"] == expected["text"] and type(ours["array"]) is np.ndarray
        np.testing.assert_array_equal(ours["array"], expected["array"])
        np.testing.assert_array_equal(ours[3][0], expected[3][0])
        ours["array"] += 1


@pytest.mark.parametrize("stop", [pytest.param(1, marks=pytest.mark.slow), 4])
def test_an_epoch_is_left_and_resumed(torchs, stop):
    """Batches that were read ahead are not lost; worker k still reads batches k modulo n."""
    arguments, seed, *_ = CASES["plain"]
    loader = data.DataLoader(sets.Augmented("jaxgrad"), num_workers=2, **arguments)
    opened, _ = loader.open(random.manual_seed(seed))
    batches, _ = opened.start(random.manual_seed(0))
    read = [next(batches) for _ in range(stop)]
    state = batches.state()
    batches.close()
    rest = list(loader.resume(state))
    expected = torchs["plain"]["epochs"][0]
    for key in ("index", "worker", "seed"):
        assert [plain(batch)[key] for batch in read + rest] == [batch[key] for batch in expected]


@pytest.mark.slow
def test_a_stream_is_resumed_worker_by_worker(torchs):
    loader = data.DataLoader(Sharded(), num_workers=2, batch_size=2)
    batches, _ = loader.epoch(random.manual_seed(7))
    read = [plain(next(batches)) for _ in range(3)]
    state = batches.state()
    batches.close()
    assert read + [plain(batch) for batch in loader.resume(state)] == torchs["stream"]["epochs"][0]


def test_workers_end_with_their_epoch():
    """Forgotten in the middle of an epoch, they are gone (the fixture looks for them)."""
    loader = data.DataLoader(sets.Augmented("jaxgrad", 40), num_workers=1)
    batches, _ = loader.epoch(random.manual_seed(0))
    next(batches)
    assert any(child.name().startswith("python") for child in psutil.Process().children())
    del batches


def test_the_main_process_is_no_worker():
    assert data.get_worker_info() is None
