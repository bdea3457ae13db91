"""Which of a candidate's arrays is which of the reference's: flax's kernels, equinox's leaves, optax's states."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgrad.parity.comparison.layout import Layout, activation_layouts, kernel_layouts
from jaxgrad.parity.comparison.naming import Naming
from jaxgrad.parity.comparison.suggest import suggest
from jaxgrad.parity.record.model import STATE, StepRecord
from jaxgrad.parity.sides.jax_function import JaxFunction
from tests.support.promotion import as_written

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def flax_of(layers):
    """Torch's parameters of some layers, and the same as flax keeps them."""
    theirs, ours = {}, {}
    for i, shape in enumerate(layers):
        kind = "Dense" if len(shape) == 2 else "Conv"
        weight = normal(*shape)
        axes = (1, 0) if len(shape) == 2 else (2, 3, 1, 0)
        theirs |= {f"{i}.weight": weight, f"{i}.bias": np.zeros(shape[0], np.float32)}
        ours |= {f"params.{kind}_{i}.kernel": weight.transpose(axes), f"params.{kind}_{i}.bias": np.zeros(shape[0])}
    return theirs, ours


def test_kernels_are_found_by_value_and_biases_by_their_kernels():
    theirs, ours = flax_of([(4, 4), (4, 4), (4, 4)])
    shuffled = {path: ours[path] for path in sorted(ours, reverse=True)}
    found = suggest(theirs, shuffled)
    assert {name: match.path for name, match in found.items()} == {
        f"{i}.{end}": f"params.Dense_{i}.{other}"
        for i in range(3)
        for end, other in (("weight", "kernel"), ("bias", "bias"))
    }
    assert all(found[f"{i}.weight"].layout.axes == (1, 0) for i in range(3))


def test_more_than_ten_layers_are_counted_not_spelt():
    theirs = {f"{i}.bias": np.zeros(3) for i in range(12)}
    ours = {f"Dense_{i}.bias": np.zeros(3) for i in range(12)}
    assert [match.path for match in suggest(theirs, ours).values()] == list(ours)


def test_convolutions_and_batch_norm():
    theirs, ours = flax_of([(4, 1, 3, 3), (8, 4, 3, 3)])
    for i in (0, 1):
        n = 4 * (i + 1)
        theirs |= {f"bn{i}.weight": np.ones(n), f"bn{i}.bias": np.zeros(n)}
        theirs |= {f"bn{i}.running_mean": np.zeros(n), f"bn{i}.running_var": np.ones(n)}
        ours |= {f"params.BatchNorm_{i}.scale": np.ones(n), f"params.BatchNorm_{i}.bias": np.zeros(n)}
        ours |= {f"batch_stats.BatchNorm_{i}.mean": np.zeros(n), f"batch_stats.BatchNorm_{i}.var": np.ones(n)}
    found = suggest(theirs, ours)
    assert found["1.weight"].layout.axes == (3, 2, 0, 1)
    for name in ("weight.scale", "bias.bias"):
        end, other = name.split(".")
        assert [found[f"bn{i}.{end}"].path for i in (0, 1)] == [f"params.BatchNorm_{i}.{other}" for i in (0, 1)]
    assert found["bn1.running_var"].path == "batch_stats.BatchNorm_1.var"
    assert found["bn0.running_mean"].path == "batch_stats.BatchNorm_0.mean"
    assert [found[f"{i}.bias"].path for i in (0, 1)] == [f"params.Conv_{i}.bias" for i in (0, 1)]


def test_an_untransposed_square_kernel_is_found_as_it_lies():
    weight = normal(4, 4)
    assert suggest({"fc.weight": weight}, {"fc.kernel": weight})["fc.weight"].layout.axes == (0, 1)
    assert suggest({"fc.weight": weight}, {"fc.kernel": weight.T})["fc.weight"].layout.axes == (1, 0)


@pytest.mark.parametrize("shape", [(3, 2), (5, 3, 2), (4, 3, 2, 2), (2, 3, 4, 5)])
def test_a_layout_and_its_inverse(shape):
    own = normal(*shape)
    for layout in kernel_layouts(shape, tuple(reversed(shape)), flax=True):
        there = layout.to_reference(own)
        assert there.shape == tuple(reversed(shape))
        assert np.array_equal(layout.to_own(there, shape), own)


def test_channels_last_activations_are_turned():
    assert [layout.axes for layout in activation_layouts((2, 8, 8, 3), (2, 3, 8, 8))] == [(0, 3, 1, 2)]
    assert Layout((0, 3, 1, 2), (2, 3, 8, 8)).to_reference(np.zeros((2, 8, 8, 3))).shape == (2, 3, 8, 8)


def test_optax_states_have_torchs_names():
    theirs, ours = flax_of([(4, 3)])
    params = {"params": {"Dense_0": {"kernel": jnp.asarray(ours["params.Dense_0.kernel"]), "bias": jnp.zeros(4)}}}
    tx = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(0.1))
    grads = jax.tree.map(jnp.ones_like, params)
    state = {"model": params, "opt": as_written(tx.update)(grads, tx.init(params), params)[1]}
    run = JaxFunction(lambda state, batch: (state, {"grads": grads}), state).start()
    naming = Naming({"params": theirs}, run.initial(), None, "Adam")
    record = naming.record(run.step(jnp.ones(1)))
    assert record["optimizer"].keys() == {
        f"{key}['0.{end}']" for key in ("exp_avg", "exp_avg_sq") for end in ("weight", "bias")
    }
    assert record["optimizer"]["exp_avg['0.weight']"].shape == (4, 3)
    assert record["grads"]["0.weight"].shape == (4, 3)


def test_values_go_back_into_the_state():
    theirs, ours = flax_of([(4, 3)])
    params = {"Dense_0": {"kernel": jnp.asarray(ours["params.Dense_0.kernel"]), "bias": jnp.zeros(4)}}
    tx = optax.sgd(0.1, momentum=0.9)
    run = JaxFunction(lambda state, batch: (state, {}), (params, tx.init(params))).start()
    naming = Naming({"params": theirs}, run.initial(), None, "SGD")
    weight = normal(4, 3)
    values = {"params": {"0.weight": weight}, "optimizer": {"momentum_buffer['0.weight']": 2 * weight}}
    run.restore(naming.own(values))
    record = naming.record(run.step(jnp.ones(1)))
    assert np.array_equal(record["params"]["0.weight"], weight)
    assert np.array_equal(record["optimizer"]["momentum_buffer['0.weight']"], 2 * weight)
    assert np.array_equal(run.state[0]["Dense_0"]["kernel"], weight.T)


def test_what_the_user_says_goes_first():
    weight = normal(2, 2)
    own = {STATE: {"a.w": np.zeros((2, 2)), "b.w": np.zeros((2, 2)), "c": weight}}
    said = Naming({"params": {"fc.weight": weight}}, own, {"fc.weight": ("a.w", (1, 0))})
    assert said.state["params"]["fc.weight"].path == "a.w" and said.state["params"]["fc.weight"].layout.axes == (1, 0)
    made = Naming({"params": {"fc.weight": weight}}, own, {"fc.weight": lambda arrays: arrays["a.w"] + 7})
    assert made.record(StepRecord(0, own))["params"]["fc.weight"].tolist() == [[7.0, 7.0], [7.0, 7.0]]


def test_what_is_not_there_is_told():
    weight = normal(2, 3)
    naming = Naming({"params": {"fc.weight": weight, "fc.bias": np.zeros(5)}}, {STATE: {"fc.kernel": weight.T}})
    assert naming.unmatched == ("fc.bias",)
    with pytest.raises(TypeError, match=r"fc\.bias was not found"):
        naming.own({"params": {"fc.bias": np.zeros(5)}})
