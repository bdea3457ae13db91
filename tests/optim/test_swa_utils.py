"""Averages, SWALR and update_bn beside torch.optim.swa_utils."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad.optim import lr_scheduler, swa_utils
from tests.optim.lr_scheduler.support import GROUPS, assert_same, make_optimizer, our_walk, quiet, relative, torch_sees
from tests.support.promotion import as_written

theirs_utils = torch.optim.swa_utils
SHAPES = {"weight": (3, 4), "bias": (3,)}
STEPS = 25


class WithBuffers(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(3, 4, dtype=torch.float64))
        self.bias = torch.nn.Parameter(torch.zeros(3, dtype=torch.float64))
        self.register_buffer("mean", torch.zeros(2, dtype=torch.float64))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))


def walk(seed, steps=12):
    """Parameters and buffers that move: float64 tensors and an integer counter."""
    rng = np.random.default_rng(seed)
    for step in range(steps):
        params = {name: rng.standard_normal(shape) for name, shape in SHAPES.items()}
        yield params, {"mean": rng.standard_normal(2), "count": np.asarray(7 * step + 3)}


def set_torch(model, params, buffers):
    with torch.no_grad():
        for name, value in {**params, **buffers}.items():
            getattr(model, name).copy_(torch.from_numpy(np.asarray(value)))


def assert_same_average(ours, theirs, rtol):
    expected = {name: value.numpy() for name, value in theirs.state_dict().items()}
    got = ours.state_dict()
    assert list(got) == list(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(np.asarray(got[name]), value, rtol=rtol, atol=0, err_msg=name)


def double_exponential(averaged, current, n):
    return 0.5 * averaged + current / (n + 2)


def multi_custom(averaged, current, n):
    return [a + (c - a) / (2 * n + 1) for a, c in zip(averaged, current, strict=True)]


def multi_custom_in_torch(averaged, current, n):
    for a, c in zip(averaged, current, strict=True):
        a.copy_(a + (c - a) / (2 * n + 1))


WAYS = {
    "equal": ({}, {}),
    "swa": ({"avg_fn": swa_utils.get_swa_avg_fn()}, {"avg_fn": theirs_utils.get_swa_avg_fn()}),
    "ema": ({"avg_fn": swa_utils.get_ema_avg_fn(0.9)}, {"avg_fn": theirs_utils.get_ema_avg_fn(0.9)}),
    "ema multi": (
        {"multi_avg_fn": swa_utils.get_ema_multi_avg_fn(0.3)},
        {"multi_avg_fn": theirs_utils.get_ema_multi_avg_fn(0.3)},
    ),
    "custom": ({"avg_fn": as_written(double_exponential)}, {"avg_fn": double_exponential}),
    "custom multi": ({"multi_avg_fn": as_written(multi_custom)}, {"multi_avg_fn": multi_custom_in_torch}),
}


@pytest.mark.parametrize("use_buffers", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_averages_equal_torch(way, use_buffers, x64):
    ours_kwargs, theirs_kwargs = WAYS[way]
    model = WithBuffers()
    theirs = theirs_utils.AveragedModel(model, use_buffers=use_buffers, **theirs_kwargs)
    (params, buffers), *_ = walk(0)
    ours = swa_utils.AveragedModel(
        jax.tree.map(jnp.zeros_like, (params, buffers)), use_buffers=use_buffers, **ours_kwargs
    )
    update = jax.jit(lambda averaged, model: averaged.update_parameters(model))
    for params, buffers in walk(0):
        set_torch(model, params, buffers)
        theirs.update_parameters(model)
        ours = update(ours, (params, buffers))
        assert int(ours.n_averaged) == int(theirs.n_averaged)
        # an integer average in float32 may round to the other side of a whole number: none here does
        assert_same_average(reorder(ours, theirs), theirs, 1e-12)
        assert all(value.dtype == float for value in ours.module.values())


def reorder(ours, theirs):
    """jit sorts the keys of dicts; the comparison is by torch's order."""
    order = [name.removeprefix("module.") for name in theirs.state_dict() if name != "n_averaged"]
    children, static = ours.tree_flatten()
    module, buffers, n_averaged = children
    module = {name: module[name] for name in order if name in module}
    buffers = {name: buffers[name] for name in order if name in buffers}
    return ours.tree_unflatten(static, (module, buffers, n_averaged))


def test_swa_multi_has_a_float32_weight_as_in_torch(x64):
    """torch's 1 / (n + 1) of a tensor n is a float32, so that float64 averages are off by 1e-8, here too."""
    model = WithBuffers()
    theirs = theirs_utils.AveragedModel(model, multi_avg_fn=theirs_utils.get_swa_multi_avg_fn())
    equal = theirs_utils.AveragedModel(model)
    ours = None
    for params, buffers in walk(1):
        set_torch(model, params, buffers)
        theirs.update_parameters(model)
        equal.update_parameters(model)
        ours = ours or swa_utils.AveragedModel((params, buffers), multi_avg_fn=swa_utils.get_swa_multi_avg_fn())
        ours = ours.update_parameters((params, buffers))
        assert_same_average(ours, theirs, 1e-12)
    with pytest.raises(AssertionError):
        assert_same_average(ours, equal, 1e-12)


def test_swa_multi_refuses_integers_as_torch_does():
    for module, values in ((theirs_utils, torch.tensor([3])), (swa_utils, jnp.array([3]))):
        with pytest.raises(RuntimeError, match="Integer division with addcdiv is no longer supported"):
            module.get_swa_multi_avg_fn()([values], [values], values[0])


def test_the_comparison_sees_a_decay_off_by_one_per_mille_and_a_step_late(x64):
    model = WithBuffers()
    theirs = theirs_utils.AveragedModel(model, avg_fn=theirs_utils.get_ema_avg_fn(0.9))
    models = list(walk(2))
    right, wrong, late = (
        swa_utils.AveragedModel(models[0], avg_fn=swa_utils.get_ema_avg_fn(decay)) for decay in (0.9, 0.8991, 0.9)
    )
    for i, (params, buffers) in enumerate(models):
        set_torch(model, params, buffers)
        theirs.update_parameters(model)
        right, wrong = (each.update_parameters((params, buffers)) for each in (right, wrong))
        late = late.update_parameters(models[max(i - 1, 0)])
    assert_same_average(right, theirs, 1e-12)
    for planted in (wrong, late):
        with pytest.raises(AssertionError):
            assert_same_average(planted, theirs, 1e-5)


def test_float32_stays_with_torch():
    """200 updates of an exponential average, against float64: no further away than twice torch's float32."""
    rng = np.random.default_rng(0)
    values = rng.standard_normal((200, 500)).cumsum(0)
    models = {dtype: torch.nn.Linear(500, 1, bias=False, dtype=dtype) for dtype in (torch.float32, torch.float64)}
    theirs = {d: theirs_utils.AveragedModel(m, avg_fn=theirs_utils.get_ema_avg_fn(0.99)) for d, m in models.items()}
    ours = swa_utils.AveragedModel({"weight": jnp.zeros((1, 500))}, avg_fn=swa_utils.get_ema_avg_fn(0.99))
    update = jax.jit(lambda averaged, params: averaged.update_parameters(params))
    for value in values:
        for dtype, model in models.items():
            with torch.no_grad():
                model.weight.copy_(torch.from_numpy(np.float32(value)).to(dtype))
            theirs[dtype].update_parameters(model)
        ours = update(ours, {"weight": jnp.float32(value)[None]})
    single, double = (theirs[d].module.weight.detach().double().numpy() for d in models)
    noise = np.linalg.norm(single - double)
    assert np.linalg.norm(np.asarray(ours.module["weight"], np.float64) - double) <= 2 * noise


def test_it_is_a_pytree_that_a_scan_carries():
    start = swa_utils.AveragedModel({"w": jnp.zeros(2)})
    xs = jnp.arange(8.0).reshape(4, 2)
    last, _ = jax.lax.scan(lambda a, x: (a.update_parameters({"w": x}), None), start, xs)
    np.testing.assert_allclose(last.module["w"], xs.mean(0), rtol=1e-6)
    assert last.n_averaged == 4


def test_the_originals_may_be_donated():
    params = {"w": jnp.arange(3.0)}
    averaged = swa_utils.AveragedModel(params).update_parameters(params)
    jax.jit(lambda p: jax.tree.map(lambda x: x + 1, p), donate_argnums=0)(params)
    assert averaged.module["w"].tolist() == [0.0, 1.0, 2.0]


def test_state_dict_goes_both_ways(x64):
    (params, buffers), *later = walk(3)
    model = WithBuffers()
    set_torch(model, params, buffers)
    theirs = theirs_utils.AveragedModel(model)
    ours = swa_utils.AveragedModel((params, buffers))
    for params, buffers in later:
        set_torch(model, params, buffers)
        theirs.update_parameters(model)
    loaded = ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    assert_same_average(loaded, theirs, 0)
    with pytest.raises(RuntimeError, match="other names"):
        ours.load_state_dict({"n_averaged": 3})


def test_device():
    device = jax.devices()[1]
    averaged = swa_utils.AveragedModel({"w": jnp.zeros(2)}, device=device).update_parameters({"w": jnp.ones(2)})
    assert averaged.module["w"].devices() == {device}


def test_errors():
    for module, model in ((theirs_utils, WithBuffers()), (swa_utils, {"w": jnp.zeros(1)})):
        with pytest.raises(AssertionError, match="Only one of avg_fn and multi_avg_fn should be provided"):
            module.AveragedModel(model, avg_fn=double_exponential, multi_avg_fn=multi_custom)
        for get in (module.get_ema_avg_fn, module.get_ema_multi_avg_fn):
            with pytest.raises(ValueError, match=r"Invalid decay value 1\.1 provided"):
                get(1.1)
    averaged = swa_utils.AveragedModel({"w": jnp.zeros(1)}, multi_avg_fn=lambda a, b, n: None)
    with pytest.raises(TypeError, match="multi_avg_fn must return the list"):
        averaged.update_parameters({"w": jnp.zeros(1)})
    with pytest.raises(RuntimeError, match="other names"):
        averaged.update_parameters({"v": jnp.zeros(1)})


# --- SWALR ---

SWA = st.fixed_dictionaries(
    {
        "swa_lr": st.floats(1e-3, 1.0),
        "anneal_epochs": st.integers(0, 12),
        "anneal_strategy": st.sampled_from(["cos", "linear"]),
    }
)


@settings(deadline=None, max_examples=60)
@given(SWA, GROUPS, st.integers(-1, 4))
def test_swalr_equals_torch(kwargs, lr, last_epoch):
    optimizer = make_optimizer(lr)
    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"]
    with quiet():
        scheduler = theirs_utils.SWALR(optimizer, **kwargs, last_epoch=last_epoch)
        schedule = swa_utils.SWALR(lr, **kwargs, last_epoch=last_epoch)
        states = our_walk(schedule, STEPS)
        for state in states:
            assert_same([state], [torch_sees(optimizer)])
            scheduler.step()
    middle = schedule.load_state_dict(schedule.state_dict(states[5]))
    assert schedule.step(middle) == states[6]


@settings(deadline=None, max_examples=40)
@given(SWA, GROUPS, st.integers(1, 15))
def test_swalr_after_another_scheduler_equals_torch(kwargs, lr, milestone):
    optimizer = make_optimizer(lr)
    with quiet():
        parts = [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9), theirs_utils.SWALR(optimizer, **kwargs)]
        scheduler = torch.optim.lr_scheduler.SequentialLR(optimizer, parts, [milestone])
        ours = [lr_scheduler.ExponentialLR(lr, 0.9), swa_utils.SWALR(lr, **kwargs)]
        for state in our_walk(lr_scheduler.SequentialLR(lr, ours, [milestone]), STEPS):
            assert_same([state], [torch_sees(optimizer)])
            scheduler.step()


@settings(deadline=None, max_examples=6)
@given(SWA, st.booleans())
def test_swalr_inside_jit(kwargs, after_another):
    schedule = swa_utils.SWALR(0.3, **kwargs)
    if after_another:
        schedule = lr_scheduler.SequentialLR([lr_scheduler.ExponentialLR(0.3, 0.9), schedule], [4])
    host = [schedule.get_last_lr(state) for state in our_walk(schedule, STEPS)]
    assert relative(jax.jit(jax.vmap(schedule))(jnp.arange(STEPS + 1)), host) <= 1e-6
    _, lrs = jax.lax.scan(
        lambda s, _: (schedule.step(s), schedule.get_last_lr(schedule.step(s))), schedule.init(), None, length=STEPS
    )
    assert relative(lrs, host[1:]) <= 1e-6


@pytest.mark.parametrize(
    "kwargs",
    [
        {"swa_lr": 0.1, "anneal_strategy": "steep"},
        {"swa_lr": 0.1, "anneal_epochs": -1},
        {"swa_lr": 0.1, "anneal_epochs": 1.5},
        {"swa_lr": [0.1]},
    ],
)
def test_swalr_says_what_torch_says(kwargs):
    with pytest.raises(ValueError) as theirs:
        theirs_utils.SWALR(make_optimizer([0.1, 0.2]), **kwargs)
    with pytest.raises(ValueError) as ours:
        swa_utils.SWALR([0.1, 0.2], **kwargs)
    assert str(ours.value) == str(theirs.value)


# --- update_bn ---


class BatchNorm(nnx.Module):
    """torch's batch normalization over rows, as far as update_bn is concerned."""

    def __init__(self, features):
        self.weight, self.bias = nnx.Param(jnp.full(features, 1.5)), nnx.Param(jnp.full(features, 0.5))
        self.running_mean = nnx.BatchStat(jnp.full(features, 9.0))
        self.running_var = nnx.BatchStat(jnp.full(features, 9.0))
        self.num_batches_tracked = nnx.BatchStat(jnp.array(9))
        self.momentum, self.training = 0.1, False

    def __call__(self, x):
        mean, var = self.running_mean[...], self.running_var[...]
        if self.training:
            count = self.num_batches_tracked[...] + 1
            factor = 1.0 / count if self.momentum is None else self.momentum
            self.num_batches_tracked[...] = count
            mean, var = x.mean(0), x.var(0)
            self.running_mean[...] = (1 - factor) * self.running_mean[...] + factor * mean
            self.running_var[...] = (1 - factor) * self.running_var[...] + factor * x.var(0, ddof=1)
        return (x - mean[None]) / jnp.sqrt(var + 1e-5)[None] * self.weight[...][None] + self.bias[...][None]


class Net(nnx.Module):
    def __init__(self):
        self.first, self.second = BatchNorm(4), BatchNorm(4)

    def __call__(self, x):
        return self.second(jnp.tanh(self.first(x)))


def test_update_bn_equals_torch(x64):
    rng = np.random.default_rng(0)
    batches = [(rng.standard_normal((size, 4)) * 3 + 1, None) for size in (8, 8, 5)]
    theirs = torch.nn.Sequential(torch.nn.BatchNorm1d(4), torch.nn.Tanh(), torch.nn.BatchNorm1d(4)).double().eval()
    weight = rng.standard_normal(4)
    with torch.no_grad():
        for norm in (theirs[0], theirs[2]):
            norm.bias.fill_(0.5)
            norm.weight.fill_(1.5)
            norm.running_mean.fill_(9.0)
        theirs[0].weight.copy_(torch.from_numpy(weight))
    theirs_utils.update_bn([(torch.from_numpy(x), None) for x, _ in batches], theirs)

    model = Net()
    before = jax.tree.map(np.asarray, nnx.to_pure_dict(nnx.state(model)))
    buffers = swa_utils.update_bn(batches, model, params={"first.weight": jnp.asarray(weight)})
    for ours, torch_name in (("first", "0"), ("second", "2")):
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            expected = theirs.state_dict()[f"{torch_name}.{name}"].numpy()
            np.testing.assert_allclose(np.asarray(buffers[f"{ours}.{name}"]), expected, rtol=1e-12)
    assert len(buffers) == 6
    jax.tree.map(np.testing.assert_array_equal, before, jax.tree.map(np.asarray, nnx.to_pure_dict(nnx.state(model))))
    assert model.first.momentum == 0.1 and model.first.training is False

    on_device = swa_utils.update_bn([x for x, _ in batches[:1]], model, device=jax.devices()[0])
    assert on_device["first.num_batches_tracked"] == 1
    with pytest.raises(RuntimeError, match="Unexpected key"):
        swa_utils.update_bn(batches, model, params={"third.weight": jnp.ones(4)})


def test_update_bn_without_batch_norm_does_not_touch_the_loader():
    def loader():
        raise AssertionError("the loader was read")
        yield

    assert swa_utils.update_bn(loader(), nnx.Linear(2, 3, rngs=nnx.Rngs(0))) == {}


@pytest.mark.parametrize("jitted", [False, True])
@pytest.mark.parametrize("names", ["body.*", ["body.w", "body.b"], lambda name, leaf: name.startswith("body"), "mask"])
def test_some_parameters_are_averaged_and_the_others_followed(names, jitted, x64):
    """The language of ``freeze`` and of the groups; torch's model of the same parameters alone has the same average."""
    rng = np.random.default_rng(0)
    draws = [{name: rng.standard_normal(3) for name in ("head.w", "body.w", "body.b")} for _ in range(4)]
    names = {name: name != "head.w" for name in draws[0]} if names == "mask" else names
    average = swa_utils.AveragedModel(
        {name: jnp.asarray(value) for name, value in draws[0].items()},
        avg_fn=swa_utils.get_ema_avg_fn(0.75),
        names=names,
    )
    update = jax.jit(lambda average, params: average.update_parameters(params)) if jitted else None
    theirs = torch.nn.ParameterDict({name.replace(".", "_"): torch.tensor(v) for name, v in draws[0].items()})
    reference = torch.optim.swa_utils.AveragedModel(theirs, avg_fn=torch.optim.swa_utils.get_ema_avg_fn(0.75))
    for draw in draws:
        params = {name: jnp.asarray(value) for name, value in draw.items()}
        average = update(average, params) if update else average.update_parameters(params)
        with torch.no_grad():
            for name, value in draw.items():
                theirs[name.replace(".", "_")].copy_(torch.tensor(value))
        reference.update_parameters(theirs)
    np.testing.assert_array_equal(average.module["head.w"], draws[-1]["head.w"])
    for name in ("body.w", "body.b"):
        expected = reference.module[name.replace(".", "_")].detach()
        np.testing.assert_allclose(average.module[name], expected, rtol=1e-13)
        assert not np.allclose(average.module[name], draws[-1][name])
    with pytest.raises(KeyError, match=r'no parameter matches "tail\.\*"'):
        swa_utils.AveragedModel({"w": jnp.ones(1)}, names="tail.*")
