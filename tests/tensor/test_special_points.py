"""Zeros, ties, kinks, infinities, repeated indices: torch's value and torch's gradient, row by row."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad.parity import jax_side, torch_side
from jaxgrad.parity.catalog.special_points import POINTS

torch = pytest.importorskip("torch", reason="the reference is not installed")


def floating(array):
    return array.dtype.kind == "f"


def reference(point):
    leaves = {i: torch_side.to_torch(each).requires_grad_(floating(each)) for i, each in point.inputs.items()}
    args = [leaves.get(i, each) for i, each in enumerate(point.args)]
    out = torch_side.resolve(point.address)(*args, **point.kwargs)
    out = out[-1] if hasattr(out, "logabsdet") else out[0] if isinstance(out, tuple) else out
    value = torch_side.to_numpy(out)
    if out.requires_grad:
        out.backward(torch.as_tensor(point.weights(value.size).reshape(value.shape)))
    grads = [leaf.grad for leaf in leaves.values() if leaf.requires_grad]
    return value, [
        np.zeros(leaf.shape) if g is None else torch_side.to_numpy(g)
        for g, leaf in zip(grads, [leaf for leaf in leaves.values() if leaf.requires_grad], strict=True)
    ]


def ours(point, fn=None):
    arrays = {i: jnp.asarray(each) for i, each in point.inputs.items()}
    places = [i for i, each in point.inputs.items() if floating(each)]

    def call(chosen):
        given = arrays | dict(zip(places, chosen, strict=True))
        args = [given.get(i, each) for i, each in enumerate(point.args)]
        out = (fn or jax_side.resolve(point.address))(*args, **point.kwargs)
        return out.logabsdet if hasattr(out, "logabsdet") else out[0] if isinstance(out, tuple) else out

    if point.error:
        call([arrays[i] for i in places])  # what is differentiated is traced, and cannot be looked at
    value, pull = jax.vjp(call, [arrays[i] for i in places])
    weights = jnp.asarray(point.weights(value.size).reshape(value.shape), value.dtype)
    return np.asarray(value), [np.asarray(g) for g in pull(weights)[0]]


def same(mine, yours):
    """Equal infinities and nans, and numbers to a few last places."""
    assert mine.shape == yours.shape
    return np.allclose(mine, yours, rtol=1e-12, atol=1e-15, equal_nan=True)


@pytest.mark.parametrize("point", POINTS, ids=str)
def test_point(point, x64):
    if point.error:
        for side in (reference, ours):
            with pytest.raises(Exception) as caught:
                side(point)
            assert point.error in str(caught.value)
        return
    value, grads = ours(point)
    their_value, their_grads = reference(point)
    if point.note:
        assert same(value, their_value)
        return
    assert same(value, their_value), (value, their_value)
    for mine, yours in zip(grads, their_grads, strict=True):
        assert same(mine, yours), (mine, yours)


def test_the_rows_tell_jax_from_torch(x64):
    """Most rows are there because the obvious port differs; if none did, the comparison would be blind."""
    differ = 0
    for point in POINTS:
        if point.jax is None or point.error:
            continue
        value, grads = ours(point, point.jax)
        their_value, their_grads = reference(point)
        differ += not all(same(a, b) for a, b in zip([value, *grads], [their_value, *their_grads], strict=True))
    assert differ > 30


def test_integers_to_negative_powers(x64):
    """The whole part of 1 / x^p."""
    base, power = np.array([2, 3, 1, -1, -1, 5]), np.array([-1, -2, -3, -1, -2, 2])
    theirs = torch.pow(torch.as_tensor(base), torch.as_tensor(power)).numpy()
    np.testing.assert_array_equal(jax_side.resolve("pow")(jnp.asarray(base), jnp.asarray(power)), theirs)


def test_indices_are_as_wide_as_torchs(x64):
    for name in ("cummax", "cummin", "sort", "max"):
        assert jax_side.resolve(name)(jnp.ones(2), 0)[1].dtype == jnp.int64
