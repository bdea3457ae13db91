"""Torch's default dtype, as far as an optimizer depends on it."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.dtypes import keep_dtype
from jaxgrad._core.types import PyTree
from jaxgrad.optim._rule.state import OptimizerState


def with_default_dtype(state: PyTree, dtype: Any) -> PyTree:
    """The state as it is where ``torch.set_default_dtype(dtype)`` was called before the first step.

    Torch keeps ``mu_product`` (NAdam), ``eta`` and ``mu`` (ASGD) as tensors of the default dtype, which is float32 also
    for float64 parameters: they are off by 1e-8, and so are the steps. That is followed here, in x64 mode as without.
    In a state with float64 they have a double's accuracy, as in torch under ``set_default_dtype(torch.float64)``. All
    other optimizers keep no such numbers.

    Args:
        state: an optimizer's state, or a tree that holds some.
        dtype: float32 or float64; torch keeps these numbers in float32 where the default is a 16-bit one.

    Returns:
        the state, whose numbers decide how those of later steps are rounded.

    Raises:
        TypeError: float64 while JAX's x64 mode is off.

    >>> from jaxgrad import optim
    >>> state = optim.NAdam().init({"w": jnp.ones(1)})
    >>> with jax.enable_x64(True):
    ...     state = with_default_dtype(state, jnp.float64)
    >>> state.param_groups[0].scalars["mu_product"].dtype
    dtype('float64')

    Source: torch/optim/optimizer.py, ``_get_scalar_dtype``.
    """
    wanted = jnp.float64 if keep_dtype(dtype) == jnp.float64 else jnp.float32

    def cast(node: Any) -> Any:
        if not isinstance(node, OptimizerState):
            return node
        groups = [
            group._replace(scalars={n: v if n == "step" else jnp.asarray(v, wanted) for n, v in group.scalars.items()})
            for group in node.param_groups
        ]
        return node._replace(param_groups=tuple(groups))

    return jax.tree.map(cast, state, is_leaf=lambda node: isinstance(node, OptimizerState))
