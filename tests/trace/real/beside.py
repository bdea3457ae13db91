"""A real model, traced, beside eager torch in float64: one step in every part, and ten steps of SGD with momentum."""

import time
import warnings
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import torch

from jaxgrad import autograd, optim, random, trace
from jaxgrad.parity import distance
from jaxgrad.parity.torch_side import to_numpy

STEPS, RATE, MOMENTUM, SEED = 10, 0.01, 0.9, 7


@dataclass(frozen=True)
class Measured:
    """What was found: distances relative to the greatest element, for parameters to the distance moved."""

    name: str
    weights: int
    nodes: int
    operations: int
    single: bool
    """Whether the model computes in float32 somewhere by itself."""
    loss: float
    gradients: float
    buffers: float
    parameters: float
    generator: bool
    tracing: float
    compiling: float


def measure(name, build):
    """Build it, trace it, train it beside torch.

    Raises:
        RuntimeError: torch cannot trace it.
        NotImplementedError: an operation is missing.
    """
    with warnings.catch_warnings(), jax.enable_x64(True):
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        module, loss_fn, batch = build()
        batch = _double(batch)
        return _beside(name, module.double().train(), loss_fn, batch)


def _double(batch):
    def wider(x):
        return x.double() if isinstance(x, torch.Tensor) and x.is_floating_point() else x

    return torch.utils._pytree.tree_map(wider, batch)


def _call(module, x):
    return module(**x) if isinstance(x, dict) else module(*x) if isinstance(x, tuple) else module(x)


def _beside(name, module, loss_fn, batch):
    traced, tracing = _timed(lambda: trace.from_torch(module, loss_fn, batch))
    arrays = torch.utils._pytree.tree_map(
        lambda x: jnp.asarray(to_numpy(x)) if isinstance(x, torch.Tensor) else x, batch
    )
    start = {key: np.asarray(value) for key, value in traced.params.items()}
    tx = optim.SGD(RATE, momentum=MOMENTUM)

    def one(params, opt_state, buffers, generator):
        def loss_of(params):
            return traced.loss_fn(params, *arrays, buffers=buffers, generator=generator)

        (loss, aux), grads = autograd.backward(loss_of, params, has_aux=True)
        params = {**params, **(aux.params or {})}  # what the forward itself changes (max_norm of an embedding)
        params, opt_state = optim.step(tx, params, grads, opt_state)
        return (params, opt_state, aux.buffers, aux.generator), loss, grads

    state = traced.params, tx.init(traced.params), traced.buffers, random.manual_seed(SEED)
    step, compiling = _timed(lambda: jax.jit(one).lower(*state).compile())
    optimizer = torch.optim.SGD(module.parameters(), RATE, momentum=MOMENTUM)
    torch.manual_seed(SEED)
    first = {}
    for _ in range(STEPS):
        optimizer.zero_grad()
        yours = loss_fn(_call(module, batch[0]), *batch[1:])
        yours.backward()
        optimizer.step()
        state, loss, grads = step(*state)
        first = first or {
            "loss": distance(loss, to_numpy(yours)).relative,
            "gradients": _worst(
                (grads[key], None if value.grad is None else to_numpy(value.grad))
                for key, value in module.named_parameters()
            ),
            "buffers": _worst((state[2][key], to_numpy(value)) for key, value in module.named_buffers()),
        }
    nodes = traced.graph.nodes
    return Measured(
        name=name,
        weights=sum(value.size for value in start.values()),
        nodes=len(nodes),
        operations=len(traced.graph.operations()),
        single=any(meta is not None and meta.dtype == "float32" for node in nodes for meta in node.metas),
        parameters=_worst(
            (np.asarray(state[0][key]) - start[key], to_numpy(value) - start[key])
            for key, value in module.named_parameters()
        ),
        generator=float(random.rand(state[3], (1,))[0][0]) == torch.rand(1).item(),
        tracing=tracing,
        compiling=compiling,
        **first,
    )


def sensitivity(build):
    """Torch beside torch: how far the parameters lie after the same steps from a start one last place away."""
    ends = []
    for moved in (False, True):
        torch.manual_seed(0)
        module, loss_fn, batch = build()
        batch = _double(batch)
        module = module.double().train()
        start = {key: to_numpy(value) for key, value in module.named_parameters()}
        with torch.no_grad():
            for value in module.parameters() if moved else ():
                value.mul_(1 + torch.finfo(torch.float64).eps * (1 - 2 * (torch.rand_like(value) < 0.5).double()))
        optimizer = torch.optim.SGD(module.parameters(), RATE, momentum=MOMENTUM)
        torch.manual_seed(SEED)
        for _ in range(STEPS):
            optimizer.zero_grad()
            loss_fn(_call(module, batch[0]), *batch[1:]).backward()
            optimizer.step()
        ends.append({key: to_numpy(value) - start[key] for key, value in module.named_parameters()})
    return _worst((ends[1][key], ends[0][key]) for key in ends[0])


def _timed(fn):
    began = time.perf_counter()
    return fn(), time.perf_counter() - began


def _worst(pairs):
    """The worst of ``(ours, torch's)``, relative to the greatest element of the tensor.

    Or to a millionth of the greatest of all, where that is more: what is zero but for rounding (the gradient of a key's
    bias) has no digits to compare.
    """
    pairs = [(mine, yours) for mine, yours in pairs if mine is not None or yours is not None]
    if any(mine is None or yours is None for mine, yours in pairs):
        return np.inf
    scales = [float(np.abs(yours).max(initial=0)) for _, yours in pairs]
    floor = max([*scales, np.finfo(np.float64).tiny * 1e6]) * 1e-6
    return max(
        (
            float(np.abs(np.asarray(mine, np.float64) - yours).max(initial=0.0)) / max(scale, floor)
            for (mine, yours), scale in zip(pairs, scales, strict=True)
        ),
        default=0.0,
    )
