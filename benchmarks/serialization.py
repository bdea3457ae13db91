"""How long reading and writing files takes beside torch's: milliseconds, and the ratio as a median over rounds.

    python -m benchmarks.serialization [--megabytes 200] [--tensors 5000] [--rounds 9] [--folder DIR]

Two files: a few large tensors, and many small ones (where the pickle is what costs). Both sides read what torch wrote,
and the candidates take turns, since a shared machine is not equally fast from one second to the next. Torch does not
compare checksums when it reads, and neither syncs nor renames when it writes; ours does all of that, so writing is also
timed into memory, where there is no disk. Reading is from the page cache. A first read in a process, which is what a
training run does, is timed in processes of its own; in repeated reads the allocators differ in whether they keep the
memory of the read before, and that decides. In a process of its own each, the peak of
memory while a file is read, beyond what the process had, in multiples of the file.
"""

import argparse
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np
import torch

from jaxgrad import serialization


def candidates(path: str, state: dict[str, torch.Tensor]) -> dict[str, tuple[Callable, Callable]]:
    """Pairs of (ours, torch's)."""
    arrays = {name: tensor.numpy() for name, tensor in state.items()}
    ours, theirs = f"{path}.ours.pt", f"{path}.theirs.pt"
    return {
        "read": (lambda: serialization.read_torch(path), lambda: torch.load(path, weights_only=True)),
        "read, mapped": (
            lambda: serialization.read_torch(path, mmap=True),
            lambda: torch.load(path, weights_only=True, mmap=True),
        ),
        "write to memory": (
            lambda: serialization.write_torch(io.BytesIO(), arrays),
            lambda: torch.save(state, io.BytesIO()),
        ),
        "write to disk": (lambda: serialization.write_torch(ours, arrays), lambda: torch.save(state, theirs)),
    }


def seconds(call: Callable) -> float:
    start = time.perf_counter()
    kept = call()
    taken = time.perf_counter() - start
    del kept
    return taken


def measure(title: str, state: dict[str, torch.Tensor], folder: str, rounds: int) -> str:
    path = os.path.join(folder, "state.pt")
    torch.save(state, path)
    for name, array in serialization.read_torch(path).items():
        assert np.array_equal(array, state[name].numpy())
    print(f"{title}: {os.path.getsize(path) / 1e6:.1f} MB")
    for name, (ours, theirs) in candidates(path, state).items():
        ours(), theirs()
        pairs = [(seconds(ours), seconds(theirs)) for _ in range(max(rounds, 2))]
        ratios = statistics.quantiles([one / two for one, two in pairs], n=4)
        best = [min(column) * 1e3 for column in zip(*pairs, strict=True)]
        print(
            f"  {name:<18} ours {best[0]:8.1f} ms   torch {best[1]:8.1f} ms   ours / torch {ratios[1]:.2f}x "
            f"({ratios[0]:.2f} to {ratios[2]:.2f})"
        )
    return path


PEAK = """
import re, sys
from jaxgrad import serialization
import jax.numpy as jnp
jnp.ones(1) + 1
path, way = sys.argv[1:]
def kilobytes(what):
    return int(re.search(rf"{what}:\\s+(\\d+)", open("/proc/self/status").read())[1])
open("/proc/self/clear_refs", "w").write("5")  # the high-water mark begins anew
before = kilobytes("VmRSS")
kept = serialization.read_torch(path, mmap=way == "mapped")
print((kilobytes("VmHWM") - before) * 1024)
"""


FIRST = """
import sys, time
import torch
from jaxgrad import serialization
path, side = sys.argv[1:]
start = time.perf_counter(), time.process_time()
kept = serialization.read_torch(path) if side == "ours" else torch.load(path, weights_only=True)
print(time.perf_counter() - start[0], time.process_time() - start[1])
"""


def first(path: str, rounds: int) -> None:
    """The first read of a process, its time and its processor time."""
    taken: dict[str, list[list[float]]] = {"ours": [], "torch": []}
    for _ in range(rounds):
        for side, times in taken.items():
            command = [sys.executable, "-W", "ignore", "-c", FIRST, path, side]
            printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            times.append([float(number) * 1e3 for number in printed.split()])
    wall, processor = ({side: min(t[i] for t in times) for side, times in taken.items()} for i in (0, 1))
    for name, best in (("first read", wall), ("  its processor time", processor)):
        print(f"  {name:<22} ours {best['ours']:8.1f} ms   torch {best['torch']:8.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--tensors", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--folder", default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        side = int((options.megabytes * 1e6 / 20 / 4) ** 0.5)
        large = {f"layers.{i}.weight": torch.randn(side, side) for i in range(20)}
        path = measure("20 large tensors", large, folder, options.rounds)
        first(path, rounds=max(2, options.rounds // 3))
        for way in ("memory", "mapped"):
            command = [sys.executable, "-c", PEAK, path, way]
            used = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            print(f"  peak of memory, read into {way}: {used / os.path.getsize(path):.2f} times the file")
        small = {f"layers.{i}.bias": torch.randn(10) for i in range(options.tensors)}
        measure(f"{options.tensors} small tensors", small, folder, options.rounds)


if __name__ == "__main__":
    main()
