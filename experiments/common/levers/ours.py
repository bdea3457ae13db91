"""A lever in JAX: the loop as a train step, a state, and a loader."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.levers.images import CLASSES, FAR, Images, augmented
from experiments.common.levers.lever import Lever
from jaxgrad import amp, func, nn, optim, random, train
from jaxgrad.nn import functional as F
from jaxgrad.utils.data import DataLoader, TensorDataset, WeightedRandomSampler


class Run:
    """One lever: what is compiled once, and after ``begin`` a run from a seed."""

    def __init__(self, lever: Lever, images: Images, hidden: int, epochs: int) -> None:
        self.lever, self.images, self.hidden = lever, images, hidden
        self.model, _ = _model(lever, images, 0, hidden)
        weights = jnp.asarray(images.weights()) if lever.weights else None

        def criterion(out: Any, y: Any) -> Any:
            return F.cross_entropy(out, y, weights, label_smoothing=lever.smoothing)

        def probabilities(params: Any, x: Any) -> Any:
            return F.softmax(func.functional_call(self.model, params, x), 1)

        kind, arguments = lever.optimizer
        self.tx = getattr(optim, kind)(**arguments)
        steps = epochs * -(-len(images.y) // lever.batch)
        self.held: dict[str, Any] = {}
        if lever.peak is not None:
            lr, once = arguments["lr"], optim.lr_scheduler.OneCycleLR
            self.held["schedule"] = once(lr, lever.peak * lr, total_steps=steps, cycle_momentum=False)
        half = amp.autocast("cpu", dtype=jnp.bfloat16) if lever.autocast else None
        loss_fn = train.supervised(self.model, criterion)
        step: Any = train.make_train_step(loss_fn, self.tx, autocast=half, **self.held)
        together = lever.members > 1
        self.step = jax.jit(jax.vmap(step, in_axes=(0, None)), donate_argnums=0) if together else step
        self.predict = jax.jit(jax.vmap(probabilities, (0, None)) if together else probabilities)

    def begin(self, seed: int) -> "Run":
        """At the start of a run; the stream that goes on is that of the first network."""
        lever = self.lever
        built = [_model(lever, self.images, seed + 1000 * i, self.hidden) for i in range(lever.members)]
        states = [train.init_state(func.extract(model)[0], self.tx, **self.held) for model, _ in built]
        self.generator = built[0][1]
        self.state: Any = states[0]
        if lever.members > 1:
            self.state = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)
        return self

    def batches(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Of one epoch."""
        x, y = self.images.x, self.images.y
        if self.lever.augment:
            moves, self.generator = random.randint(self.generator, -FAR, FAR + 1, (len(x), 2))
            x = augmented(x, np.asarray(moves))
        sampler = WeightedRandomSampler(self.images.weights()[y].tolist(), len(y)) if self.lever.sampler else None
        loader = DataLoader(TensorDataset(x, y), self.lever.batch, shuffle=sampler is None, sampler=sampler)
        found, self.generator = loader.epoch(self.generator)
        yield from (tuple(batch) for batch in found)

    def epoch(self, most: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Losses of an epoch's steps (of the first ``most``), and the labels in their order."""
        losses, labels = [], []
        for x, y in list(self.batches())[:most]:
            self.state, metrics = self.step(self.state, (x, y))
            losses.append(metrics["loss"])
            labels.append(y)
        return np.mean([np.asarray(loss).reshape(-1) for loss in losses], axis=1), np.concatenate(labels)

    def accuracy(self) -> float:
        """On the test set."""
        found = np.asarray(self.predict(self.state.params, self.images.x_test))
        return float(np.mean(found.reshape(-1, *found.shape[-2:]).mean(0).argmax(1) == self.images.y_test))

    def start(self) -> np.ndarray:
        """All parameters of the first network."""
        leaves = [np.asarray(leaf) for leaf in self.state.params.values()]
        return np.concatenate([(leaf if self.lever.members == 1 else leaf[0]).ravel() for leaf in leaves])


def _model(lever: Lever, images: Images, seed: int, hidden: int) -> tuple[Any, Any]:
    rngs = nn.Rngs(random.manual_seed(seed))
    height, width = images.x.shape[2:]
    if lever.model == "perceptron":
        layers = [
            nn.Flatten(),
            nn.Linear(height * width, hidden, rngs=rngs),
            nn.ReLU(),
            nn.Linear(hidden, CLASSES, rngs=rngs),
        ]
    else:
        features = 16 * (height // 4) * (width // 4)
        layers = [
            nn.Conv2d(1, 8, 3, padding=1, rngs=rngs),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1, rngs=rngs),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(features, CLASSES, rngs=rngs),
        ]
    model = nn.Sequential(*layers)
    return model, rngs.generator
