"""A traced module with its loss: parameters, buffers, and a loss function whose derivative is torch's own backward."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.dtypes import keep_dtype
from jaxgrad._core.errors import describe, explain
from jaxgrad._core.types import Array, Buffers, Params
from jaxgrad.func.call import Aux
from jaxgrad.random import Generator
from jaxgrad.trace.graph import Graph
from jaxgrad.trace.interpret import check_supported, run


@dataclass(frozen=True)
class Traced:
    """What ``from_torch`` returns.

    Attributes:
        params: torch's parameters by dotted name, copied; tied ones once, under their first name.
        buffers: torch's buffers by dotted name, copied, those that are not persistent included.
        frozen: the names of parameters that do not require a gradient; theirs is None.
        graph: the joint graph, as data.
        constants: tensors that the module or the loss hold without registering them.
        loss_fn: ``loss_fn(params, *batch, buffers=buffers, generator=generator) -> loss, aux``, for
            ``train.make_train_step``.
    """

    params: Params
    buffers: Buffers
    frozen: frozenset[str]
    graph: Graph = field(repr=False)
    constants: Mapping[str, np.ndarray] = field(repr=False)

    def __post_init__(self) -> None:
        check_supported(self.graph)

    def loss_fn(
        self, params: Params, *batch: Any, buffers: Buffers | None = None, generator: Generator | None = None
    ) -> tuple[Array, Aux]:
        """The loss of a batch, and what became of the buffers and the stream.

        Its derivative with respect to ``params`` is torch's backward graph (first derivatives; a second one follows
        JAX's rules through torch's formulas). Inputs have no derivative.

        Args:
            params: the keys of ``traced.params``.
            batch: arrays of the shapes and dtypes of the example batch.
            buffers: the keys of ``traced.buffers``; None for those.
            generator: what dropout draws from.

        Returns:
            ``(loss, func.Aux)``.

        Raises:
            ValueError: a batch of other shapes than the example's.
            TypeError: the module draws and there is no generator.
        """
        arrays = tuple(jnp.asarray(each) for each in batch)
        self._check(arrays)
        held = self.buffers if buffers is None else {**self.buffers, **buffers}
        own = {
            name: jax.lax.stop_gradient(params[name]) if name in self.frozen else params[name] for name in self.params
        }
        loss, after, stream = _loss(self, own, arrays, held, generator)
        return loss, Aux(buffers={name: after.get(name, value) for name, value in held.items()}, generator=stream)

    def _leaf(self, name: str, value: Array) -> Array:
        return jax.lax.stop_gradient(value) if name in self.frozen else value

    def _check(self, batch: tuple[Array, ...]) -> None:
        expected = [each.meta for each in self.graph.of("input")]
        fits = len(batch) == len(expected) and all(
            array.shape == meta.shape for array, meta in zip(batch, expected, strict=True)
        )
        if not fits:
            raise ValueError(
                explain(
                    "a traced graph has the shapes of its example batch",
                    got=", ".join(describe(each) for each in batch),
                    expected=", ".join(f"{meta.dtype}[{','.join(map(str, meta.shape))}]" for meta in expected),
                    remedy="trace.from_torch(module, loss_fn, batch) again for these shapes (a ragged last batch), or "
                    "drop_last=True in the loader",
                )
            )

    def feed(self, params: Params, batch: tuple[Array, ...], buffers: Buffers) -> dict[str, Any]:
        """The inputs of the graph by name."""
        return feed(self.graph, self.constants, params, batch, buffers)


def feed(
    graph: Graph, constants: Mapping[str, np.ndarray], params: Params, batch: tuple[Array, ...], buffers: Buffers
) -> dict[str, Any]:
    """The inputs of a graph by name, each in the dtype it was traced with."""
    fed: dict[str, Any] = {}
    for each in graph.inputs:
        if each.role == "input":
            value: Any = batch[int(each.key)]
        else:
            value = {"parameter": params, "buffer": buffers, "constant": constants}[each.role][each.key]
        fed[each.name] = jnp.asarray(value)
    return fed


def _joint(
    traced: Traced, params: Params, batch: tuple[Array, ...], buffers: Buffers, generator: Generator | None
) -> tuple[tuple[Array, Buffers, Generator | None], Params]:
    """Forward and backward: the loss, the buffers and stream after it, and the gradients."""
    values, stream = run(traced.graph, traced.feed(params, batch, buffers), generator)
    gradients: Params = {}
    for node, name in traced.graph.gradients:  # a tied parameter gets the sum over its uses
        gradients[name] = gradients[name] + values[node] if name in gradients else values[node]
    after = {name: values[node] for node, name in traced.graph.mutated}
    return (values[traced.graph.outputs[0] or ""], after, stream), gradients


@jax.custom_vjp
def _value(loss: Array, params: Params, gradients: Params) -> Array:
    """``loss``, whose derivative by ``params`` is ``gradients``."""
    return loss


def _value_fwd(loss: Array, params: Params, gradients: Params) -> tuple[Array, tuple[Params, Params]]:
    return loss, (params, gradients)


def _value_bwd(saved: tuple[Params, Params], grad: Array) -> tuple[Array, Params, Params]:
    params, gradients = saved
    to_params = {
        name: (grad * gradients[name]).astype(value.dtype) if name in gradients else jnp.zeros_like(value)
        for name, value in params.items()
    }
    return jnp.zeros_like(grad), to_params, jax.tree.map(jnp.zeros_like, gradients)


_value.defvjp(_value_fwd, _value_bwd)


def _loss(
    traced: Traced, params: Params, batch: tuple[Array, ...], buffers: Buffers, generator: Generator | None
) -> tuple[Array, Buffers, Generator | None]:
    fixed = jax.tree.map(jax.lax.stop_gradient, params)
    (loss, after, stream), gradients = _joint(traced, fixed, batch, buffers, generator)
    return _value(loss, params, gradients), after, stream


def as_params(values: Mapping[str, np.ndarray]) -> dict[str, Array]:
    """Arrays of these values in their own dtypes.

    Raises:
        TypeError: float64, and JAX's 64-bit mode is off.
    """
    return {
        name: jnp.asarray(value, keep_dtype(value.dtype) if value.dtype.kind in "fc" else None)
        for name, value in values.items()
    }
