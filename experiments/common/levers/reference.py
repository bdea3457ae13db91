"""A lever in torch: the loop that one writes."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from experiments.common.levers.images import CLASSES, FAR, Images, augmented
from experiments.common.levers.lever import Lever


class Run:
    """One lever; after ``begin`` a run from a seed."""

    def __init__(self, lever: Lever, images: Images, hidden: int, epochs: int, dtype: str) -> None:
        import torch

        self.torch, self.lever, self.images, self.hidden = torch, lever, images, hidden
        self.dtype, self.steps = getattr(torch, dtype), epochs * -(-len(images.y) // lever.batch)
        weight = torch.tensor(images.weights(), dtype=self.dtype) if lever.weights else None
        self.criterion = torch.nn.CrossEntropyLoss(weight, label_smoothing=lever.smoothing)

    def begin(self, seed: int) -> "Run":
        """At the start of a run; the stream that goes on is that of the first network."""
        lever, torch = self.lever, self.torch
        self.models: list[Any] = []
        for i in reversed(range(lever.members)):
            torch.manual_seed(seed + 1000 * i)
            self.models.insert(0, _model(lever, self.images, self.hidden).to(self.dtype))
        kind, arguments = lever.optimizer
        self.optimizers = [getattr(torch.optim, kind)(model.parameters(), **arguments) for model in self.models]
        self.schedules = [
            torch.optim.lr_scheduler.OneCycleLR(
                optimizer, lever.peak * arguments["lr"], total_steps=self.steps, cycle_momentum=False
            )
            for optimizer in self.optimizers
            if lever.peak is not None
        ]
        return self

    def batches(self) -> Iterator[Any]:
        """Of one epoch."""
        from torch.utils import data

        x, y = self.images.x, self.images.y
        if self.lever.augment:
            x = augmented(x, self.torch.randint(-FAR, FAR + 1, (len(x), 2)).numpy())
        tensors = data.TensorDataset(self.torch.from_numpy(x), self.torch.from_numpy(y))
        weights = self.images.weights()[y].tolist()
        sampler = data.WeightedRandomSampler(weights, len(y)) if self.lever.sampler else None
        yield from data.DataLoader(tensors, self.lever.batch, shuffle=sampler is None, sampler=sampler)

    def epoch(self, most: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Losses of an epoch's steps (of the first ``most``), and the labels in their order."""
        losses, labels = [], []
        for x, y in list(self.batches())[:most]:
            losses.append(np.mean([self._step(i, x.to(self.dtype), y) for i in range(len(self.models))]))
            labels.append(y.numpy())
        return np.asarray(losses), np.concatenate(labels)

    def _step(self, i: int, x: Any, y: Any) -> float:
        self.optimizers[i].zero_grad()
        with self.torch.autocast("cpu", dtype=self.torch.bfloat16, enabled=self.lever.autocast):
            loss = self.criterion(self.models[i](x), y)
        loss.backward()
        self.optimizers[i].step()
        if self.schedules:
            self.schedules[i].step()
        return float(loss.detach())

    def accuracy(self) -> float:
        """On the test set."""
        x = self.torch.from_numpy(self.images.x_test).to(self.dtype)
        with self.torch.no_grad():
            found = self.torch.stack([model(x).softmax(1) for model in self.models]).mean(0)
        return float(np.mean(found.argmax(1).numpy() == self.images.y_test))

    def start(self) -> np.ndarray:
        """All parameters of the first network."""
        return np.concatenate([p.detach().numpy().ravel() for p in self.models[0].parameters()])


def _model(lever: Lever, images: Images, hidden: int) -> Any:
    from torch import nn

    height, width = images.x.shape[2:]
    if lever.model == "perceptron":
        return nn.Sequential(nn.Flatten(), nn.Linear(height * width, hidden), nn.ReLU(), nn.Linear(hidden, CLASSES))
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * (height // 4) * (width // 4), CLASSES),
    )
