"""Every CPU configuration of PyTorch's own ``optim_db``, and its error inputs with their messages.

Not covered, and why:

- configurations with ``capturable=True``: torch itself asserts on CPU (there is none in the CPU lists);
- error inputs about tensors given without names or with names in part: here every parameter has a name;
- "params argument ... should be an iterable of Tensors", duplicates in one list: parameters are not handed to a
  constructor here; the same sentences are raised by ``param_groups`` (test_groups.py).
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch.testing._internal.common_optimizers import optim_db

from jaxgrad import optim
from tests.optim import harness

STEPS = 100
MUON = 2e-3
"""Muon orthogonalises in bfloat16, where another order of summation may flip the last of 8 bits: each flip moves an
element by up to lr / 256. Without iterations (test_muon.py) it is held to 1e-12 as the others."""
DENSE = [info for info in optim_db if info.optim_cls.__name__ not in ("LBFGS", "SparseAdam")]


def configurations():
    for info in DENSE:
        for each in info.optim_inputs_func("cpu"):
            yield pytest.param(info.optim_cls.__name__, each.kwargs, id=f"{info.optim_cls.__name__}-{each.desc}")


def test_the_database_is_the_one_this_list_speaks_of():
    sizes = {info.optim_cls.__name__: len(info.optim_inputs_func("cpu")) for info in optim_db}
    assert len(sizes) == 15 and sum(sizes.values()) == 91
    assert not any(each.kwargs.get("capturable") for info in optim_db for each in info.optim_inputs_func("cpu"))
    assert set(sizes) <= set(optim.__all__)


@pytest.mark.parametrize(("name", "kwargs"), list(configurations()))
def test_float64_is_torch(name, kwargs):
    params, grads = harness.start(name), harness.moving_gradients(name, STEPS)
    kwargs = {key: harness.cast(value, torch.float64) for key, value in kwargs.items()}
    theirs = harness.torch_run(name, kwargs, params, grads, "float64")
    with jax.enable_x64(True):
        kwargs = {key: harness.as_jax(value) for key, value in kwargs.items()}
    ours = harness.jax_run(name, kwargs, params, grads, "float64")
    assert all(np.abs(theirs[key] - params[key]).max() > 1e-4 for key in params), "the reference must have moved"
    assert harness.distance(ours, theirs, params) < (MUON if name == "Muon" else 1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kwargs"), list(configurations()))
def test_float32_is_within_torchs_own_noise(name, kwargs):
    params, grads = harness.start(name), harness.moving_gradients(name, STEPS)
    truth = harness.torch_run(name, kwargs, params, grads, "float64")
    theirs = harness.torch_run(name, kwargs, params, grads, "float32")
    ours = harness.jax_run(name, kwargs, params, grads, "float32")
    ratios = harness.noise_ratios(ours, theirs, truth, params)
    assert max(ratios.values()) <= 3, ratios
    assert np.median(list(ratios.values())) <= 1.5, ratios


def invalid_values():
    """The error inputs that are about values: of arguments, or of the parameters themselves."""
    for info in optim_db:
        for each in info.optim_error_inputs_func("cpu", torch.float32):
            given = each.optimizer_error_input
            if given.kwargs or _distinct_tensors(given.params):
                name = info.optim_cls.__name__
                yield pytest.param(name, given, each, id=f"{name}-{given.desc}")


def _distinct_tensors(params):
    is_list = isinstance(params, list) and all(isinstance(p, torch.Tensor) for p in params)
    return is_list and len({id(p) for p in params}) == len(params)


def test_how_many_error_inputs_are_covered():
    everything = sum(len(info.optim_error_inputs_func("cpu", torch.float32)) for info in optim_db)
    assert (len(list(invalid_values())), everything) == (48, 124)


@pytest.mark.parametrize(("name", "given", "error"), list(invalid_values()))
def test_invalid_values_raise_torchs_sentence(name, given, error):
    kwargs = {key: harness.as_jax(value) for key, value in given.kwargs.items()}
    with pytest.raises(error.error_type, match=error.error_regex):
        tx = getattr(optim, name)(**kwargs)
        params = {"p": jnp.ones((2, 3))} if given.params is None else dict(_arrays(given.params))
        state = tx.init(params)
        optim.step(tx, params, {key: jnp.ones_like(value) for key, value in params.items()}, state)


def _arrays(params):
    from jax.experimental.sparse import BCOO

    for index, param in enumerate(params):
        if param.is_sparse:
            yield str(index), BCOO.fromdense(jnp.zeros(param.shape))
        else:
            yield str(index), jnp.asarray(param.detach().numpy())
