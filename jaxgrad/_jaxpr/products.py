"""Matrix products and convolutions that JAX's own functions make, taken in half precision where autocast runs.

Operations of this library know of autocast themselves (``jaxgrad._core.castable``). ``x @ w`` does not: what it becomes
is found in the jaxpr. Its operands are cast down and its result has their dtype, as torch's has. What follows was
traced for float32; elementwise arithmetic and moves go on in half precision where all that they are given is so,
everything else is given the dtype that it was traced for.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.types import PyTree
from jaxgrad._jaxpr.bodies import inner_jaxprs, kind_of
from jaxgrad._jaxpr.evaluate import ENTERED, Into, alone, as_traced
from jaxgrad._jaxpr.unstable import Jaxpr, JaxprEqn, Literal

PRODUCTS = frozenset({"conv_general_dilated", "dot_general"})
ALIKE = frozenset(
    """
    abs add add_any broadcast_in_dim concatenate copy div dynamic_slice logistic max min mul neg pad reshape rev
    select_n sign slice split squeeze stop_gradient sub tanh transpose
    """.split()
)
"""Primitives whose result has the dtype of what they are given."""

_SCOPE = re.compile(r"\bautocast_(\w+)")
OFF = "off"


def scope_name(dtype: str) -> str:
    """The name of the scope around what runs in a region of this dtype, or (``OFF``) is to be left as it is."""
    return f"autocast_{dtype}"


@jax.tree_util.register_static
@dataclass(frozen=True)
class InScope:
    """The scope of the equation whose function is entered; within, scopes are named from there on."""

    name: str


def visit(eqn: JaxprEqn, operands: list[Any], extra: PyTree) -> Sequence[Any] | Into:
    """One equation, or ``Into``."""
    named = _SCOPE.findall(str(eqn.source_info.name_stack))
    scope = named[-1] if named else extra.name if isinstance(extra, InScope) else OFF
    if scope == OFF:
        return alone(eqn, as_traced(eqn.invars, operands))
    lower = jnp.dtype(scope)
    if kind_of(eqn) in ENTERED:
        if any(map(_holds_a_product, inner_jaxprs(eqn))) or _differ(eqn, operands):
            return Into(InScope(scope))
    elif eqn.primitive.name in PRODUCTS and all(x.dtype in (lower, np.float32) for x in operands):
        params = {**eqn.params, "preferred_element_type": None}
        return alone(eqn.replace(params=params), [x.astype(lower) for x in operands])
    elif eqn.primitive.name == "convert_element_type":
        return alone(eqn, operands)
    elif eqn.primitive.name in ALIKE and _differ(eqn, operands) and _all_lower(operands, lower):
        return _with_literals(eqn, [x.astype(lower) if x.dtype == np.float32 else x for x in operands])
    return alone(eqn, as_traced(eqn.invars, operands))


def _with_literals(eqn: JaxprEqn, operands: list[Any]) -> Sequence[Any]:
    """The equation on these operands, the numbers that it holds itself among them."""
    pairs = zip(eqn.invars, operands, strict=True)
    invars = [Literal(x, jax.typeof(x)) if isinstance(atom, Literal) else atom for atom, x in pairs]
    return alone(eqn.replace(invars=invars), operands)


def _differ(eqn: JaxprEqn, operands: list[Any]) -> bool:
    return any(new is not x for new, x in zip(as_traced(eqn.invars, operands), operands, strict=True))


def _all_lower(operands: list[Any], lower: np.dtype) -> bool:
    """Whether the tensors among floating operands are lower; as in torch, a number does not count beside a tensor."""
    floating = [x for x in operands if jnp.issubdtype(x.dtype, jnp.inexact)]
    return all(x.dtype == lower for x in [x for x in floating if x.ndim] or floating)


def _holds_a_product(jaxpr: Jaxpr) -> bool:
    return any(eqn.primitive.name in PRODUCTS or any(map(_holds_a_product, inner_jaxprs(eqn))) for eqn in jaxpr.eqns)
