"""Our side of a training run: the compiled step of ``jaxgrad.train``."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad import func, nn, optim, random, train
from jaxgrad.parity.jax_side import resolve
from jaxgrad.parity.training import Snapshot, TrainingCase


class JaxTrainer:
    """Trains a case with ``jaxgrad``, from the initial parameters that torch has for this seed.

    Args:
        case: what to train.
        seed: of the initial parameters, drawn in float32 as torch draws them.
        dtype: float32 or float64; float64 turns on JAX's 64-bit mode while it runs.
        scan: whether the batches of one ``run`` are stacked and go through ``train.make_epoch`` as one program.

    Attributes:
        generator: the random stream behind the initial parameters, for whoever draws batches from it.
    """

    def __init__(self, case: TrainingCase, seed: int, dtype: Any = np.float32, *, scan: bool = False):
        self.dtype = np.dtype(dtype)
        self.scan = scan
        with self._precision():
            rngs = nn.Rngs(random.manual_seed(seed))
            self.model = nn.Sequential(*(build(kind, args, rngs) for kind, *args in case.layers))
            self.generator = rngs.generator
            params, buffers = func.extract(self.model)
            tx = getattr(optim, case.optimizer)(**case.hyperparameters)
            params = {name: value.astype(self.dtype) for name, value in params.items()}
            self.state = train.init_state(params, tx, buffers=buffers)
            self.step = train.make_train_step(train.supervised(self.model, resolve(case.criterion)), tx)
            self.epoch = train.make_epoch(self.step)
            self._forward = jax.jit(lambda params, x: func.functional_call(self.model, params, x))

    def _precision(self) -> AbstractContextManager[Any]:
        return jax.enable_x64(self.dtype == np.float64)

    def run(self, batches: Iterable[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """One step per batch; losses before each."""
        with self._precision():
            if self.scan:
                xs, ys = (np.stack(each) for each in zip(*batches, strict=True))
                self.state, metrics = self.epoch(self.state, (xs.astype(self.dtype), ys))
                return np.asarray(metrics["loss"])
            losses = []
            for x, y in batches:
                self.state, metrics = self.step(self.state, (x.astype(self.dtype), y))
                losses.append(metrics["loss"])
            return np.asarray(jnp.stack(losses)) if losses else np.zeros(0, self.dtype)

    def params(self) -> Snapshot:
        """A copy of the parameters."""
        return {name: np.array(value) for name, value in self.state.params.items()}

    def predict(self, x: np.ndarray) -> np.ndarray:
        """The model's output."""
        with self._precision():
            return np.asarray(self._forward(self.state.params, x.astype(self.dtype)))


def build(kind: str, args: list[Any], rngs: nn.Rngs) -> Any:
    """A module by its torch name; those that draw initial values get the stream."""
    module = getattr(nn, kind)
    takes_rngs = "rngs" in module.__init__.__annotations__
    return module(*args, rngs=rngs) if takes_rngs else module(*args)
