"""PyTorch's own samples of the normalising modules, and what the database leaves out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxgrad import func, nn
from tests.support.module_samples import error_inputs, infos, samples

NAMES = "BatchNorm1d BatchNorm2d BatchNorm3d InstanceNorm1d InstanceNorm2d InstanceNorm3d LayerNorm GroupNorm RMSNorm"
INFOS = infos(*NAMES.split(), "LocalResponseNorm")


@pytest.mark.parametrize("info", INFOS, ids=lambda info: info.name)
def test_samples(info, x64):
    samples(info, limit=1).check()
    error_inputs(info).check(at_least=0)


@pytest.mark.exhaustive
@pytest.mark.parametrize("info", INFOS, ids=lambda info: info.name)
def test_all_samples(info, x64):
    samples(info).check()
    samples(info).check()


def both(name, *args, **kwargs):
    torch_kwargs = {**kwargs, "dtype": torch.float64} if "affine" in kwargs else kwargs
    ours_kwargs = {**kwargs, "dtype": jnp.float64} if "affine" in kwargs else kwargs
    return getattr(nn, name)(*args, **ours_kwargs), getattr(torch.nn, name)(*args, **torch_kwargs)


@pytest.mark.parametrize(
    "kwargs", [{"momentum": None}, {"momentum": 0.3}, {"track_running_stats": False}, {"bias": False}]
)
def test_buffers_over_several_batches(kwargs, x64):
    for name, shape in (("BatchNorm1d", (4, 3, 5)), ("InstanceNorm1d", (4, 3, 5)), ("InstanceNorm1d", (3, 5))):
        if name == "InstanceNorm1d":
            kwargs = {"track_running_stats": True, **kwargs}
        ours, theirs = both(name, 3, affine=True, **kwargs)
        assert repr(ours) == repr(theirs)
        params, buffers = func.extract(ours)
        assert list(params) + list(buffers) == list(theirs.state_dict())
        step = jax.jit(
            lambda b, x, ours=ours, params=params: func.functional_call(
                ours, (params, b), x, training=True, has_aux=True
            )
        )
        for seed in range(3):
            x = np.random.default_rng(seed).standard_normal(shape) * 3 + 1
            expected = theirs(torch.tensor(x))
            output, aux = step(buffers, x)
            buffers = {**buffers, **(aux.buffers or {})}
            np.testing.assert_allclose(output, expected.detach().numpy(), rtol=1e-10, atol=1e-12)
            for key, value in theirs.named_buffers():
                np.testing.assert_allclose(buffers[key], value.numpy(), rtol=1e-12)
        theirs.eval()
        output = func.functional_call(ours, (params, buffers), x, training=False)
        np.testing.assert_allclose(output, theirs(torch.tensor(x)).detach().numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("size", [2, 3, 4, 7])
def test_cross_map_lrn(size, x64):
    x = np.random.default_rng(0).standard_normal((2, 6, 3, 4))
    ours, theirs = nn.CrossMapLRN2d(size, 0.5, 0.6, 2.0), torch.nn.CrossMapLRN2d(size, 0.5, 0.6, 2.0)
    assert repr(ours) == repr(theirs)
    leaf = torch.tensor(x, requires_grad=True)
    expected = theirs(leaf)
    expected.backward(torch.tensor(np.cos(x)))
    value, pull = jax.vjp(ours, jnp.asarray(x))
    np.testing.assert_allclose(value, expected.detach().numpy(), rtol=1e-10)
    np.testing.assert_allclose(pull(jnp.cos(x))[0], leaf.grad.numpy(), rtol=1e-10, atol=1e-13)


def test_sync_batch_norm_is_batch_norm_of_all_shards(x64):
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5)) * 2 + 1
    whole, split = nn.BatchNorm1d(4, dtype=jnp.float64), nn.SyncBatchNorm(4, process_group="data", dtype=jnp.float64)
    state = func.extract(whole)

    def loss(model, params, x):
        out, aux = func.functional_call(model, (params, state[1]), x, training=True, has_aux=True)
        return jnp.sum(jnp.sin(3 * out)), (out, aux.buffers)

    grads, (out, buffers) = jax.grad(loss, argnums=(1, 2), has_aux=True)(whole, state[0], x.reshape(6, 4, 5))

    def shards(params, x):
        return jax.vmap(lambda x: loss(split, params, x), axis_name="data")(x)

    (_, (parts, synced)), pull = jax.vjp(shards, state[0], jnp.asarray(x))
    ones = jnp.ones(2), jax.tree.map(jnp.zeros_like, (parts, synced))
    ones = jax.tree.map(
        lambda z: np.zeros(z.shape, jax.dtypes.float0) if jnp.issubdtype(z.dtype, jnp.integer) else z, ones
    )
    mine = pull(ones)
    np.testing.assert_allclose(parts.reshape(6, 4, 5), out, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(mine[1].reshape(6, 4, 5), grads[1], rtol=1e-9, atol=1e-12)
    for name, grad in grads[0].items():
        np.testing.assert_allclose(mine[0][name], grad, rtol=1e-9, atol=1e-12)
    for name, value in buffers.items():
        np.testing.assert_allclose(synced[name][0], value, rtol=1e-10)


def test_sync_batch_norm_over_a_mesh():
    from jax.sharding import PartitionSpec as P

    mesh = jax.make_mesh((2,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    x = jnp.asarray(np.random.default_rng(0).standard_normal((4, 3)), jnp.float32)
    whole = nn.BatchNorm1d(3)
    state = func.extract(whole)
    model = nn.SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(whole), "data")[0]

    def call(x):
        return func.functional_call(model, state, x, training=True, has_aux=True)[0]

    out = jax.jit(jax.shard_map(call, mesh=mesh, in_specs=P("data"), out_specs=P("data")))(x)
    expected = func.functional_call(whole, state, x, training=True, has_aux=True)[0]
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-6)
