"""What belongs to a call: its mode, its stream, what it changed; and that nothing of it is lost in silence."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxgrad import autograd, func, nn, random
from jaxgrad.utils.checkpoint import checkpoint, checkpoint_sequential

torch = pytest.importorskip("torch", reason="the reference is not installed")


class Counting(nn.Module):
    """Counts its calls in training."""

    def __init__(self):
        self.count = nn.Buffer(jnp.array(0))

    def forward(self, x):
        if self.training:
            self.count.set_value(self.count.get_value() + 1)
        return x


class Renormed(nn.Module):
    """A parameter that the forward pass changes, as an embedding with max_norm does."""

    def __init__(self):
        self.weight = nn.Parameter(jnp.full(2, 2.0))

    def forward(self, x):
        self.weight.set_value(self.weight.get_value() / 2)
        return x * self.weight.get_value()


def trained(model, x, seed=0, **options):
    return func.functional_call(
        model, func.extract(model), x, training=True, generator=random.manual_seed(seed), has_aux=True, **options
    )


def torchs(model, x, seed=0):
    torch.manual_seed(seed)
    return model(torch.from_numpy(np.asarray(x))).numpy(), torch.rand(3).numpy()


def same(ours, aux, theirs):
    np.testing.assert_array_equal(ours == 0, theirs[0] == 0)
    np.testing.assert_allclose(ours, theirs[0], rtol=3e-7)  # XLA multiplies two factors into one
    np.testing.assert_array_equal(random.rand(aux.generator, (3,))[0], theirs[1])


FAMILY = {
    "Dropout": (4, 3),
    "Dropout1d": (2, 3, 4),
    "Dropout2d": (2, 3, 4, 5),
    "Dropout3d": (2, 3, 2, 2, 2),
    "AlphaDropout": (4, 3),
    "FeatureAlphaDropout": (2, 3, 4),
}


@pytest.mark.parametrize("name", FAMILY)
def test_the_dropout_family_draws_torchs_masks(name):
    x = np.random.default_rng(0).standard_normal(FAMILY[name]).astype(np.float32)
    for p in (0.0, 0.3, 1.0):
        ours, theirs = getattr(nn, name)(p), getattr(torch.nn, name)(p)
        assert repr(ours) == repr(theirs)
        out, aux = trained(ours, jnp.asarray(x))
        same(out, aux, torchs(theirs, x))
        if p == 0.3:
            np.testing.assert_array_equal(out, torchs(theirs, x)[0])
        np.testing.assert_array_equal(func.functional_call(ours, {}, x, training=False), theirs.eval()(torch.tensor(x)))
    with pytest.raises(ValueError) as error:
        getattr(torch.nn, name)(1.5)
    with pytest.raises(ValueError) as mine:
        getattr(nn, name)(1.5)
    assert str(mine.value) == str(error.value)


def test_layers_of_a_sequential_share_the_stream_and_a_module_runs_twice():
    def build(nn, module):
        class Twice(module):
            def __init__(self):
                super().__init__()
                self.drop = nn.Dropout(0.4)
                self.layers = nn.Sequential(nn.Dropout(0.2), nn.Sequential(nn.Dropout(0.7)), self.drop)

            def forward(self, x):
                return self.drop(self.layers(x)) + self.layers(x)

        return Twice()

    x = np.ones((5, 7), np.float32)
    out, aux = jax.jit(lambda x: trained(build(nn, nn.Module), x))(x)
    same(out, aux, torchs(build(torch.nn, torch.nn.Module), x))


def test_a_jax_key_is_a_stream_too():
    key = jax.random.key(0)
    out, aux = func.functional_call(nn.Dropout(0.5), {}, jnp.ones(64), training=True, generator=key, has_aux=True)
    assert set(np.asarray(out).tolist()) == {0.0, 2.0} and not (aux.generator == key).all()


def test_what_the_call_must_say():
    x = jnp.ones(4)
    with pytest.raises(RuntimeError, match=r"(?s)result of Dropout depends.*training=True or training=False"):
        func.functional_call(nn.Dropout(0.5), {}, x)
    with pytest.raises(RuntimeError, match="result of Dropout depends"):
        nn.Sequential(nn.Dropout(0.5))(x)
    with pytest.raises(TypeError, match=r"(?s)Dropout in training mode draws.*generator=random.manual_seed"):
        func.functional_call(nn.Dropout(0.5), {}, x, training=True)
    for p in (0.0, 1.0):  # nothing to draw
        func.functional_call(nn.Dropout(p), {}, x, training=True)


def test_what_would_be_lost():
    x, generator = jnp.ones(4), random.manual_seed(0)
    with pytest.raises(RuntimeError, match=r"(?s)drew from the generator.*has_aux=True"):
        func.functional_call(nn.Dropout(0.5), {}, x, training=True, generator=generator)
    with pytest.raises(RuntimeError, match=r'(?s)updated buffers.*"1.count".*has_aux=True.*training=False'):
        func.functional_call(nn.Sequential(nn.ReLU(), Counting()), {}, x, training=True)
    with pytest.raises(RuntimeError, match=r'(?s)"weight".*has_aux=True.*aux.params'):
        func.functional_call(Renormed(), {}, jnp.ones(2))
    assert float(func.functional_call(nn.Sequential(nn.Flatten(0)), {}, x, generator=generator).sum()) == 4.0
    func.functional_call(Counting(), {}, x, training=False)


def test_a_parameter_that_the_forward_pass_changes_comes_out():
    out, aux = func.functional_call(Renormed(), {}, jnp.ones(2), has_aux=True)
    np.testing.assert_array_equal(out, [1.0, 1.0])
    np.testing.assert_array_equal(aux.params["weight"], [1.0, 1.0])
    assert aux.buffers == {} and aux.generator is None


def test_another_method():
    class Coder(nn.Module):
        def __init__(self):
            self.drop = nn.Dropout(0.5)

        def decode(self, x, *, scale):
            return self.drop(x) * scale

    out = func.functional_call(Coder(), {}, jnp.ones(2), {"scale": 3.0}, method="decode", training=False)
    np.testing.assert_array_equal(out, [3.0, 3.0])
    with pytest.raises(AttributeError, match="'Coder' object has no attribute 'encode'"):
        func.functional_call(Coder(), {}, jnp.ones(2), method="encode")


def test_a_call_inside_of_a_forward_is_in_the_mode_and_on_the_stream_of_the_one_around_it():
    class Outer(nn.Module):
        def __init__(self):
            self.inner = nn.Dropout(0.5)

        def forward(self, x):
            before = self.inner(x)
            other = func.functional_call(self.inner, {}, x)
            off = func.functional_call(self.inner, {}, x, training=False)
            return before + 10 * other + 100 * off + 1000 * self.inner(x)

    class Plain(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = torch.nn.Dropout(0.5)

        def forward(self, x):
            return self.inner(x) + 10 * self.inner(x) + 100 * x + 1000 * self.inner(x)

    x = np.ones(9, np.float32)
    out, aux = trained(Outer(), x)
    same(out, aux, torchs(Plain(), x))


TRANSFORMED = {
    "jit": lambda f, x: jax.jit(f)(x),
    "vmap": lambda f, x: jax.vmap(f)(x),
    "scan": lambda f, x: jax.lax.scan(lambda c, x: (c, f(x)), 0, x)[1],
    "grad": lambda f, x: jax.grad(lambda x: f(x).sum())(x),
    "checkpoint": lambda f, x: jax.checkpoint(f)(x),
}


@pytest.mark.parametrize("name", TRANSFORMED)
def test_a_draw_inside_a_transformation_of_the_forward(name):
    class Inside(nn.Module):
        def __init__(self):
            self.drop, self.plain = nn.Dropout(0.5), nn.ReLU()

        def forward(self, x):
            return TRANSFORMED[name](lambda x: self.drop(self.plain(x)), x)

    model, x = Inside(), jnp.ones((3, 4))
    with pytest.raises(RuntimeError, match=r"(?s)inside a jax transformation.*around functional_call"):
        trained(model, x)
    assert func.functional_call(model, {}, x, training=False).shape == (3, 4)
    assert float(random.rand(random.manual_seed(0), (1,))[0][0]) < 1  # and the stream is whole


def test_a_model_outside_of_a_transformation_is_not_changed_inside_of_it():
    class Remembering(nn.Module):
        def forward(self, x):
            self.last = x
            return x

    class Always(Counting):
        def forward(self, x):
            self.count.set_value(self.count.get_value() + 1)
            return x

    for model in (Remembering(), Always()):
        for transformed in (jax.jit, jax.vmap, lambda f: jax.grad(lambda x: f(x).sum())):
            with pytest.raises(RuntimeError, match=r"(?s)changed inside a jax transformation.*functional_call"):
                transformed(lambda x, model=model: model(x))(jnp.ones(2))
            if transformed is jax.jit:
                jax.jit(lambda x, model=model: func.functional_call(model, {}, x, has_aux=True)[0])(jnp.ones(2))
    assert int(model.count.get_value()) == 0


class Checkpointed(nn.Module):
    def __init__(self, how, rngs):
        self.how, self.last = how, nn.Dropout(0.3)
        self.block = nn.Sequential(nn.Linear(6, 6, rngs=rngs), nn.Dropout(0.5), Counting())

    def piece(self, x, scale):
        return self.block(x) * scale

    def forward(self, x):
        if self.how == "off":
            x = self.piece(x, 2.0)
        elif self.how == "module":
            x = checkpoint(self.block, x) * 2.0
        elif self.how == "method":
            x = checkpoint(self.piece, x, 2.0)
        elif self.how == "closure":
            x = checkpoint(lambda x: self.piece(x, 2.0), x)
        elif self.how == "argument":
            x = checkpoint(lambda block, x: block(x) * 2.0, self.block, x)
        else:
            x = checkpoint_sequential(self.block, 2, x) * 2.0
        return self.last(x)


@pytest.mark.parametrize("how", ["module", "method", "closure", "argument", "sequential"])
def test_checkpoints_draw_and_count_as_without(how):
    def loss(params, x, model):
        out, aux = func.functional_call(
            model, (params, {}), x, training=True, generator=random.manual_seed(3), has_aux=True
        )
        return jnp.sum(out**2), aux

    x = jnp.asarray(np.random.default_rng(0).standard_normal((4, 6)), jnp.float32)
    plain = Checkpointed("off", nn.Rngs(random.manual_seed(0)))
    model = Checkpointed(how, nn.Rngs(random.manual_seed(0)))
    params, _ = func.extract(model)
    run = jax.jit(lambda p, model=model: autograd.backward(loss, p, x, model, has_aux=True))
    (value, aux), grads = run(params)
    (expected, expected_aux), expected_grads = autograd.backward(loss, params, x, plain, has_aux=True)
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    for name, grad in expected_grads.items():
        np.testing.assert_allclose(grads[name], grad, rtol=1e-5, atol=1e-6)
    assert int(aux.buffers["block.2.count"]) == 1 == int(expected_aux.buffers["block.2.count"])
    np.testing.assert_array_equal(aux.generator.get_state(), expected_aux.generator.get_state())
    leaves = [*jax.tree.leaves(nnx.state(model)), *jax.tree.leaves(model.block[1]._call)]
    assert not any(isinstance(leaf, jax.core.Tracer) for leaf in leaves)


def test_checkpoint_is_torchs_with_its_dropout():
    from torch.utils.checkpoint import checkpoint as torch_checkpoint

    x = np.random.default_rng(0).standard_normal((4, 6)).astype(np.float32)
    model = Checkpointed("module", nn.Rngs(random.manual_seed(0)))
    out, aux = trained(model, jnp.asarray(x), seed=5)
    torch.manual_seed(0)
    block = torch.nn.Sequential(torch.nn.Linear(6, 6), torch.nn.Dropout(0.5))
    torch.manual_seed(5)
    with torch.no_grad():
        theirs = torch.nn.Dropout(0.3)(torch_checkpoint(block, torch.tensor(x), use_reentrant=False) * 2.0)
    np.testing.assert_allclose(out, theirs.numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(aux.generator.get_state(), torch.get_rng_state().numpy())


def test_flaxs_own_layers_are_told_the_mode_and_their_streams_are_not_lost():
    class Flax(nnx.Module):
        def __init__(self):
            self.norm = nnx.BatchNorm(3, rngs=nnx.Rngs(0))

        def __call__(self, x):
            return self.norm(x)

    model, x = Flax(), jnp.arange(6.0).reshape(2, 3)
    evaluated = func.functional_call(model, {}, x, training=False)
    np.testing.assert_allclose(evaluated, x, rtol=1e-4)
    out, aux = func.functional_call(model, {}, x, training=True, has_aux=True)
    assert not np.allclose(out, x) and float(aux.buffers["norm.mean"][0]) != 0.0
    assert model.norm.use_running_average is False
    with pytest.raises(RuntimeError, match="flax's own random stream"):
        func.functional_call(nnx.Dropout(0.5, rngs=nnx.Rngs(0)), {}, x, training=True, has_aux=True)
