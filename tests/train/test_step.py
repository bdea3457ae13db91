"""The compiled step: what it carries, what it compiles, what it takes over, and that it stays with torch."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgrad import func, nn, optim, random, train
from jaxgrad.nn import functional as F
from jaxgrad.utils.data import DataLoader, TensorDataset
from tests.support.promotion import as_written


def model_and_batches(steps=4, seed=0):
    rngs = nn.Rngs(random.manual_seed(seed))
    model = nn.Sequential(nn.Linear(6, 5, rngs=rngs), nn.ReLU(), nn.Linear(5, 3, rngs=rngs))
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((steps, 8, 6)).astype(np.float32)
    y = rng.integers(0, 3, (steps, 8))
    return model, jnp.asarray(x), jnp.asarray(y)


def ready(tx, seed=0, steps=4, **options):
    model, x, y = model_and_batches(steps, seed)
    params, buffers = func.extract(model)
    loss_fn = train.supervised(model, F.cross_entropy)
    return train.init_state(params, tx, buffers=buffers), train.make_train_step(loss_fn, tx, **options), x, y


TRANSFORMATIONS = {"SGD": optim.SGD(0.1, momentum=0.9), "Adam": optim.Adam(), "optax": optax.adam(1e-3)}


@pytest.mark.parametrize("tx", TRANSFORMATIONS.values(), ids=TRANSFORMATIONS)
@as_written  # optax promotes
def test_one_compilation(tx):
    state, step, x, y = ready(tx)
    for i in range(4):
        state, _ = step(state, (x[i], y[i]))
    assert step._cache_size() == 1


def test_epoch_is_compiled_once_and_equals_the_steps():
    tx = optim.Adam()
    state, step, x, y = ready(tx)
    epoch = train.make_epoch(step)
    scanned, metrics = epoch(state, (x, y))
    state, step, x, y = ready(tx)
    losses = []
    for i in range(4):
        state, each = step(state, (x[i], y[i]))
        losses.append(float(each["loss"]))
    np.testing.assert_allclose(metrics["loss"], losses, rtol=1e-6)
    for name, value in state.params.items():
        np.testing.assert_allclose(scanned.params[name], value, rtol=2e-5, atol=1e-7)
    epoch(scanned, (x, y))
    assert epoch._cache_size() == 1


def test_an_epoch_over_a_data_set_on_the_device_takes_torchs_order():
    """The rows of a loader of numbers are those of a loader of examples, and the stream goes on as it does."""
    tx, generator = optim.SGD(0.1), random.manual_seed(3)
    model, x, y = model_and_batches()
    x, y = x.reshape(-1, 6), y.reshape(-1)
    params, _ = func.extract(model)
    step = train.make_train_step(train.supervised(model, F.cross_entropy), tx)
    state = train.init_state(params, tx, generator=generator)
    batches, state = DataLoader(TensorDataset(np.asarray(x), np.asarray(y)), 8, shuffle=True).epoch(state)
    for batch in batches:
        state, _ = step(state, tuple(batch))
    scanned = train.init_state(params, tx, generator=generator)
    order, scanned = DataLoader(range(len(x)), 8, shuffle=True).epoch(scanned)
    scanned, metrics = train.make_epoch(step, indexed=True)(scanned, ((x, y), np.stack(list(order))))
    assert metrics["loss"].shape == (4,)
    for name, value in state.params.items():
        np.testing.assert_allclose(scanned.params[name], value, rtol=2e-5, atol=1e-7)
    np.testing.assert_array_equal(scanned.generator.get_state(), state.generator.get_state())


def test_state_is_taken_over_and_what_the_caller_holds_is_not():
    model, x, y = model_and_batches()
    params, _ = func.extract(model)
    tx = optim.SGD(0.1)
    state = train.init_state(params, tx)
    step = train.make_train_step(train.supervised(model, F.cross_entropy), tx)
    after, _ = step(state, (x[0], y[0]))
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state.params))
    assert not any(leaf.is_deleted() for leaf in [*jax.tree.leaves(params), *jax.tree.leaves(after)])
    model(x[0])


def test_without_donation_the_old_state_stays():
    state, step, x, y = ready(optim.SGD(0.1), donate=False)
    step(state, (x[0], y[0]))
    first, _ = step(state, (x[0], y[0]))
    second, _ = step(state, (x[0], y[0]))
    np.testing.assert_array_equal(first.params["0.weight"], second.params["0.weight"])


def test_one_array_is_a_batch_too():
    tx = optim.SGD(0.5)
    step = train.make_train_step(lambda params, x: jnp.sum((params["w"] - x) ** 2), tx)
    state, metrics = step(train.init_state({"w": jnp.zeros(2)}, tx), jnp.ones(2))
    np.testing.assert_array_equal(state.params["w"], [1.0, 1.0])
    assert float(metrics["loss"]) == 2.0


def test_a_list_is_a_batch_as_a_tuple_is():
    tx = optim.SGD(0.1)
    state, step, x, y = ready(tx, donate=False)
    once, _ = step(state, (x[0], y[0]))
    again, _ = step(state, [x[0], y[0]])
    np.testing.assert_array_equal(once.params["0.weight"], again.params["0.weight"])


def test_state_is_a_value_with_named_parts():
    tx = optim.Adam()
    state, _, _, _ = ready(tx)
    names = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(state)]
    assert ".params.0.weight" in names and len(names) == len(jax.tree.leaves(state))
    values = dict(zip(names, jax.tree.leaves(state), strict=True))
    for name, value in state.params.items():
        np.testing.assert_array_equal(values[f".params.{name}"], value)
    doubled = state.replace(params={name: 2 * value for name, value in state.params.items()})
    np.testing.assert_array_equal(doubled.params["0.bias"], 2 * state.params["0.bias"])
    assert jax.tree.structure(doubled) == jax.tree.structure(state)
    assert "params={'0.weight'" in repr(state)
    with pytest.raises(AttributeError):
        state.params = {}


def test_the_learning_rate_changes_without_a_compilation():
    tx = optim.SGD(0.5)
    step = train.make_train_step(lambda params, x: jnp.sum(params["w"] * x), tx)
    state, _ = step(train.init_state({"w": jnp.zeros(2)}, tx), jnp.ones(2))
    state = optim.set_hyperparams(state, lr=0.25)
    assert optim.get_lr(state) == [0.25]
    state, _ = step(state, jnp.ones(2))
    np.testing.assert_array_equal(state.params["w"], [-0.75, -0.75])
    assert step._cache_size() == 1


def test_a_parameter_that_the_loss_does_not_use_is_left_alone_with_its_state():
    tx = optim.Adam(weight_decay=0.1)
    params = {"used": jnp.ones(2), "idle": jnp.ones(2)}
    step = train.make_train_step(lambda params, x: jnp.sum(params["used"] * x), tx)
    state, _ = step(train.init_state(params, tx), jnp.ones(2))
    np.testing.assert_array_equal(state.params["idle"], [1.0, 1.0])
    assert not np.array_equal(state.params["used"], [1.0, 1.0])


class Averaging(nn.Module):
    """A model that remembers the mean of its inputs."""

    def __init__(self, rngs):
        self.linear = nn.Linear(6, 3, rngs=rngs)
        self.mean = nn.Buffer(jnp.zeros(6))

    def forward(self, x):
        self.mean.set_value(0.9 * self.mean.get_value() + 0.1 * x.mean(axis=0))
        return self.linear(x)


def test_buffers_are_carried():
    model = Averaging(nn.Rngs(random.manual_seed(0)))
    params, buffers = func.extract(model)
    tx = optim.SGD(0.1)
    state = train.init_state(params, tx, buffers=buffers)
    step = train.make_train_step(train.supervised(model, F.cross_entropy), tx)
    _, x, y = model_and_batches()
    expected = np.zeros(6)
    for i in range(3):
        state, _ = step(state, (x[i], y[i]))
        expected = 0.9 * expected + 0.1 * np.asarray(x[i]).mean(axis=0)
    np.testing.assert_allclose(state.buffers["mean"], expected, rtol=1e-5, atol=1e-7)


def test_generator_is_carried_and_metrics_are_reported():
    tx = optim.SGD(0.1)

    def loss_fn(params, x, *, generator):
        noise, generator = random.rand(generator, (2,))
        return jnp.sum(params["w"] * x * noise), train.Aux(generator=generator, metrics={"noise": noise})

    state = train.init_state({"w": jnp.ones(2)}, tx, generator=random.manual_seed(7))
    step = train.make_train_step(loss_fn, tx)
    seen = []
    for _ in range(3):
        state, metrics = step(state, jnp.ones(2))
        seen.append(np.asarray(metrics["noise"]))
    generator = random.manual_seed(7)
    for each in seen:
        expected, generator = random.rand(generator, (2,))
        np.testing.assert_array_equal(each, np.asarray(expected))
    assert step._cache_size() == 1


def test_a_loss_function_that_returns_something_else_is_told_so():
    tx = optim.SGD(0.1)
    step = train.make_train_step(lambda params, x: (jnp.sum(params["w"]), x), tx)
    with pytest.raises(TypeError, match=r"(?s)a loss, or a loss and a train.Aux.*metrics"):
        step(train.init_state({"w": jnp.ones(2)}, tx), jnp.ones(2))


def test_integer_parameters_are_refused():
    with pytest.raises(RuntimeError, match=r"Only Tensors of floating point and complex dtype"):
        train.init_state({"w": jnp.ones(2), "n": jnp.arange(3)}, optim.SGD(0.1))


def test_ensemble_by_vmap():
    tx = optim.Adam()
    model, x, y = model_and_batches()
    step = train.make_train_step(train.supervised(model, F.cross_entropy), tx)
    states = []
    for seed in (0, 1):
        rngs = nn.Rngs(random.manual_seed(seed))
        other = nn.Sequential(nn.Linear(6, 5, rngs=rngs), nn.ReLU(), nn.Linear(5, 3, rngs=rngs))
        states.append(train.init_state(func.extract(other)[0], tx))
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)
    together, _ = jax.vmap(step, in_axes=(0, None))(stacked, (x[0], y[0]))
    for i, state in enumerate(states):
        alone, _ = step(state, (x[0], y[0]))
        for name, value in alone.params.items():
            np.testing.assert_allclose(together.params[name][i], value, rtol=1e-5, atol=1e-7)


def test_sharded_parameters_and_batch():
    """Two devices: the batch is split, the parameters are on both, the result is that of one device."""
    mesh = jax.make_mesh((2,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    split = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data"))
    everywhere = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    state, step, x, y = ready(optim.Adam())
    shared = jax.device_put(jax.tree.map(lambda leaf: jnp.array(leaf, copy=True), state), everywhere)
    after, metrics = step(state, (x[0], y[0]))
    sharded, sharded_metrics = step(shared, jax.device_put((x[0], y[0]), split))
    np.testing.assert_allclose(sharded_metrics["loss"], metrics["loss"], rtol=1e-6)
    for name, value in after.params.items():
        np.testing.assert_allclose(sharded.params[name], value, rtol=1e-5, atol=1e-6)
