"""How long draws take beside torch's: nanoseconds a value and the ratio, by size.

    python benchmarks/random_streams.py [--sizes 10000 1000000 10000000] [--seconds 0.3]

Four columns: torch filling a tensor it has; ours called from Python with a generator on the host, which makes a JAX
array as well; called with a generator on the device; and inside one jitted program, generator in and out. Every time is
the best of several calls, since a shared machine only ever adds to it. The values of all are equal, which is checked
before they are timed. The file is not named random.py because a script's folder comes first on its import path.
"""

import argparse
import time
from collections.abc import Callable

import jax
import numpy as np
import torch

from jaxgrad import random
from jaxgrad.nn import functional as F

DRAWS: dict[str, tuple[Callable, Callable]] = {
    "rand": (lambda g, n: random.rand(g, n), lambda g, x: x.uniform_(generator=g)),
    "uniform(-1, 2)": (lambda g, n: random.uniform(g, n, -1, 2), lambda g, x: x.uniform_(-1, 2, generator=g)),
    "randn": (lambda g, n: random.randn(g, n), lambda g, x: x.normal_(generator=g)),
    "normal(0.1, 0.7)": (lambda g, n: random.normal(g, n, 0.1, 0.7), lambda g, x: x.normal_(0.1, 0.7, generator=g)),
    "bernoulli(0.3)": (lambda g, n: random.bernoulli(g, n, 0.3), lambda g, x: x.bernoulli_(0.3, generator=g)),
    "randint(0, 1000)": (
        lambda g, n: random.randint(g, 0, 1000, n, dtype="int32"),
        lambda g, x: torch.randint(0, 1000, x.shape, dtype=torch.int32, generator=g),
    ),
    "randperm": (
        lambda g, n: random.randperm(g, n, dtype="int32"),
        lambda g, x: torch.randperm(len(x), dtype=torch.int32, generator=g),
    ),
    "exponential": (lambda g, n: random.exponential(g, n), lambda g, x: x.exponential_(generator=g)),
}


def best(call: Callable[[], object], seconds: float) -> float:
    """The shortest of as many calls as fit into the time, three at least."""
    times = []
    start = time.perf_counter()
    while len(times) < 3 or time.perf_counter() - start < seconds:
        before = time.perf_counter()
        call()
        times.append(time.perf_counter() - before)
    return min(times)


def draws(sizes: list[int], seconds: float) -> None:
    columns = "".join(f"{name:>9}{'ratio':>7}" for name in ("host", "device", "jitted"))
    print(f"{'draw':<18}{'n':>10}{'torch':>9}{columns}   (ns a value)")
    for name, (ours, theirs) in DRAWS.items():
        for n in sizes:
            generator, torch_generator, x = random.manual_seed(1), torch.Generator().manual_seed(1), torch.empty(n)
            inside = jax.jit(lambda g, ours=ours, n=n: ours(g, n))
            expected = theirs(torch_generator, x).numpy()
            on_device = jax.device_put(generator)
            for value, _ in (ours(generator, n), ours(on_device, n), inside(generator)):
                assert np.array_equal(value, expected), name
            a = best(lambda theirs=theirs, g=torch_generator, x=x: theirs(g, x), seconds)
            from_python = [
                best(lambda ours=ours, g=g, n=n: jax.block_until_ready(ours(g, n)[0]), seconds)
                for g in (generator, on_device)
            ]
            jitted = best(lambda f=inside, g=on_device: jax.block_until_ready(f(g)), seconds)
            cells = "".join(f"{1e9 * t / n:9.2f}{t / a:7.2f}" for t in (*from_python, jitted))
            print(f"{name:<18}{n:>10}{1e9 * a / n:9.2f}{cells}", flush=True)


def dropout(sizes: list[int], seconds: float) -> None:
    """One dropout with its gradient's mask, inside a program, by source of the mask."""
    print(
        f"\n{'dropout(0.1)':<18}{'n':>10}{'torch':>9}{'stream':>9}{'ratio':>7}{'key':>9}{'ratio':>7}   (ns an element)"
    )
    step = jax.jit(lambda x, source: F.dropout(x, 0.1, generator=source))
    for n in sizes:
        x, y = torch.ones(n), jax.numpy.ones(n)
        stream, key = jax.device_put(random.manual_seed(1)), jax.random.key(1)
        a = best(lambda x=x: torch.nn.functional.dropout(x, 0.1), seconds)
        b, c = (best(lambda y=y, s=s: jax.block_until_ready(step(y, s)), seconds) for s in (stream, key))
        row = [f"{1e9 * t / n:9.2f}" for t in (a, b, c)]
        print(f"{'':<18}{n:>10}{row[0]}{row[1]}{b / a:7.2f}{row[2]}{c / a:7.2f}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10**4, 10**6, 10**7])
    parser.add_argument("--seconds", type=float, default=0.3, help="for each cell")
    options = parser.parse_args()
    versions = f"torch {torch.__version__} ({torch.get_num_threads()} threads), jax {jax.__version__}"
    print(f"{versions} on {jax.default_backend()}")
    draws(options.sizes, options.seconds)
    dropout(options.sizes, options.seconds)
