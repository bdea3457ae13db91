"""A residual network and a small GPT, trained by a whole recipe beside torch in float64, every step compared."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="the reference is not installed")

from jaxgrad.parity.catalog.models import gpt, resnet, token_loss
from tests.models.side_by_side import float64_in_every_thread
from tests.train.recipe import ACCUMULATE, ROWS, compare

EXAMPLES = 3 * ACCUMULATE * ROWS


def images():
    rng = np.random.default_rng(0)
    return [(rng.standard_normal((3, 8, 8)), rng.integers(0, 4)) for _ in range(EXAMPLES)]


def texts():
    rng = np.random.default_rng(0)
    words = rng.integers(0, 11, (EXAMPLES, 8))
    return [(each[:-1], each[1:]) for each in words]


RECIPES = {
    "resnet": (resnet, lambda F: F.cross_entropy, images),
    "gpt": (gpt, token_loss, texts),
    "small gpt": (lambda library: gpt(library, layers=1), token_loss, texts),
}


def run(name, steps):
    build, criterion, examples = RECIPES[name]
    with float64_in_every_thread():
        compare(build, criterion, examples(), steps)


def test_ten_steps():
    run("small gpt", 10)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["resnet", "gpt"])
def test_two_hundred_steps(name):
    run(name, 200)
