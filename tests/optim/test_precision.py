"""The host half's doubles: kept bit for bit in the state, computed to a double's accuracy inside a float32 jit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad.optim import adam, nadam, radam
from jaxgrad.optim._rule.precision import double_precision, pack, unpack, widen

DOUBLES = st.floats(min_value=1e-21, max_value=1e38) | st.just(0.0) | st.floats(0.5, 1.0)


@settings(deadline=None, max_examples=300)
@given(DOUBLES, st.booleans())
def test_a_double_comes_back_bit_for_bit(value, negative):
    value = -value if negative else value
    assert unpack(pack(value)) == value


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 0.0])
def test_special_values_are_kept(value):
    np.testing.assert_equal(unpack(pack(value)), value)


def test_pack_takes_arrays_and_tracers(x64):
    value = jnp.asarray(0.1)
    assert unpack(pack(value)) == 0.1
    with jax.enable_x64(False):
        assert unpack(jax.jit(pack)(value)) == 0.1
        assert unpack(pack(np.float32(0.1))) == float(np.float32(0.1))


@jax.jit
def _hosts(steps, hyperparams):
    """The host halves of the three with the most delicate constants, as the lifting calls them."""
    with double_precision():
        h = jax.tree.map(widen, hyperparams)
        scalars = {"step": steps.astype(jnp.float64), "mu_product": jnp.ones(steps.shape, jnp.float64)}
        halves = {"adam": adam._host, "nadam": lambda s, h: nadam._host(s, h, lambda x: x), "radam": radam._host}
        return {name: host(scalars, h)[0] for name, host in halves.items()}


STEPS = np.unique(np.concatenate([np.arange(1, 40), np.logspace(1, 6, 60).astype(int)])).astype(np.int32)


@settings(deadline=None, max_examples=40)
@given(
    st.floats(1e-3, 0.99999) | st.just(0.0),
    st.floats(1e-3, 0.999999) | st.just(0.0),
    st.floats(1e-8, 10.0),
    st.floats(1e-8, 0.1) | st.just(0.0),
    st.floats(1e-6, 1.0) | st.just(0.0),
)
def test_constants_are_pythons_doubles(beta1, beta2, lr, weight_decay, momentum_decay):
    hyperparams = {
        "lr": lr,
        "betas": (beta1, beta2),
        "eps": 1e-8,
        "weight_decay": weight_decay,
        "momentum_decay": momentum_decay,
    }
    found = _hosts(jnp.asarray(STEPS), jax.tree.map(pack, hyperparams))
    found = jax.tree.map(lambda x: np.broadcast_to(np.asarray(x, np.float64), STEPS.shape), found)
    for i, t in enumerate(STEPS.tolist()):
        bias1, bias2 = 1 - beta1**t, 1 - beta2**t
        mu = beta1 * (1 - 0.5 * 0.96 ** (t * momentum_decay))
        mu_next = beta1 * (1 - 0.5 * 0.96 ** ((t + 1) * momentum_decay))
        _close(found["adam"]["minus_step_size"][i], -lr / bias1, 1 / bias1)
        _close(found["adam"]["bias_correction2_sqrt"][i], bias2**0.5, 1 / bias2)
        _close(found["adam"]["decay"][i], 1 - lr * weight_decay, 10)
        _close(found["nadam"]["grad_step"][i], -lr * (1 - mu) / (1 - mu), 1 / (1 - mu))
        _close(found["nadam"]["momentum_step"][i], -lr * mu_next / (1 - mu * mu_next), 1 / (1 - mu))
        rho_inf = 2 / (1 - beta2) - 1
        rho = rho_inf - 2 * t * beta2**t / bias2
        if abs(rho - 5) > 1e-6:
            assert found["radam"]["rectified"][i] == (rho > 5)
        if rho > 5.001:
            rect = ((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)) ** 0.5
            _close(found["radam"]["rect"][i], rect, rho_inf * t)


def _close(found, expected, condition):
    """To a double's last places, times how ill-conditioned the formula is: far inside float32's rounding."""
    assert abs(found - expected) <= 1e-15 * (10 + condition) * abs(expected) + 1e-300


def test_the_naive_float32_constant_would_be_seen():
    """What this file is for: 1 - beta2**t in float32 is off by 1e-5, a thousand times what is allowed here."""
    t = np.arange(1, 200)
    naive = np.asarray(jax.jit(lambda beta, t: 1 - beta**t)(jnp.float32(0.999), jnp.asarray(t, jnp.float32)), float)
    exact = 1 - 0.999**t
    assert np.max(np.abs(naive - exact) / exact) > 1e-5


def test_doubles_work_where_a_step_may_stand():
    """vmap of jit, scan, cond, shard_map and grad over the float64 region while 64-bit mode is off."""

    def constant(beta, t):
        with double_precision():
            return (1 - widen(beta) ** t.astype(jnp.float64)).astype(jnp.float32)

    beta, steps = pack(0.999), jnp.arange(1, 5)
    expected = (1 - 0.999 ** np.arange(1, 5)).astype(np.float32)
    each = [jax.jit(constant)(beta, t) for t in steps]
    mapped = jax.vmap(jax.jit(constant), in_axes=(None, 0))(beta, steps)
    scanned = jax.lax.scan(lambda c, t: (c, constant(beta, t)), 0, steps)[1]
    chosen = jax.jit(lambda t: jax.lax.cond(t > 0, lambda: constant(beta, t), lambda: jnp.float32(0)))(steps[2])
    np.testing.assert_array_equal(np.stack(each), expected)
    np.testing.assert_array_equal(mapped, expected)
    np.testing.assert_array_equal(scanned, expected)
    assert chosen == expected[2]
    slope = jax.jit(jax.grad(constant))(beta, jnp.int32(3))
    np.testing.assert_allclose(slope, np.full(3, -3 * 0.999**2, np.float32), rtol=1e-6)
