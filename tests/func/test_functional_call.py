"""Modules as functions: names, order, tied weights, buffers, and torch's complaints."""

from collections import OrderedDict

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxgrad import func, nn, random


def mlp(seed=0):
    rngs = nn.Rngs(random.manual_seed(seed))
    return nn.Sequential(nn.Linear(4, 3, rngs=rngs), nn.ReLU(), nn.Linear(3, 2, rngs=rngs))


class Tied(nn.Module):
    def __init__(self, rngs):
        self.encoder = nn.Linear(3, 3, rngs=rngs)
        self.decoder = nn.Linear(3, 3, rngs=rngs)
        self.decoder.weight = self.encoder.weight

    def forward(self, x):
        return self.decoder(self.encoder(x))


class Counter(nn.Module):
    def __init__(self):
        self.scale = nn.Parameter(jnp.array(2.0))
        self.calls = nn.Buffer(jnp.array(0))
        self.constant = jnp.array(5.0)

    def forward(self, x):
        self.calls.set_value(self.calls.get_value() + 1)
        return self.scale.get_value() * x + self.constant


def test_names_and_order_are_torchs():
    torch = pytest.importorskip("torch")
    theirs = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    params, buffers = func.extract(mlp())
    assert list(params) == list(theirs.state_dict())
    assert {name: value.shape for name, value in params.items()} == {
        name: tuple(value.shape) for name, value in theirs.state_dict().items()
    }
    assert buffers == {}


def test_only_parameters_are_trained_and_only_buffers_are_remembered():
    params, buffers = func.extract(Counter())
    assert list(params) == ["scale"] and list(buffers) == ["calls"]


def test_module_itself_does_not_change():
    model = Counter()
    out, aux = func.functional_call(model, {"scale": jnp.array(3.0)}, jnp.array(1.0), has_aux=True)
    assert float(out) == 8.0 and int(aux.buffers["calls"]) == 1
    assert int(model.calls.get_value()) == 0 and float(model.scale.get_value()) == 2.0


def test_left_out_names_keep_the_modules_values():
    model, x = mlp(), jnp.ones((5, 4))
    params, _ = func.extract(model)
    half = {name: value for name, value in params.items() if name.startswith("2.")}
    np.testing.assert_array_equal(func.functional_call(model, half, x), model(x))


def test_tied_weight_is_one_parameter_with_the_sum_of_both_gradients():
    model = Tied(nn.Rngs(random.manual_seed(3)))
    params, _ = func.extract(model)
    assert list(params) == ["encoder.weight", "encoder.bias", "decoder.bias"]
    x = jnp.ones((2, 3))

    def tied(params):
        return jnp.sum(func.functional_call(model, params, x) ** 2)

    def apart(first, second):
        values = {**params, "encoder.weight": first, "decoder.weight": second}
        return jnp.sum(func.functional_call(model, values, x, tie_weights=False) ** 2)

    w = params["encoder.weight"]
    first, second = jax.grad(apart, argnums=(0, 1))(w, w)
    np.testing.assert_allclose(jax.grad(tied)(params)["encoder.weight"], first + second, rtol=1e-6)


def test_tied_names_must_agree():
    model = Tied(nn.Rngs(random.manual_seed(3)))
    values = {"encoder.weight": jnp.ones((3, 3)), "decoder.weight": jnp.zeros((3, 3))}
    with pytest.raises(ValueError, match="multiple values for keys"):
        func.functional_call(model, values, jnp.ones((1, 3)))


def test_several_dicts_and_their_conflicts():
    model, x = Counter(), jnp.array(1.0)
    out, aux = func.functional_call(model, ({"scale": jnp.array(3.0)}, {"calls": jnp.array(7)}), x, has_aux=True)
    assert float(out) == 8.0 and int(aux.buffers["calls"]) == 8
    with pytest.raises(ValueError, match="appeared in multiple dictionaries"):
        func.functional_call(model, ({"scale": jnp.array(3.0)}, {"scale": jnp.array(7.0)}), x)


def test_strict_names():
    with pytest.raises(RuntimeError, match=r"(?s)reparametrizing.*Unexpected key.*'foo'.*Missing key.*'0.bias'"):
        func.functional_call(mlp(), {"0.weight": jnp.ones((3, 4)), "foo": jnp.ones(1)}, jnp.ones((1, 4)), strict=True)


def test_shape_that_does_not_fit():
    with pytest.raises(RuntimeError, match=r"size mismatch for 0.weight"):
        func.functional_call(mlp(), {"0.weight": jnp.ones((5, 4))}, jnp.ones((1, 4)))


def test_keyword_and_tuple_arguments():
    class Both(nn.Module):
        def forward(self, a, b, *, c):
            return a + b * c

    assert float(func.functional_call(Both(), {}, (jnp.array(1.0), jnp.array(2.0)), {"c": 3.0})) == 7.0


def test_flax_modules_and_lists_are_named_too():
    class Stack(nnx.Module):
        def __init__(self):
            self.layers = nnx.List([nnx.Linear(2, 2, rngs=nnx.Rngs(0)), nnx.Linear(2, 2, rngs=nnx.Rngs(1))])
            self.norm = nnx.BatchNorm(2, rngs=nnx.Rngs(2))

        def __call__(self, x):
            return self.norm(self.layers[1](self.layers[0](x)))

    model = Stack()
    params, buffers = func.extract(model)
    assert "layers.0.kernel" in params and "layers.1.bias" in params and set(buffers) == {"norm.mean", "norm.var"}
    x = jnp.arange(6.0).reshape(3, 2)
    out, aux = func.functional_call(model, (params, buffers), x, has_aux=True)
    assert out.shape == (3, 2) and not np.array_equal(aux.buffers["norm.mean"], buffers["norm.mean"])


def test_under_jit_and_vmap():
    model = mlp()
    params, _ = func.extract(model)
    x = jnp.ones((5, 4))
    jitted = jax.jit(lambda p, x: func.functional_call(model, p, x))
    np.testing.assert_allclose(jitted(params, x), model(x), rtol=1e-6)
    many = jax.tree.map(lambda v: jnp.stack([v, 2 * v]), params)
    assert jax.vmap(jitted, in_axes=(0, None))(many, x).shape == (2, 5, 2)


def test_sequential_of_named_modules():
    rngs = nn.Rngs(random.manual_seed(0))
    model = nn.Sequential(OrderedDict(first=nn.Linear(2, 3, rngs=rngs), act=nn.ReLU()))
    assert list(func.extract(model)[0]) == ["first.weight", "first.bias"]


def test_twelve_layers_run_in_their_order():
    """ "10" sorts before "2"; the layers and the parameters keep the order in which they were given."""

    class Affine(nn.Module):
        def __init__(self, factor):
            self.factor = nn.Parameter(jnp.array(float(factor)))

        def forward(self, x):
            return x * self.factor.get_value() + 1

    model = nn.Sequential(*(Affine(i % 3 + 1) for i in range(12)))
    params, _ = func.extract(model)
    assert list(params) == [f"{i}.factor" for i in range(12)]
    expected = 1.0
    for i in range(12):
        expected = expected * (i % 3 + 1) + 1
    assert float(model(jnp.array(1.0))) == expected
    assert float(func.functional_call(model, params, jnp.array(1.0))) == expected
