"""The size of a compiled model: it grows with its depth, not with the square of it."""

import jax
import jax.numpy as jnp
import pytest

from jaxgrad import func, nn, random
from jaxgrad._jaxpr.in_memory import in_memory


def stack(depth, norm_first):
    rngs = nn.Rngs(random.manual_seed(0))
    layer = nn.TransformerEncoderLayer(8, 2, 8, 0.0, batch_first=True, norm_first=norm_first, rngs=rngs)
    return nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)


@pytest.mark.parametrize("norm_first", [False, True])
def test_a_deep_stack_is_as_many_times_one_layer(norm_first):
    def size(depth):
        model = stack(depth, norm_first)
        params, _ = func.extract(model)
        loss = lambda params, x: func.functional_call(model, params, x, training=False).sum()  # noqa: E731
        return len(jax.jit(jax.grad(loss)).lower(params, jnp.ones((2, 3, 8))).compile().as_text())

    one, two, four = size(1), size(2), size(4)
    assert four - two < 1.4 * 2 * (two - one), (one, two, four)


def test_it_is_the_identity_under_every_transformation():
    x = jnp.linspace(-1.0, 2.0, 6).reshape(2, 3)

    def f(x):
        return (in_memory(jnp.sin(x)) ** 2).sum()

    def plain(x):
        return (jnp.sin(x) ** 2).sum()

    for transform in (
        jax.grad,
        jax.hessian,
        jax.jacfwd,
        jax.vmap,
        lambda f: jax.vmap(jax.grad(f)),
        lambda f: jax.grad(jax.checkpoint(f)),
        lambda f: jax.linearize(f, x)[1],
        lambda f: lambda x: jax.lax.scan(lambda c, _: (c + f(x), None), 0.0, length=3)[0],
    ):
        ours, theirs = transform(f), transform(plain)
        assert jnp.allclose(ours(x), theirs(x), rtol=1e-6, atol=1e-7)
        assert jnp.allclose(jax.jit(ours)(x), jax.jit(theirs)(x), rtol=1e-6, atol=1e-7)


def test_a_program_for_a_cpu_calls_it_and_others_do_not():
    lowered = jax.jit(in_memory).trace(jnp.ones(3))
    assert 'inlineable = "false"' in lowered.lower(lowering_platforms=("cpu",)).as_text()
    for platform in ("cuda", "tpu"):
        assert "call" not in lowered.lower(lowering_platforms=(platform,)).as_text()
