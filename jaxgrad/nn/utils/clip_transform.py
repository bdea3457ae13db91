"""The clips of ``torch.nn.utils`` as optax transformations.

    tx = optax.chain(nn.utils.clip_by_norm(1.0), optim.AdamW(1e-3))

They differ from ``optax.clip_by_global_norm`` by torch's 1e-6 and its other norms, and keep the norm in their state,
where a training loop can read it for its log.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxgrad._core.dtypes import common_dtype
from jaxgrad._core.types import Array
from jaxgrad.nn.utils.clip_grad import clip_grad_norm, clip_grad_value, clip_grads_with_norm


class ClipState(NamedTuple):
    """What ``clip_by_norm`` has seen.

    >>> tx = clip_by_norm(1.0)
    >>> tx.update({"w": jnp.array([3.0, 4.0])}, tx.init({}))[1]
    ClipState(total_norm=Array(5., dtype=float32))
    """

    total_norm: Array  # of the last gradients before they were clipped; shape (), zero before the first


def clip_by_norm(
    max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> optax.GradientTransformation:
    """``nn.utils.clip_grad_norm`` as a transformation; its state holds the total norm.

    Args:
        max_norm: the norm to stay below.
        norm_type: as in ``get_total_norm``.
        error_if_nonfinite: as in ``get_total_norm``, with what it says about jit.

    >>> tx = clip_by_norm(1.0)
    >>> grads = {"w": jnp.array([3.0, 4.0])}
    >>> clipped, state = tx.update(grads, tx.init(grads))
    >>> float(state.total_norm), float(optax.tree.norm(clipped))
    (5.0, 0.99999...)
    """

    def init(params: Any) -> ClipState:
        # The norm of zeros, so that the state has the dtype of all later norms.
        return ClipState(jnp.zeros((), _norm_dtype(params)))

    def update(updates: Any, state: ClipState, params: Any = None) -> tuple[Any, ClipState]:
        del params
        clipped, total_norm = clip_grad_norm(updates, max_norm, norm_type, error_if_nonfinite)
        return clipped, ClipState(total_norm.astype(state.total_norm.dtype))

    return optax.GradientTransformation(init, update)


def clip_by_given_norm(max_norm: float) -> optax.GradientTransformationExtraArgs:
    """``nn.utils.clip_grads_with_norm`` as a transformation: ``tx.update(grads, state, total_norm=norm)``.

    Args:
        max_norm: the norm to stay below.

    Returns:
        An optax transformation whose update takes ``total_norm``.

    >>> tx = clip_by_given_norm(1.0)
    >>> grads = {"w": jnp.array([2.5, 5.0])}
    >>> tx.update(grads, tx.init(grads), total_norm=10.0)[0]
    {'w': Array([0.2499..., 0.4999...], dtype=float32)}
    """

    def update(updates: Any, state: Any, params: Any = None, *, total_norm: Any, **extra: Any) -> tuple[Any, Any]:
        del params, extra
        return clip_grads_with_norm(updates, max_norm, jnp.asarray(total_norm)), state

    return optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)


def clip_by_value(clip_value: float) -> optax.GradientTransformation:
    """``nn.utils.clip_grad_value`` as a transformation.

    Args:
        clip_value: the largest magnitude of an entry.

    Returns:
        An optax transformation without a state.

    >>> tx = clip_by_value(0.5)
    >>> tx.update({"w": jnp.array([-3.0, 0.25])}, tx.init({}))[0]["w"].tolist()
    [-0.5, 0.25]
    """

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        del params
        return clip_grad_value(updates, clip_value), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def _norm_dtype(params: Any) -> Any:
    leaves = jax.tree.leaves(params)
    return jnp.finfo(common_dtype(*leaves)).dtype if leaves else jnp.float32
