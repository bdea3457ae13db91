"""The rule of growth and the inverse of the scale beside torch's kernels, for numbers of every size, exactly."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad import amp

torch = pytest.importorskip("torch", reason="the reference is not installed")

LARGEST = float(np.finfo(np.float32).max)
EDGES = [(3.3e38, 1, 1.1), (LARGEST, 1, 1.0 + 1e-8), (LARGEST, 1, 1.0 + 2.0**-24), (2.0**127, 1, 2.0), (1.0, 4, 3.0)]


def numbers():
    rng = np.random.default_rng(0)
    for scale, tracker, growth in EDGES:
        yield scale, tracker, growth, 0.5, 2
    for _ in range(150):
        scale, growth, backoff = 2.0 ** rng.uniform(-100, 128), rng.uniform(0.5, 9), rng.uniform(0, 1.5)
        interval = int(rng.integers(1, 4))
        yield min(scale, LARGEST), int(rng.integers(0, 4)), growth, backoff, interval


def test_the_scale_grows_and_shrinks_as_in_torch():
    scaler = amp.GradScaler()
    update = jax.jit(scaler.update)
    for scale, tracker, growth, backoff, interval in numbers():
        told = {"scale": scale, "growth_factor": growth, "backoff_factor": backoff, "growth_interval": interval}
        s = scaler.load_state_dict({**told, "_growth_tracker": tracker})
        for found in (False, True):  # some of the grown ones would be past float32
            expected, counted = torch.tensor(scale), torch.tensor(tracker, dtype=torch.int32)
            torch._amp_update_scale_(expected, counted, torch.tensor(float(found)), growth, backoff, interval)
            got = update(s, jnp.array(found))
            assert (float(got.scale), int(got.growth_tracker)) == (expected.item(), counted.item()), told


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_gradients_are_divided_as_in_torch_by_any_scale(dtype):
    scaler = amp.GradScaler()
    unscale, s = jax.jit(scaler.unscale), scaler.init()
    values = np.random.default_rng(1).standard_normal(32).astype(np.float32)
    for exponent in range(-60, 128, 11):
        for scale in (2.0**exponent, 1.7 * 2.0**exponent):
            grad = (torch.tensor(values) * scale).to(getattr(torch, dtype))
            grads, found_inf = unscale(
                {"w": jnp.asarray(grad.float().numpy(), dtype)}, s._replace(scale=jnp.float32(scale))
            )
            inverse, found = torch.tensor(scale).double().reciprocal().float(), torch.zeros(())
            torch._amp_foreach_non_finite_check_and_unscale_([grad], found, inverse)
            assert bool(found_inf) == bool(found)
            np.testing.assert_array_equal(grads["w"].astype(jnp.float32), grad.float().numpy(), err_msg=str(scale))
