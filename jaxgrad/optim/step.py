"""The step: torch's ``optimizer.step()`` as a function of parameters, gradients and state."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxgrad._core.errors import check_matching_grads, explain
from jaxgrad._core.trees import is_none
from jaxgrad._core.types import InexactTree, PyTree
from jaxgrad.optim._rule.optimizer import Optimizer


def step(
    tx: optax.GradientTransformation, params: InexactTree, grads: InexactTree, state: PyTree, lr: Any = None
) -> tuple[InexactTree, PyTree]:
    """``optimizer.step()`` of torch as a pure function: the new parameters and the new state.

    Differs from optax: a gradient that is None leaves its parameter and that parameter's state as they are, and the
    new parameters are rounded as torch rounds them.

    Args:
        tx: an optimizer of this package, or any ``optax.GradientTransformation`` (a chain of them).
        params: the parameters.
        grads: gradients with the keys of ``params``; None where there is none, known when the function is traced.
        state: what ``tx.init(params)`` or the last step returned.
        lr: the learning rate of this step instead of the state's: a number, an array, or one for each group. Inside
            ``jit`` an array is float32; for a double's accuracy put it into the state with ``set_hyperparams``.

    Returns:
        The new parameters and the new state.

    Raises:
        RuntimeError: keys, shapes or dtypes of ``grads`` do not fit ``params``.
        TypeError: ``lr`` was given and ``tx`` cannot take it.

    >>> from jaxgrad import optim
    >>> tx = optim.SGD(lr=0.5)
    >>> params = {"w": jnp.ones(2), "frozen": jnp.ones(2)}
    >>> params, state = optim.step(tx, params, {"w": jnp.ones(2), "frozen": None}, tx.init(params))
    >>> [params["w"].tolist(), params["frozen"].tolist()]
    [[0.5, 0.5], [1.0, 1.0]]
    """
    if isinstance(tx, Optimizer):
        return tx.method.advance(params, grads, state, lr=lr)
    check_matching_grads(params, grads)
    if lr is None:
        updates, state = tx.update(grads, state, params)
    elif isinstance(tx, optax.GradientTransformationExtraArgs):
        updates, state = tx.update(grads, state, params, lr=lr)
    else:
        raise TypeError(
            explain(
                "step() got an lr, but this transformation takes no extra arguments",
                remedy="leave lr out, or use an optimizer of jaxgrad.optim (also inside optax.chain)",
            )
        )
    return apply_updates(params, updates), state


def apply_updates(params: InexactTree, updates: InexactTree) -> InexactTree:
    """``optax.apply_updates`` where an update may be None: the parameter stays.

    Args:
        params: the parameters.
        updates: what to add to each, or None.

    Returns:
        The new parameters, in their own dtypes.

    >>> apply_updates({"a": jnp.ones(()), "b": jnp.ones(())}, {"a": jnp.ones(()), "b": None})["a"].item()
    2.0
    """
    return jax.tree.map(
        lambda p, u: p if p is None or u is None else jnp.asarray(p + u, dtype=jnp.result_type(p)),
        params,
        updates,
        is_leaf=is_none,
    )
