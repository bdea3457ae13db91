"""The reference's side of a training run: the loop every PyTorch user writes."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from jaxgrad.parity.torch_side import resolve, to_numpy, torch
from jaxgrad.parity.training import Snapshot, TrainingCase


class TorchTrainer:
    """Trains a case with torch.

    Args:
        case: what to train.
        seed: of the initial parameters, drawn in float32.
        dtype: float32 or float64; the float32 initial parameters are cast.

    Attributes:
        random_state: of torch's global generator behind the initial parameters (it is put back as it was).
    """

    def __init__(self, case: TrainingCase, seed: int, dtype: Any = np.float32):
        self.dtype = getattr(torch(), np.dtype(dtype).name)
        with torch().random.fork_rng(devices=[]):
            torch().manual_seed(seed)
            layers = [getattr(torch().nn, kind)(*args) for kind, *args in case.layers]
            self.random_state = torch().get_rng_state()
        self.model = torch().nn.Sequential(*layers).to(self.dtype)
        self.criterion = resolve(case.criterion)
        self.optimizer = getattr(torch().optim, case.optimizer)(self.model.parameters(), **case.hyperparameters)

    def run(self, batches: Iterable[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """One step per batch; losses before each."""
        losses = []
        for x, y in batches:
            self.optimizer.zero_grad()
            output = self.model(torch().from_numpy(x).to(self.dtype))
            loss = self.criterion(output, torch().from_numpy(y))
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())
        return np.asarray(losses)

    def params(self) -> Snapshot:
        """A copy of the parameters."""
        return {name: to_numpy(value) for name, value in self.model.named_parameters()}

    def predict(self, x: np.ndarray) -> np.ndarray:
        """The model's output."""
        with torch().no_grad():
            return to_numpy(self.model(torch().from_numpy(x).to(self.dtype)))
