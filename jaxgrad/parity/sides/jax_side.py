"""A step in JAX as a side of a comparison."""

from typing import Any

from jaxgrad._core.errors import explain
from jaxgrad.parity.sides.jax_step import JaxStep
from jaxgrad.train.state import TrainState
from jaxgrad.train.step import TrainStep


def from_jax(step: Any, state: Any, names: Any = None) -> Any:
    """The candidate of a comparison: a train step of ours with its state.

    Args:
        step: of ``train.make_train_step``.
        state: of ``train.init_state``; it is copied.
        names: which array is which of the reference's.

    Returns:
        A side for ``parity.compare`` and ``parity.record``.

    Raises:
        TypeError: ``step`` is not such a step.

    >>> import jax.numpy as jnp
    >>> from jaxgrad import optim, parity, train
    >>> tx = optim.SGD(0.5)
    >>> step = train.make_train_step(lambda params, x: (params["w"] * x).sum(), tx)
    >>> type(parity.from_jax(step, train.init_state({"w": jnp.ones(2)}, tx))).__name__
    'JaxStep'
    """
    if isinstance(step, TrainStep) and step.parts is not None and isinstance(state, TrainState):
        return JaxStep(step, state, names)
    raise TypeError(explain("from_jax takes a step of train.make_train_step", got=type(step).__name__))
