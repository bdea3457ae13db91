"""What a comparison costs beside both sides: ``python -m benchmarks.parity_overhead [mlp|cnn] [width] [steps]``.

For a perceptron of some width, or a convolutional network with as many channels: the plain loop in torch, the compiled
step, and ``parity.compare`` in both modes, with and without float64, after everything is compiled. What a comparison
adds goes with the number of values in the state, not with the work of a step: a perceptron is its worst case.
"""

import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import torch

from jaxgrad import func, nn, optim, parity, random, train
from jaxgrad.nn import functional as F


def mlp(library, width, **rngs):
    first = library.Linear(width, width, **rngs)
    return library.Sequential(first, library.ReLU(), library.Linear(width, 10, **rngs))


def cnn(library, width, **rngs):
    layers = [library.Conv2d(1, width, 3, **rngs), library.ReLU()]
    layers += [library.Conv2d(width, 2 * width, 3, **rngs), library.ReLU(), library.MaxPool2d(2), library.Flatten()]
    return library.Sequential(*layers, library.Linear(2 * width * 12 * 12, 10, **rngs))


SHAPES = {"mlp": lambda width: (128, width), "cnn": lambda width: (64, 1, 28, 28)}


def sides(model, width):
    def build(library, **rngs):
        return {"mlp": mlp, "cnn": cnn}[model](library, width, **rngs)

    torch.manual_seed(0)
    theirs = build(torch.nn)
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.01, momentum=0.9)
    ours = build(nn, rngs=nn.Rngs(random.manual_seed(0)))
    tx = optim.SGD(0.01, momentum=0.9)
    step = train.make_train_step(train.supervised(ours, F.cross_entropy), tx)
    state = train.init_state(func.extract(ours)[0], tx)
    return theirs, optimizer, step, state


def seconds(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main(model="mlp", width=512, steps=50):
    rng = np.random.default_rng(0)
    shape = SHAPES[model](width)
    batches = [(rng.standard_normal(shape).astype(np.float32), rng.integers(0, 10, shape[0])) for _ in range(steps)]
    theirs, optimizer, step, state = sides(model, width)
    reference = parity.from_torch(theirs, torch.nn.functional.cross_entropy, optimizer)
    candidate = parity.from_jax(step, state)

    def in_torch():
        for x, y in batches:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(theirs(torch.from_numpy(x)), torch.from_numpy(y)).backward()
            optimizer.step()

    def in_jax():
        held = jax.tree.map(lambda leaf: jnp.array(leaf, copy=True), state)
        for x, y in batches:
            held, metrics = step(held, (jnp.asarray(x), jnp.asarray(y)))
        jax.block_until_ready(metrics["loss"])

    in_torch(), in_jax()
    alone = seconds(in_torch) + seconds(in_jax)
    print(f"both sides alone: {1e3 * alone / steps:.2f} ms a step")
    for mode in ("single", "free"):
        for float64 in (True, False):

            def compared(mode=mode, float64=float64):
                parity.compare(reference, candidate, batches, mode, float64=float64).assert_ok()

            compared()
            taken = seconds(compared)
            print(
                f"{mode:6} float64={float64!s:5}: {1e3 * taken / steps:.2f} ms a step, {taken / alone:.1f} times both"
            )


if __name__ == "__main__":
    main(*sys.argv[1:2], *map(int, sys.argv[2:]))
