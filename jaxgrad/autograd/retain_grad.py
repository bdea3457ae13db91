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
from jaxtyping import Inexact

from jaxgrad._core.errors import explain
from jaxgrad._core.selection import Where
from jaxgrad._core.types import Array, InexactTree, PyTree
from jaxgrad._jaxpr.bodies import Kind, inner_jaxprs, kind_of
from jaxgrad._jaxpr.dependence import Reach, dependence
from jaxgrad._jaxpr.evaluate import ENTERED, Into, alone, evaluate
from jaxgrad._jaxpr.hooked import first_hooks, hook_of
from jaxgrad._jaxpr.unstable import Jaxpr, JaxprEqn
from jaxgrad.autograd._tape.flat_function import trace
from jaxgrad.autograd._tape.inputs import Choice, choose
from jaxgrad.autograd.forward import forward_of

_MARK = "retain_grad:"

Taps = dict[str, Any]
"""From names to zeros of the shape of the named value; stacked where a loop runs through it."""


def retain_grad(tensor: Inexact[Array, "*shape"], name: str) -> Inexact[Array, "*shape"]:
    """Mirror of ``torch.Tensor.retain_grad``: the same value under a name, for ``backward_retaining`` to find.

    Inside a ``scan`` the gradients of all rounds are stacked. The retained gradient is the one after all hooks of the
    value, whether they were registered before or after this, as in torch. Without ``backward_retaining`` the name does
    nothing.

    Args:
        tensor: a floating point or complex array.
        name: unique within the loss function.

    Returns:
        The array.

    Raises:
        RuntimeError: the value cannot have a gradient.

    >>> retain_grad(jnp.ones(2), "hidden")
    Array([1., 1.], dtype=...)
    """
    tensor = jnp.asarray(tensor)
    if not jnp.issubdtype(tensor.dtype, jnp.inexact):
        raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
    named: Array = checkpoint_name(tensor, _MARK + name)
    return named


def backward_retaining(
    loss_fn: Callable[..., Any],
    params: PyTree,
    *args: Any,
    gradient: InexactTree | None = None,
    grads: InexactTree | None = None,
    has_aux: bool = False,
    inputs: Where = None,
) -> tuple[Any, InexactTree, dict[str, Inexact[Array, "..."] | None]]:
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
        ``(loss, grads, retained)``; ``retained`` from names to gradients, None where torch's ``.grad`` would be: the
        loss does not depend on the value, the value does not require grad (it stems from frozen leaves, ``no_grad``,
        ``detach``), or it is inside of a function with a derivative rule of its own, as the intermediate values of an
        ``autograd.Function`` are.

    Raises:
        ValueError: two values have the same name.

    >>> def loss(p, x):
    ...     hidden = retain_grad(p["w"] * x, "hidden")
    ...     return (hidden**2).sum()
    >>> _, grads, retained = backward_retaining(loss, {"w": jnp.array([1.0, 2.0])}, 3.0)
    >>> grads, retained
    ({'w': Array([18., 36.], dtype=...)}, {'hidden': Array([ 6., 12.], dtype=...)})
    """
    choice = choose(params, inputs)
    call, jaxpr, leaves = trace(loss_fn, params, args, has_aux)
    names = _names(jaxpr.jaxpr)
    taps = _taps(jaxpr.jaxpr, _live(jaxpr.jaxpr, choice, len(leaves)))

    tap = _Tapping(_hooked_names(jaxpr.jaxpr))

    def tapped(tree: dict[str, Any]) -> Any:
        arrays = call.arrays(tree["params"])
        return call.result(evaluate(jaxpr.jaxpr, jaxpr.consts, arrays, tap, tree["taps"]))

    tree = {"params": params, "taps": {name: jnp.zeros(tap.shape, tap.dtype) for name, tap in taps.items()}}
    before = None if grads is None else {"params": grads, "taps": dict.fromkeys(taps)}
    loss, graph = forward_of(tapped, tree, (), has_aux, choice.with_more(len(leaves), len(taps)))
    found = graph.backward(gradient, grads=before)
    return loss, found["params"], {name: found["taps"].get(name) for name in names}


def _name_of(eqn: JaxprEqn) -> str | None:
    name = eqn.params.get("name") if eqn.primitive.name == "name" else None
    return name.removeprefix(_MARK) if isinstance(name, str) and name.startswith(_MARK) else None


def _names(jaxpr: Jaxpr) -> list[str]:
    """Every name in a jaxpr and below, in order of appearance; two branches of one ``cond`` may share one."""
    found: list[str] = []
    for eqn in jaxpr.eqns:
        name = _name_of(eqn)
        inside = [name] if name is not None else [each for inner in inner_jaxprs(eqn) for each in _names(inner)]
        twice = [each for each in found if each in inside]
        if twice:
            raise ValueError(
                explain(
                    f"two values are retained under the name {twice[0]!r}",
                    remedy="give every retained value a name of its own",
                )
            )
        found += dict.fromkeys(inside)
    return found


def _live(jaxpr: Jaxpr, choice: Choice, n_leaves: int) -> set[str]:
    """The names of values that a backward comes through: they require grad, and a wanted leaf is behind them."""
    found: set[str] = set()

    def watch(eqn: JaxprEqn, operands: list[Reach]) -> None:
        name = _name_of(eqn)
        if name is not None and operands[0].requires & choice.wanted:
            found.add(name)

    dependence(jaxpr, choice.inputs(n_leaves), watch)
    return found


def _taps(jaxpr: Jaxpr, live: set[str]) -> dict[str, jax.ShapeDtypeStruct]:
    """A tap for every live name that can be given one, stacked where a scan runs through it.

    Not inside a function with a derivative rule of its own, where as in torch no value has a history.
    """
    found: dict[str, jax.ShapeDtypeStruct] = {}
    for eqn in jaxpr.eqns:
        name = _name_of(eqn)
        if name in live:
            aval: Any = eqn.outvars[0].aval
            found[name] = jax.ShapeDtypeStruct(aval.shape, aval.dtype)
        elif kind_of(eqn) in ENTERED:
            rounds = (eqn.params["length"],) if kind_of(eqn) is Kind.SCAN else ()
            for inner in inner_jaxprs(eqn):
                for below, tap in _taps(inner, live).items():
                    found[below] = jax.ShapeDtypeStruct((*rounds, *tap.shape), tap.dtype)
    return found


def _hooked_names(jaxpr: Jaxpr) -> dict[int, list[str]]:
    """The names of values that have hooks, by the hook (its id) that their gradient comes through last."""
    found: dict[int, list[str]] = {}
    hooks = first_hooks(jaxpr)
    for eqn in jaxpr.eqns:
        name, hook = _name_of(eqn), hook_of(hooks, eqn.invars[0]) if eqn.invars else None
        if name is not None and hook is not None:
            found.setdefault(id(hook), []).append(name)
        for inner in inner_jaxprs(eqn):
            found.update(_hooked_names(inner))
    return found


class _Tapping:
    """The visit that adds the taps: to a value as it is named, or where it has hooks to what went into the first."""

    def __init__(self, hooked: dict[int, list[str]]) -> None:
        self.hooked, self.behind_hooks = hooked, {name for names in hooked.values() for name in names}

    def __call__(self, eqn: JaxprEqn, operands: list[Any], taps: Taps) -> Sequence[Any] | Into:
        name = _name_of(eqn)
        if name is not None:
            return [operands[0] + taps[name]] if name in taps and name not in self.behind_hooks else operands
        for name in self.hooked.get(id(eqn), ()):
            operands = [*operands[:-1], operands[-1] + taps[name]] if name in taps else operands
        inside = {}
        if kind_of(eqn) in ENTERED:
            inside = {name: taps[name] for inner in inner_jaxprs(eqn) for name in _names(inner) if name in taps}
        return Into(inside) if inside else alone(eqn, operands)
