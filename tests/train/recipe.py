"""A whole recipe on both sides: every part of the state under a name, before and after every step."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import torch

from jaxgrad import func, optim, train
from jaxgrad.nn import functional as F
from jaxgrad.optim import lr_scheduler, swa_utils
from jaxgrad.parity.catalog.models import jaxgrad_library, torch_library
from jaxgrad.utils.data import DataLoader
from tests.models.side_by_side import as_torch

ACCUMULATE, ROWS, CLIP, DECAY, RATE, WARMUP, PERIOD = 4, 4, 1.0, 0.97, 3e-3, 5, 60


class InTorch:
    """AdamW in two groups, warm-up then cosine, accumulation, clipping, an average, a shuffled loader."""

    def __init__(self, build, criterion, examples, seed):
        torch.manual_seed(seed)
        self.model, self.criterion = build(torch_library()).double(), criterion(torch.nn.functional)
        decayed = [p for p in self.model.parameters() if p.ndim > 1]
        plain = [p for p in self.model.parameters() if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}]
        self.optimizer, rates = torch.optim.AdamW(groups, lr=RATE), torch.optim.lr_scheduler
        parts = [rates.LinearLR(self.optimizer, 0.1, total_iters=WARMUP)]
        parts.append(rates.CosineAnnealingLR(self.optimizer, PERIOD))
        self.schedule = rates.SequentialLR(self.optimizer, parts, [WARMUP])
        decay = torch.optim.swa_utils.get_ema_avg_fn(DECAY)
        self.average = torch.optim.swa_utils.AveragedModel(self.model, avg_fn=decay, use_buffers=True)
        self.loader = torch.utils.data.DataLoader(examples, ROWS, shuffle=True)

    def run(self, steps):
        """What is seen after every step."""
        micro = itertools.chain.from_iterable(iter(self.loader) for _ in itertools.count())
        for _ in range(steps):
            self.optimizer.zero_grad()
            total = 0.0
            for x, y in itertools.islice(micro, ACCUMULATE):
                loss = self.criterion(self.model(x), y) / ACCUMULATE
                loss.backward()
                total += loss.item()
            norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), CLIP).item()
            self.optimizer.step()
            self.schedule.step()
            self.average.update_parameters(self.model)
            yield {"loss": total, "norm": norm, **self.seen()}

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
    """The same as one compiled step."""

    def __init__(self, build, criterion, examples, seed):
        library = jaxgrad_library(seed)
        model = build(library)
        params, buffers = (func.cast(each, jnp.float64) for each in func.extract(model))
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
        self.step = train.make_train_step(loss_fn, self.tx, accumulate=ACCUMULATE, clip_grad_norm=CLIP, **held)
        self.loader = DataLoader(examples, ROWS, shuffle=True)

    def run(self, steps):
        """What is seen after every step."""
        taken = 0
        while taken < steps:
            batches, self.state = self.loader.epoch(self.state)
            for batch in stacked(batches):
                self.state, metrics = self.step(self.state, batch)
                yield {"loss": float(metrics["loss"]), "norm": float(metrics["grad_norm"]), **self.seen()}
                taken += 1
                if taken == steps:
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
    start, worst = ours.seen(), {}
    for i, (mine, yours) in enumerate(zip(ours.run(steps), theirs.run(steps), strict=True)):
        shared = set(mine)
        assert shared <= set(yours), shared - set(yours)  # torch's lists tied weights under every name
        for name in shared:
            scale = max(np.abs(yours[name]).max(), 1e-12)
            off = np.abs(np.asarray(mine[name], float) - np.asarray(yours[name], float)).max() / scale
            assert off < bound, (name, i, off)
            worst[name] = max(off, worst.get(name, 0.0))
    assert not [name for name in start if np.array_equal(start[name], mine[name])]
    return worst
