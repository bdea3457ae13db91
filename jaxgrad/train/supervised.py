"""The loss function of the common case: a model, a criterion, inputs and targets."""

from collections.abc import Callable
from typing import Any

from flax import nnx

from jaxgrad._core.errors import explain
from jaxgrad._core.types import Array, Buffers, LossFn, Params
from jaxgrad.func import Aux, functional_call
from jaxgrad.func.leaves import is_nnx


def supervised(model: nnx.Module, criterion: Callable[[Any, Any], Array]) -> LossFn:
    """``loss_fn(params, x, y) = criterion(model(x), y)``, for ``make_train_step``.

    Buffers that the forward pass updates and the stream that it draws from are carried in the state; the train step
    runs the model in training mode.

    Args:
        model: any NNX module.
        criterion: ``criterion(output, target) -> loss``, such as ``F.cross_entropy``.

    Returns:
        ``loss_fn(params, x, y, *, buffers=None, generator=None, training=True) -> (loss, aux)``; an ``x`` that is a
        tuple is several arguments of the model.

    Raises:
        TypeError: ``model`` is not a model, or ``criterion`` not a function.

    >>> import jax.numpy as jnp
    >>> from jaxgrad import func, nn, random, train
    >>> from jaxgrad.nn import functional as F
    >>> model = nn.Linear(2, 1, rngs=nn.Rngs(random.manual_seed(0)))
    >>> loss_fn = train.supervised(model, F.mse_loss)
    >>> params, _ = func.extract(model)
    >>> loss, _ = loss_fn(params, jnp.zeros((4, 2)), jnp.zeros((4, 1)))
    >>> bool(jnp.allclose(loss, jnp.sum(params["bias"] ** 2)))
    True
    """

    is_nnx(model)
    if not callable(criterion):
        raise TypeError(
            explain("a criterion is a function of output and target", got=repr(criterion), remedy="F.cross_entropy")
        )

    def loss_fn(
        params: Params,
        x: Any,
        y: Any,
        *,
        buffers: Buffers | None = None,
        generator: Any = None,
        training: bool = True,
    ) -> tuple[Array, Aux]:
        out, aux = functional_call(
            model, (params, buffers or {}), x, training=training, generator=generator, has_aux=True
        )
        return criterion(out, y), aux

    return loss_fn
