"""Vector-Jacobian and Jacobian-vector products of flat functions, in torch's convention for complex numbers."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.errors import check_differentiable
from jaxgrad._core.types import Array
from jaxgrad.autograd._functional.checks import Arrays
from jaxgrad.autograd._tape.cotangent import refuse_implicit_complex


def pullback(fn: Callable[..., Arrays], inputs: Arrays) -> tuple[Arrays, Callable[[Any], Arrays]]:
    """Outputs, and cotangents in torch's convention (conjugates) to gradients; None is the cotangent 1.

    Raises:
        RuntimeError: None as the cotangent of a complex output.
    """
    outputs, pull = jax.vjp(fn, *inputs)

    def gradients(v: Arrays | None) -> Arrays:
        if v is None:
            for output in outputs:
                refuse_implicit_complex(output.dtype)
            v = tuple(jnp.ones_like(output) for output in outputs)
        cotangents = tuple(_cotangent(each, output) for each, output in zip(v, outputs, strict=True))
        return tuple(_gradient(each, like) for each, like in zip(pull(cotangents), inputs, strict=True))

    return outputs, gradients


def _cotangent(v: Array, output: Array) -> Any:
    if not jnp.issubdtype(output.dtype, jnp.inexact):
        return jnp.zeros(output.shape, jax.dtypes.float0)
    return v.astype(output.dtype).conj()


def _gradient(grad: Array, like: Array) -> Array:
    return jnp.zeros_like(like) if grad.dtype == jax.dtypes.float0 else grad.conj()


def pushforward(fn: Callable[..., Arrays], inputs: Arrays, v: Arrays | None) -> tuple[Arrays, Arrays]:
    """Outputs and the product with the Jacobian, by the backward of the backward.

    Raises:
        RuntimeError: an output of integers; what ``pullback`` raises.
    """
    outputs, pull = pullback(fn, inputs)
    check_differentiable(dict(enumerate(outputs)))
    zeros = tuple(jnp.zeros_like(output) for output in outputs)
    return outputs, pullback(lambda *u: pull(u), zeros)[1](v)
