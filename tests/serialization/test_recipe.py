"""The whole recipe stopped in the middle of an epoch and gone on with in the other library, from one file each way.

BatchNorm and tied weights, dropout from the stream, AdamW in groups, warm-up and cosine, a scaler that skips steps, an
average, a shuffled loader.
"""

import contextlib
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import torch

from jaxgrad import func, nn, optim, random, serialization
from jaxgrad.amp import GradScaler
from jaxgrad.nn import functional as F
from jaxgrad.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR
from jaxgrad.optim.swa_utils import AveragedModel, get_ema_avg_fn
from jaxgrad.utils.data import DataLoader
from tests.serialization.files import our_bytes, read, to_torch, torch_bytes

DECAYED = ["0.weight", "4.weight"]
PLAIN = ["1.weight", "1.bias", "4.bias", "5.bias"]
SAMPLES, BATCH, PER_EPOCH = 22, 4, 6
OVERFLOWS = (4, 16, 26)  # steps whose loss is infinite: before the first file, between the two, after the second
SCALER = {"init_scale": 1024.0, "growth_interval": 4}
rng = np.random.default_rng(0)
X, Y = rng.standard_normal((SAMPLES, 5)), rng.integers(0, 6, SAMPLES)


class Torch:
    def __init__(self):
        torch.manual_seed(3)
        t = torch.nn
        self.model = t.Sequential(
            t.Linear(5, 6, bias=False), t.BatchNorm1d(6), t.ReLU(), t.Dropout(0.25), t.Linear(6, 6), t.Linear(6, 6)
        ).double()
        self.model[5].weight = self.model[4].weight
        named = dict(self.model.named_parameters())
        groups = [
            {"params": [named[n] for n in DECAYED], "weight_decay": 0.1},
            {"params": [named[n] for n in PLAIN], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=0.01)
        warm = torch.optim.lr_scheduler.LinearLR(self.optimizer, 0.1, total_iters=5)
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, 30)
        self.schedule = torch.optim.lr_scheduler.SequentialLR(self.optimizer, [warm, cosine], [5])
        ema = torch.optim.swa_utils.get_ema_avg_fn(0.9)
        self.average = torch.optim.swa_utils.AveragedModel(self.model, avg_fn=ema)
        self.scaler, self.count = torch.amp.GradScaler("cpu", **SCALER), 0
        self.data = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))
        self.began, self.taken = None, PER_EPOCH

    def run(self, steps):
        while steps:
            loader = torch.utils.data.DataLoader(self.data, batch_size=BATCH, shuffle=True)
            if self.taken == PER_EPOCH:
                self.began, self.taken = torch.get_rng_state(), 0
                batches = iter(loader)
            else:
                now = torch.get_rng_state()
                torch.set_rng_state(self.began)
                batches = itertools.islice(iter(loader), self.taken, None)
                first = next(batches)
                torch.set_rng_state(now)
                batches = itertools.chain([first], batches)
            for x, y in batches:
                self.optimizer.zero_grad()
                loss = torch.nn.functional.cross_entropy(self.model(x), y)
                self.scaler.scale(loss * (float("inf") if self.count in OVERFLOWS else 1.0)).backward()
                self.scaler.step(self.optimizer)
                self.scaler.update()
                self.count += 1
                self.schedule.step()
                self.average.update_parameters(self.model)
                self.taken, steps = self.taken + 1, steps - 1
                if not steps:
                    break
        return {**self.model.state_dict(), **{f"average.{k}": v for k, v in self.average.state_dict().items()}}

    def checkpoint(self):
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "average": self.average.state_dict(),
            "scaler": self.scaler.state_dict(),
            "count": self.count,
            "stream": torch.get_rng_state(),
            "began": self.began,
            "taken": self.taken,
        }

    def load(self, saved):
        self.model.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.schedule.load_state_dict(saved["schedule"])
        self.average.load_state_dict(saved["average"])
        self.scaler.load_state_dict(saved["scaler"])
        self.count = saved["count"]
        torch.set_rng_state(saved["stream"])
        self.began, self.taken = saved["began"], saved["taken"]


class Ours:
    def __init__(self):
        rngs = nn.Rngs(random.manual_seed(0))
        self.model = nn.Sequential(
            nn.Linear(5, 6, bias=False, rngs=rngs, dtype=jnp.float64),
            nn.BatchNorm1d(6, dtype=jnp.float64),
            nn.ReLU(),
            nn.Dropout(0.25),
            nn.Linear(6, 6, rngs=rngs, dtype=jnp.float64),
            nn.Linear(6, 6, rngs=rngs, dtype=jnp.float64),
        )
        self.model[5].weight = self.model[4].weight
        self.params, self.buffers = func.extract(self.model)
        groups = [{"params": DECAYED, "weight_decay": 0.1}, {"params": PLAIN, "weight_decay": 0.0}]
        self.tx = optim.AdamW(lr=0.01, param_groups=groups)
        self.state = self.tx.init(self.params)
        lrs = [0.01, 0.01]
        self.schedule = SequentialLR([LinearLR(lrs, 0.1, total_iters=5), CosineAnnealingLR(lrs, 30)], [5])
        self.lrs = self.schedule.init()
        self.average = AveragedModel((self.params, self.buffers), avg_fn=get_ema_avg_fn(0.9))
        self.scaler = GradScaler("cpu", **SCALER)
        self.scale, self.count = self.scaler.init(), 0
        self.loader = DataLoader([(X[i], int(Y[i])) for i in range(SAMPLES)], batch_size=BATCH, shuffle=True)
        self.step = jax.jit(self.step_)

    def step_(self, params, buffers, state, average, generator, scale, x, y, lr, factor):
        def loss(params):
            out, aux = func.functional_call(
                self.model, (params, buffers), x, training=True, generator=generator, has_aux=True
            )
            return self.scaler.scale(F.cross_entropy(out, y) * factor, scale), aux

        grads, aux = jax.grad(loss, has_aux=True)(params)
        grads, found_inf = self.scaler.unscale(grads, scale)
        params, state = self.scaler.step(self.tx, params, grads, state, found_inf, lr=lr)
        average = average.update_parameters((params, aux.buffers))
        return params, aux.buffers, state, average, aux.generator, self.scaler.update(scale, found_inf)

    def load(self, saved):
        self.params, self.buffers = serialization.load_state_dict(self.model, saved["model"])
        self.state = optim.load_state_dict(self.tx, self.params, saved["optimizer"], self.state)
        self.lrs = self.schedule.load_state_dict(saved["schedule"])
        self.average = self.average.load_state_dict(
            {k: v for k, v in saved["average"].items() if k != "module.5.weight"}
        )
        self.scale, self.count = self.scaler.load_state_dict(saved["scaler"]), saved["count"]
        self.generator = random.from_state(saved["stream"])
        self.began, self.taken = random.from_state(saved["began"]), saved["taken"]

    def run(self, steps):
        while steps:
            if self.taken == PER_EPOCH:
                self.began, self.taken = self.generator, 0
                batches, self.generator = self.loader.epoch(self.generator)
            else:
                batches, _ = self.loader.epoch(self.began)
                batches = itertools.islice(batches, self.taken, None)
            for x, y in batches:
                lr = self.schedule.get_last_lr(self.lrs)
                factor = jnp.asarray(np.inf if self.count in OVERFLOWS else 1.0)
                carried = self.params, self.buffers, self.state, self.average, self.generator, self.scale
                carried = self.step(*carried, jnp.asarray(x), jnp.asarray(y), jnp.asarray(lr), factor)
                self.params, self.buffers, self.state, self.average, self.generator, self.scale = carried
                self.count += 1
                self.lrs = self.schedule.step(self.lrs)
                self.taken, steps = self.taken + 1, steps - 1
                if not steps:
                    break
        average = {f"average.{k}": v for k, v in self.average.state_dict().items()}
        return {**serialization.state_dict(self.model, self.params, self.buffers), **average}

    def checkpoint(self):
        model = serialization.state_dict(self.model, self.params, self.buffers)
        average = self.average.state_dict()
        tied = {"module.5.weight": average["module.4.weight"]}
        state = optim.set_hyperparams(self.state, lr=self.schedule.get_last_lr(self.lrs))
        optimizer = optim.state_dict(self.tx, self.params, state)
        for group in optimizer["param_groups"]:
            group["initial_lr"] = 0.01
        return {
            "model": model,
            "optimizer": optimizer,
            "schedule": self.schedule.state_dict(self.lrs),
            "average": average | tied,
            "scaler": self.scaler.state_dict(self.scale),
            "count": self.count,
            "stream": self.generator,
            "began": self.began,
            "taken": self.taken,
        }


@contextlib.contextmanager
def double():
    torch.set_default_dtype(torch.float64)
    try:
        with jax.enable_x64(True):
            yield
    finally:
        torch.set_default_dtype(torch.float32)


def close(ours, theirs, start):
    assert set(ours) | {"average.module.5.weight"} == set(theirs)
    for name in ours:
        one, two = (np.asarray(each[name], np.float64) for each in (ours, theirs))
        moved = np.abs(two - np.asarray(start[name], np.float64)).max()
        assert moved > 0 and np.abs(one - two).max() <= 1e-10 * moved, name


def test_the_whole_recipe():
    with double():
        whole = Torch()
        start = {name: value.clone() for name, value in whole.run(10).items()}
        file = torch_bytes(whole.checkpoint())
        middle = {name: value.clone() for name, value in whole.run(11).items()}
        end = {name: value.clone() for name, value in whole.run(8).items()}
        ours = Ours()
        ours.load(read(file))
        saved = whole.scaler.state_dict()
        close(ours.run(11), middle, start)
        back = Torch()
        back.load(to_torch(our_bytes(ours.checkpoint())))
        close(back.run(8), end, middle)
        close(ours.run(8), end, middle)
        assert ours.scaler.state_dict(ours.scale) == back.scaler.state_dict() == saved
        assert saved["scale"] != SCALER["init_scale"] and back.count == 29
