"""Does the loader give torch's batches, from the same seed?

A map-style dataset of five texts with their classes, as ``{"Text": ..., "Class": ...}``, read in every way a loader
can be told to: batches of two and three, shuffled, three epochs, a weighted sampler, a sampler with replacement, a
sampler of batches, lengths of a split, a collate function, a transform, no batches at all, two worker processes. Text
for text the batches must be torch's, and so must the number that the global generator gives next.

Then what loading costs: an epoch whose samples take their time, read in the process itself and by two workers ahead of
the training step, and an epoch that is sent to the device batch by batch or gathered there.

    python -m experiments run data_loading             # about 40 s; the workers have to start first
    expected: every row equal
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.experiment import Experiment, Record, Settings
from jaxgrad import random
from jaxgrad.parity.claim import Exact, Info
from jaxgrad.utils import data

TEXTS = ["Happy", "Amazing", "Sad", "Unhapy", "Glum"]
LABELS = ["Positive", "Positive", "Negative", "Negative", "Negative"]
EPOCHS = 3


class CustomTextDataset:
    """The smallest map-style dataset: both libraries read it as it is."""

    def __init__(self, texts: list[str], labels: list[str], transform: Callable[[Any], Any] | None = None):
        self.texts, self.labels, self.transform = texts, labels, transform

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, index: int) -> Any:
        sample = {"Text": self.texts[index], "Class": self.labels[index]}
        return sample if self.transform is None else self.transform(sample)


def shout(sample: dict[str, str]) -> dict[str, str]:
    """A transform."""
    return {**sample, "Text": sample["Text"].upper()}


def join(batch: list[dict[str, str]]) -> str:
    """A collate function."""
    return " + ".join(sample["Text"] for sample in batch)


class LengthsDataset:
    """Numbers instead of texts, and an image of noise with each, from the global generator of numpy."""

    def __len__(self) -> int:
        return 9

    def __getitem__(self, index: int) -> Any:
        return index, np.float32(index) / 2, float(np.random.rand())


def loaders(lib: Any) -> dict[str, Any]:
    """Every loader, built by the same lines in ``torch.utils.data`` and in ``jaxgrad.utils.data``."""
    texts = CustomTextDataset(TEXTS, LABELS)
    weights = [3.0, 3.0, 1.0, 1.0, 1.0]
    return {
        "batch_size 2, shuffle": lib.DataLoader(texts, batch_size=2, shuffle=True),
        "batch_size 3, shuffle": lib.DataLoader(texts, batch_size=3, shuffle=True),
        "drop_last": lib.DataLoader(texts, batch_size=2, shuffle=True, drop_last=True),
        "in order": lib.DataLoader(texts, batch_size=2),
        "weighted sampler": lib.DataLoader(texts, batch_size=2, sampler=lib.WeightedRandomSampler(weights, 6)),
        "replacement": lib.DataLoader(texts, batch_size=2, sampler=lib.RandomSampler(texts, replacement=True)),
        "subset": lib.DataLoader(texts, batch_size=2, sampler=lib.SubsetRandomSampler([0, 2, 4])),
        "batch_sampler": lib.DataLoader(texts, batch_sampler=[[4, 0], [1], [2, 3]]),
        "collate_fn": lib.DataLoader(texts, batch_size=2, shuffle=True, collate_fn=join),
        "transform": lib.DataLoader(CustomTextDataset(TEXTS, LABELS, shout), batch_size=2, shuffle=True),
        "no batches": lib.DataLoader(texts, batch_size=None, shuffle=True),
    }


def workers(lib: Any, **arguments: Any) -> Any:
    return lib.DataLoader(LengthsDataset(), batch_size=2, shuffle=True, num_workers=2, **arguments)


def ours(settings: Settings) -> Record:
    generator = random.manual_seed(settings.seed)
    record: Record = {}
    for name, loader in loaders(data).items():
        epochs = []
        for _ in range(EPOCHS):
            batches, generator = loader.epoch(generator)
            epochs.append([_shown(batch) for batch in batches])
        record |= _rows(name, epochs)
    if not settings.quick:
        batches, generator = workers(data).epoch(generator)
        record |= _worker_rows(batches)
    parts, generator = data.random_split(TEXTS, [0.6, 0.4], generator)
    record["random_split"] = str([[part[i] for i in range(len(part))] for part in parts])
    following, _ = random.rand(generator, (1,))
    record["the next random number"] = np.asarray(following)
    return record | _costs(settings)


def reference(settings: Settings, dtype: str) -> Record:
    del dtype
    import torch
    from torch.utils import data as lib

    torch.manual_seed(settings.seed)
    record: Record = {}
    for name, loader in loaders(lib).items():
        record |= _rows(name, [[_shown(batch) for batch in loader] for _ in range(EPOCHS)])
    if not settings.quick:
        # Not torch's usual fork: this process has JAX's threads.
        record |= _worker_rows(workers(lib, multiprocessing_context="spawn"))
    parts = lib.random_split(TEXTS, [0.6, 0.4], generator=None)
    record["random_split"] = str([[part[i] for i in range(len(part))] for part in parts])
    record["the next random number"] = torch.rand(1).numpy()
    return record


def _shown(batch: Any) -> str:
    return batch if isinstance(batch, str) else str(batch["Text"])


def _rows(name: str, epochs: list[list[str]]) -> Record:
    return {f"{name}, epoch {i}": " | ".join(batches) for i, batches in enumerate(epochs, 1)}


def _worker_rows(batches: Any) -> Record:
    indices, halves, noise = zip(*(map(np.asarray, batch) for batch in batches), strict=True)
    return {
        "two workers: order": np.concatenate(indices),
        "two workers: float32": np.concatenate(halves),
        "two workers: their own random numbers": np.concatenate(noise),
    }


class SlowDataset:
    """Every sample takes its time, as one that is read from a disk or a network does."""

    def __init__(self, n: int, seconds: float):
        self.n, self.seconds = n, seconds

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> np.ndarray:
        time.sleep(self.seconds)
        return np.full((256, 256), index, np.float32)


def _costs(settings: Settings) -> Record:
    """Seconds for an epoch with a training step on each batch, after one epoch that is not counted."""
    step = jax.jit(lambda w, x: w - 1e-6 * jnp.mean(x @ w @ w.T, axis=0).T @ w)
    samples, seconds = (8, 0.002) if settings.quick else (64, 0.02)
    slow = SlowDataset(samples, seconds)
    images = np.random.default_rng(0).normal(size=(64 if settings.quick else 1024, 256, 256)).astype(np.float32)
    resident = data.DataLoader(data.TensorDataset(jnp.asarray(images)), batch_size=8, shuffle=True)
    in_memory = data.DataLoader(images, batch_size=8, shuffle=True)
    ways: dict[str, Callable[[random.Generator], Iterator[Any]]] = {
        "slow samples": lambda g: data.prefetch_to_device(data.DataLoader(slow, batch_size=8).epoch(g)[0]),
        "in memory, as they come": lambda g: iter(in_memory.epoch(g)[0]),
        "in memory, prefetch_to_device": lambda g: data.prefetch_to_device(in_memory.epoch(g)[0]),
        "on the device, stacked_epoch": lambda g: iter(data.stacked_epoch(resident, g)[0].batches[0]),
    }
    record: Record = {}
    for name, batches in ways.items():
        for _ in range(2):
            taken = _timed(step, batches(random.manual_seed(0)))
        record[f"seconds, {name}"] = taken
    if not settings.quick:
        loader = data.DataLoader(slow, batch_size=8, num_workers=2, persistent_workers=True)
        epoch, generator = loader.epoch(random.manual_seed(0), after=None)
        _timed(step, data.prefetch_to_device(epoch))
        epoch, _ = loader.epoch(generator, after=epoch)
        record["seconds, slow samples, 2 workers"] = _timed(step, data.prefetch_to_device(epoch))
        epoch.close()
    return record


def _timed(step: Any, batches: Iterator[Any]) -> float:
    w = jnp.ones((256, 256)) / 256
    started = time.perf_counter()
    for batch in batches:
        w = step(w, batch)
    jax.block_until_ready(w)
    return round(time.perf_counter() - started, 3)


def figure(figure: Any, results: Any) -> None:
    axes = figure.subplots()
    times = {name: value for name, value in results.ours.items() if name.startswith("seconds")}
    axes.barh(range(len(times)), list(times.values()))
    axes.set_yticks(range(len(times)), [name.removeprefix("seconds, ") for name in times])
    axes.invert_yaxis()
    axes.set(xlabel="seconds for an epoch with a step on each batch", title="What loading costs")
    figure.suptitle("The batches are torch's")


EXPERIMENT = Experiment(
    name="data_loading",
    number=13,
    seconds=40,
    question="Does the loader give torch's batches, from the same seed?",
    ours=ours,
    reference=reference,
    figure=figure,
    seed=42,
    claims={"seconds*": Info(), "*": Exact()},
    compares_float64=False,
    answer="The first shuffled epoch is {batch_size 2, shuffle, epoch 1}, in torch's order, and so are all others.",
    expected="Every batch of every loader is torch's, and the global generator stands where torch's stands.",
)
