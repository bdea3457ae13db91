"""Torch modules as pure JAX functions: torch's own joint graph, forward and backward, run by XLA.

    traced = trace.from_torch(module, loss_fn, (x, y))
    step = train.make_train_step(traced.loss_fn, tx)
    state = train.init_state(traced.params, tx, buffers=traced.buffers, generator=generator)

What is *traced* are torch's formulas; what is *written* are the layers of ``jaxgrad.nn``. No torch address.
"""

from jaxgrad.trace.forward import Forward, forward
from jaxgrad.trace.from_torch import from_torch
from jaxgrad.trace.oracle import Judged, oracle
from jaxgrad.trace.store import load, save
from jaxgrad.trace.traced import Traced

__all__ = ["Forward", "Judged", "Traced", "forward", "from_torch", "load", "oracle", "save"]
