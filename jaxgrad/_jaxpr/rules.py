"""Which operands a derivative rule of somebody's own has a gradient for, found by tracing the rule.

A ``custom_vjp`` may return None for an operand, as a ``torch.autograd.Function`` may. JAX knows this while it
transposes (a symbolic zero) and hands out zeros in the end; a probe in front of each operand sees it in between.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.ad_checkpoint import checkpoint_name
from jax.custom_derivatives import SymbolicZero

from jaxgrad._jaxpr.bodies import body_of, kind_of
from jaxgrad._jaxpr.evaluate import alone
from jaxgrad._jaxpr.unstable import JaxprEqn


def gradients_of_rule(eqn: JaxprEqn, wanted: Sequence[bool]) -> list[list[bool]]:
    """For every output of an equation, for which operands its gradient gives one that is not None.

    Args:
        eqn: a call of a function with a rule of its own.
        wanted: which operands are differentiated; the others count as having a gradient.

    A rule that cannot be traced here (it looks at numbers, or is bound to a mesh) counts as having one for all.
    """
    outputs = list(range(len(eqn.outvars)))
    if eqn.params.get("symbolic_zeros", True):
        return [_gradients_of_outputs(eqn, wanted, [j]) for j in outputs]
    return [_gradients_of_outputs(eqn, wanted, outputs)] * len(outputs)  # this rule never learns of a None


_MAKES_ZEROS, _KEEPS_NONE = "makes_zeros_of_none", "keeps_none"

F = TypeVar("F", bound=Callable[..., Any])


def making_zeros(fn: F) -> F:
    """Mark a function, before ``custom_vjp``, whose rule is given zeros for a None (torch's ``materialize_grads``)."""
    fn.__name__ = _MAKES_ZEROS
    return fn


def keep_none() -> None:
    """Take the mark back from within: whether a function wants zeros is found out only while it runs."""
    checkpoint_name(jnp.zeros((), bool), _KEEPS_NONE)


def makes_zeros(eqn: JaxprEqn) -> bool:
    """Whether a call of a function with a rule of its own makes zeros of a gradient that is None."""
    if kind_of(eqn) is None:
        return bool(getattr(eqn.params.get("_prim"), "makes_zeros", False))
    jaxpr = body_of(eqn).jaxpr
    if jaxpr.debug_info.func_name != _MAKES_ZEROS:
        return False
    return not any(one.primitive.name == "name" and one.params["name"] == _KEEPS_NONE for one in jaxpr.eqns)


def _gradients_of_outputs(eqn: JaxprEqn, wanted: Sequence[bool], outputs: Sequence[int]) -> list[bool]:
    everything = [True] * len(eqn.invars)
    outputs = [j for j in outputs if _is_inexact(eqn.outvars[j].aval)]
    if not outputs:
        return everything
    probed = [i for i, want in enumerate(wanted) if want]
    seen: set[int] = set()

    def pulled_back(*values: Any) -> Any:
        def results(*chosen: Any) -> Any:
            given = dict(zip(probed, chosen, strict=True))
            operands = [_probe(partial(seen.add, i))(given[i]) if i in given else v for i, v in enumerate(values)]
            found = alone(eqn, operands)
            return [found[j] for j in outputs]

        found, pullback = jax.vjp(results, *[values[i] for i in probed])
        return pullback([jnp.ones(each.shape, each.dtype) for each in found])

    try:
        avals: list[Any] = [atom.aval for atom in eqn.invars]
        jax.make_jaxpr(pulled_back)(*[jax.ShapeDtypeStruct(aval.shape, aval.dtype) for aval in avals])
    except Exception:  # to look ahead must not be what fails; what is wrong is raised where the rule is used
        return everything
    return [i in seen or i not in probed for i in range(len(eqn.invars))]


def _probe(note: Callable[[], Any]) -> Callable[[Any], Any]:
    """The identity, which takes note when a gradient comes through that is more than a symbolic zero."""
    identity = jax.custom_vjp(lambda x: x)

    def backward(residuals: None, cotangent: Any) -> tuple[Any]:
        del residuals
        if isinstance(cotangent, SymbolicZero):
            return (None,)
        note()
        return (cotangent,)

    identity.defvjp(lambda x: (x.value, None), backward, symbolic_zeros=True)
    return identity


def _is_inexact(aval: Any) -> bool:
    return jnp.issubdtype(getattr(aval, "dtype", np.dtype(bool)), jnp.inexact)
