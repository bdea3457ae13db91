"""A whole recipe on both sides: every part of the state under a name, before and after every step.

    python -m tests.train.recipe NAME STEPS FOLDER

does our side on eight virtual devices, goes on from FOLDER's last checkpoint, and writes what is seen after every step;
a step that another process has done before must give the same bits.
"""

import itertools
import os
import sys
from pathlib import Path

if __name__ == "__main__":
    os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"

import jax
import numpy as np
import torch

from jaxgrad import func, optim, train
from jaxgrad.nn import functional as F
from jaxgrad.optim import lr_scheduler, swa_utils
from jaxgrad.parity.catalog.models import gpt, jaxgrad_library, resnet, token_loss, torch_library
from jaxgrad.utils.data import DataLoader
from tests.models.side_by_side import as_torch

ACCUMULATE, ROWS, CLIP, DECAY, RATE, WARMUP, PERIOD = 4, 4, 1.0, 0.97, 3e-3, 5, 60


class InTorch:
    """AdamW in two groups, warm-up then cosine, accumulation, clipping, an average, a shuffled loader.

    With replicas as DistributedDataParallel has them, one after the other: each its rows of a batch and a stream that
    stands where the others' do; the mean of the gradients; the buffers of the first.
    """

    def __init__(self, build, criterion, examples, seed, replicas=1, dtype="float64"):
        self.replicas = replicas
        torch.manual_seed(seed)
        self.model, self.criterion = build(torch_library()).to(getattr(torch, dtype)), criterion(torch.nn.functional)
        decayed = [p for p in self.model.parameters() if p.ndim > 1]
        plain = [p for p in self.model.parameters() if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}]
        self.optimizer, rates = torch.optim.AdamW(groups, lr=RATE), torch.optim.lr_scheduler
        parts = [rates.LinearLR(self.optimizer, 0.1, total_iters=WARMUP)]
        parts.append(rates.CosineAnnealingLR(self.optimizer, PERIOD))
        self.schedule = rates.SequentialLR(self.optimizer, parts, [WARMUP])
        decay = torch.optim.swa_utils.get_ema_avg_fn(DECAY)
        self.average = torch.optim.swa_utils.AveragedModel(self.model, avg_fn=decay, use_buffers=True)
        self.loader = torch.utils.data.DataLoader(examples, ROWS * replicas, shuffle=True)

    def run(self, steps):
        """What is seen after every step."""
        micro = itertools.chain.from_iterable(iter(self.loader) for _ in itertools.count())
        for _ in range(steps):
            self.optimizer.zero_grad()
            total = 0.0
            for x, y in itertools.islice(micro, ACCUMULATE):
                total += sum(self.backward_on_replicas(x, y))
            norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), CLIP).item()
            self.optimizer.step()
            self.schedule.step()
            self.average.update_parameters(self.model)
            yield {"loss": total, "norm": norm, **self.seen()}

    def backward_on_replicas(self, x, y):
        stream, buffers = torch.get_rng_state(), dict(self.model.named_buffers())
        before, after = {name: value.clone() for name, value in buffers.items()}, None
        for r in range(self.replicas):
            torch.set_rng_state(stream)
            for name, value in buffers.items():
                value.copy_(before[name])
            mine = slice(r * ROWS, (r + 1) * ROWS)
            loss = self.criterion(self.model(x[mine]), y[mine]) / (ACCUMULATE * self.replicas)
            loss.backward()
            yield loss.item()
            after = after or {name: value.clone() for name, value in buffers.items()}
        for name, value in buffers.items():
            value.copy_(after[name])

    def seen(self):
        names = {id(p): name for name, p in self.model.named_parameters()}
        moments = {
            f"{names[id(p)]}.{key}": value for p, state in self.optimizer.state.items() for key, value in state.items()
        }
        parts = {"model": self.model.state_dict(), "average": self.average.module.state_dict(), "moments": moments}
        flat = {f"{part}.{name}": value.numpy().copy() for part, each in parts.items() for name, value in each.items()}
        lrs = {f"lr.{i}": group["lr"] for i, group in enumerate(self.optimizer.param_groups)}
        return {**flat, **lrs, "stream": torch.get_rng_state().numpy()}


class InJax:
    """The same as one compiled step, on as many devices as there are replicas."""

    def __init__(self, build, criterion, examples, seed, replicas=1, dtype="float64"):
        library = jaxgrad_library(seed)
        model = build(library)
        params, buffers = (func.cast(each, dtype) for each in func.extract(model))
        self.names = list(params)
        groups = [
            {"params": lambda name, leaf: leaf.ndim > 1, "weight_decay": 0.1},
            {"params": lambda name, leaf: leaf.ndim <= 1, "weight_decay": 0.0},
        ]
        self.tx = optim.AdamW(RATE, param_groups=groups)
        parts = [lr_scheduler.LinearLR(RATE, 0.1, total_iters=WARMUP), lr_scheduler.CosineAnnealingLR(RATE, PERIOD)]
        average = swa_utils.AveragedModel((params, buffers), avg_fn=swa_utils.get_ema_avg_fn(DECAY), use_buffers=True)
        held = {"schedule": lr_scheduler.SequentialLR(parts, [WARMUP]), "average": average}
        generator = library.rngs["rngs"].generator
        self.state = train.init_state(params, self.tx, buffers=buffers, generator=generator, **held)
        loss_fn = train.supervised(model, criterion(F))
        mesh = None
        if replicas > 1:
            mesh = jax.make_mesh((replicas,), ("data",))
            self.state = train.shard(self.state, mesh)
        options = {"accumulate": ACCUMULATE, "clip_grad_norm": CLIP, "mesh": mesh}
        self.step = train.make_train_step(loss_fn, self.tx, **options, **held)
        self.loader = DataLoader(examples, ROWS * replicas, shuffle=True)

    def run(self, steps, checkpoints=None):
        """What is seen after every step; goes on from the last checkpoint, if there is one."""
        self.taken, position = 0, None
        if checkpoints is not None and (found := checkpoints.restore(like=self.state)) is not None:
            self.taken, self.state, position = found.step, found.state, found.position
        while self.taken < steps:
            if position is None:
                batches, self.state = self.loader.epoch(self.state)
            else:
                batches, position = self.loader.resume(position), None
            for batch in stacked(batches):
                self.state, metrics = self.step(self.state, batch)
                self.taken += 1
                yield {"loss": float(metrics["loss"]), "norm": float(metrics["grad_norm"]), **self.seen()}
                if checkpoints is not None:  # after the caller has kept what was seen: a kill may come between
                    checkpoints.save(self.taken, self.state, position=batches.state())
                if self.taken == steps:
                    break
        assert self.step._cache_size() <= 2  # one program; after an epoch's draw the stream is numpy's arrays

    def seen(self):
        state = self.state
        told = optim.state_dict(self.tx, state.params, state.opt_state)
        places = [place for group in told["param_groups"] for place in group["params"]]
        ordered = [name for group in (2, 1) for name in self.names if (state.params[name].ndim > 1) == (group == 2)]
        moments = {
            f"{name}.{key}": value
            for name, place in zip(ordered, places, strict=True)
            for key, value in told["state"].get(place, {}).items()
        }
        parts = {"model": {**state.params, **state.buffers}, "moments": moments}
        parts["average"] = {**state.average.module, **state.average.buffers}
        flat = {f"{part}.{name}": np.asarray(value) for part, each in parts.items() for name, value in each.items()}
        lrs = {f"lr.{i}": lr for i, lr in enumerate(optim.get_lr(state.opt_state))}
        return {**flat, **lrs, "stream": np.asarray(state.generator.get_state())}


def stacked(batches):
    """Micro-batches in groups, as the step takes them."""
    batches = iter(batches)
    while group := list(itertools.islice(batches, ACCUMULATE)):
        yield jax.tree.map(lambda *leaves: np.stack(leaves), *map(tuple, group))


def compare(build, criterion, examples, steps, seed=0, bound=1e-8):
    """Every part of the state within ``bound`` of torch's after every step, and all of it has moved."""
    ours = InJax(build, criterion, examples, seed)
    theirs = InTorch(build, criterion, [as_torch(each) for each in examples], seed)
    start = ours.seen()
    last = compare_seen(ours.run(steps), theirs.run(steps), bound)
    assert not [name for name in start if np.array_equal(start[name], last[name])]


def compare_seen(ours, theirs, bound=1e-8):
    """What both see after every step, part by part; gives the last of ours."""
    for i, (mine, yours) in enumerate(zip(ours, theirs, strict=True)):
        shared = set(mine)
        assert shared <= set(yours), shared - set(yours)  # torch's lists tied weights under every name
        for name in shared:
            scale = max(np.abs(yours[name]).max(), 1e-12)
            off = np.abs(np.asarray(mine[name], float) - np.asarray(yours[name], float)).max() / scale
            assert off < bound, (name, i, off)
    return mine


def images(replicas):
    """Three steps an epoch."""
    rng = np.random.default_rng(0)
    count = 3 * ACCUMULATE * ROWS * replicas
    return [(rng.standard_normal((3, 8, 8)), rng.integers(0, 4)) for _ in range(count)]


def texts(replicas):
    """Three steps an epoch."""
    words = np.random.default_rng(0).integers(0, 11, (3 * ACCUMULATE * ROWS * replicas, 8))
    return [(each[:-1], each[1:]) for each in words]


RECIPES = {
    "resnet": (resnet, lambda F: F.cross_entropy, images),
    "gpt": (gpt, token_loss, texts),
    "small gpt": (lambda library: gpt(library, layers=1), token_loss, texts),
}


def main(name, steps, folder):
    build, criterion, examples = RECIPES[name]
    ours = InJax(build, criterion, examples(8), 0, replicas=8)
    with train.Checkpoints(folder / "checkpoints", every=2) as checkpoints:
        for seen in ours.run(steps, checkpoints):
            path = (
                folder / f"step-{ours.taken}.npz"
            )  # not what is listed: a checkpoint that a kill cut off is passed over
            if path.exists():
                with np.load(path) as found:
                    other = [key for key, value in seen.items() if np.asarray(value).tobytes() != found[key].tobytes()]
                assert not other, (ours.taken, other)
                continue
            np.savez(folder / "unfinished.npz", **seen)
            os.replace(folder / "unfinished.npz", path)


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
