"""Can a data set be read that is a folder of files, some of them broken?

NotMNIST: folders A to J of 28x28 grey PNGs, of which a few cannot be decoded. Dataset and loader from scratch: every
file is tried once, what cannot be used is listed with its reason, and the rest is split (``random_split``), shuffled
(``DataLoader``) and trained on: 784-128-128-10, Adam(2e-3), batch 32, eight epochs. torch reads the same files through
its own loader, from the same seed; the labels of every batch must be the same, and in float64 so must be the training.
(In float32 it is shown, not judged: sooner or later rounding puts one unit of one sample on the other side of ReLU's
kink.)

    python -m experiments run notmnist                 # about 40 s; letters rendered in matplotlib's fonts
    python -m experiments run notmnist --data DIR      # DIR/notMNIST_small, or DIR itself, with the folders A to J
    expected: four broken files listed, equal batches, test accuracy 82 %
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from experiments.common.datasets.folder import FolderOfClasses
from experiments.common.datasets.letters import LETTERS, render_letters
from experiments.common.experiment import Experiment, Record, Settings
from experiments.common.fashion import perceptron, pixels
from jaxgrad import random
from jaxgrad.parity.claim import Exact, Info, Relative
from jaxgrad.parity.jax_training import JaxTrainer
from jaxgrad.parity.torch_training import TorchTrainer
from jaxgrad.parity.training import Trainer
from jaxgrad.utils import data

BATCH = 32
SPLIT = [0.8, 0.2]


@contextmanager
def letters(settings: Settings) -> Iterator[tuple[FolderOfClasses, str]]:
    """The folder that was named, if it holds the letters, or one that is rendered for as long as it is needed."""
    for place in [] if settings.data is None else [settings.data / "notMNIST_small", settings.data]:
        if all((place / letter).is_dir() for letter in LETTERS):
            yield FolderOfClasses(place, transform=pixels, track=settings.track), f"the files in {place}"
            return
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "letters"
        render_letters(place, 12 if settings.quick else 200, settings.seed)
        yield FolderOfClasses(place, transform=pixels), "letters rendered in the fonts of matplotlib"


def ours(settings: Settings) -> Record:
    with letters(settings) as (images, source):
        trainer = JaxTrainer(_case(images), settings.seed)
        generator = random.manual_seed(settings.seed)
        (train, test), generator = data.random_split(images, SPLIT, generator)
        loader = data.DataLoader(train, batch_size=BATCH, shuffle=True)
        epochs = []
        for _ in settings.track(_epochs(settings), "jaxgrad"):
            batches, generator = loader.epoch(generator)
            epochs.append([(x, y) for x, y in batches])
        record = _described(images, source) | _trained(trainer, epochs, [test[i] for i in range(len(test))])
        record |= _in_float64(JaxTrainer(_case(images), settings.seed, np.float64), epochs)
        example = {label: x for x, label in reversed([images[i] for i in range(len(images))])}
        return record | {"one of each": np.stack([example[label] for label in sorted(example)])}


def reference(settings: Settings, dtype: str) -> Record:
    import torch

    with letters(settings) as (images, source):
        trainer = TorchTrainer(_case(images), settings.seed, dtype)
        torch.manual_seed(settings.seed)
        train, test = torch.utils.data.random_split(images, SPLIT, generator=None)
        loader = torch.utils.data.DataLoader(train, batch_size=BATCH, shuffle=True)
        epochs = [[(x.numpy(), y.numpy()) for x, y in loader] for _ in settings.track(_epochs(settings), "torch")]
        if dtype == "float64":
            return _in_float64(trainer, epochs)
        return _described(images, source) | _trained(trainer, epochs, [test[i] for i in range(len(test))])


def _epochs(settings: Settings) -> range:
    return range(1 if settings.quick else 8)


def _case(images: FolderOfClasses) -> Any:
    return perceptron(images[0][0][None], hidden=128, optimizer="Adam", lr=2e-3)


def _described(images: FolderOfClasses, source: str) -> Record:
    counts = ", ".join(f"{name} {np.sum(images.labels == i)}" for i, name in enumerate(images.classes))
    broken = {f"broken: {path.parent.name}/{path.name}": reason for path, reason in images.unreadable.items()}
    return {"data": source, "files": counts, "broken files": len(images.unreadable), **broken}


def _in_float64(trainer: Trainer, epochs: list[Any]) -> Record:
    start = trainer.params()
    for batches in epochs:
        trainer.run(batches)
    return {f"in float64, moved: {name}": value - start[name] for name, value in trainer.params().items()}


def _trained(trainer: Trainer, epochs: list[Any], test: list[Any]) -> Record:
    record: Record = {}
    losses = []
    x_test, y_test = (np.stack(column) for column in zip(*test, strict=True))
    for epoch, batches in enumerate(epochs, 1):
        record[f"epoch {epoch}: labels in order"] = np.concatenate([y for _, y in batches])
        losses.append(trainer.run(batches))
        accuracy = np.mean(np.argmax(trainer.predict(x_test), axis=1) == y_test)
        record[f"epoch {epoch}: test accuracy"] = float(accuracy)
    record["losses"] = np.concatenate(losses)
    return record | {f"after training: {name}": value for name, value in trainer.params().items()}


def figure(figure: Any, results: Any) -> None:
    left, right = figure.subplots(1, 2)
    figure.suptitle(f"NotMNIST's layout: {results.ours['data']}, {results.ours['broken files']} files left out")
    left.imshow(np.hstack(results.ours["one of each"]).reshape(28, -1), cmap="gray")
    left.set(title="one of each class", xticks=[], yticks=[])
    for side, style, label in ((results.reference, "-", "torch"), (results.ours, "--", "jaxgrad")):
        if side is not None:
            right.plot(side["losses"], style, lw=3 if label == "torch" else 1.2, alpha=0.7, label=label)
    right.set(xlabel="step", ylabel="loss", title=f"Adam(2e-3), batch {BATCH}")
    right.legend(fontsize=8)


EXPERIMENT = Experiment(
    name="notmnist",
    number=14,
    seconds=40,
    question="Can a data set be read that is a folder of files, some of them broken?",
    ours=ours,
    reference=reference,
    figure=figure,
    seed=1,
    claims={
        "data": Exact(),
        "files": Exact(),
        "broken*": Exact(),
        "*labels in order": Exact(),
        "*accuracy": Info(measured=True),
        "one of each": Info(),
        "in float64, moved: *": Relative(1e-10),
        "*": Info(measured=True),
    },
    answer="{broken files} files are broken; each is left out and named with its reason. The test accuracy is "
    "{epoch 1: test accuracy} after an epoch.",
    expected="Broken files are listed and left out; the batches that are read are torch's, and so is the training.",
)
