"""From a jaxpr to torch's graph: the walk that makes one node of one torch operation.

Every variable that is connected to a leaf points to the node that made it. A stretch of equations becomes one node
where it is a marked operation (``jaxgrad._core.operations``) or a JAX function that torch has as one operation; any
other equation is a node by itself, and calls are entered.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxgrad._jaxpr.bodies import Kind, body_of, kind_of, scan_parts
from jaxgrad._jaxpr.origin import is_of_jax, line, mark, origin, scope
from jaxgrad._jaxpr.unstable import Jaxpr, JaxprEqn, Literal
from jaxgrad.autograd._graph import names as names
from jaxgrad.autograd._graph.saved_tensors import SavedTensor, saved_tensors

_ENTERED = {Kind.CALL, Kind.REMAT}
_CUT = {"stop_gradient"}
_TRANSPARENT = {"copy_p", "optimization_barrier", "pvary", "name", "reduce_precision", "sharding_constraint"}


@dataclass(eq=False)
class Node:
    """One step of the backward, after ``torch.autograd.graph.Node``.

    Nodes are compared by identity: an array that is used twice has one node, which appears twice among
    ``next_functions``.

    Attributes:
        name: torch's name, ``type(grad_fn).__name__``.
        next_functions: for every operand the node that made it and which of its outputs it was; None where nothing is
            differentiated.
        shape: shape of the (first) output, which the incoming gradient has.
        dtype: its dtype.
        saved: what the node keeps from the forward.
        variable: the leaf's name, for AccumulateGrad.
        operation: JAX's primitives behind the node.
        scope: ``jax.named_scope`` of the call.
        where: ``file:line (function)`` of the call.
        note: what to know where JAX's operation and torch's do not correspond one to one.

    >>> node = Node("SumBackward0", ((Node("AccumulateGrad", variable="w"), 0),))
    >>> node, node.next_functions
    (<SumBackward0>, ((<AccumulateGrad>, 0),))
    """

    name: str
    next_functions: tuple[tuple["Node | None", int], ...] = ()
    shape: tuple[int, ...] = ()
    dtype: np.dtype | None = None
    saved: tuple[SavedTensor, ...] = ()
    variable: str | None = None
    operation: str = ""
    scope: str = ""
    where: str = ""
    note: str | None = None

    def __repr__(self) -> str:
        return f"<{self.name}>"


Value = tuple[Node, int] | None
"""The node behind a variable and which output of it; None for what is not differentiated."""


@dataclass
class Walk:
    """A walk through a jaxpr and everything it calls."""

    unroll: int
    """Scans of at most so many steps are unrolled."""
    where: str = ""
    """The line that called the JAX function which the walk is in."""

    def through(self, jaxpr: Jaxpr, inputs: Sequence[Value]) -> list[Value]:
        """The values of the outputs, given those of the inputs."""
        known: dict[Any, Value] = dict(zip(jaxpr.invars, inputs, strict=True))
        position = 0
        while position < len(jaxpr.eqns):
            region, name = _region(jaxpr.eqns, position)
            if name is not None:
                first, *rest = (name,) if isinstance(name, str) else name
                self._one_node(jaxpr, region, position, first, known)
                for further in rest:
                    out = region[-1].outvars[0]
                    known[out] = known.get(out) and self._plain(further, [known[out]], region[-1])
            else:
                self._equation(jaxpr, position, known)
            position += len(region)
        return [_read(known, atom) for atom in jaxpr.outvars]

    def _equation(self, jaxpr: Jaxpr, position: int, known: dict[Any, Value]) -> None:
        eqn = jaxpr.eqns[position]
        primitive = eqn.primitive.name
        values = [_read(known, atom) for atom in eqn.invars]
        if not any(values) or primitive in _CUT:
            return
        body = _body(eqn)
        if body is not None:
            known.update(zip(eqn.outvars, self._inside(body, values, eqn), strict=True))
        elif primitive == "scan" and eqn.params["length"] <= self.unroll:
            known.update(zip(eqn.outvars, self._unrolled(eqn, values), strict=True))
        elif primitive in _TRANSPARENT:
            known.update(zip(eqn.outvars, values, strict=False))
        elif primitive in ("broadcast_in_dim", "convert_element_type") and _implicit(jaxpr.eqns, position):
            known[eqn.outvars[0]] = values[0]
        elif primitive == "dot_general":
            known[eqn.outvars[0]] = self._product(jaxpr, [eqn], eqn, known)
        elif primitive == "div" and isinstance(eqn.invars[0], Literal):
            reciprocal = self._plain("ReciprocalBackward0", [values[1]], eqn)
            known[eqn.outvars[0]] = self._plain("MulBackward0", [reciprocal, None], eqn)
        else:
            name, note = names.primitive_name(eqn)
            if primitive == "custom_vjp_call":
                name, note = "CustomVjpBackward", "a jax.custom_vjp; torch names an autograd.Function by its class"
            self._one_node(jaxpr, [eqn], position, name, known, note)

    def _inside(self, body: Jaxpr, values: Sequence[Value], call: JaxprEqn) -> list[Value]:
        """A call entered; what JAX's own functions do inside was done by the line that called them."""
        outer, self.where = self.where, self.where or (line(call) if is_of_jax(body) else "")
        try:
            return self.through(body, values)
        finally:
            self.where = outer

    def _one_node(
        self,
        jaxpr: Jaxpr,
        region: Sequence[JaxprEqn],
        position: int,
        name: str,
        known: dict[Any, Value],
        note: str | None = None,
    ) -> None:
        inside = {var for eqn in region for var in eqn.outvars}
        operands = [atom for eqn in region for atom in eqn.invars if atom not in _Within(inside)]
        if len(region) > 1:  # constants of a composite are its own affair
            operands = list(dict.fromkeys(atom for atom in operands if not isinstance(atom, Literal)))
        values = [_read(known, atom) for atom in operands]
        if not any(values):
            return
        dot = next((eqn for eqn in region if eqn.primitive.name == "dot_general"), None)
        if name in ("AddmmBackward0", "MmBackward0") and dot is not None and len(operands) <= 3:
            known[region[-1].outvars[0]] = self._product(jaxpr, region, dot, known)
            return
        later = [atom for eqn in jaxpr.eqns[position + len(region) :] for atom in eqn.invars] + list(jaxpr.outvars)
        outputs = [var for eqn in region for var in eqn.outvars if var in _Within(later)]
        saved = self._saved(jaxpr, region, outputs, known)
        node = self._add(name, values, outputs or region[-1].outvars, region, saved, note)
        kept = [var for var in outputs if _is_inexact(var)]
        known.update({var: (node, i) for i, var in enumerate(kept)})

    def _product(self, jaxpr: Jaxpr, region: Sequence[JaxprEqn], dot: JaxprEqn, known: dict[Any, Value]) -> Value:
        """A matrix product, alone or in a linear layer, as torch's chain of nodes around one kernel."""
        makers = {var: eqn for eqn in region for var in eqn.outvars}
        left, right = (_source(atom, makers) for atom in dot.invars)
        read = dict.fromkeys(a for eqn in region for a in eqn.invars if not isinstance(a, Literal) and a not in makers)
        bias = [_read(known, atom) for atom in read if atom is not left and atom is not right]
        plan = names.product(dot, with_bias=bool(bias), transposed=right is not dot.invars[1])
        left_value = self._chain(plan.left, _read(known, left), left.aval.shape, dot)
        right_value = self._chain(plan.right, _read(known, right), right.aval.shape, dot)
        saved = self._saved(jaxpr, region, [region[-1].outvars[0]], known)
        node = self._add(plan.kernel, [*bias, left_value, right_value], region[-1].outvars, region, saved, plan.note)
        value: Value = (node, 0)
        for name in plan.after:
            value = self._plain(name, [value], region[-1])
            node.shape = _matrix(node.shape)
        return value

    def _chain(self, chain: Sequence[str], value: Value, shape: tuple[int, ...], eqn: JaxprEqn) -> Value:
        """What torch does to an operand before the kernel."""
        for name in chain:
            if value is not None:
                shape = shape[::-1] if name == "TBackward0" else shape if name == "ExpandBackward0" else _matrix(shape)
                value = self._plain(name, [value], eqn)
                value[0].shape = shape
        return value

    def _plain(self, name: str, values: Sequence[Value], eqn: JaxprEqn) -> tuple[Node, int]:
        """A node that torch has and JAX does not; what it keeps is counted with the equation's own node."""
        return (self._add(name, values, eqn.outvars, [eqn], (), None), 0)

    def _add(
        self,
        name: str,
        values: Sequence[Value],
        outputs: Sequence[Any],
        region: Sequence[JaxprEqn],
        saved: tuple[SavedTensor, ...],
        note: str | None,
    ) -> Node:
        return Node(
            name=name,
            next_functions=tuple((None, 0) if value is None else value for value in values),
            shape=outputs[0].aval.shape,
            dtype=getattr(outputs[0].aval, "dtype", None),
            saved=saved,
            operation=" ".join(eqn.primitive.name for eqn in region),
            scope=scope(region[0]),
            where=self.where or line(region[0]),
            note=note,
        )

    def _saved(
        self, jaxpr: Jaxpr, region: Sequence[JaxprEqn], outputs: Sequence[Any], known: dict[Any, Value]
    ) -> tuple[SavedTensor, ...]:
        inside = {var for eqn in region for var in eqn.outvars}
        atoms = [a for eqn in region for a in eqn.invars if not isinstance(a, Literal) and a not in inside]
        inputs = list(dict.fromkeys(atoms))
        differentiable = [_read(known, var) is not None for var in inputs]
        return saved_tensors(region, inputs, outputs, differentiable, jaxpr) if any(differentiable) else ()

    def _unrolled(self, eqn: JaxprEqn, values: Sequence[Value]) -> list[Value]:
        body, (consts, carry, xs) = body_of(eqn).jaxpr, scan_parts(eqn, values)
        n_carry = len(carry)
        stacked: list[list[Value]] = [[] for _ in body.outvars[n_carry:]]
        for _ in range(eqn.params["length"]):
            slices = [x and self._plain("SelectBackward0", [x], eqn) for x in xs]
            results = self.through(body, [*consts, *carry, *slices])
            carry = results[:n_carry]
            for column, each in zip(stacked, results[n_carry:], strict=True):
                column.append(each)
        if eqn.params["reverse"]:
            stacked = [column[::-1] for column in stacked]
        return carry + [self._plain("StackBackward0", each, eqn) if any(each) else None for each in stacked]


class _Within:
    """Membership among atoms, of which literals cannot be hashed."""

    def __init__(self, atoms: Any) -> None:
        self.vars = {atom for atom in atoms if not isinstance(atom, Literal)}

    def __contains__(self, atom: Any) -> bool:
        return not isinstance(atom, Literal) and atom in self.vars


def _read(known: dict[Any, Value], atom: Any) -> Value:
    return None if isinstance(atom, Literal) else known.get(atom)


def _is_inexact(var: Any) -> bool:
    return jnp.issubdtype(getattr(var.aval, "dtype", jnp.int32), jnp.inexact)


def _region(eqns: Sequence[JaxprEqn], start: int) -> tuple[Sequence[JaxprEqn], str | tuple[str, ...] | None]:
    """The equations from ``start`` on that are one torch operation, and its name; one and None otherwise."""
    key = operation_of(eqns[start])
    if key is None:
        return eqns[start : start + 1], None
    end = start + 1
    while end < len(eqns) and operation_of(eqns[end]) == key:
        end += 1
    region = eqns[start : start + _period([(eqn.primitive, origin(eqn).frames) for eqn in eqns[start:end]])]
    kind, name, _ = key
    return region, name if kind == "mark" else names.function_name(name, region)


def _period(run: Sequence[Any]) -> int:
    """The length of one call in a run that one line made, perhaps several times in a loop."""
    lengths = (n for n in range(1, len(run) + 1) if len(run) % n == 0)
    return next(n for n in lengths if all(run[i] == run[i - n] for i in range(n, len(run))))


def operation_of(eqn: JaxprEqn) -> tuple[str, str, Any] | None:
    """What an equation is part of: a marked operation or a JAX function, and the call it belongs to."""
    marked, found = mark(eqn), origin(eqn)
    if marked is not None:
        return "mark", marked, found.marked_from if found.marked_from != found.frames else None
    function = next((name for name in found.jax_functions if name in names.FUNCTIONS), None)
    if function is not None:
        return "function", function, found.caller
    body = _body(eqn)
    if body is not None and is_of_jax(body) and body.debug_info.func_name in names.FUNCTIONS:
        return "function", body.debug_info.func_name, eqn
    return None


def _body(eqn: JaxprEqn) -> Jaxpr | None:
    """The jaxpr that an equation calls and that is entered."""
    entered = kind_of(eqn) in _ENTERED or eqn.primitive.name == "custom_jvp_call"  # most of JAX's own are of this kind
    return body_of(eqn).jaxpr if entered else None


def _implicit(eqns: Sequence[JaxprEqn], position: int) -> bool:
    """Whether a broadcast or conversion was made by the operation that uses it, so that torch has no node for it."""
    eqn = eqns[position]
    if eqn.primitive.name == "convert_element_type":
        operand: Any = eqn.invars[0].aval
        return bool(operand.dtype == eqn.params["new_dtype"])
    site = origin(eqn).caller
    users = [other for other in eqns[position + 1 :] if eqn.outvars[0] in _Within(other.invars)]
    return bool(site) and any(origin(user).caller == site for user in users)


def _matrix(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape in which a kernel for matrices sees an array."""
    return (int(np.prod(shape[:-1])), shape[-1])


def _source(atom: Any, makers: dict[Any, JaxprEqn]) -> Any:
    """The operand behind an atom of a region, through the region's own transpositions."""
    while not isinstance(atom, Literal) and atom in makers:
        atom = makers[atom].invars[0]
    return atom
