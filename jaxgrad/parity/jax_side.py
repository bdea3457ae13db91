"""Our half of a comparison."""

import importlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad import autograd
from jaxgrad._core.dtypes import x64_enabled
from jaxgrad.parity.case import Answer, Case, cast


def resolve(address: str) -> Any:
    """The object at ``jaxgrad.<address>``.

    >>> resolve("nn.functional.relu").__name__
    'relu'
    """
    path = address.split(".")
    module = importlib.import_module(".".join(["jaxgrad", *path[:-1]]))
    return getattr(module, path[-1])


def answer(case: Case, seed: int, dtype: Any) -> Answer:
    """Call our function on the case's arguments in ``dtype``: its value, and the gradients of a fixed cotangent.

    float64 turns on JAX's 64-bit mode for the call.
    """
    args, kwargs = case.draw(seed)
    with jax.enable_x64(np.dtype(dtype) == np.float64 or x64_enabled()):
        try:
            return Answer(_results(case, *_as_arrays(args, kwargs, dtype)))
        except Exception as error:
            return Answer({}, error)


def _as_arrays(args: tuple[Any, ...], kwargs: dict[str, Any], dtype: Any) -> tuple[list[Any], dict[str, Any]]:
    def as_array(value: Any) -> Any:
        return jnp.asarray(cast(value, dtype)) if isinstance(value, np.ndarray) else value

    return [as_array(value) for value in args], {key: as_array(value) for key, value in kwargs.items()}


def _results(case: Case, args: list[Any], kwargs: dict[str, Any]) -> dict[str, np.ndarray]:
    fn = resolve(case.address)
    value = fn(*args, **kwargs)
    results = {"value": np.asarray(value)}
    if not case.wrt:
        return results

    def call(differentiated: dict[str, Any]) -> Any:
        given = [differentiated.get(str(i), arg) for i, arg in enumerate(args)]
        return fn(*given, **{key: differentiated.get(key, arg) for key, arg in kwargs.items()})

    inputs = {str(i): args[i] if isinstance(i, int) else kwargs[i] for i in case.wrt}
    _, grads = autograd.backward(call, inputs, gradient=jnp.asarray(cotangent(value)))
    for i in case.wrt:
        grad = grads[str(i)]
        if grad is not None:
            results[f"gradient of argument {i}"] = np.asarray(grad)
    return results


def cotangent(value: Any) -> np.ndarray:
    """A fixed cotangent without symmetries, which the sum of the outputs would have; both sides use it."""
    n = int(np.prod(np.shape(value)))
    weights = 1.0 + np.sin(np.arange(1, n + 1, dtype=np.float64))
    return weights.reshape(np.shape(value)).astype(np.asarray(value).dtype)
