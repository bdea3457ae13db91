"""A residual network and a small GPT, trained by a whole recipe beside torch in float64, every step compared."""

import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the reference is not installed")

from tests.models.side_by_side import as_torch, float64_in_every_thread
from tests.train.recipe import RECIPES, InJax, InTorch, compare, compare_seen

ROOT = Path(__file__).parents[2]


def run(name, steps):
    build, criterion, examples = RECIPES[name]
    with float64_in_every_thread():
        compare(build, criterion, examples(1), steps)


def test_ten_steps():
    run("small gpt", 10)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["resnet", "gpt"])
def test_two_hundred_steps(name):
    run(name, 200)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["resnet", "gpt"])
def test_in_float32_it_rounds_as_torch_does(name):
    """A single run is a lottery at the kinks of ReLU and behind BatchNorm: the typical one of five is judged."""
    ours, theirs = distances(name, steps=40, seeds=range(5))
    ratios = {key: np.median(ours[key]) / np.median(theirs[key]) for key in ours}
    assert len(ratios) > 80 and np.median(list(ratios.values())) < 1.5, np.median(list(ratios.values()))
    assert max(ratios.values()) < 3, (max(ratios, key=ratios.get), max(ratios.values()))


def distances(name, steps, seeds):
    """Of every tensor at the end from torch's in float64: ours, then torch's own in float32; one of each seed."""
    build, criterion, examples = RECIPES[name]
    narrow = [(x.astype(np.float32) if x.dtype == np.float64 else x, y) for x, y in examples(1)]
    wide = [(x.astype(np.float64) if x.dtype == np.float32 else x, y) for x, y in narrow]
    found = {}, {}
    for seed in seeds:
        exact = last(InTorch(build, criterion, [as_torch(each) for each in wide], seed), steps)
        in_torch = InTorch(build, criterion, [as_torch(each) for each in narrow], seed, dtype="float32")
        for run, far in zip((InJax(build, criterion, narrow, seed, dtype="float32"), in_torch), found, strict=True):
            seen = last(run, steps)
            for key, value in exact.items():
                if key in seen and np.ndim(value) and value.dtype == np.float64:
                    far.setdefault(key, []).append(np.linalg.norm(seen[key] - value))
    return found[0], {key: found[1][key] for key in found[0]}


def last(run, steps):
    *_, seen = run.run(steps)
    return seen


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["resnet", "gpt"])
def test_on_eight_devices_and_across_kills(name, tmp_path):
    """Every step within 1e-8 of torch's replicas; one that is done twice, or undisturbed, gives the same bits.

    The losses and states of each step are files, which a process writes that is killed at random moments.
    """
    steps, kills = 30, 3
    command = [sys.executable, "-m", "tests.train.recipe", name, str(steps)]
    for _ in range(kills):
        before = len(list(tmp_path.glob("step-*.npz")))
        process = subprocess.Popen([*command, str(tmp_path)], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        while process.poll() is None and len(list(tmp_path.glob("step-*.npz"))) <= before + secrets.randbelow(6):
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        told = process.communicate()[1]
        assert process.returncode == -signal.SIGKILL, f"it ended by itself:\n{told}"
    subprocess.run([*command, str(tmp_path)], cwd=ROOT, check=True)
    subprocess.run([*command, str(tmp_path / "undisturbed")], cwd=ROOT, check=True)
    for i in range(1, steps + 1):
        assert seen_in(tmp_path, i).keys() == seen_in(tmp_path / "undisturbed", i).keys()
        for key, value in seen_in(tmp_path, i).items():
            assert value.tobytes() == seen_in(tmp_path / "undisturbed", i)[key].tobytes(), (i, key)
    build, criterion, examples = RECIPES[name]
    theirs = InTorch(build, criterion, [as_torch(each) for each in examples(8)], 0, replicas=8)
    last = compare_seen((seen_in(tmp_path, i) for i in range(1, steps + 1)), theirs.run(steps))
    assert not [key for key, value in seen_in(tmp_path, 1).items() if np.array_equal(value, last[key])]


def seen_in(folder, step):
    with np.load(folder / f"step-{step}.npz") as found:
        return dict(found)
