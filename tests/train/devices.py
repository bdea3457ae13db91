"""A few steps on eight virtual devices: ``python -m tests.train.devices FILE`` writes what came of them.

The devices are made when JAX starts, so this is a process of its own; ``test_parallel.py`` runs the same in torch.
"""

import os
import sys

if __name__ == "__main__":
    os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad import amp, func, nn, optim, random, train
from jaxgrad.nn import functional as F
from jaxgrad.optim import swa_utils

REPLICAS, ROWS, STEPS = 8, 3, 4

CASES = {
    "data": {"axes": {"data": 8}, "clip": 0.05},
    "data, accumulated, own streams": {"axes": {"data": 8}, "accumulate": 2, "streams": True},
    "data, synchronised": {"axes": {"data": 8}, "sync": True},
    "fsdp": {"axes": {"fsdp": 8}, "optimizer": "AdamW", "clip": 0.05},
    "both": {"axes": {"data": 2, "fsdp": 4}, "optimizer": "AdamW", "streams": True, "accumulate": 2, "all": True},
}


def layers(nn, **rngs):
    return (
        nn.Linear(5, 16, bias=False, **rngs),  # behind it the normalisation takes a bias out: only noise would move it
        nn.BatchNorm1d(16),
        nn.ReLU(),
        nn.Dropout(0.25),
        nn.Linear(16, 3, **rngs),
    )


def data(accumulate=1):
    rng = np.random.default_rng(0)
    shape = (STEPS, accumulate, REPLICAS * ROWS) if accumulate > 1 else (STEPS, REPLICAS * ROWS)
    return rng.standard_normal((*shape, 5)), rng.integers(0, 3, shape)


def optimizer(of, name, *parameters):
    if name == "AdamW":
        return of.AdamW(*parameters, lr=0.05, weight_decay=0.1)
    return of.SGD(*parameters, lr=0.1, momentum=0.9)


def largest(state):
    """Bytes on the device that holds most."""
    held = {}
    for leaf in jax.tree.leaves(state):
        for piece in leaf.addressable_shards:
            held[piece.device] = held.get(piece.device, 0) + piece.data.nbytes
    return max(held.values())


def run(axes, clip=None, streams=False, accumulate=1, sync=False, optimizer_name="SGD", **everything):
    mesh = jax.make_mesh(tuple(axes.values()), tuple(axes))
    rngs = nn.Rngs(random.manual_seed(0))
    model = nn.Sequential(*layers(nn, rngs=rngs))
    if sync:
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    params, buffers = func.extract(model)
    params, buffers = func.cast((params, buffers), jnp.float64)
    tx = optimizer(optim, optimizer_name)
    generator = rngs.generator
    if streams:
        generator = train.per_replica([random.manual_seed(10 + rank) for rank in range(REPLICAS)])
    held = {}
    if everything:
        average = swa_utils.AveragedModel(params, avg_fn=swa_utils.get_ema_avg_fn(0.9))
        scaler = amp.GradScaler(init_scale=1024.0, growth_interval=2)
        held = {"schedule": optim.lr_scheduler.CosineAnnealingLR(0.05, T_max=6), "average": average, "scaler": scaler}
    state = train.init_state(params, tx, buffers=buffers, generator=generator, **held)
    loss_fn = train.supervised(model, F.cross_entropy)
    step = train.make_train_step(loss_fn, tx, accumulate=accumulate, clip_grad_norm=clip, mesh=mesh, **held)
    fresh, found = state, {}
    for i, (x, y) in enumerate(zip(*data(accumulate), strict=True)):
        state, metrics = step(state, (x, y))
        found |= {f"{i}/{name}": np.array(value) for name, value in {**state.params, **state.buffers}.items()}
        found[f"{i}/loss"] = metrics["loss"]
        if everything:
            found |= {f"{i}/average.{name}": np.array(value) for name, value in state.average.module.items()}
            found |= {f"{i}/lr": optim.get_lr(state)[0], f"{i}/scale": np.array(state.scaler.scale)}
    found["fresh"] = fresh.params["0.weight"]  # it was not taken over
    first = jax.tree.map(lambda leaf: leaf[0], state.generator) if streams else state.generator
    last = jax.tree.map(lambda leaf: leaf[-1], state.generator) if streams else state.generator
    found |= {"stream of the first": first.get_state(), "stream of the last": last.get_state()}
    kept = (state.params, state.opt_state)
    found |= {"held": largest(kept), "size": sum(leaf.nbytes for leaf in jax.tree.leaves(kept))}
    found["programs"] = step._cache_size()
    return found


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    everything = {}
    for name, case in CASES.items():
        options = {key: value for key, value in case.items() if key != "optimizer"}
        results = run(**options, optimizer_name=case.get("optimizer", "SGD"))
        everything |= {f"{name}/{key}": np.asarray(value) for key, value in results.items()}
    np.savez(sys.argv[1], **everything)
