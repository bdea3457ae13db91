"""Samples per second of the loader, beside torch's, in the same run.

Three kinds of data: arrays in memory (28x28 float32, batch 64, shuffled), PNGs that are decoded (28x28 and 224x224,
with 0 and 2 workers), and arrays that lie on the device and are gathered there. torch's PNGs are read in a process of
its own, without JAX, so that its fork meets no threads. The median of the epochs counts. Persistent workers are started
before the clock; what starting them costs is a row of its own.

    python -m benchmarks.data [--quick] [--json FILE]
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np


class Images:
    """Decodes one PNG a sample, as a dataset of files does; read by both libraries."""

    def __init__(self, folder: str):
        self.files = sorted(Path(folder).glob("*.png"))

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        from PIL import Image

        with Image.open(self.files[index]) as image:
            return np.asarray(image, np.float32) / 255, index % 10


def render(folder: Path, size: int, n: int) -> str:
    from PIL import Image

    folder.mkdir()
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (n, 7, 7), dtype=np.uint8)
    for i, image in enumerate(coarse):
        Image.fromarray(image).resize((size, size)).save(folder / f"{i:05d}.png")
    return str(folder)


def seconds(epoch: Iterable[Any]) -> float:
    """Time to read all batches."""
    started = time.perf_counter()
    for batch in epoch:
        del batch
    return time.perf_counter() - started


def median(epoch: Callable[[], Iterable[Any]], repeats: int) -> float:
    return statistics.median(seconds(epoch()) for _ in range(repeats))


# ---- torch, also in a process of its own ----


def torch_png(folder: str, workers: int, repeats: int) -> dict[str, float]:
    import torch

    torch.set_num_threads(1)
    arguments = {"batch_size": 64, "shuffle": True, "num_workers": workers, "persistent_workers": workers > 0}
    loader = torch.utils.data.DataLoader(Images(folder), **arguments)
    first = seconds(loader)
    return {"first": first, "epoch": median(lambda: loader, repeats)}


def torch_png_elsewhere(folder: str, workers: int, repeats: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--torch-png", folder, str(workers), str(repeats)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def torch_arrays(x: np.ndarray, y: np.ndarray) -> Callable[[], Iterable[Any]]:
    import torch

    dataset = torch.utils.data.TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
    loader = torch.utils.data.DataLoader(dataset, batch_size=64, shuffle=True)
    return lambda: loader


# ---- ours ----


def our_png(folder: str, workers: int, repeats: int) -> dict[str, float]:
    from jaxgrad import random
    from jaxgrad.utils import data

    arguments = {"batch_size": 64, "shuffle": True, "num_workers": workers, "persistent_workers": workers > 0}
    loader = data.DataLoader(Images(folder), **arguments)
    generator, batches, times = random.manual_seed(0), None, []
    for _ in range(repeats + 1):
        batches, generator = loader.epoch(generator, after=batches)
        times.append(seconds(batches))
    batches.close()
    return {"first": times[0], "epoch": statistics.median(times[1:])}


def our_arrays(x: np.ndarray, y: np.ndarray) -> Callable[[], Iterable[Any]]:
    from jaxgrad import random
    from jaxgrad.utils import data

    loader = data.DataLoader(data.TensorDataset(x, y), batch_size=64, shuffle=True)
    return lambda: loader.epoch(random.manual_seed(0))[0]


def our_sent_arrays(x: np.ndarray, y: np.ndarray) -> Callable[[], Iterable[Any]]:
    from jaxgrad.utils import data

    epoch = our_arrays(x, y)
    return lambda: data.prefetch_to_device(epoch())


def our_stacked(x: np.ndarray, y: np.ndarray) -> Callable[[], Iterable[Any]]:
    import jax
    import jax.numpy as jnp

    from jaxgrad import random
    from jaxgrad.utils import data

    tensors = data.TensorDataset(jnp.asarray(x), jnp.asarray(y.astype(np.int32)))
    loader = data.DataLoader(tensors, batch_size=64, shuffle=True)

    def epoch() -> Iterable[Any]:
        stacked, _ = data.stacked_epoch(loader, random.manual_seed(0))
        return jax.block_until_ready(stacked.batches)

    return epoch


def timed_call(fn: Callable[[], Any], repeats: int) -> float:
    fn()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        fn()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def rows(quick: bool) -> Iterable[dict[str, Any]]:
    repeats = 2 if quick else 5
    n = 3_000 if quick else 60_000
    x = np.random.default_rng(0).normal(size=(n, 28, 28)).astype(np.float32)
    y = np.arange(n) % 10
    theirs = median(torch_arrays(x, y), repeats)
    yield row("arrays in memory", n, median(our_arrays(x, y), repeats), theirs)
    yield row("arrays in memory, prefetch_to_device", n, median(our_sent_arrays(x, y), repeats), theirs)
    yield row("arrays on the device, stacked_epoch", n, timed_call(our_stacked(x, y), repeats), theirs)
    with tempfile.TemporaryDirectory() as folder:
        for size, count in ((28, 400 if quick else 8_000), (224, 100 if quick else 2_000)):
            files = render(Path(folder, str(size)), size, count)
            for workers in (0, 2):
                ours = our_png(files, workers, repeats)
                theirs_png = torch_png_elsewhere(files, workers, repeats)
                name = f"PNG {size}x{size}, {workers} workers"
                yield row(name, count, ours["epoch"], theirs_png["epoch"])
                if workers:
                    yield row(f"{name}, first epoch with their start", count, ours["first"], theirs_png["first"])


def row(name: str, n: int, ours: float, theirs: float) -> dict[str, Any]:
    return {"data": name, "jaxgrad, samples/s": n / ours, "torch, samples/s": n / theirs, "ratio": theirs / ours}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a hundredth of the data")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    parser.add_argument("--torch-png", nargs=3, metavar=("FOLDER", "WORKERS", "REPEATS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.torch_png:
        folder, workers, repeats = options.torch_png
        print(json.dumps(torch_png(folder, int(workers), int(repeats))))
        return
    found = []
    print(f"{'data':<50}{'jaxgrad/s':>12}{'torch/s':>12}{'ratio':>8}")
    for each in rows(options.quick):
        found.append(each)
        ours, theirs = each["jaxgrad, samples/s"], each["torch, samples/s"]
        print(f"{each['data']:<50}{ours:>12,.0f}{theirs:>12,.0f}{each['ratio']:>8.2f}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
