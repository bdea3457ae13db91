"""From values back to models; dtypes; equinox's modules beside ours."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad import func, nn, optim, random, train
from jaxgrad.nn import functional as F

torch = pytest.importorskip("torch", reason="the reference is not installed")


def mlp(seed=0):
    rngs = nn.Rngs(random.manual_seed(seed))
    return nn.Sequential(nn.Linear(4, 3, rngs=rngs), nn.ReLU(), nn.Linear(3, 2, rngs=rngs))


def test_a_bound_model_predicts_and_the_given_one_stays():
    model, x = mlp(), jnp.ones((5, 4))
    before = func.extract(model)[0]
    params = {name: 2 * value for name, value in before.items()}
    trained = func.bind(model, params)
    assert type(trained) is nn.Sequential and list(func.extract(trained)[0]) == list(before)
    np.testing.assert_array_equal(trained(x), func.functional_call(model, params, x))
    for name, value in func.extract(model)[0].items():
        assert value is before[name]
    np.testing.assert_array_equal(func.bind(model, model.state_dict())(x), model(x))
    some = func.bind(model, {"0.bias": jnp.zeros(3)})
    assert float(jnp.abs(some[0].bias.get_value()).sum()) == 0.0 and some[2].weight.get_value() is before["2.weight"]


def test_what_does_not_fit_a_model():
    model = mlp()
    with pytest.raises(RuntimeError, match=r"(?s)loading state_dict for Sequential.*Unexpected key.*\"foo\""):
        func.bind(model, {"foo": jnp.ones(1)})
    with pytest.raises(RuntimeError, match=r"size mismatch for 0\.bias"):
        func.bind(model, {"0.bias": jnp.ones(1)})
    with pytest.raises(ValueError, match="multiple dictionaries"):
        func.bind(model, {"0.bias": jnp.ones(3)}, {"0.bias": jnp.ones(3)})


@pytest.mark.parametrize("function", [func.extract, lambda m: func.bind(m, {}), lambda m: func.functional_call(m, {})])
def test_what_is_not_a_model(function):
    for wrong in (torch.nn.Linear(2, 2), jnp.sin, 3, {"weight": jnp.ones(1)}):
        with pytest.raises(TypeError, match="expected a model, got"):
            function(wrong)


def test_wrong_arguments_of_a_call():
    model, x = mlp(), jnp.ones((5, 4))
    for wrong in (x, model, None, [x], 3):
        with pytest.raises(TypeError, match=r"(?s)a dict of arrays under dotted names.*func.extract\(model\)"):
            func.functional_call(model, wrong, x)
    for wrong, remedy in ((0, r"random.manual_seed\(seed\)"), (nn.Rngs(random.manual_seed(0)), "rngs.generator")):
        with pytest.raises(TypeError, match=f"(?s)draws from a generator or a JAX key.*{remedy}"):
            func.functional_call(model, {}, x, training=True, generator=wrong)


def test_parameters_of_named_parameters_are_values_too():
    model, x = mlp(), jnp.ones((5, 4))
    np.testing.assert_array_equal(func.functional_call(model, dict(model.named_parameters()), x), model(x))


def test_cast(x64):
    theirs = torch.nn.BatchNorm1d(2)
    state = {name: jnp.asarray(value.numpy()) for name, value in theirs.state_dict().items()}
    for dtype in ("float64", "float16", "bfloat16"):
        expected = {name: str(value.dtype) for name, value in theirs.to(getattr(torch, dtype)).state_dict().items()}
        assert {name: f"torch.{value.dtype}" for name, value in func.cast(state, dtype).items()} == expected
        theirs = torch.nn.BatchNorm1d(2)
    assert list(func.cast(state, "float16")) == list(state) and func.cast({"w": None}, "float16") == {"w": None}
    for dtype in ("int32", "bool"):
        with pytest.raises(TypeError) as yours:
            theirs.to(getattr(torch, dtype))
        with pytest.raises(TypeError) as mine:
            func.cast(state, dtype)
        assert str(mine.value) == str(yours.value)
    with pytest.raises(TypeError, match="imaginary"):
        func.cast({"w": jnp.ones(2, "complex64")}, "float32")


def test_cast_does_not_narrow_in_silence():
    with pytest.raises(TypeError, match="64-bit mode"):
        func.cast({"w": jnp.ones(2)}, "float64")


def test_equinox_modules():
    equinox = pytest.importorskip("equinox")
    keys = jax.random.split(jax.random.key(0))

    class Net(equinox.Module):
        layers: list
        drop: equinox.nn.Dropout
        steps: jax.Array

        def __init__(self):
            self.layers = [equinox.nn.Linear(4, 8, key=keys[0]), jax.nn.relu, equinox.nn.Linear(8, 3, key=keys[1])]
            self.drop, self.steps = equinox.nn.Dropout(0.5), jnp.array(3)

        def one(self, x, key=None):
            for layer in self.layers:
                x = layer(x)
            return self.drop(x, key=key)

        def __call__(self, x):
            return jax.vmap(self.one)(x)

    model, x = Net(), jnp.ones((5, 4))
    params, buffers = func.extract(model)
    assert list(params) == ["layers.0.weight", "layers.0.bias", "layers.2.weight", "layers.2.bias"]
    assert list(buffers) == ["steps"]
    with pytest.raises(RuntimeError, match="Dropout requires a key"):
        func.functional_call(model, params, x, training=True)
    out = func.functional_call(model, params, x, training=False)
    doubled = {name: 2 * value for name, value in params.items()}
    np.testing.assert_allclose(
        func.functional_call(model, doubled, x, training=False),
        equinox.nn.inference_mode(func.bind(model, doubled))(x),
    )
    assert not np.allclose(out, func.functional_call(model, doubled, x, training=False))
    dropped = func.functional_call(model, params, x[0], {"key": keys[0]}, method="one", training=True)
    assert 0.0 in dropped.tolist()
    with pytest.raises(TypeError, match="keys that are arguments"):
        func.functional_call(model, params, x, training=True, generator=random.manual_seed(0))
    with pytest.raises(RuntimeError, match=r"size mismatch for layers\.0\.bias"):
        func.bind(model, {"layers.0.bias": jnp.ones(1)})

    tx, y = optim.SGD(0.1), jnp.zeros(5, int)
    plain = equinox.nn.inference_mode(model)

    def loss_fn(params, x, y):
        return F.cross_entropy(func.functional_call(plain, params, x), y)

    state, first = train.make_train_step(loss_fn, tx, donate=False)(train.init_state(params, tx), (x, y))
    assert float(loss_fn(state.params, x, y)) < float(first["loss"])
