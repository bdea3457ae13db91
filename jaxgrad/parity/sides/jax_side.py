"""A step in JAX as a side of a comparison."""

from collections.abc import Callable, Mapping
from typing import Any

from jaxgrad._core.errors import explain
from jaxgrad.parity.sides.jax_function import JaxFunction
from jaxgrad.parity.sides.jax_step import JaxStep
from jaxgrad.train.state import TrainState
from jaxgrad.train.step import TrainStep


def from_jax(
    step: Callable[..., Any],
    state: Any,
    names: Mapping[str, Any] | None = None,
    set_state: Callable[[Any, Any], Any] | None = None,
) -> JaxStep | JaxFunction:
    """The candidate of a comparison: a train step of ours, or any ``(state, batch) -> (state, record)``.

    Of a step of ours everything is known. Of any other function what it tells is compared: ``record`` is a dict with
    some of ``{"loss", "grads", "clipped", "lr", "forward", "params", "buffers", "optimizer", "generator"}``, each an
    array or a tree of arrays (or it is the loss alone). Parameters, buffers and optax's states are also looked for in
    the state itself, by path, shape, transposition and value: a kernel of flax is torch's weight transposed.

    The function runs in float64 too, if it can: with JAX's 64-bit mode on, and every floating array of its state and
    of the batch in float64.

    Args:
        step: of ``train.make_train_step``, or such a function.
        state: of ``train.init_state``, or any tree of arrays; it is copied.
        names: which array is which of the reference's, where it cannot be guessed: torch's name -> path in the state
            (or its end), ``(path, axes)`` with the order of axes that makes it torch's, or a function that makes it of
            all arrays of the state (of ``record``'s gradients, for these).
        set_state: ``(state, values) -> state`` with the reference's values, phase -> name -> array, for single-step
            mode where the state's arrays cannot be found.

    Returns:
        A side for ``parity.compare`` and ``parity.record``.

    Raises:
        TypeError: ``step`` cannot be called, or it is a step of ours and ``state`` is not.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> import optax
    >>> from jaxgrad import parity
    >>> tx = optax.sgd(0.5)
    >>> def step(state, x):
    ...     params, opt_state = state
    ...     loss, grads = jax.value_and_grad(lambda params: (params["w"] * x).sum())(params)
    ...     updates, opt_state = tx.update(grads, opt_state, params)
    ...     return (optax.apply_updates(params, updates), opt_state), {"loss": loss, "grads": grads}
    >>> params = {"w": jnp.ones(2)}
    >>> side = parity.from_jax(step, (params, tx.init(params)))
    >>> side.start().step(jnp.ones(2))["grads"]["w"].tolist()
    [1.0, 1.0]
    """
    if not callable(step):
        raise TypeError(explain("a candidate is a step that can be called", got=type(step).__name__))
    if not isinstance(step, TrainStep) or step.parts is None:
        return JaxFunction(step, state, names, set_state)
    if not isinstance(state, TrainState):
        raise TypeError(
            explain("a train step goes with its state", got=type(state).__name__, remedy="train.init_state(params, tx)")
        )
    return JaxStep(step, state, names)
