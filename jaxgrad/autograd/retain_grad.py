"""``retain_grad``: the gradient of an intermediate value, returned beside the gradients of the leaves.

In torch a tensor that is not a leaf forgets its gradient unless ``retain_grad()`` was called on it. Here the value is
given a name where it is computed, and ``backward_retaining`` returns what arrived at each name. The mechanism is a
tap: zeros are added to the named value, and the gradient of the zeros is the gradient of the value.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name
from jax.extend.core import Jaxpr, JaxprEqn

from jaxgrad._core.errors import explain
from jaxgrad._core.selection import Where
from jaxgrad._core.types import Array, PyTree
from jaxgrad._jaxpr.evaluate import Into, alone, bodies, evaluate
from jaxgrad.autograd._tape.flat_function import trace
from jaxgrad.autograd._tape.inputs import wanted_leaves
from jaxgrad.autograd.backward import backward

_MARK = "retain_grad:"

Taps = dict[str, Any]
"""From names to zeros of the shape of the named value (or to that shape); stacked where a loop runs through it."""


def retain_grad(tensor: Array, name: str) -> Array:
    """Mirror of ``torch.Tensor.retain_grad``: the same value under a name, for ``backward_retaining`` to find.

    Inside a ``scan`` the gradients of all rounds are stacked. What a hook does to the gradient counts if the hook is
    registered on the returned value, as in torch, where the retained gradient is the one after the hooks. Without
    ``backward_retaining`` the name does nothing.

    Args:
        tensor: a floating point or complex array.
        name: unique within the loss function.

    Raises:
        RuntimeError: the value cannot have a gradient.

    >>> retain_grad(jnp.ones(2), "hidden")
    Array([1., 1.], dtype=...)
    """
    tensor = jnp.asarray(tensor)
    if not jnp.issubdtype(tensor.dtype, jnp.inexact):
        raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
    return checkpoint_name(tensor, _MARK + name)


def backward_retaining(
    loss_fn: Callable[..., Any],
    params: PyTree,
    *args: Any,
    gradient: PyTree | None = None,
    grads: PyTree | None = None,
    has_aux: bool = False,
    inputs: Where = None,
) -> tuple[Any, PyTree, dict[str, Array | None]]:
    """``backward``, and the gradients that torch would leave in ``.grad`` of the values marked by ``retain_grad``.

    Args:
        loss_fn: as in ``backward``; it is traced, so it cannot look at values in Python.
        params: as in ``backward``, and all that follows.
        args: passed on.
        gradient: the vector of the vector-Jacobian product.
        grads: gradients of the leaves so far.
        has_aux: ``loss_fn`` returns ``(loss, aux)``.
        inputs: the leaves to differentiate.

    Returns:
        ``(loss, grads, retained)``; ``retained`` from names to gradients, None where the loss does not depend on the
        value.

    Raises:
        ValueError: two values have the same name.

    >>> def loss(p, x):
    ...     hidden = retain_grad(p["w"] * x, "hidden")
    ...     return (hidden**2).sum()
    >>> _, grads, retained = backward_retaining(loss, {"w": jnp.array([1.0, 2.0])}, 3.0)
    >>> grads, retained
    ({'w': Array([18., 36.], dtype=...)}, {'hidden': Array([ 6., 12.], dtype=...)})
    """
    chosen = wanted_leaves(params, inputs)
    call, jaxpr, leaves = trace(loss_fn, params, args, has_aux)
    taps = {name: jnp.zeros(shape.shape, shape.dtype) for name, shape in _tap_shapes(jaxpr.jaxpr).items()}

    def tapped(tree: dict[str, Any]) -> Any:
        leaves = jax.tree.leaves(tree["params"])
        return call.result(evaluate(jaxpr.jaxpr, jaxpr.consts, leaves, _tap, tree["taps"]))

    tree = {"params": params, "taps": taps}
    before = None if grads is None else {"params": grads, "taps": dict.fromkeys(taps)}
    mask = {
        "params": jax.tree.unflatten(jax.tree.structure(params), [bool(chosen >> i & 1) for i in range(len(leaves))]),
        "taps": dict.fromkeys(taps, True),
    }
    loss, found = backward(tapped, tree, gradient=gradient, grads=before, has_aux=has_aux, inputs=mask)
    return loss, found["params"], found["taps"]


def _name_of(eqn: JaxprEqn) -> str | None:
    name = eqn.params.get("name") if eqn.primitive.name == "name" else None
    return name.removeprefix(_MARK) if isinstance(name, str) and name.startswith(_MARK) else None


def _tap_shapes(jaxpr: Jaxpr) -> dict[str, jax.ShapeDtypeStruct]:
    """Every name below a jaxpr in order of appearance, with the shape of its tap."""
    found: dict[str, jax.ShapeDtypeStruct] = {}
    for eqn in jaxpr.eqns:
        name = _name_of(eqn)
        if name is not None:
            aval: Any = eqn.outvars[0].aval
            inner = {name: jax.ShapeDtypeStruct(aval.shape, aval.dtype)}
        else:
            rounds = (eqn.params["length"],) if eqn.primitive.name == "scan" else ()
            inner = {
                name: jax.ShapeDtypeStruct((*rounds, *shape.shape), shape.dtype)
                for body in bodies(eqn)
                for name, shape in _tap_shapes(body).items()
            }
        twice = found.keys() & inner.keys()
        if twice:
            raise ValueError(
                explain(
                    f"two values are retained under the name {sorted(twice)[0]!r}",
                    remedy="give every retained value a name of its own",
                )
            )
        found |= inner
    return found


def _tap(eqn: JaxprEqn, operands: list[Any], taps: Taps) -> Sequence[Any] | Into:
    name = _name_of(eqn)
    if name is not None:
        return [operands[0] + taps[name]]
    inside = {name: taps[name] for body in bodies(eqn) for name in _tap_shapes(body)}
    return Into(inside) if inside else alone(eqn, operands)
