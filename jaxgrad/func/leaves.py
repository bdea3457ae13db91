"""Models that are pytrees of arrays, as equinox's are: their leaves under dotted names."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxgrad._core.errors import describe, explain, quoted
from jaxgrad._core.optional import require
from jaxgrad._core.trees import path_name
from jaxgrad._core.types import Buffers, Params


def is_nnx(model: Any) -> bool:
    """Whether a model is an NNX module; False for one whose arrays are leaves of a pytree.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(model, nnx.Module | nnx.Pytree):
        return True
    if callable(model) and not isinstance(model, type) and not jax.tree_util.all_leaves([model]):
        return False
    torch = type(model).__module__.partition(".")[0] == "torch" or hasattr(model, "state_dict")
    raise TypeError(
        explain(
            f"expected a model, got {type(model).__name__}",
            got=f"an object of {type(model).__module__}.{type(model).__qualname__}",
            expected="an nn.Module, any flax NNX module, or an equinox module",
            remedy="build the model with jaxgrad.nn, and load torch's state_dict into it" if torch else None,
        )
    )


def split_leaves(model: Any) -> tuple[Params, Buffers]:
    """The arrays of a pytree under dotted names: floating point and complex ones, and the others."""
    leaves = {path_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(model) if _is_array(leaf)}
    trained = {name for name, leaf in leaves.items() if jnp.issubdtype(leaf.dtype, jnp.inexact)}
    return (
        {name: leaf for name, leaf in leaves.items() if name in trained},
        {name: leaf for name, leaf in leaves.items() if name not in trained},
    )


def with_leaves(model: Any, values: dict[str, Any], *, ignore_unknown: bool) -> Any:
    """The same pytree with other arrays under these names.

    Raises:
        RuntimeError: a shape that does not fit; a name that the model does not have, unless those are ignored.
    """
    params, buffers = split_leaves(model)
    own = params | buffers
    unexpected = [] if ignore_unknown else [name for name in values if name not in own]
    if unexpected:
        raise RuntimeError(
            explain(
                f"Error(s) in loading state_dict for {type(model).__name__}:\n"
                f"\tUnexpected key(s) in state_dict: {quoted(unexpected)}. ",
                expected=quoted(own),
            )
        )
    for name, value in values.items():
        if name in own and np.shape(value) != np.shape(own[name]):
            raise RuntimeError(
                explain(
                    f'size mismatch for {name}: the shape given does not fit the module "{type(model).__name__}"',
                    got=describe(value),
                    expected=describe(own[name]),
                )
            )

    def new(path: Any, leaf: Any) -> Any:
        return values.get(path_name(path), leaf) if _is_array(leaf) else leaf

    return jax.tree_util.tree_map_with_path(new, model)


def in_mode(model: Any, training: bool | None, generator: Any) -> Any:
    """The model in a mode, which equinox's layers keep in a field; their random keys are arguments of the call.

    Raises:
        TypeError: a generator, which no layer would draw from.
    """
    if generator is not None:
        raise TypeError(
            explain(
                f"the layers of {type(model).__name__} draw from keys that are arguments of the call",
                got="generator=",
                remedy='functional_call(model, params, x, kwargs={"key": key})',
            )
        )
    if training is None or not any(cls.__module__.startswith("equinox") for cls in type(model).__mro__):
        return model
    equinox: Any = require("equinox", extra="dev", purpose="an equinox model")
    return equinox.nn.inference_mode(model, value=not training)


def _is_array(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array | np.ndarray)
