"""The loss function of the common case: a model, a criterion, inputs and targets."""

from collections.abc import Callable
from typing import Any

from flax import nnx

from jaxgrad._core.types import Array, Buffers, LossFn, Params
from jaxgrad.func import functional_call
from jaxgrad.train.state import Aux


def supervised(model: nnx.Module, criterion: Callable[[Any, Any], Array]) -> LossFn:
    """``loss_fn(params, x, y) = criterion(model(x), y)``, for ``make_train_step``.

    Buffers that the forward pass updates are carried in the state.

    Args:
        model: any NNX module.
        criterion: ``criterion(output, target) -> loss``, such as ``F.cross_entropy``.

    >>> import jax.numpy as jnp
    >>> from jaxgrad import func, nn, random, train
    >>> from jaxgrad.nn import functional as F
    >>> model = nn.Linear(2, 1, rngs=nn.Rngs(random.manual_seed(0)))
    >>> loss_fn = train.supervised(model, F.mse_loss)
    >>> params, _ = func.extract(model)
    >>> loss, _ = loss_fn(params, jnp.zeros((4, 2)), jnp.zeros((4, 1)), buffers={})
    >>> bool(jnp.allclose(loss, jnp.sum(params["bias"] ** 2)))
    True
    """

    def loss_fn(params: Params, x: Any, y: Any, *, buffers: Buffers) -> tuple[Array, Aux]:
        out, after = functional_call(model, (params, buffers), x, return_buffers=True)
        return criterion(out, y), Aux(buffers=after)

    return loss_fn
