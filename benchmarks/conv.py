"""How long does a convolution take with both its gradients, ours against torch's and against ``jax.lax``'s own?

The shapes are those of the FashionMNIST network and of ResNet-18's stages, strided, 1x1, grouped and depthwise ones
among them; each is timed per call and as steps of a ``lax.scan``, where XLA's own convolution is slow on CPUs. The
network's whole step (SGD with momentum, batch 64) comes last. Torch runs with one thread and with all, the better one
counts. Every candidate runs in turn, many rounds, a ratio is taken within a round; memory is that of the compiled
program beside its arguments and results.

    python -m benchmarks.conv [--rounds 20] [--names "conv2 of FashionMNIST" ...]
"""

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.timing import Timings, interleave
from jaxgrad import func, nn, optim, random, train
from jaxgrad.nn import functional as F
from jaxgrad.nn.functional.conv.convolve import convolve

Shape = tuple[int, int, int, int, int, int, int, int]
SHAPES: dict[str, Shape] = {  # images, channels, size, out, kernel, stride, padding, groups
    "conv1 of FashionMNIST": (64, 1, 28, 32, 3, 1, 0, 1),
    "conv2 of FashionMNIST": (64, 32, 26, 64, 3, 1, 0, 1),
    "stage 1": (32, 64, 32, 64, 3, 1, 1, 1),
    "stage 2, strided": (32, 64, 32, 128, 3, 2, 1, 1),
    "stage 2, 1x1 strided": (32, 64, 32, 128, 1, 2, 0, 1),
    "stage 2": (32, 128, 16, 128, 3, 1, 1, 1),
    "stage 3": (32, 256, 8, 256, 3, 1, 1, 1),
    "stage 4": (32, 512, 4, 512, 3, 1, 1, 1),
    "1x1": (32, 128, 16, 64, 1, 1, 0, 1),
    "4 groups": (32, 64, 16, 64, 3, 1, 1, 4),
    "depthwise": (32, 64, 16, 64, 3, 1, 1, 64),
}
STEPS = 4


def arrays(shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    images, channels, size, out, kernel, *_, groups = shape
    stream = np.random.default_rng(0)
    x = stream.standard_normal((images, channels, size, size)).astype(np.float32)
    w = stream.standard_normal((out, channels // groups, kernel, kernel)).astype(np.float32)
    return x, w


def step_of(conv: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Forward and both gradients; the gradients move the arrays, so that steps depend on each other."""

    def step(x: Any, w: Any) -> Any:
        y, back = jax.vjp(conv, x, w)
        dx, dw = back(y)
        return x - 1e-6 * dx, w - 1e-6 * dw

    return step


def jax_candidates(conv: Callable[[Any, Any], Any], shape: Shape) -> dict[str, Callable[[], Any]]:
    x, w = (jnp.asarray(v) for v in arrays(shape))
    step = step_of(conv)
    one = jax.jit(step)
    many = jax.jit(lambda x, w: jax.lax.scan(lambda c, _: (step(*c), None), (x, w), None, length=STEPS)[0])

    def calls() -> None:
        a, b = x, w
        for _ in range(STEPS):
            a, b = one(a, b)
        jax.block_until_ready((a, b))

    return {"call": calls, "scan": lambda: jax.block_until_ready(many(x, w))}


def torch_candidate(shape: Shape, threads: int) -> Callable[[], None]:
    import torch

    x, w = (torch.from_numpy(v).requires_grad_() for v in arrays(shape))
    *_, stride, padding, groups = shape

    def run() -> None:
        torch.set_num_threads(threads)
        a, b = x, w
        for _ in range(STEPS):
            y = torch.nn.functional.conv2d(a, b, None, stride, padding, 1, groups)
            dx, dw = torch.autograd.grad(y, (a, b), y.detach())
            a, b = (a - 1e-6 * dx).detach().requires_grad_(), (b - 1e-6 * dw).detach().requires_grad_()

    return run


def of_lax(shape: Shape) -> Callable[[Any, Any], Any]:
    *_, stride, padding, groups = shape
    pads = ((padding, padding),) * 2
    return lambda x, w: convolve(x, w, (stride,) * 2, pads, (1, 1), groups)


def of_ours(shape: Shape) -> Callable[[Any, Any], Any]:
    *_, stride, padding, groups = shape
    return lambda x, w: F.conv2d(x, w, None, stride, padding, 1, groups)


def network(lib: Any, **rngs: Any) -> Any:
    """Two convolutions, a pool, two dense layers."""
    layers = [
        lib.Conv2d(1, 32, 3, **rngs),
        lib.ReLU(),
        lib.Conv2d(32, 64, 3, **rngs),
        lib.ReLU(),
        lib.MaxPool2d(2),
        lib.Flatten(),
        lib.Linear(64 * 12 * 12, 128, **rngs),
        lib.ReLU(),
        lib.Linear(128, 10, **rngs),
    ]
    return lib.Sequential(*layers)


def batch() -> tuple[np.ndarray, np.ndarray]:
    stream = np.random.default_rng(0)
    return stream.standard_normal((64, 1, 28, 28)).astype(np.float32), stream.integers(0, 10, 64)


def jax_network() -> dict[str, Callable[[], Any]]:
    model = network(nn, rngs=nn.Rngs(random.manual_seed(0)))
    params, _ = func.extract(model)
    tx = optim.SGD(0.01, momentum=0.9)
    step = train.make_train_step(train.supervised(model, F.cross_entropy), tx)
    epoch = train.make_epoch(step)
    x, y = (jnp.asarray(v) for v in batch())
    stacked = jax.tree.map(lambda v: jnp.stack([v] * STEPS), (x, y))
    kept = {name: [train.init_state(jax.tree.map(jnp.array, params), tx)] for name in ("call", "scan")}

    def calls() -> None:
        state = kept["call"][0]
        for _ in range(STEPS):
            state, _ = step(state, (x, y))
        kept["call"][0] = jax.block_until_ready(state)

    def scan() -> None:
        state, _ = epoch(kept["scan"][0], stacked)
        kept["scan"][0] = jax.block_until_ready(state)

    return {"call": calls, "scan": scan}


def torch_network(threads: int) -> Callable[[], None]:
    import torch

    model = network(torch.nn)
    tx = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    x, y = (torch.from_numpy(v) for v in batch())

    def run() -> None:
        torch.set_num_threads(threads)
        for _ in range(STEPS):
            tx.zero_grad()
            torch.nn.functional.cross_entropy(model(x), y).backward()
            tx.step()

    return run


def report(name: str, timings: Timings, threads: list[str]) -> None:
    best = timings.fastest(threads)
    print(f"{name}: torch {timings.microseconds(best) / 1e3:.1f} ms ({best})")
    for each in timings.seconds:
        if each not in threads:
            print(f"  {each:16} {timings.microseconds(each) / 1e3:8.1f} ms   {timings.ratio_words(each, best)} torch's")


def megabytes(shape: Shape) -> float:
    """What the compiled step needs beside its arguments and results."""
    x, w = arrays(shape)
    compiled = jax.jit(step_of(of_ours(shape))).lower(x, w).compile()
    return float(compiled.memory_analysis().temp_size_in_bytes / 2**20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--names", nargs="*", default=[*SHAPES, "network"])
    parser.add_argument("--with-lax", action="store_true", help="time jax.lax's own convolution too")
    args = parser.parse_args()
    threads = {f"torch, {n} threads": n for n in (1, 2)}
    run = partial(interleave, steps=STEPS, rounds=args.rounds)
    for name, shape in SHAPES.items():
        if name not in args.names:
            continue
        candidates = {each: torch_candidate(shape, n) for each, n in threads.items()}
        candidates |= {f"ours, {how}": fn for how, fn in jax_candidates(of_ours(shape), shape).items()}
        if args.with_lax:
            candidates |= {f"lax, {how}": fn for how, fn in jax_candidates(of_lax(shape), shape).items()}
        report(f"{name} {shape}", run(candidates), list(threads))
        print(f"  memory beside arguments and results: {megabytes(shape):.1f} MB")
    if "network" in args.names:
        candidates = {each: torch_network(n) for each, n in threads.items()}
        candidates |= {f"ours, {how}": fn for how, fn in jax_network().items()}
        report("the FashionMNIST network, batch 64", run(candidates), list(threads))


if __name__ == "__main__":
    main()
