"""A traced step beside torch's eager one: tracing, compiling, a step; and how compiling grows with depth.

python -m benchmarks.trace [--steps 30] [--depths 2 4 8]
"""

import argparse
import statistics
import time

import jax
import jax.numpy as jnp
import torch
from torch import nn
from torch.nn import functional as F

from jaxgrad import optim, random, trace, train


class Block(nn.Module):
    """A residual convolution."""

    def __init__(self, width):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width),
        )  # fmt: skip

    def forward(self, x):
        return F.relu(x + self.body(x))


class Words(nn.Module):
    """Tied embeddings around encoder layers."""

    def __init__(self, depth, width=64):
        super().__init__()
        self.token = nn.Embedding(100, width)
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, 0.1, batch_first=True)
        self.body = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)

    def forward(self, ids):
        return (self.body(self.token(ids)) @ self.token.weight.T).flatten(0, 1)


def mlp(depth):
    layers = [layer for _ in range(depth) for layer in (nn.Linear(128, 128), nn.ReLU())]
    return nn.Sequential(*layers, nn.Linear(128, 10)), (torch.randn(64, 128), torch.randint(10, (64,)))


def convolutions(depth):
    body = [nn.Conv2d(3, 16, 3, padding=1), *(Block(16) for _ in range(depth)), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*body, nn.Linear(16, 10)), (torch.randn(16, 3, 32, 32), torch.randint(10, (16,)))


def words(depth):
    return Words(depth), (torch.randint(100, (8, 32)), torch.randint(100, (256,)))


MODELS = {"MLP": mlp, "convolutions": convolutions, "words": words}


def seconds(fn, times):
    """The median of some calls."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        fn()
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def measure(build, depth, steps):
    """(nodes, tracing, compiling, our step, torch's step) in seconds."""
    torch.manual_seed(0)
    module, batch = build(depth)
    began = time.perf_counter()
    traced = trace.from_torch(module, F.cross_entropy, batch)
    tracing = time.perf_counter() - began
    tx = optim.SGD(0.01, momentum=0.9)
    state = train.init_state(traced.params, tx, buffers=traced.buffers, generator=random.manual_seed(0))
    step = train.make_train_step(traced.loss_fn, tx)
    arrays = tuple(jnp.asarray(each.numpy()) for each in batch)
    began = time.perf_counter()
    state, _ = jax.block_until_ready(step(state, arrays))
    compiling = time.perf_counter() - began

    def ours():
        nonlocal state
        state, _ = jax.block_until_ready(step(state, arrays))

    optimizer = torch.optim.SGD(module.parameters(), 0.01, momentum=0.9)

    def theirs():
        optimizer.zero_grad()
        F.cross_entropy(module(batch[0]), batch[1]).backward()
        optimizer.step()

    theirs()
    return len(traced.graph.nodes), tracing, compiling, seconds(ours, steps), seconds(theirs, steps)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=30, help="timed steps; the median is shown")
    parser.add_argument("--depths", type=int, nargs="+", default=[2, 4, 8], help="numbers of repeated blocks")
    options = parser.parse_args()
    print(
        f"{'model':14}{'depth':>6}{'nodes':>7}{'trace s':>9}{'compile s':>11}{'step ms':>9}{'torch ms':>10}{'ratio':>7}"
    )
    for name, build in MODELS.items():
        for depth in options.depths:
            nodes, tracing, compiling, ours, theirs = measure(build, depth, options.steps)
            times = f"{tracing:9.1f}{compiling:11.1f}{1e3 * ours:9.2f}{1e3 * theirs:10.2f}{ours / theirs:7.2f}"
            print(f"{name:14}{depth:6}{nodes:7}{times}")


if __name__ == "__main__":
    main()
