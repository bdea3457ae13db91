"""What a state keeps and a step refuses: order, donation, batches by name, evaluation, schedules once an epoch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad import func, nn, optim, random, train
from jaxgrad.nn import functional as F
from jaxgrad.optim import lr_scheduler, swa_utils

torch = pytest.importorskip("torch", reason="the reference is not installed")


class Averaging(nn.Module):
    """Remembers the mean of its inputs while it trains, and drops."""

    def __init__(self, rngs):
        self.linear = nn.Linear(6, 3, rngs=rngs)
        self.drop = nn.Dropout(0.5)
        self.mean = nn.Buffer(jnp.zeros(6))
        self.batches = nn.Buffer(jnp.array(0))

    def forward(self, x):
        if self.training:
            self.mean.set_value(0.9 * self.mean.get_value() + 0.1 * x.mean(axis=0))
            self.batches.set_value(self.batches.get_value() + 1)
        return self.linear(self.drop(x - self.mean.get_value()[None]))


def ready(tx=None, **options):
    rngs = nn.Rngs(random.manual_seed(0))
    model, tx = Averaging(rngs), tx or optim.SGD(0.1)
    params, buffers = func.extract(model)
    state = train.init_state(params, tx, buffers=buffers, generator=rngs.generator)
    return model, state, train.make_train_step(train.supervised(model, F.cross_entropy), tx, **options)


def batches(steps=3):
    rng = np.random.default_rng(0)
    return jnp.asarray(rng.standard_normal((steps, 8, 6)), jnp.float32), jnp.asarray(rng.integers(0, 3, (steps, 8)))


def test_buffers_and_stream_are_carried_and_keep_their_order():
    model, state, step = ready()
    x, y = batches()
    names = list(state.params), list(state.buffers)
    assert names == (["linear.weight", "linear.bias"], ["mean", "batches"])
    generator = state.generator
    for i in range(3):
        _, generator = random.bernoulli(generator, (8, 6), 0.5)
        state, _ = step(state, (x[i], y[i]))
        assert (list(state.params), list(state.buffers)) == names
    assert int(state.buffers["batches"]) == 3 and step._cache_size() == 1
    np.testing.assert_array_equal(state.generator.get_state(), generator.get_state())
    state, _ = train.make_epoch(step)(state, (x, y))
    assert (list(state.params), list(state.buffers)) == names and int(state.buffers["batches"]) == 6
    trained = func.bind(model, state.params, state.buffers)
    np.testing.assert_array_equal(trained.mean.get_value(), state.buffers["mean"])
    doubled = jax.tree.map(lambda leaf: leaf * 2, state.replace(generator=None, opt_state=()))
    assert list(doubled.params) == names[0]
    vector = nn.utils.parameters_to_vector(state.params)
    np.testing.assert_array_equal(vector[:18], np.ravel(state.params["linear.weight"]))


def test_evaluation_changes_nothing():
    model, state, _ = ready()
    x, y = batches()
    evaluate = train.make_eval_step(train.supervised(model, F.cross_entropy))
    metrics = evaluate(state, (x[0], y[0]))
    out = func.functional_call(model, (state.params, state.buffers), x[0], training=False)
    np.testing.assert_allclose(metrics["loss"], F.cross_entropy(out, y[0]), rtol=1e-6)
    assert evaluate(state, (x[1], y[1]))["loss"] != metrics["loss"] and evaluate._cache_size() == 1

    def always_trains(params, x, y, *, buffers, generator):
        out, aux = func.functional_call(model, (params, buffers), x, training=True, generator=generator, has_aux=True)
        return F.cross_entropy(out, y), aux

    with pytest.raises(RuntimeError, match=r'(?s)updates buffers in evaluation.*"mean", "batches".*training=training'):
        train.make_eval_step(always_trains)(state, (x[0], y[0]))

    def draws(params, *, generator):
        return random.rand(generator, (1,))[0][0], train.Aux(generator=random.rand(generator, (1,))[1])

    with pytest.raises(RuntimeError, match="draws from the generator in evaluation"):
        train.make_eval_step(draws)(state, ())


LOST = {
    "buffers": lambda params, x, *, buffers: (params["w"] * x).sum(),
    "generator": lambda params, x, *, generator: ((params["w"] * x).sum(), train.Aux(metrics={"a": x})),
}


@pytest.mark.parametrize("name", LOST)
def test_what_a_loss_function_names_it_returns(name):
    tx = optim.SGD(0.1)
    state = train.init_state({"w": jnp.ones(2)}, tx, buffers={"m": jnp.ones(1)}, generator=random.manual_seed(0))
    step = train.make_train_step(LOST[name], tx)
    with pytest.raises(TypeError, match=rf"(?s)names `{name}` and does not return.*train.Aux\({name}="):
        step(state, jnp.ones(2))
    empty = train.init_state({"w": jnp.ones(2)}, tx)
    step(empty, jnp.ones(2))


def test_what_a_loss_function_may_not_return():
    tx = optim.SGD(0.1)
    state = train.init_state({"w": jnp.ones(2)}, tx, buffers={"m": jnp.ones(1)})

    def loss_of(aux):
        return train.make_train_step(lambda params: (params["w"].sum(), aux), tx)

    with pytest.raises(RuntimeError, match="buffers that the state does not have"):
        loss_of(train.Aux(buffers={"n": jnp.ones(1)}))(state, ())
    with pytest.raises(ValueError, match="a metric called `loss`"):
        loss_of(train.Aux(metrics={"loss": jnp.ones(1)}))(state, ())
    with pytest.raises(TypeError, match="made of a loss function"):
        train.make_train_step(tx, tx)
    with pytest.raises(TypeError, match="made of a loss function"):
        train.make_train_step(nn.ReLU(), tx)
    with pytest.raises(TypeError, match="expected a model, got function"):
        train.supervised(F.mse_loss, nn.ReLU())
    with pytest.raises(TypeError, match="a criterion is a function"):
        train.supervised(nn.ReLU(), "mse")
    with pytest.raises(TypeError, match=r"(?s)does not fit the loss function: missing a required.*'y'.*a tuple of 1"):
        train.make_train_step(train.supervised(nn.ReLU(), F.mse_loss), tx)(state, (jnp.ones(2),))
    with pytest.raises(TypeError, match="takes the parameters"):
        train.init_state(nn.ReLU(), tx)
    with pytest.raises(TypeError, match="takes an optimizer"):
        train.init_state({"w": jnp.ones(1)}, 0.1)


def test_a_parameter_that_the_forward_pass_changes_is_stepped_from_there():
    class Halved(nn.Module):
        def __init__(self):
            self.weight = nn.Parameter(jnp.full(2, 2.0))

        def forward(self, x):
            self.weight.set_value(self.weight.get_value() / 2)
            return (x * self.weight.get_value()).sum()

    model, tx = Halved(), optim.SGD(0.25)
    step = train.make_train_step(train.supervised(model, lambda out, y: out * y), tx)
    state, _ = step(train.init_state(func.extract(model)[0], tx), (jnp.ones(2), jnp.array(1.0)))
    np.testing.assert_array_equal(state.params["weight"], [0.875, 0.875])  # 2 / 2 - 0.25 * (1 / 2)


def test_batches_by_name():
    tx, x = optim.SGD(0.5), jnp.ones(2)
    state = train.init_state({"w": jnp.zeros(2)}, tx)

    def by_name(params, inputs, scale):
        return jnp.sum((params["w"] - inputs) ** 2) * scale

    def whole(params, batch):
        return by_name(params, batch["inputs"], batch["scale"])

    for loss_fn in (by_name, whole):
        step = train.make_train_step(loss_fn, tx, donate=False)
        after, _ = step(state, {"scale": jnp.array(1.0), "inputs": x})
        np.testing.assert_array_equal(after.params["w"], [1.0, 1.0])


def test_a_state_that_was_taken_over():
    _, state, step = ready()
    x, y = batches()
    step(state, (x[0], y[0]))
    with pytest.raises(RuntimeError, match=r"(?s)train step of loss_fn has taken over its memory.*donate=False"):
        step(state, (x[0], y[0]))
    assert "<donated float32[3,6]>" in repr(state) and "Generator(initial_seed=0" in repr(state)
    _, state, step = ready(donate=False)
    for _ in range(2):
        step(state, (x[0], y[0]))


def test_a_schedule_once_an_epoch(x64):
    losses = [3.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0]
    parameter = torch.nn.Parameter(torch.zeros(1))
    for name, arguments in (("ReduceLROnPlateau", {"patience": 1, "factor": 0.3}), ("StepLR", {"step_size": 2})):
        optimizer = torch.optim.SGD([parameter], lr=0.1)
        theirs = getattr(torch.optim.lr_scheduler, name)(optimizer, **arguments)
        ours = getattr(lr_scheduler, name)(0.1, **arguments)
        tx = optim.SGD(7.0)
        state = train.init_state({"w": jnp.zeros(2)}, tx, schedule=ours)
        for loss in losses:
            judged = (loss,) if name == "ReduceLROnPlateau" else ()
            assert optim.get_lr(state) == [group["lr"] for group in optimizer.param_groups]
            optimizer.step()
            theirs.step(*judged)
            state = train.step_schedule(state, ours, *judged)
    assert state.schedule.numbers().lr == tuple(optim.get_lr(state))


def test_schedules_are_exact_in_float32():
    """A hundred steps: the lr of a float32 step is torch's double."""
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.AdamW([{"params": [parameter], "lr": 0.1}], lr=0.1)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 37, eta_min=1e-3)
    ours = lr_scheduler.CosineAnnealingLR(0.1, 37, eta_min=1e-3)
    tx = optim.AdamW(0.1)
    step = train.make_train_step(lambda params: params["w"].sum(), tx, schedule=ours)
    state = train.init_state({"w": jnp.zeros(2)}, tx, schedule=ours)
    for _ in range(100):
        state, _ = step(state, ())
        optimizer.step()
        theirs.step()
        np.testing.assert_allclose(optim.get_lr(state)[0], optimizer.param_groups[0]["lr"], rtol=1e-11)


def test_what_does_not_fit_together():
    tx, params = optim.SGD(0.1), {"w": jnp.zeros(2)}
    schedule, state = lr_scheduler.StepLR(0.1, 3), train.init_state(params, tx)
    average = swa_utils.AveragedModel(params)

    def loss_fn(params, x):
        return (params["w"] * x).sum()

    with pytest.raises(ValueError, match="made with schedule=, and the state has no schedule"):
        train.make_train_step(loss_fn, tx, schedule=schedule)(state, jnp.ones(2))
    with pytest.raises(ValueError, match="made with average=, and the state has no average"):
        train.make_train_step(loss_fn, tx, average=average)(state, jnp.ones(2))
    other = swa_utils.AveragedModel(params, avg_fn=swa_utils.get_ema_avg_fn())
    with pytest.raises(ValueError, match="averages of different kinds"):
        train.make_train_step(loss_fn, tx, average=other)(train.init_state(params, tx, average=average), jnp.ones(2))
    with pytest.raises(ValueError, match="leading axis of 2 micro-batches"):
        train.make_train_step(loss_fn, tx, accumulate=2)(state, jnp.ones(3))
    for wrong in (0, 1.5, True):
        with pytest.raises(ValueError, match="number of micro-batches"):
            train.make_train_step(loss_fn, tx, accumulate=wrong)
    with pytest.raises(TypeError, match=r"train\.step_schedule"):
        train.make_train_step(loss_fn, tx, schedule=lr_scheduler.ReduceLROnPlateau(0.1))
    with pytest.raises(TypeError, match="not an LRScheduler"):
        train.init_state(params, tx, schedule=lambda count: 0.1)
    with pytest.raises(ValueError, match="the state has no schedule"):
        train.step_schedule(state, schedule)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'metrics'"):
        train.step_schedule(state, lr_scheduler.ReduceLROnPlateau(0.1))
    with pytest.raises(TypeError, match="takes no metrics"):
        train.step_schedule(train.init_state(params, tx, schedule=schedule), schedule, 1.0)
    with pytest.raises(TypeError, match="clip_grad_norm is a number"):
        train.make_train_step(loss_fn, tx, clip_grad_norm=True)
