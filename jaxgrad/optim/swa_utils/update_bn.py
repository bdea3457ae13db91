"""Running statistics of batch normalization, recomputed for parameters that were never run."""

from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxgrad._core.errors import quoted
from jaxgrad._core.types import Buffers, Params


def update_bn(loader: Iterable[Any], model: nnx.Module, device: Any = None, *, params: Params | None = None) -> Buffers:
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

    Returns:
        All buffers of the model under their dotted names.

    Raises:
        RuntimeError: ``params`` has names that the model lacks.

    >>> from jaxgrad import nn, random
    >>> update_bn([jnp.ones((4, 3))], nn.Linear(3, 2, rngs=nn.Rngs(random.manual_seed(0))))  # nothing to recompute
    {}
    """
    model = nnx.clone(model)
    if params is not None:
        _bind(model, params)
    norms = [module for _, module in nnx.iter_modules(model) if _is_batch_norm(module)]
    if norms:
        model.set_attributes(training=True, use_running_average=False, deterministic=False, raise_if_not_found=False)
        for module in norms:
            module.momentum = None
            _reset_running_stats(module)
        forward = nnx.jit(lambda model, x: model(x))
        for batch in loader:
            x = jnp.asarray(batch[0] if isinstance(batch, (list, tuple)) else batch)
            forward(model, x if device is None else jax.device_put(x, device))
    variables = _variables(model).items()
    return {name: v.get_value() for name, v in variables if not isinstance(v, nnx.Param | nnx.RngState)}


def _variables(model: nnx.Module) -> dict[str, nnx.Variable]:
    return {".".join(map(str, path)): v for path, v in nnx.iter_graph(model) if isinstance(v, nnx.Variable)}


def _bind(model: nnx.Module, params: Params) -> None:
    variables = _variables(model)
    unexpected = [name for name in params if name not in variables]
    if unexpected:
        raise RuntimeError(f"Unexpected key(s) in params: {quoted(unexpected)}.")
    for name, value in params.items():
        variables[name].set_value(value)


def _is_batch_norm(module: Any) -> bool:
    return all(hasattr(module, name) for name in ("running_mean", "running_var", "num_batches_tracked", "momentum"))


def _reset_running_stats(module: Any) -> None:
    for name, fill in (("running_mean", 0), ("running_var", 1), ("num_batches_tracked", 0)):
        variable = getattr(module, name)
        if variable is not None:
            variable.set_value(jnp.full_like(variable.get_value(), fill))
