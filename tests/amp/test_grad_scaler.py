"""The gradient scaler call by call beside torch's, with planted infinities, exactly."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad import amp, optim, serialization
from tests.serialization.files import our_bytes, read, to_torch, torch_bytes

torch = pytest.importorskip("torch", reason="the reference is not installed")

SETTINGS = {
    "defaults": {},
    "quick": {"init_scale": 1000.1, "growth_factor": 1.37, "backoff_factor": 0.3, "growth_interval": 2},
    "every step": {"init_scale": 3.0e38, "growth_factor": 1.1, "backoff_factor": 0.9, "growth_interval": 1},
    "off": {"enabled": False},
}
SPOILT = {3: np.inf, 4: np.nan, 9: -np.inf}


def gradients(step):
    grads = np.random.default_rng(step).standard_normal((2, 3)).astype(np.float32)
    if step in SPOILT:
        grads[1, 2] = SPOILT[step]
    return grads


@pytest.mark.parametrize("name", SETTINGS)
def test_beside_torch_step_by_step(name):
    scaler, theirs = amp.GradScaler("cpu", **SETTINGS[name]), torch.amp.GradScaler("cpu", **SETTINGS[name])
    parameter, left = torch.nn.Parameter(torch.ones(2, 3)), torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([parameter, left], lr=0.125, momentum=0.5)
    tx = optim.SGD(0.125, momentum=0.5)
    params = {"w": jnp.ones((2, 3)), "left": jnp.ones(2)}
    opt_state, s = tx.init(params), scaler.init()
    step = jax.jit(partial(scaler.step, tx))
    assert scaler.is_enabled() == theirs.is_enabled()
    for i in range(12):
        loss = theirs.scale(torch.tensor(0.1))
        assert np.asarray(scaler.scale(jnp.float32(0.1), s)) == loss.numpy()
        parameter.grad = torch.tensor(gradients(i)) * theirs.get_scale()
        grads = {"w": jnp.asarray(parameter.grad.numpy()), "left": None}
        finite = np.isfinite(grads["w"]).all()
        theirs.unscale_(optimizer)
        grads, found_inf = scaler.unscale(grads, s)
        np.testing.assert_array_equal(grads["w"], parameter.grad.numpy())
        assert list(grads) == ["w", "left"] and grads["left"] is None
        assert bool(found_inf) == (theirs.is_enabled() and not finite)
        assert finite != (i in SPOILT) or name == "every step"  # where the scaled ones overflow
        theirs.step(optimizer)
        theirs.update()
        params, opt_state = step(params, grads, opt_state, found_inf)
        s = scaler.update(s, found_inf)
        np.testing.assert_array_equal(params["w"], parameter.detach().numpy())
        assert scaler.state_dict(s) == theirs.state_dict()
        assert scaler.get_scale(s) == theirs.get_scale()


def test_what_goes_in_may_have_any_dtype():
    scaler, theirs = amp.GradScaler("cpu", init_scale=3000.0), torch.amp.GradScaler("cpu", init_scale=3000.0)
    s, theirs_too = scaler.init(), theirs.scale(torch.ones(1))
    del theirs_too
    with jax.enable_x64(True):
        for dtype in ("float16", "bfloat16", "float32", "float64", "int32", "bool", "complex64"):
            for value in (1, [1, 0], [[0.3, 20]], []):
                expected = theirs.scale(torch.tensor(value, dtype=getattr(torch, dtype)))
                got = scaler.scale(jnp.asarray(value, dtype), s)
                assert str(got.dtype) == str(expected.dtype).removeprefix("torch."), (dtype, value)
                assert got.astype(complex).tolist() == expected.to(torch.complex128).tolist(), (dtype, value)
        for dtype in ("bfloat16", "float32", "float64"):
            for value in (0.1, [0.3, -7.0], []):
                grad = torch.tensor(value, dtype=getattr(torch, dtype))
                inverse = torch.tensor(3000.0).double().reciprocal().float()
                torch._amp_foreach_non_finite_check_and_unscale_([grad], torch.zeros(()), inverse)
                got, _ = scaler.unscale([jnp.asarray(value, dtype)], s)
                assert str(got[0].dtype) == dtype and got[0].astype(float).tolist() == grad.double().tolist()
    one, (two,) = scaler.scale([jnp.ones(1), (np.ones(1, np.float32),)], s)
    assert one.tolist() == two.tolist() == [3000.0]
    assert [float(each) for each in scaler.scale((jnp.float32(i) for i in range(2)), s)] == [0.0, 3000.0]


def test_a_scale_of_ones_own_and_other_factors():
    scaler, theirs = amp.GradScaler("cpu", growth_interval=2), torch.amp.GradScaler("cpu", growth_interval=2)
    parameter = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([parameter], lr=0.1)
    s = scaler.init()

    def both(new_scale=None):
        theirs.scale(torch.ones(1))
        parameter.grad = torch.ones(1)
        theirs.step(optimizer)
        theirs.update(new_scale if new_scale is None or isinstance(new_scale, float) else torch.tensor(new_scale))
        after = scaler.update(s, jnp.array(False), new_scale)
        assert scaler.state_dict(after) == theirs.state_dict()
        return after

    s = both()
    s = both(12.7)
    s = both()
    s = both(np.float32(0.3))
    s = scaler.set_growth_interval(scaler.set_backoff_factor(scaler.set_growth_factor(s, 0.7), 1.5), 5)
    theirs.set_growth_factor(0.7), theirs.set_backoff_factor(1.5), theirs.set_growth_interval(5)
    s = both()
    told = scaler.get_growth_factor(s), scaler.get_backoff_factor(s), scaler.get_growth_interval(s)
    assert told == (0.7, 1.5, 5) == (theirs.get_growth_factor(), theirs.get_backoff_factor(), 5)
    for found, scale in ((0.0, 1.0), (1.0, 1.5), ([0.0, 1.0], 1.5), ([jnp.array(False)] * 2, 1.0)):
        assert scaler.get_scale(scaler.update(s, found)) == np.float32(scale * scaler.get_scale(s))


def test_under_jit_vmap_and_scan_nothing_compiles_anew():
    scaler = amp.GradScaler(growth_interval=2, growth_factor=1.1)
    update = jax.jit(scaler.update)
    found = jnp.array([False, False, True, False])
    s = scaler.init()
    for each in found:
        s = update(s, each)
    scanned, _ = jax.lax.scan(lambda s, each: (scaler.update(s, each), None), scaler.init(), found)
    assert scaler.state_dict(s) == scaler.state_dict(scanned)
    update(scaler.set_growth_factor(s, 3.0), found[0])
    assert update._cache_size() == 1
    many = jax.vmap(scaler.update, in_axes=(None, 0))(s, found)
    assert many.growth_tracker.tolist() == [0, 0, 0, 0] and len(set(many.scale.tolist())) == 2
    assert jax.grad(lambda x: scaler.scale(x, scaler.init()))(1.0 * jnp.ones(())) == 65536.0


@pytest.mark.parametrize("steps", [3, 7])
def test_a_scaler_goes_on_in_the_other_library(steps):
    settings = {"init_scale": 77.7, "growth_factor": 1.3, "growth_interval": 4}
    theirs, parameter = torch.amp.GradScaler("cpu", **settings), torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([parameter], lr=0.1)

    def go_on(reference, steps):
        for _ in range(steps):
            reference.scale(torch.ones(1))
            parameter.grad = torch.ones(1)
            reference.step(optimizer)
            reference.update()

    go_on(theirs, steps)
    scaler, back = amp.GradScaler("cpu"), torch.amp.GradScaler("cpu")
    s = scaler.load_state_dict(read(torch_bytes(theirs.state_dict())))
    back.load_state_dict(to_torch(our_bytes(scaler.state_dict(s))))
    go_on(theirs, 5)
    go_on(back, 5)
    for _ in range(5):
        s = scaler.update(s, False)
    assert scaler.state_dict(s) == theirs.state_dict() == back.state_dict()


def test_a_state_goes_through_our_file(tmp_path):
    scaler = amp.GradScaler(growth_factor=1.1)
    s = scaler.update(scaler.init(), True)
    serialization.save(tmp_path / "state", s)
    again, _ = serialization.load(tmp_path / "state", like=scaler.init())
    assert scaler.state_dict(again) == scaler.state_dict(s)


def same_error(mine, yours):
    with pytest.raises(Exception) as expected:
        yours()
    with pytest.raises(type(expected.value)) as got:
        mine()
    assert str(got.value).splitlines()[0] == str(expected.value).splitlines()[0]


def test_torchs_sentences():
    scaler, theirs = amp.GradScaler("cpu"), torch.amp.GradScaler("cpu")
    off, theirs_off = amp.GradScaler("cpu", enabled=False, growth_factor=0.5), torch.amp.GradScaler(enabled=False)
    s, parameter = scaler.init(), torch.nn.Parameter(torch.ones(2, dtype=torch.float16))
    optimizer = torch.optim.SGD([parameter], lr=0.1)
    for bad in ({"growth_factor": 1.0}, {"backoff_factor": 1.0}):
        same_error(lambda bad=bad: amp.GradScaler("cpu", **bad), lambda bad=bad: torch.amp.GradScaler("cpu", **bad))
    same_error(lambda: scaler.unscale({"w": jnp.ones(1)}, None), lambda: theirs.unscale_(optimizer))
    same_error(lambda: scaler.update(None, False), lambda: theirs.update())
    same_error(lambda: scaler.scale(1.0, s), lambda: theirs.scale(1.0))
    theirs.scale(torch.ones(1))
    same_error(lambda: scaler.unscale({"w": None}, s), lambda: theirs.step(optimizer))
    theirs = torch.amp.GradScaler("cpu")
    theirs.scale(torch.ones(1))
    same_error(lambda: scaler.update(s, None), lambda: theirs.update())
    same_error(lambda: scaler.update(s, None, jnp.ones(2)), lambda: theirs.update(torch.ones(2)))
    parameter.grad = torch.ones_like(parameter)
    same_error(lambda: scaler.unscale({"w": jnp.ones(2, jnp.float16)}, s), lambda: theirs.unscale_(optimizer))
    same_error(lambda: scaler.load_state_dict({}), lambda: theirs.load_state_dict({}))
    same_error(lambda: scaler.load_state_dict({"scale": 1.0}), lambda: theirs.load_state_dict({"scale": 1.0}))
    same_error(lambda: off.get_growth_factor(None), theirs_off.get_growth_factor)
    assert off.state_dict(off.init()) == {} and off.load_state_dict({}) is None and off.get_scale(None) == 1.0
    for bad in ({"device": 3}, {"growth_interval": 1.5}, {"init_scale": "2"}):
        with pytest.raises(TypeError):
            amp.GradScaler(**bad)
    with pytest.raises(NotImplementedError):
        scaler.unscale({"w": jnp.ones(2, complex)}, s)
    with pytest.raises(AssertionError, match=r"s = scaler\.init"):
        scaler.scale(jnp.ones(()), jnp.ones(()))
