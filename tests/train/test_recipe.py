"""A residual network and a small GPT, trained by a whole recipe beside torch in float64, every step compared."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="the reference is not installed")

from tests.models.side_by_side import as_torch, float64_in_every_thread
from tests.train.recipe import RECIPES, InJax, InTorch, compare
from tests.train.recipe_killed import check


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
    check(name, tmp_path, steps=30, kills=3)
