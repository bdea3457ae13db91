"""Running statistics of batch normalization, recomputed for parameters that were never run."""

from collections.abc import Iterable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxgrad._core.call import Call, enter
from jaxgrad._core.errors import quoted
from jaxgrad._core.listing import named_variables
from jaxgrad._core.modules import clone
from jaxgrad._core.types import Buffers, Params


def update_bn(
    loader: Iterable[Any],
    model: nnx.Module,
    device: Any = None,
    *,
    params: Params | None = None,
    generator: Any = None,
) -> Any:
    """Mirror of ``torch.optim.swa_utils.update_bn``: running statistics of batch normalization for other parameters.

    The statistics are reset, the model runs over the loader in training mode, and they become the average over the
    batches (``momentum=None``). Differs from torch: the model is not changed; its buffers with the new statistics are
    returned.

    Args:
        loader: batches; of a list or a tuple the first entry is the input.
        model: an NNX module whose batch normalizations have torch's attributes (``running_mean``, ``running_var``,
            ``num_batches_tracked``, ``momentum``). Without any of them the loader is not touched.
        device: where the inputs go; left where they are by default.
        params: the parameters to use, under dotted names; those of the model by default.
        generator: what the model's dropout draws from.

    Returns:
        All buffers of the model under their dotted names; ``(buffers, generator)`` if a generator was given.

    Raises:
        RuntimeError: ``params`` has names that the model lacks.

    >>> from jaxgrad import nn, random
    >>> update_bn([jnp.ones((4, 3))], nn.Linear(3, 2, rngs=nn.Rngs(random.manual_seed(0))))  # nothing to recompute
    {}
    """
    model = clone(model)
    variables = dict(named_variables(model))
    unexpected = [name for name in params or {} if name not in variables]
    if unexpected:
        raise RuntimeError(f"Unexpected key(s) in params: {quoted(unexpected)}.")
    for name, value in (params or {}).items():
        variables[name].set_value(value)
    norms = [module for _, module in nnx.iter_modules(model) if _is_batch_norm(module)]
    for module in norms:
        module.momentum = None
        _reset_running_stats(module)
    buffers, stream = _buffers(model), generator
    if norms:
        run = jax.jit(partial(_run, model))
        for batch in loader:
            x = jnp.asarray(batch[0] if isinstance(batch, (list, tuple)) else batch)
            buffers, stream = run(buffers, stream, x if device is None else jax.device_put(x, device))
    buffers = {name: buffers[name] for name in _buffers(model)}
    return buffers if generator is None else (buffers, stream)


def _run(model: Any, buffers: Buffers, generator: Any, x: Any) -> tuple[Buffers, Any]:
    """The buffers and the stream after one batch in training mode."""
    copy, call = clone(model), Call(training=True, generator=generator)
    variables = dict(named_variables(copy))
    for name, value in buffers.items():
        variables[name].set_value(value)
    enter(copy, call)
    copy(x)
    return _buffers(copy), call.generator


def _buffers(model: Any) -> Buffers:
    return {name: v.get_value() for name, v in named_variables(model) if not isinstance(v, nnx.Param)}


def _is_batch_norm(module: Any) -> bool:
    names = ("running_mean", "running_var", "num_batches_tracked", "momentum")
    return all(name in vars(module) for name in names) and module.running_mean is not None


def _reset_running_stats(module: Any) -> None:
    for name, fill in (("running_mean", 0), ("running_var", 1), ("num_batches_tracked", 0)):
        variable = getattr(module, name)
        if variable is not None:
            variable.set_value(jnp.full_like(variable.get_value(), fill))
