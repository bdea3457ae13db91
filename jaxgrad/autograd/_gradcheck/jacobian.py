"""The two Jacobians that ``gradcheck`` compares: by finite differences, and by differentiation.

Block ``[i][j]`` belongs to input i and output j and has shape (elements of input, elements of output); a complex
input has torch's gradient :math:`\\partial s/\\partial x + i\\,\\partial s/\\partial y`. Fast mode replaces a block by
:math:`v^T J u` with fixed random vectors.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.trees import is_tensor
from jaxgrad._core.types import Array
from jaxgrad.autograd._functional.products import pullback


class Tested(NamedTuple):
    """A function of some of its arguments, with a tuple of differentiable outputs."""

    fn: Callable[..., tuple[Array, ...]]
    inputs: tuple[Array, ...]

    def outputs(self) -> tuple[Array, ...]:
        """The outputs at the inputs."""
        return self.fn(*self.inputs)


def differentiable(value: Any) -> bool:
    """Whether a value is an array of floating point or complex numbers."""
    return is_tensor(value) and jnp.issubdtype(jnp.result_type(value), jnp.inexact)


def of_differentiable(func: Callable[..., Any], arguments: Sequence[Any]) -> tuple[Tested, tuple[int, ...]]:
    """``func`` as a function of its differentiable arguments alone, and which those are."""
    places = tuple(i for i, each in enumerate(arguments) if differentiable(each))

    def fn(*inputs: Array) -> tuple[Array, ...]:
        full = list(arguments)
        for i, each in zip(places, inputs, strict=True):
            full[i] = each
        out = func(*full)
        out = tuple(out) if isinstance(out, (tuple, list)) else (out,)
        return tuple(jnp.asarray(each) for each in out if differentiable(each))

    return Tested(fn, tuple(jnp.asarray(arguments[i]) for i in places)), places


def compiled(fn: Callable[..., Any], inputs: Sequence[Array]) -> Callable[..., Any]:
    """``fn`` compiled, if it can be traced: it is differentiated once, not anew for every step of the differences."""
    try:
        jax.eval_shape(fn, *inputs)
    except (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError):
        return fn  # it looks at its numbers, or leaves JAX
    return jax.jit(fn)


def numerical(f: Tested, eps: float) -> list[list[np.ndarray]]:
    """Central differences, one perturbed element after the other."""
    n_outputs = len(f.outputs())
    return [
        [np.stack(columns) if columns else np.zeros((0, 0)) for columns in _columns(f, i, n_outputs, eps)]
        for i in range(len(f.inputs))
    ]


def _columns(f: Tested, i: int, n_outputs: int, eps: float) -> list[list[np.ndarray]]:
    columns: list[list[np.ndarray]] = [[] for _ in range(n_outputs)]
    value = np.asarray(f.inputs[i])
    for k in range(value.size):
        unit = np.zeros(value.size, value.dtype)
        unit[k] = 1
        found = directional(f, i, unit.reshape(value.shape), eps)
        if np.iscomplexobj(value):
            imaginary = directional(f, i, 1j * unit.reshape(value.shape), eps)
            found = [real + 1j * other for real, other in zip(found, imaginary, strict=True)]
        for column, each in zip(columns, found, strict=True):
            column.append(each)
    return columns


def directional(f: Tested, i: int, direction: np.ndarray, eps: float) -> list[np.ndarray]:
    """The derivative of every output (flat) along a direction of input i."""

    def at(step: float) -> tuple[Array, ...]:
        inputs = list(f.inputs)
        inputs[i] = jnp.asarray(np.asarray(f.inputs[i]) + step * direction, f.inputs[i].dtype)
        return f.fn(*inputs)

    pairs = zip(at(eps), at(-eps), strict=True)
    return [((np.asarray(high) - np.asarray(low)) / (2 * eps)).reshape(-1) for high, low in pairs]


def by_rows(f: Tested) -> list[list[np.ndarray]]:
    """Reverse mode: one pull-back for each element of each output."""
    outputs, pull = pullback(f.fn, f.inputs)
    blocks: list[list[np.ndarray]] = [[] for _ in f.inputs]
    for j, output in enumerate(outputs):
        rows: list[list[np.ndarray]] = [[] for _ in f.inputs]
        for k in range(output.size):
            for row, grad in zip(rows, pull(unit_cotangent(outputs, j, k)), strict=True):
                row.append(np.asarray(grad).reshape(-1))
        for block, row, like in zip(blocks, rows, f.inputs, strict=True):
            block.append(np.stack(row, axis=1) if row else np.zeros((like.size, 0)))
    return blocks


def unit_cotangent(outputs: Sequence[Array], j: int, k: int) -> tuple[Array, ...]:
    """1 for element k of output j, 0 elsewhere."""
    zeros = [jnp.zeros_like(output) for output in outputs]
    zeros[j] = zeros[j].reshape(-1).at[k].set(1).reshape(outputs[j].shape)
    return tuple(zeros)


def by_columns(f: Tested) -> list[list[np.ndarray]]:
    """Forward mode: one push-forward for each element of each (real) input."""
    blocks = []
    for i, value in enumerate(f.inputs):
        columns = []
        for k in range(value.size):
            unit = jnp.zeros(value.size, value.dtype).at[k].set(1).reshape(value.shape)
            columns.append([np.asarray(each).reshape(-1) for each in pushed(f, i, unit)])
        blocks.append([np.stack(each) for each in zip(*columns, strict=True)])
    return blocks


def pushed(f: Tested, i: int, direction: Array) -> tuple[Array, ...]:
    """The tangents of the outputs for a tangent of input i."""
    tangents = tuple(direction if k == i else jnp.zeros_like(each) for k, each in enumerate(f.inputs))
    out_tangents: tuple[Array, ...] = jax.jvp(f.fn, f.inputs, tangents)[1]
    return out_tangents


def random_vectors(like: Sequence[Array]) -> list[np.ndarray]:
    """One vector of length 1 for each array, with elements between 0 and 1; always the same ones."""
    rng = np.random.default_rng(0)
    found = []
    for each in like:
        vector = rng.random(each.size)
        if jnp.iscomplexobj(each):
            vector = vector + 1j * rng.random(each.size)
        found.append(vector / (np.linalg.norm(vector) if vector.size else 1.0))
    return found
