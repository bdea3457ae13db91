"""The table of differences against the libraries it speaks of: names, order of arguments, defaults, and some sizes."""

import importlib
import inspect
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgrad.cli._addresses import find
from jaxgrad.cli._differences import DIFFERENCES, MOVED, NOWHERE_ELSE, ORDER, SAME
from jaxgrad.cli._differences.twins import TWINS, canonical
from tests.support.promotion import as_written

torch = pytest.importorskip("torch", reason="the reference is not installed")
pytest.importorskip("equinox")


def value_at(address):
    """What an address names: the longest part that is a module, then attributes."""
    parts = address.split(".")
    for n in range(len(parts), 0, -1):
        try:
            value = importlib.import_module(".".join(parts[:n]))
        except ImportError:
            continue
        for part in parts[n:]:
            value = getattr(value, part)
        return value
    raise LookupError(address)


def parameters(address):
    value = value_at(address)
    if not inspect.isclass(value):
        return inspect.signature(value).parameters
    found = inspect.signature(value.__init__).parameters
    return {name: each for name, each in found.items() if name != "self"}


@pytest.mark.parametrize("each", DIFFERENCES, ids=lambda each: each.code)
def test_both_sides_exist(each):
    value_at(each.torch)
    for other in each.others:
        value_at(other)
        for condition in each.when or ():
            assert condition.argument in parameters(other)
            assert condition.kind in ("absent", "is", "given", "varies")


def test_codes_are_names():
    codes = [each.code for each in DIFFERENCES]
    assert len(codes) == len(set(codes)) and all(re.fullmatch(r"[a-z0-9-]+", code) for code in codes)


@pytest.mark.parametrize("each", [each for each in DIFFERENCES if each.default], ids=lambda each: each.code)
def test_the_defaults_are_what_is_said(each):
    for other in each.others:
        assert parameters(other)[each.default.argument].default == each.default.theirs
    assert parameters(each.torch)[each.default.torch_argument].default == each.default.torchs
    assert each.default.theirs != each.default.torchs


@pytest.mark.parametrize("address", ORDER)
def test_arguments_stand_where_they_are_read(address):
    assert tuple(parameters(address))[: len(ORDER[address])] == ORDER[address]


def test_what_is_the_same_is_not_also_different_by_default():
    for same in SAME:
        value_at(same.torch)
        for other in same.others:
            value_at(other)


def test_torchs_other_names_are_torchs_and_ours():
    for name, twin in TWINS.items():
        value_at(name), value_at(twin)
    for name in NOWHERE_ELSE:
        value_at(name)
        assert find(name), name
    named = {each.torch for each in (*DIFFERENCES, *SAME)}
    assert {canonical(name) for name in named} == named, "written down under the canonical name"
    absent = {name for name in named if find(name) is None}
    assert absent == {"torch.matmul"}, "jax.numpy's serves"


def test_moved_names_lead_somewhere_and_the_documented_exceptions_are_among_them():
    for name, (ours, _) in MOVED.items():
        assert find(name).here == f"jaxgrad.{ours}" and find(name).value is not None
        if name != "torch.Tensor.grad" and "Optimizer.param_groups" not in name:
            value_at(name)
    text = (Path(__file__).parents[2] / "docs" / "address.md").read_text().split("## What torch does not have")[0]
    for line in re.findall(r"^\| `jaxgrad\.[\w.]+` \| .*", text, re.M):
        ours, theirs = line.split("|")[1:3]
        for name in re.findall(r"`(torch\.[\w.]+)`", theirs):
            assert find(name) is not None, name
            if name in MOVED:
                assert f"`jaxgrad.{MOVED[name][0]}`" == ours.strip()


def test_sizes_that_are_cheap_to_measure():
    x = np.random.default_rng(0).normal(size=(1, 1, 16, 16)).astype(np.float32)

    def far(ours, theirs):
        return float(np.linalg.norm(np.asarray(ours) - theirs.numpy()) / np.linalg.norm(theirs.numpy()))

    half = torch.nn.functional.interpolate(torch.tensor(x), size=(8, 8), mode="bilinear")
    assert 0.3 < far(jax.image.resize(x, (1, 1, 8, 8), "bilinear"), half) < 0.7
    assert far(jax.image.resize(x, (1, 1, 8, 8), "bilinear", antialias=False), half) < 1e-6
    double = torch.nn.functional.interpolate(torch.tensor(x), size=(32, 32), mode="bicubic")
    assert 0.05 < far(jax.image.resize(x, (1, 1, 32, 32), "cubic"), double) < 0.12
    grid = np.linspace(-4, 4, 4001, dtype=np.float32)
    gap = np.abs(np.asarray(jax.nn.gelu(grid)) - torch.nn.functional.gelu(torch.tensor(grid)).numpy()).max()
    assert 4.6e-4 < gap < 4.8e-4
    assert float(jnp.std(jnp.array([1.0, 2, 4]))) == pytest.approx(1.247, abs=1e-3)
    assert torch.tensor([1.0, 2, 4]).std().item() == pytest.approx(1.528, abs=1e-3)
    loss = torch.nn.functional.mse_loss(torch.tensor([3.0]), torch.tensor([1.0])).item()
    assert 2 * float(optax.l2_loss(jnp.array([3.0]), jnp.array([1.0]))[0]) == loss
    one_hot = jax.nn.one_hot(0, 10)
    floor = float(optax.softmax_cross_entropy_with_integer_labels(one_hot, 0))
    assert floor == pytest.approx(1.46, abs=5e-3)
    assert np.isnan(jnp.take(jnp.ones(2), 5)) and np.isnan(jnp.take_along_axis(jnp.ones(2), jnp.array([5]), 0)[0])
    assert np.isnan(jax.grad(jnp.linalg.norm)(jnp.zeros(3))).all()
    assert float(jax.grad(lambda p: jnp.clip(p, 0.0, 1.0))(1.0)) == 0.5


@pytest.mark.parametrize(
    "variance, theirs, ours, size",
    [
        (1, 1e-6, 1e-5, 4.5e-6),
        (1e-3, 1e-6, 1e-5, 4.5e-3),
        (1e-3, 1e-6, 2.0**-23, 4.4e-4),
        (1e-3, 1e-5, 2.0**-23, 4.9e-3),
    ],
)
def test_sizes_of_an_eps(variance, theirs, ours, size):
    assert abs(np.sqrt((variance + ours) / (variance + theirs)) - 1) == pytest.approx(size, rel=0.02)


@as_written  # optax promotes
def test_schedules_and_chains():
    theirs = jax.vmap(optax.cosine_onecycle_schedule(20, 1.0))(jnp.arange(20))
    parameter = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([parameter], 1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=20)
    gaps = []
    for step in range(20):
        gaps.append(abs(float(theirs[step]) - optimizer.param_groups[0]["lr"]))
        optimizer.step()
        if step < 19:
            schedule.step()
    assert 0.04 < max(gaps) < 0.2
    grow = optax.chain(optax.sgd(0.1), optax.add_decayed_weights(0.01))
    updates, _ = grow.update({"w": jnp.zeros(1)}, grow.init({"w": jnp.ones(1)}), {"w": jnp.ones(1)})
    assert float(updates["w"][0]) > 0, "the decay makes weights grow"
