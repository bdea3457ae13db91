"""How long do forward and backward of a layer take, ours jitted against torch's?

Gradients of parameters and input, float32. torch runs with one thread and with all (the better one counts). Every
candidate runs in turn, many rounds; a ratio is taken within a round, so that a busy machine slows both sides alike.

    python -m benchmarks.layers [--rounds 20] [--steps 5] [--names LSTM attention]
"""

import argparse
import os
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.timing import Timings, interleave, torch_device
from jaxgrad import func, nn, random
from jaxgrad.nn import functional as F

Layer = Callable[[Any, dict[str, Any]], Any]

LAYERS: dict[str, tuple[Layer, tuple[int, ...]]] = {
    "LSTM": (lambda nn, kw: nn.LSTM(128, 256, **kw), (50, 32, 128)),
    "LSTM, 2 layers": (lambda nn, kw: nn.LSTM(128, 128, num_layers=2, **kw), (50, 16, 128)),
    "GRU": (lambda nn, kw: nn.GRU(128, 256, **kw), (50, 32, 128)),
    "MultiheadAttention": (lambda nn, kw: nn.MultiheadAttention(256, 8, batch_first=True, **kw), (8, 128, 256)),
    "TransformerEncoderLayer": (
        lambda nn, kw: nn.TransformerEncoderLayer(256, 8, 1024, dropout=0.0, batch_first=True, **kw),
        (8, 128, 256),
    ),
    "LayerNorm": (lambda nn, kw: nn.LayerNorm(256), (32, 128, 256)),
    "GroupNorm": (lambda nn, kw: nn.GroupNorm(8, 64), (16, 64, 28, 28)),
    "BatchNorm2d": (lambda nn, kw: nn.BatchNorm2d(64), (16, 64, 28, 28)),
}
HEADS = (8, 8, 256, 32)  # of scaled_dot_product_attention: batch, heads, steps, features


def arguments(name: str, x: Any) -> tuple[Any, ...]:
    return (x, x, x) if name == "MultiheadAttention" else (x,)


def first(output: Any) -> Any:
    return output[0] if isinstance(output, tuple) else output


def jax_layer(name: str, values: dict[str, np.ndarray], x: np.ndarray, steps: int) -> Callable[[], None]:
    build, _ = LAYERS[name]
    model = build(nn, {"rngs": nn.Rngs(random.manual_seed(0))} if "Norm" not in name else {})
    _, buffers = func.extract(model)

    def loss(params: Any, x: Any) -> Any:
        state = (params, buffers)
        out, _ = func.functional_call(model, state, arguments(name, x), training=True, has_aux=True)
        return jnp.sum(first(out) ** 2)

    grad = jax.jit(jax.grad(loss, argnums=(0, 1)))
    params, given = {k: jnp.asarray(v) for k, v in values.items()}, jnp.asarray(x)
    return repeated(lambda: grad(params, given), steps)


def repeated(call: Callable[[], Any], steps: int) -> Callable[[], None]:
    def run() -> None:
        for _ in range(steps):
            jax.block_until_ready(call())

    return run


def torch_layer(model: Any, name: str, x: np.ndarray, steps: int, threads: int) -> Callable[[], None]:
    import torch

    device = torch_device()
    given = torch.tensor(x, device=device, requires_grad=True)

    def run() -> None:
        torch.set_num_threads(threads)
        for _ in range(steps):
            loss = (first(model(*arguments(name, given))) ** 2).sum()
            torch.autograd.grad(loss, [*model.parameters(), given])
        if device == "cuda":
            torch.cuda.synchronize()

    return run


def threads() -> list[int]:
    return sorted({1, os.cpu_count() or 1})


def measure_layer(name: str, rounds: int, steps: int) -> Timings:
    import torch

    build, shape = LAYERS[name]
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    model = build(torch.nn, {}).to(torch_device())
    values = {key: p.detach().cpu().numpy() for key, p in model.named_parameters()}
    candidates = {"jaxgrad": jax_layer(name, values, x, steps)}
    for n in threads():
        candidates[f"torch, {n} threads"] = torch_layer(model, name, x, steps, n)
    return interleave(candidates, steps, rounds)


def measure_attention(rounds: int, steps: int) -> Timings:
    import torch

    q, k, v = (np.random.default_rng(i).standard_normal(HEADS).astype(np.float32) for i in range(3))
    grad = jax.jit(
        jax.grad(
            lambda q, k, v: jnp.sum(F.scaled_dot_product_attention(q, k, v, is_causal=True) ** 2), argnums=(0, 1, 2)
        )
    )
    arrays = [jnp.asarray(each) for each in (q, k, v)]
    candidates = {"jaxgrad": repeated(lambda: grad(*arrays), steps)}
    device = torch_device()
    leaves = [torch.tensor(each, device=device, requires_grad=True) for each in (q, k, v)]

    def run(n: int) -> None:
        torch.set_num_threads(n)
        for _ in range(steps):
            loss = (torch.nn.functional.scaled_dot_product_attention(*leaves, is_causal=True) ** 2).sum()
            torch.autograd.grad(loss, leaves)
        if device == "cuda":
            torch.cuda.synchronize()

    for n in threads():
        candidates[f"torch, {n} threads"] = lambda n=n: run(n)
    return interleave(candidates, steps, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [*LAYERS, "attention"]
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--names", nargs="*", default=names, choices=names)
    options = parser.parse_args()
    for name in options.names:
        measured = (measure_attention if name == "attention" else lambda *args, name=name: measure_layer(name, *args))(
            options.rounds, options.steps
        )
        fastest = measured.fastest([each for each in measured.seconds if each.startswith("torch")])
        print(
            f"{name:24s} jaxgrad {measured.microseconds('jaxgrad') / 1e3:8.2f} ms   {fastest} / jaxgrad "
            f"{measured.ratio_words(fastest, 'jaxgrad')}"
        )


if __name__ == "__main__":
    main()
