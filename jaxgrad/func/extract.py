"""From a module to the dicts that are trained: every variable under torch's dotted name, in torch's order."""

from typing import Any

from flax import nnx

from jaxgrad._core.listing import named_variables
from jaxgrad._core.types import Buffers, Params
from jaxgrad.func.leaves import is_nnx, split_leaves


def extract(model: Any) -> tuple[Params, Buffers]:
    """The parameters and the buffers of a module, as flat dicts under the keys of torch's ``state_dict()``.

    After ``dict(model.named_parameters())`` and ``dict(model.named_buffers())``: a variable that two modules share
    is listed once, under its first name. Flax's ``nnx.Param`` are parameters; every other ``nnx.Variable`` is a
    buffer, except the state of flax's own random streams, which stays in the module.

    Args:
        model: any NNX module, or an equinox module, whose floating point arrays are parameters and whose other arrays
            are buffers.

    Returns:
        ``(params, buffers)``.

    Raises:
        TypeError: not a model, a torch module for one.

    >>> from jaxgrad import func, nn, random
    >>> rngs = nn.Rngs(random.manual_seed(0))
    >>> params, buffers = func.extract(nn.Sequential(nn.Linear(3, 4, rngs=rngs), nn.ReLU()))
    >>> {name: value.shape for name, value in params.items()}, buffers
    ({'0.weight': (4, 3), '0.bias': (4,)}, {})

    Source: torch/nn/modules/module.py, ``named_parameters`` and ``named_buffers``.
    """
    if not is_nnx(model):
        return split_leaves(model)
    params: Params = {}
    buffers: Buffers = {}
    seen: set[int] = set()
    for name, variable in named_variables(model):
        if id(variable) in seen:
            continue
        seen.add(id(variable))
        (params if isinstance(variable, nnx.Param) else buffers)[name] = variable.get_value()
    return params, buffers
