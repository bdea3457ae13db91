"""Hyper-parameters of the right kind, before their values are looked at."""

import functools
import numbers
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import jax
import numpy as np
from flax import nnx

from jaxgrad._core.arguments import wrong_kind
from jaxgrad._core.errors import explain
from jaxgrad._core.operations import of_the_same_module

F = TypeVar("F", bound=Callable[..., Any])

_TUPLES = ("betas", "etas", "step_sizes", "ns_coefficients", "eps")


def check_kinds(function: str, hyperparams: Mapping[str, Any]) -> None:
    """Raise unless every hyper-parameter is a number, or a tuple of numbers where torch has one.

    Raises:
        TypeError: "Adam(): argument 'lr' must be float, not dict", with the remedy for parameters and for a schedule.
        ValueError: "Tensor lr must be 1-element".
    """
    for name, value in hyperparams.items():
        if not isinstance(value, tuple) or name not in _TUPLES or (name == "eps" and function != "Adafactor"):
            _check_number(function, name, value)
            continue
        for index, each in enumerate(value):
            by_default = name == "eps" and index == 0 and each is None
            if not by_default:
                _check_number(function, f"{name}[{index}]", each)


def after_torchs_parameters(factory: F) -> F:
    """Mark an optimizer's function: called as torch's class is, with parameters first, it says where they go.

    Python itself would say no more than "got multiple values for argument 'lr'".
    """
    check, name = _check_number, factory.__name__

    def made(*args: Any, **kwargs: Any) -> Any:
        if args:
            check(name, "lr", args[0])
        return factory(*args, **kwargs)

    return functools.update_wrapper(of_the_same_module(made, factory), factory)  # type: ignore[return-value]


_COUNTED = {"Muon": "Coefficients must be a tuple of exactly 3 values"}
"""Torch's sentence for a wrong count, where it has one."""


def as_tuple(value: Any, name: str, function: str, count: int) -> tuple[Any, ...]:
    """Several numbers, as many as there must be.

    Raises:
        TypeError: "Adam(): argument 'betas' must be tuple of 2 floats, not float".
        ValueError: there are more or fewer.

    >>> as_tuple([0.9, 0.99], "betas", "Adam", 2)
    (0.9, 0.99)
    """
    kind = f"tuple of {count} floats"
    if isinstance(value, (str, dict, set)) or not isinstance(value, Iterable) or getattr(value, "ndim", 1) == 0:
        raise wrong_kind(value, name, function, kind)
    found = tuple(value)
    if len(found) != count:
        sentence = _COUNTED.get(function, f"{function}(): argument '{name}' must be {kind}")
        raise ValueError(explain(sentence, got=f"{len(found)} of them"))
    return found


def _check_number(function: str, name: str, value: Any) -> None:
    if isinstance(value, jax.core.Tracer):
        return
    if isinstance(value, (np.ndarray, np.generic, jax.Array)):
        if np.size(value) != 1:
            raise ValueError(explain(f"Tensor {name} must be 1-element", got=f"shape {np.shape(value)}"))
        if value.dtype.kind in "fiub" or str(value.dtype) in ("bfloat16", "float16"):
            return
    elif isinstance(value, numbers.Real):
        return
    raise wrong_kind(value, name, function, "float", _remedy(function, value))


def _remedy(function: str, value: Any) -> str | None:
    if isinstance(value, nnx.Module) or (isinstance(value, Iterable) and not isinstance(value, str)):
        return f"the parameters come later: tx = optim.{function}(lr=0.1); state = tx.init(params)"
    if callable(value):
        return (
            "give a schedule to the step: optim.step(..., lr=schedule(count)), train.make_train_step(..., schedule=), "
            f"or optax.inject_hyperparams(optim.{function})(lr=schedule)"
        )
    return None
