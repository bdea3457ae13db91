"""One forward pass, recorded: its outputs, the pull-back to the leaves, and which leaf reaches which output.

The function is called once. Its jaxpr tells what is connected to what; the pull-back is ``jax.vjp`` of that jaxpr
with respect to the connected leaves alone, so that nothing is computed or kept for the others.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.types import Array, PyTree
from jaxgrad._jaxpr.dependence import NOTHING, Leaves, Reach, dependence, union
from jaxgrad._jaxpr.hooked import check_hooks
from jaxgrad._jaxpr.unstable import jaxpr_as_fun
from jaxgrad.autograd._tape.flat_function import FlatFunction, flatten
from jaxgrad.autograd._tape.inputs import Choice


@dataclass(frozen=True)
class Tape:
    """What a forward pass leaves behind."""

    outputs: list[Array]
    """The outputs to differentiate, flat."""
    tree: Any
    """Their structure."""
    aux: PyTree
    """What the function returned beside them."""
    pullback: Callable[[list[Any]], tuple[Array, ...]] | None
    """Cotangents of the outputs to cotangents of the recorded leaves (JAX's convention); None without leaves."""
    leaves: tuple[int, ...]
    """Positions of the leaves that the pull-back answers for, in the flattened parameters."""
    reach: tuple[Reach, ...]
    """For each output what stands behind it."""


def record(fn: Callable[..., Any], params: PyTree, args: Sequence[Any], has_aux: bool, choice: Choice) -> Tape:
    """Run ``fn(params, *args)`` and keep what ``backward`` needs for the leaves that are chosen."""
    call, leaves = flatten(fn, params, args, has_aux)
    try:
        jaxpr = jax.make_jaxpr(call)(*leaves)
    except (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError):
        return _defined_by_run(call, leaves, choice)
    check_hooks(jaxpr.jaxpr, choice.inputs(len(leaves)))
    reach = dependence(jaxpr.jaxpr, choice.inputs(len(leaves)))[: call.outputs.num_leaves]
    chosen = union(reach).defined & choice.wanted
    outputs, pullback, rest, places = _vjp(_split(jaxpr_as_fun(jaxpr), call), leaves, chosen)
    return Tape(outputs, call.outputs, call.aux(rest), pullback, places, tuple(reach))


def _defined_by_run(call: FlatFunction, leaves: list[Array], choice: Choice) -> Tape:
    """The tape of a function that looks at its values in Python, so that no jaxpr can show it.

    Connected is then what a derivative flows through: a leaf that is reached through ``floor`` alone has gradient
    None here, where torch has zeros.
    """
    trainable = [i for i, leaf in enumerate(leaves) if jnp.issubdtype(leaf.dtype, jnp.inexact)]
    chosen = sum(1 << i for i in trainable if choice.requires >> i & 1)
    outputs, pullback, rest, places = _vjp(_split(call, call), leaves, chosen)
    reach = [NOTHING] * len(outputs)
    if pullback is not None:
        zeros = [np.zeros(np.shape(output), jax.typeof(output).to_tangent_aval().dtype) for output in outputs]
        jaxpr = jax.make_jaxpr(pullback)(zeros).jaxpr
        flows_to = dependence(jaxpr, [Reach.leaf(i) for i in range(len(outputs))])
        for i in range(len(outputs)):
            reach[i] = union(
                Reach.leaf(k) for k, sources in zip(places, flows_to, strict=True) if sources.requires >> i & 1
            )
    return Tape(outputs, call.outputs, call.aux(rest), pullback, places, tuple(reach))


def _split(run: Callable[..., Any], call: FlatFunction) -> Callable[..., tuple[list[Any], list[Any]]]:
    def outputs_and_rest(*leaves: Array) -> tuple[list[Any], list[Any]]:
        results = list(run(*leaves))
        return results[: call.outputs.num_leaves], results[call.outputs.num_leaves :]

    return outputs_and_rest


def _vjp(fn: Callable[..., Any], leaves: list[Array], chosen: Leaves) -> tuple[list[Any], Any, list[Any], Any]:
    """``jax.vjp`` with respect to the chosen leaves; the others are constants."""
    places = tuple(i for i in range(len(leaves)) if chosen >> i & 1)

    def of_chosen(*values: Array) -> Any:
        given = dict(zip(places, values, strict=True))
        return fn(*[given.get(i, leaf) for i, leaf in enumerate(leaves)])

    if not places:
        outputs, rest = fn(*leaves)
        return outputs, None, rest, places
    outputs, pullback, rest = jax.vjp(of_chosen, *[leaves[i] for i in places], has_aux=True)
    return outputs, pullback, rest, places
