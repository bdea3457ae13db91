"""How long does one optimizer step take, ours against optax's and torch's foreach and fused?

Two sets of parameters: the perceptron 784-512-512-10, where memory bandwidth is all, and 200 tensors of mixed size,
where the calls are. Only the step is timed, on given gradients: ours and optax's jitted with donation, torch's with
one thread and with all (the better one counts). Every candidate runs in turn, many rounds; a ratio is taken within a
round, so that a busy machine slows all sides alike.

    python -m benchmarks.optimizers [--rounds 30] [--steps 20] [--names Adam SGD]
"""

import argparse
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.common.timing import Timings, interleave, torch_device
from jaxgrad import optim

MLP = [(512, 784), (512,), (512, 512), (512,), (10, 512), (10,)]
MIXED = [(128, 128), (128,), (64, 32), (32,), (256, 64), (64,), (16, 16), (8,)] * 25
SETS = {"MLP 784-512-512-10": MLP, "200 tensors of mixed size": MIXED}

OPTAX: dict[str, Callable[[], optax.GradientTransformation]] = {
    "SGD": lambda: optax.sgd(1e-3, momentum=0.9),
    "Adam": lambda: optax.adam(1e-3),
    "AdamW": lambda: optax.adamw(1e-3, weight_decay=1e-2),
    "RMSprop": lambda: optax.rmsprop(1e-2, decay=0.99, eps_in_sqrt=False),
    "Adagrad": lambda: optax.adagrad(1e-2),
    "Adadelta": lambda: optax.adadelta(1.0),
    "Adamax": lambda: optax.adamax(2e-3),
}
ARGUMENTS = {"SGD": {"lr": 1e-3, "momentum": 0.9}}


def tensors(shapes: list[tuple[int, ...]]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {f"{i:03d}": rng.standard_normal(shape).astype(np.float32) for i, shape in enumerate(shapes)}


def jax_candidate(tx: optax.GradientTransformation, params: dict[str, np.ndarray], steps: int) -> Callable[[], None]:
    step = jax.jit(lambda p, g, s: optim.step(tx, p, g, s), donate_argnums=(0, 2))
    grads = {name: jnp.asarray(0.01 * value) for name, value in params.items()}
    arrays = {name: jnp.array(value) for name, value in params.items()}
    kept = [(arrays, jax.tree.map(lambda leaf: jnp.array(leaf, copy=True), tx.init(arrays)))]

    def run() -> None:
        params, state = kept[0]
        for _ in range(steps):
            params, state = step(params, grads, state)
        kept[0] = jax.block_until_ready((params, state))

    return run


def torch_candidate(name: str, params: dict[str, np.ndarray], steps: int, threads: int, **kind: Any) -> Any:
    import torch

    device = torch_device()
    leaves = [torch.nn.Parameter(torch.tensor(value, device=device)) for value in params.values()]
    for leaf in leaves:
        leaf.grad = 0.01 * leaf.detach()
    try:
        optimizer = getattr(torch.optim, name)(leaves, **ARGUMENTS.get(name, {}), **kind)
    except TypeError:
        return None  # torch has no fused kernel for this one

    def run() -> None:
        torch.set_num_threads(threads)
        for _ in range(steps):
            optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()

    return run


def measure(name: str, shapes: list[tuple[int, ...]], rounds: int, steps: int) -> Timings:
    params = tensors(shapes)
    candidates = {
        "jaxgrad": jax_candidate(getattr(optim, name)(**ARGUMENTS.get(name, {})), params, steps),
        "optax": jax_candidate(OPTAX[name](), params, steps),
    }
    for kind in ("foreach", "fused"):
        for threads in (1, 2):
            found = torch_candidate(name, params, steps, threads, **{kind: True})
            if found is not None:
                candidates[f"torch {kind}, {threads} threads"] = found
    return interleave(candidates, steps, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--names", nargs="*", default=list(OPTAX), choices=list(OPTAX))
    options = parser.parse_args()
    for label, shapes in SETS.items():
        print(label)
        for name in options.names:
            timings = measure(name, shapes, options.rounds, options.steps)
            ours = "jaxgrad"
            line = f"  {name:10s} jaxgrad {timings.microseconds(ours):7.0f} us"
            line += f"   / optax {timings.ratio_words(ours, 'optax')}"
            for kind in ("foreach", "fused"):
                of_kind = [each for each in timings.seconds if kind in each]
                if of_kind:
                    line += f"   torch {kind} / jaxgrad {timings.ratio_words(timings.fastest(of_kind), ours)}"
            print(line)


if __name__ == "__main__":
    main()
