"""A model of the catalogue, trained in torch and here: same seed, same batches, dropout on, float64."""

import contextlib

import jax
import jax.numpy as jnp
import numpy as np
import torch

from jaxgrad import func, optim, random, train
from jaxgrad.nn import functional as F
from jaxgrad.nn.utils import rnn
from jaxgrad.parity import distance
from jaxgrad.parity.catalog.models import jaxgrad_library, torch_library


def as_torch(tree):
    """A batch of arrays, tuples and packed sequences, for torch."""
    if isinstance(tree, rnn.PackedSequence):
        return torch.nn.utils.rnn.PackedSequence(
            *(None if each is None else torch.tensor(np.array(each)) for each in tree)
        )
    if isinstance(tree, tuple | list):
        return tuple(as_torch(each) for each in tree)
    return torch.tensor(np.array(tree))


def train_in_torch(build, criterion, batches, optimizer, steps, seed):
    """Parameters and buffers after the run, losses, the next random numbers, and what it began with."""
    torch.manual_seed(seed)
    model = build(torch_library()).double()
    start = {name: value.numpy().copy() for name, value in model.state_dict().items()}
    name, options = optimizer
    tx = getattr(torch.optim, name)(model.parameters(), **options)
    losses = []
    for i in range(steps):
        x, y = (as_torch(each) for each in batches[i % len(batches)])
        tx.zero_grad()
        loss = criterion(torch.nn.functional)(model(*x) if type(x) is tuple else model(x), y)
        loss.backward()
        tx.step()
        losses.append(loss.item())
    return {name: value.numpy() for name, value in model.state_dict().items()}, losses, torch.rand(4).numpy(), start


def train_here(build, criterion, batches, optimizer, steps, seed):
    """The same of ours, each step one compiled function."""
    lib = jaxgrad_library(seed)
    model = build(lib)
    params, buffers = (
        {k: v.astype(jnp.float64) if jnp.issubdtype(v.dtype, jnp.floating) else v for k, v in each.items()}
        for each in func.extract(model)
    )
    start = {**params, **buffers}
    start = {name: np.array(value) for name, value in start.items()}
    name, options = optimizer
    tx = getattr(optim, name)(**options)
    step = train.make_train_step(train.supervised(model, criterion(F)), tx)
    generator = lib.rngs["rngs"].generator
    state = train.init_state(params, tx, buffers=buffers, generator=generator)
    losses = []
    for i in range(steps):
        x, y = jax.tree.map(jnp.asarray, batches[i % len(batches)])
        state, metrics = step(state, (x, y))
        losses.append(float(metrics["loss"]))
    after, _ = random.rand(state.generator, 4)
    return {**state.params, **(state.buffers or {})}, losses, np.asarray(after), start


@contextlib.contextmanager
def float64_in_every_thread():
    """``jax.enable_x64`` holds for one thread, and a draw that asks the host may run in another."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)


def compare(build, criterion, batches, optimizer=("Adam", {"lr": 1e-2}), steps=20, seed=0):
    """Every parameter and buffer within 1e-9 of torch's, losses too, and the same random numbers come next."""
    theirs, their_losses, their_next, begin = train_in_torch(build, criterion, batches, optimizer, steps, seed)
    with float64_in_every_thread():
        ours, losses, next_numbers, start = train_here(build, criterion, batches, optimizer, steps, seed)
        assert {name for name in begin if name in ours} == set(ours)
        for name, value in start.items():
            np.testing.assert_array_equal(value, begin[name], err_msg=name)
        np.testing.assert_allclose(losses, their_losses, rtol=1e-9)
        for name, value in ours.items():
            assert distance(value, theirs[name]).relative < 1e-9, name
            assert np.any(np.asarray(value) != begin[name]), f"{name} has not moved"
        np.testing.assert_array_equal(next_numbers, their_next)
