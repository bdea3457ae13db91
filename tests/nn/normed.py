"""Layers whose weight is computed from others, trained here and in torch at once; whatever form the names have."""

import jax
import jax.numpy as jnp
import numpy as np
import torch

from jaxgrad import func

LAYERS = {
    "linear": ("Linear", (5, 4), (3, 5)),
    "conv": ("Conv2d", (2, 4, 3), (1, 2, 5, 5)),
    "transposed": ("ConvTranspose1d", (3, 2, 2), (2, 3, 4)),
}
"""Class, sizes, shape of the input."""


def close(ours, theirs):
    theirs = theirs.detach().numpy()
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(np.asarray(ours), theirs, rtol=1e-10, atol=1e-12)


def trained(ours, theirs, x, calls=3):
    """Training calls with gradients, then one of evaluation, all compared; our layer with what it then holds."""
    params, buffers = func.extract(ours)
    assert list(params) == [name for name, _ in theirs.named_parameters()]
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert repr(ours) == repr(theirs)
    for name, value in theirs.state_dict().items():
        close(ours.state_dict()[name], value)

    @jax.jit
    def step(params, buffers, x):
        def loss(params):
            y, aux = func.functional_call(ours, (params, buffers), x, training=True, has_aux=True)
            return sum(jnp.sum(jnp.sin(each)) for each in jax.tree.leaves(y)), (y, aux.buffers)

        return jax.grad(loss, has_aux=True)(params)

    for _ in range(calls):
        theirs.zero_grad()
        expected = jax.tree.leaves(theirs(x), is_leaf=torch.is_tensor)
        sum(each.sin().sum() for each in expected).backward()
        grads, (y, buffers) = step(params, buffers, x.numpy())
        for mine, yours in zip(jax.tree.leaves(y), expected, strict=True):
            close(mine, yours)
        for name, parameter in theirs.named_parameters():
            close(grads[name], parameter.grad)
            with torch.no_grad():
                parameter -= 0.1 * parameter.grad
        params = {name: value - 0.1 * grads[name] for name, value in params.items()}
        for name, buffer in theirs.named_buffers():
            close(buffers[name], buffer)
    theirs.eval()
    y, aux = func.functional_call(ours, (params, buffers), x.numpy(), training=False, has_aux=True)
    for mine, yours in zip(jax.tree.leaves(y), jax.tree.leaves(theirs(x), is_leaf=torch.is_tensor), strict=True):
        close(mine, yours)
    assert all((aux.buffers[name] == value).all() for name, value in buffers.items())
    return func.bind(ours, params, buffers)
