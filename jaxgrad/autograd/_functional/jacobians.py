"""Jacobians by rows, in reverse mode, and by columns, in forward mode.

Block (i, j) is output i differentiated by input j, of shape ``output.shape + input.shape``.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.types import Array
from jaxgrad._jaxpr.unstable import is_concrete
from jaxgrad.autograd._functional import checks as check
from jaxgrad.autograd._functional.checks import Arrays
from jaxgrad.autograd._functional.products import pullback
from jaxgrad.autograd._tape.cotangent import refuse_implicit_complex


def by_rows(fn: Callable[..., Arrays], inputs: Arrays, vectorize: bool) -> tuple[Arrays, ...]:
    """All blocks by pulling back one unit vector of each output after the other, or all of them at once.

    Raises:
        RuntimeError: without ``vectorize``, as torch: a complex output, to which no gradient can be created
            implicitly, or an output without elements.
    """
    outputs, pull = pullback(fn, inputs)
    if not vectorize:
        _check_rows(fn, inputs, outputs)
    each_row: Callable[..., Any]
    if vectorize:
        each_row = lambda row, basis: jax.vmap(row)(basis)  # noqa: E731
    elif all(map(is_concrete, inputs)):  # nothing has to be compiled: as torch, one backward after the other
        each_row = _one_by_one
    else:
        each_row = jax.lax.map

    def of_output(i: int) -> Arrays:
        def row(unit: Array) -> Arrays:
            return pull(tuple(unit if k == i else jnp.zeros_like(each) for k, each in enumerate(outputs)))

        rows = each_row(row, _units(outputs[i])) if outputs[i].size else [jnp.zeros((0,), x.dtype) for x in inputs]
        return tuple(each.reshape(outputs[i].shape + x.shape) for each, x in zip(rows, inputs, strict=True))

    return tuple(of_output(i) for i in range(len(outputs)))


def by_columns(fn: Callable[..., Arrays], inputs: Arrays) -> tuple[Arrays, ...]:
    """The same blocks by pushing forward the unit vectors of each input, all of them at once."""

    def of_input(j: int) -> Arrays:
        def column(unit: Array) -> Arrays:
            tangents = tuple(unit if k == j else jnp.zeros_like(each) for k, each in enumerate(inputs))
            pushed: Arrays = jax.jvp(fn, inputs, tangents)[1]
            return pushed

        if not inputs[j].size:
            return tuple(jnp.zeros(y.shape + inputs[j].shape, y.dtype) for y in fn(*inputs))
        columns = jax.vmap(column, out_axes=-1)(_units(inputs[j]))
        return tuple(each.reshape(each.shape[:-1] + inputs[j].shape) for each in columns)

    return tuple(zip(*[of_input(j) for j in range(len(inputs))], strict=True))


def _units(like: Array) -> Array:
    """The unit vectors of the space of an array, one after the other."""
    return jnp.eye(like.size, dtype=like.dtype).reshape(like.size, *like.shape)


def _one_by_one(row: Callable[[Array], Arrays], basis: Array) -> Sequence[Array]:
    return [jnp.stack(rows) for rows in zip(*map(row, basis), strict=True)]


def _check_rows(fn: Callable[..., Arrays], inputs: Arrays, outputs: Arrays) -> None:
    if any(jnp.iscomplexobj(each) for each in outputs):
        for output, reach in zip(outputs, check.connections(fn, inputs), strict=True):
            if reach and output.size:
                refuse_implicit_complex(output.dtype)
    if not all(each.size for each in outputs):
        raise RuntimeError("stack expects a non-empty TensorList")
