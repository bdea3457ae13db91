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
    if case.error:  # what is wrong with numbers is seen where they can be looked at
        return {"value": np.asarray(fn(*args, **kwargs))}
    given = {str(i): arg for i, arg in enumerate(args)} | kwargs
    arrays = {name: value for name, value in given.items() if isinstance(value, jax.Array)}
    places = [str(i) for i in range(len(args))]

    def call(arrays: dict[str, Any]) -> Any:
        now = given | arrays
        return fn(*(now[place] for place in places), **{key: now[key] for key in kwargs})

    def value_and_grads(arrays: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        wrt = {str(i): arrays[str(i)] for i in case.wrt}
        weights = jnp.asarray(cotangent(jax.eval_shape(call, arrays)))
        return autograd.backward(lambda wrt: call(arrays | wrt), wrt, gradient=weights)

    if not case.wrt:
        return {"value": np.asarray(jax.jit(call)(arrays))}
    value, grads = jax.jit(value_and_grads)(arrays)
    found = {f"gradient of argument {i}": grads[str(i)] for i in case.wrt}
    return {"value": np.asarray(value)} | {name: np.asarray(g) for name, g in found.items() if g is not None}


def cotangent(value: Any) -> np.ndarray:
    """A fixed cotangent without symmetries, which the sum of the outputs would have; both sides use it."""
    n = int(np.prod(np.shape(value)))
    weights = 1.0 + np.sin(np.arange(1, n + 1, dtype=np.float64))
    return weights.reshape(np.shape(value)).astype(np.dtype(value.dtype if hasattr(value, "dtype") else np.float64))
