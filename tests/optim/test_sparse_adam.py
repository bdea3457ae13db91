"""SparseAdam beside torch's, on gradients with repeated rows, stored zeros, and none at all."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from jax.experimental.sparse import BCOO

from jaxgrad import optim


@pytest.mark.parametrize("kwargs", [{}, {"lr": 0.01}, {"maximize": True, "betas": (0.5, 0.9), "eps": 1e-3}])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_sparse_steps_are_torchs(kwargs, dtype):
    rng = np.random.default_rng(0)
    start = rng.standard_normal((9, 4))
    leaf = torch.nn.Parameter(torch.tensor(start, dtype=getattr(torch, dtype)))
    optimizer = torch.optim.SparseAdam([leaf], **kwargs)
    with jax.enable_x64(dtype == "float64"):
        params = {"e": jnp.asarray(start, dtype)}
        tx = optim.SparseAdam(**kwargs)
        state = tx.init(params)
        step = jax.jit(lambda p, g, s: optim.step(tx, p, g, s))
        for _ in range(60):
            rows, values = rng.integers(0, 9, (5, 1)), rng.standard_normal((5, 4))
            values[0] = 0  # a stored zero is a named row
            grad = BCOO((jnp.asarray(values, dtype), jnp.asarray(rows)), shape=(9, 4))
            params, state = step(params, {"e": grad}, state)
            leaf.grad = torch.sparse_coo_tensor(rows.T, values, (9, 4), dtype=leaf.dtype, check_invariants=True)
            optimizer.step()
        assert step._cache_size() == 1
        tolerance = 1e-14 if dtype == "float64" else 2e-6
        np.testing.assert_allclose(params["e"], leaf.detach(), rtol=0, atol=tolerance)
        for field in ("exp_avg", "exp_avg_sq"):
            found = getattr(state.state["e"], field)
            np.testing.assert_allclose(found, optimizer.state[leaf][field], rtol=0, atol=tolerance)


def test_rows_that_are_not_named_stay_and_steps_are_counted():
    tx, params = optim.SparseAdam(), {"e": jnp.ones((4, 2)), "f": jnp.ones((2, 2))}
    empty = BCOO((jnp.zeros((0, 2)), jnp.zeros((0, 1), jnp.int32)), shape=(2, 2))
    one = BCOO((jnp.ones((1, 2)), jnp.array([[3]])), shape=(4, 2))
    moved, state = optim.step(tx, params, {"e": one, "f": empty}, tx.init(params))
    assert moved["e"][:3].tolist() == params["e"][:3].tolist() and moved["e"][3, 0] < 1
    assert moved["f"].tolist() == params["f"].tolist()
    assert state.param_groups[0].scalars["step"].tolist() == [1, 1]
    updates, _ = tx.update({"e": one, "f": None}, tx.init(params), params)
    assert updates["f"] is None and updates["e"][0].tolist() == [0, 0]


def test_what_torch_refuses_is_refused():
    tx, params = optim.SparseAdam(), {"e": jnp.ones((4, 2))}
    with pytest.raises(RuntimeError, match="SparseAdam does not support dense gradients, please consider Adam"):
        optim.step(tx, params, params, tx.init(params))
    with pytest.raises(ValueError, match="Invalid learning rate: 0"):
        optim.SparseAdam(lr=0)
    with pytest.raises(ValueError, match="Invalid epsilon value: 0"):
        optim.SparseAdam(eps=0)
    with pytest.raises(RuntimeError, match="attempting to assign a gradient of size"):
        grad = BCOO((jnp.ones((1, 2)), jnp.array([[0]])), shape=(5, 2))
        optim.step(tx, params, {"e": grad}, tx.init(params))
