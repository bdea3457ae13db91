"""Micro-batches: sums, ragged ends, gradients that are not there, and the memory that they take."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad import func, nn, optim, random, train
from jaxgrad.nn import functional as F

torch = pytest.importorskip("torch", reason="the reference is not installed")

MICRO, ROWS = 3, 4


def data():
    rng = np.random.default_rng(0)
    return rng.standard_normal((MICRO, ROWS, 5)), rng.integers(0, 3, (MICRO, ROWS))


def model_and_params():
    model = nn.Linear(5, 3, rngs=nn.Rngs(random.manual_seed(0)))
    return model, func.cast(func.extract(model)[0], "float64")


def torchs(scales, rows):
    torch.manual_seed(0)
    model = torch.nn.Linear(5, 3).double()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    x, y = data()
    total = 0.0
    for i, (scale, n) in enumerate(zip(scales, rows, strict=True)):
        loss = torch.nn.functional.cross_entropy(model(torch.tensor(x[i, :n])), torch.tensor(y[i, :n])) * scale
        loss.backward()
        total += loss.item()
    optimizer.step()
    return total, {name: value.numpy() for name, value in model.state_dict().items()}


def check(state, metrics, expected):
    np.testing.assert_allclose(metrics["loss"], expected[0], rtol=1e-12)
    for name, value in state.params.items():
        np.testing.assert_allclose(value, expected[1][name], rtol=1e-10)


def test_a_sum(x64):
    model, params = model_and_params()
    tx = optim.Adam(0.1)
    loss_fn = train.supervised(model, F.cross_entropy)
    step = train.make_train_step(loss_fn, tx, accumulate=MICRO, accumulate_reduction="sum")
    check(*step(train.init_state(params, tx), data()), torchs([1.0] * MICRO, [ROWS] * MICRO))


def test_a_ragged_last_micro_batch(x64):
    """Two rows in the last one: padded to four, the padding is ignored and the weights are the numbers of rows."""
    model, params = model_and_params()
    rows, tx = [4, 4, 2], optim.Adam(0.1)

    def loss_fn(params, x, y):
        loss = F.cross_entropy(func.functional_call(model, params, x), y, ignore_index=-100)
        return loss, train.Aux(metrics={"weight": (y != -100).sum()})

    x, y = data()
    x[2, 2:], y[2, 2:] = 0.0, -100
    step = train.make_train_step(loss_fn, tx, accumulate=MICRO, accumulate_reduction="weighted")
    state, metrics = step(train.init_state(params, tx), (x, y))
    check(state, metrics, torchs([n / sum(rows) for n in rows], rows))
    np.testing.assert_array_equal(metrics["weight"], rows)
    plain = train.make_train_step(
        train.supervised(model, F.cross_entropy), tx, accumulate=MICRO, accumulate_reduction="weighted"
    )
    with pytest.raises(ValueError, match="needs the weight of each micro-batch"):
        plain(train.init_state(params, tx), (x, y))
    with pytest.raises(ValueError, match="average is not a valid value for reduction"):
        train.make_train_step(loss_fn, tx, accumulate=2, accumulate_reduction="average")


def test_a_parameter_without_a_gradient_and_a_dict_of_micro_batches():
    tx = optim.SGD(0.5, weight_decay=0.1)
    step = train.make_train_step(lambda params, inputs: (params["w"] * inputs).sum(), tx, accumulate=2)
    state, metrics = step(train.init_state({"w": jnp.ones(2), "idle": jnp.ones(2)}, tx), {"inputs": jnp.ones((2, 2))})
    np.testing.assert_array_equal(state.params["idle"], [1.0, 1.0])
    np.testing.assert_allclose(state.params["w"], [0.45, 0.45], rtol=1e-6)
    assert float(metrics["loss"]) == 2.0


def test_memory_is_that_of_one_micro_batch():
    def loss_fn(params, x):
        for _ in range(4):
            x = jnp.tanh(x @ params["w"])
        return (x**2).sum()

    def temporary(count, rows):
        tx = optim.SGD(0.1)
        state = train.init_state({"w": jnp.ones((8, 8))}, tx)
        step = train.make_train_step(loss_fn, tx, accumulate=count)
        x = jnp.ones((count, rows, 8) if count > 1 else (rows, 8))
        return step.lower(state, x).compile().memory_analysis().temp_size_in_bytes

    assert temporary(8, 2048) < 0.3 * temporary(1, 8 * 2048)
