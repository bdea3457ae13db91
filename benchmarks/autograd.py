"""How fast is the split into forward and backward against the fused one, and what does the graph hold?

FashionMNIST's MLP (784-512-512-10), batch 64, random data. Every candidate runs in turn, many rounds; a ratio is taken
within a round, so that a busy machine slows both sides alike.

    python -m benchmarks.autograd [--rounds 30] [--steps 20]
"""

import argparse
import itertools
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad import autograd
from jaxgrad.nn import functional as F

WIDTHS = (784, 512, 512, 10)


def setting() -> tuple[dict[str, Any], Any, Any]:
    rng = np.random.default_rng(0)
    params = {}
    for i, (inside, outside) in enumerate(itertools.pairwise(WIDTHS)):
        params[f"{i}.weight"] = jnp.asarray(rng.normal(size=(outside, inside)) / inside**0.5, jnp.float32)
        params[f"{i}.bias"] = jnp.zeros(outside)
    x = jnp.asarray(rng.normal(size=(64, WIDTHS[0])), jnp.float32)
    return params, x, jnp.asarray(rng.integers(0, 10, 64))


def loss_fn(params: dict[str, Any], x: Any, y: Any) -> Any:
    for i in range(len(WIDTHS) - 1):
        x = F.linear(x, params[f"{i}.weight"], params[f"{i}.bias"])
        x = F.relu(x) if i + 2 < len(WIDTHS) else x
    return F.cross_entropy(x, y)


def candidates(params: dict[str, Any], x: Any, y: Any) -> dict[str, Callable[[], Any]]:
    fused = jax.jit(lambda p, x, y: autograd.backward(loss_fn, p, x, y))
    plain = jax.jit(jax.value_and_grad(loss_fn))
    first = jax.jit(lambda p, x, y: autograd.forward(loss_fn, p, x, y))
    second = jax.jit(lambda graph: graph.backward())
    compiled_loss = jax.jit(loss_fn)

    @jax.jit
    def thin(p: Any, x: Any, y: Any) -> Any:
        loss, graph = autograd.forward(loss_fn, p, x, y)
        return loss, graph.without(p, x)

    back_from_thin = jax.jit(lambda graph, p, x: graph.restore(p, x).backward())

    def split() -> Any:
        loss, graph = first(params, x, y)
        return loss, second(graph)

    def split_thin() -> Any:
        loss, graph = thin(params, x, y)
        return loss, back_from_thin(graph, params, x)

    def eager_over_jit() -> Any:
        loss, graph = autograd.forward(compiled_loss, params, x, y)
        return loss, graph.backward()

    held = sum(leaf.nbytes for leaf in jax.tree.leaves(first(params, x, y)[1]))
    held_thin = sum(leaf.nbytes for leaf in jax.tree.leaves(thin(params, x, y)[1]))
    print(f"the graph holds {held / 1e6:.2f} MB, without parameters and batch {held_thin / 1e6:.2f} MB")
    return {
        "backward, jitted": lambda: fused(params, x, y),
        "jax.value_and_grad, jitted": lambda: plain(params, x, y),
        "forward and backward, jitted apart": split,
        "the same, parameters left out": split_thin,
        "forward and backward of a jitted loss": eager_over_jit,
        "backward of a jitted loss": lambda: autograd.backward(compiled_loss, params, x, y),
        "jax.value_and_grad of a jitted loss": lambda: jax.value_and_grad(compiled_loss)(params, x, y),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--steps", type=int, default=20)
    options = parser.parse_args()
    runs = candidates(*setting())
    for run in runs.values():
        jax.block_until_ready(run())
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(options.rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            for _ in range(options.steps):
                jax.block_until_ready(run())
            seconds[name].append((time.perf_counter() - start) / options.steps)
    base = np.asarray(seconds["backward, jitted"])
    for name, taken in seconds.items():
        low, middle, high = np.quantile(np.asarray(taken) / base, (0.25, 0.5, 0.75))
        print(f"{name:40} {1e3 * np.median(taken):7.2f} ms   {middle:5.2f}x ({low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
