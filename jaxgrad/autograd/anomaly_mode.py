"""``detect_anomaly``: which operation first gave NaN, in forward or backward, and the line that called it.

torch's anomaly mode is a global switch that makes every backward function look at its result. Here it is a wrapper:
the function (usually one that returns gradients) is traced and its jaxpr is evaluated one equation after the other;
the first one that turns clean operands into NaN is reported under torch's name, with its scope and with the line of
the forward call. Loops, branches and calls are entered. It is as slow as that sounds: a tool for the step that went
wrong, not for training.
"""

import functools
import linecache
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.errors import explain, is_traced
from jaxgrad._core.trees import is_tensor, path_name
from jaxgrad._jaxpr.bodies import (
    Body,
    Kind,
    body_of,
    branches_of,
    inner_jaxprs,
    kind_of,
    scan_parts,
    test_of,
    while_parts,
)
from jaxgrad._jaxpr.origin import Frames, is_of_jax, line, origin, scope, transforms
from jaxgrad._jaxpr.unstable import Jaxpr, JaxprEqn, Literal
from jaxgrad.autograd._graph import names as names
from jaxgrad.autograd._graph.outputs import Outputs, call_of
from jaxgrad.autograd._graph.tracing import operation_of

F = TypeVar("F", bound=Callable[..., Any])

_CALLS = {Kind.CALL, Kind.REMAT, Kind.RULE}


def detect_anomaly(fn: F, check_nan: bool = True, *, check_inf: bool = False) -> F:
    """Mirror of ``torch.autograd.detect_anomaly`` as a function transform.

    Differs from torch: no global mode, and NaN is found in the forward as well, where it usually begins. An operation
    whose operands held NaN already is not blamed, in the backward the first one that returns NaN always is: a constant
    or an array that ``fn`` closes over may be where it comes from.

    Args:
        fn: any function of arrays, for example ``jax.value_and_grad(loss_fn)`` or a whole train step.
        check_nan: raise at the first NaN; False only adds operation and line to errors that an operation raises.
        check_inf: also raise where finite operands give an infinity. Off by default, since minus infinity is the usual
            mask in a softmax; torch has no such check.

    Returns:
        A function with the values of ``fn`` that raises on an anomaly.

    Raises:
        RuntimeError: torch's sentence "Function 'LogBackward0' returned nan values in its 0th output." for the
            backward, a like one for the forward; also if it is called inside ``jit``, where there are no numbers.

    >>> def loss(x):
    ...     return (jnp.sqrt(x) * 0).sum()
    >>> detect_anomaly(jax.grad(loss))(jnp.zeros(2))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    RuntimeError: Function 'SqrtBackward0' returned nan values in its 0th output.
      got:      nan in 2 of 2 elements, the first at index (0,)
      operation: sqrt (backward: mul)
      forward call: ...
    """
    if not callable(fn):
        raise TypeError(
            explain(
                "detect_anomaly takes the function to watch; there is no global mode",
                got=repr(fn),
                remedy="detect_anomaly(jax.grad(loss_fn))(params)",
            )
        )

    @functools.wraps(fn)
    def watched(*args: Any, **kwargs: Any) -> Any:
        if is_traced(args, kwargs):
            raise RuntimeError(
                explain(
                    "detect_anomaly looks at numbers, and inside jit, grad or vmap there are none",
                    remedy="put it outside: detect_anomaly(jax.jit(fn)), detect_anomaly(jax.grad(fn))",
                )
            )
        paths, tree = jax.tree_util.tree_flatten_with_path((args, kwargs))
        places = [i for i, (_, leaf) in enumerate(paths) if is_tensor(leaf)]
        values = [jnp.asarray(paths[i][1]) for i in places]
        out_tree: list[Any] = []

        def flat(*arrays: Any) -> list[Any]:
            leaves = [leaf for _, leaf in paths]
            for i, array in zip(places, arrays, strict=True):
                leaves[i] = array
            a, k = jax.tree.unflatten(tree, leaves)
            leaves, structure = jax.tree.flatten(fn(*a, **k))
            out_tree[:] = [structure]
            return leaves

        jaxpr = jax.make_jaxpr(flat)(*values)
        watch = _Watch(check_nan, check_inf, _forward_equations(jaxpr.jaxpr, {}))
        watch.arguments(values, [_argument(paths[i][0]) for i in places])
        outputs = watch.through(jaxpr.jaxpr, jaxpr.consts, values, _Place())
        watch.end(outputs)
        return jax.tree.unflatten(out_tree[0], outputs)

    return watched  # type: ignore[return-value]


@dataclass(frozen=True)
class _Place:
    """Where the evaluation is: calls and loops around the current equation."""

    backward: bool = False
    scope: str = ""
    where: str = ""
    loops: tuple[str, ...] = ()
    within: bool = False
    """Inside of a function of JAX's."""


@dataclass(frozen=True)
class _Found:
    """An operation whose backward gave an anomaly, which is to be reported with the number of the output."""

    call: Frames = ()
    name: str = ""
    report: Callable[[int], str] | None = None


class _Watch:
    """An interpreter of jaxprs that looks at every result."""

    def __init__(self, check_nan: bool, check_inf: bool, forward: dict[Frames, JaxprEqn]) -> None:
        self.check_nan, self.check_inf, self.forward = check_nan, check_inf, forward
        self.outputs_of, self.found = Outputs(), _Found()
        self.from_constant = ""
        """The first NaN that a constant brought into the forward; torch sees it in the backward, if there is one."""

    def arguments(self, values: Sequence[Any], called: Sequence[str]) -> None:
        """An argument that is not clean is where it all began."""
        for value, name in zip(values, called, strict=True):
            kind = self._anomaly(value)
            if kind is not None:
                raise RuntimeError(
                    explain(f"The argument {name} holds {kind} values already", got=_elements(value, kind))
                )

    def end(self, values: Sequence[Any]) -> None:
        """A NaN that a constant brought in and that is still there at the end, no backward having met it."""
        self._raise_found()
        if self.from_constant and any(self._anomaly(value) == "nan" for value in values):
            raise RuntimeError(self.from_constant)

    def through(self, jaxpr: Jaxpr, consts: Sequence[Any], values: Sequence[Any], place: _Place) -> list[Any]:
        """Evaluate a jaxpr."""
        known: dict[Any, Any] = dict(zip(jaxpr.constvars, consts, strict=True))
        known.update(zip(jaxpr.invars, values, strict=True))

        def read(atom: Any) -> Any:
            return atom.val if isinstance(atom, Literal) else known[atom]

        for eqn in jaxpr.eqns:
            operands = [read(atom) for atom in eqn.invars]
            known.update(zip(eqn.outvars, self._equation(eqn, operands, place), strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def _equation(self, eqn: JaxprEqn, operands: list[Any], place: _Place) -> list[Any]:
        place = replace(
            place,
            backward=place.backward or "transpose" in transforms(eqn),
            scope="/".join(each for each in (place.scope, scope(eqn)) if each),
        )
        kind = kind_of(eqn)
        if not place.backward and not place.within:
            self.outputs_of.note_forward(eqn, operands)
        if kind in _CALLS:
            return self._call(eqn, body_of(eqn), operands, place)
        if kind is Kind.SCAN:
            return self._scan(eqn, operands, place)
        if kind is Kind.WHILE:
            return self._while(eqn, operands, place)
        if kind is Kind.BRANCHES:
            return self._call(eqn, branches_of(eqn)[int(operands[0])], operands[1:], place)
        if self.found.report and call_of(eqn) != self.found.call:
            self._raise_found()
        results = self._bind(eqn, operands, place)
        if place.backward:
            self.outputs_of.note_backward(eqn, operands, results)
        for i, result in enumerate(results):
            anomaly = self._anomaly(result)
            if anomaly is None:
                continue
            # in the backward a NaN of an operand's is from a constant, or else it would have been raised before
            if all(self._anomaly(operand) is None for operand in operands) or (anomaly == "nan" and place.backward):
                self._note(eqn, i, result, anomaly, place)
            elif anomaly == "nan" and not self.from_constant:
                self.from_constant = self._report(eqn, i, result, anomaly, place)
        return results

    def _note(self, eqn: JaxprEqn, index: int, result: Any, kind: str, place: _Place) -> None:
        """Raise; in the backward only when the operation is done with, since then all its outputs are known."""
        if not place.backward:
            raise RuntimeError(self._report(eqn, index, result, kind, place))
        if not self.found.report:
            report = partial(self._report, eqn, result=result, kind=kind, place=place)
            self.found = _Found(call_of(eqn), self._name(eqn)[0], report)

    def _raise_found(self) -> None:
        if self.found.report:
            index = self.outputs_of.index(self.found.name, lambda value: self._anomaly(value) is not None)
            raise RuntimeError(self.found.report(index))

    def _bind(self, eqn: JaxprEqn, operands: list[Any], place: _Place) -> list[Any]:
        try:
            with eqn.ctx.manager:
                result = eqn.primitive.bind(*operands, **eqn.primitive.get_bind_params(eqn.params))
                return list(result) if eqn.primitive.multiple_results else [result]
        except Exception as error:
            error.add_note(f"Error detected in {self._name(eqn)[0]}.\n{self._origin(eqn, place)}")
            raise

    def _call(self, eqn: JaxprEqn, body: Body, operands: Sequence[Any], place: _Place) -> list[Any]:
        jaxpr, consts = body
        if is_of_jax(jaxpr):
            place = replace(place, where=place.where or line(eqn), within=True)
        return self.through(jaxpr, consts, operands, place)

    def _scan(self, eqn: JaxprEqn, operands: list[Any], place: _Place) -> list[Any]:
        jaxpr, closed = body_of(eqn)
        consts, carry, xs = scan_parts(eqn, operands)
        n_carry, length = len(carry), eqn.params["length"]
        columns: list[list[Any]] = [[] for _ in jaxpr.outvars[n_carry:]]
        for i in range(length)[::-1] if eqn.params["reverse"] else range(length):
            here = replace(place, loops=(*place.loops, f"step {i} of {length}"))
            results = self.through(jaxpr, closed, [*consts, *carry, *(x[i] for x in xs)], here)
            carry = results[:n_carry]
            for column, each in zip(columns, results[n_carry:], strict=True):
                column.append(each)
        stacked = [
            jnp.stack(column[::-1] if eqn.params["reverse"] else column)
            if column
            else jnp.zeros(getattr(var.aval, "shape", ()), getattr(var.aval, "dtype", None))
            for column, var in zip(columns, eqn.outvars[n_carry:], strict=True)
        ]
        return carry + stacked

    def _while(self, eqn: JaxprEqn, operands: list[Any], place: _Place) -> list[Any]:
        of_test, of_body, carry = while_parts(eqn, operands)
        test, body, step = test_of(eqn), body_of(eqn), 0
        while self.through(*test, [*of_test, *carry], place)[0]:
            here = replace(place, loops=(*place.loops, f"step {step}"))
            carry = self.through(*body, [*of_body, *carry], here)
            step += 1
        return carry

    def _anomaly(self, value: Any) -> str | None:
        dtype = getattr(value, "dtype", None)
        if dtype is None or not jnp.issubdtype(dtype, jnp.inexact):
            return None
        numbers = np.asarray(value)
        if self.check_nan and np.isnan(numbers).any():
            return "nan"
        return "inf" if self.check_inf and np.isinf(numbers).any() else None

    def _name(self, eqn: JaxprEqn) -> tuple[str, JaxprEqn]:
        """torch's name of the operation that an equation belongs to, and the equation of its forward."""
        forward = self.forward.get(origin(eqn).caller, eqn)
        found = operation_of(forward)
        if found is None and forward.primitive.name == "dot_general":
            return names.product(forward).kernel, forward
        if found is None:
            return names.primitive_name(forward)[0], forward
        kind, name, _ = found
        named = name if kind == "mark" else names.function_name(name, [forward])
        return named if isinstance(named, str) else named[0], forward

    def _report(self, eqn: JaxprEqn, index: int, result: Any, kind: str, place: _Place) -> str:
        name, forward = self._name(eqn)
        word = forward.primitive.name
        if place.backward:
            sentence = f"Function '{name}' returned {kind} values in its {index}th output."
            operation = f"{word} (backward: {eqn.primitive.name})"
        else:
            sentence = f"The forward of '{name}' returned {kind} values in its {index}th output."
            operation = word if word == eqn.primitive.name else f"{word} (as {eqn.primitive.name})"
        lines = [explain(sentence, got=_elements(result, kind)), f"  operation: {operation}"]
        return "\n".join([*lines, self._origin(eqn, place)])

    def _origin(self, eqn: JaxprEqn, place: _Place) -> str:
        where = place.where or line(eqn)
        lines = [f"  scope:    {place.scope}"] if place.scope else []
        lines += [f"  loop:     {', '.join(place.loops)}"] if place.loops else []
        lines.append(f"  forward call: {where or 'unknown'}")
        source = _source(where)
        return "\n".join([*lines, f"    {source}"] if source else lines)


def _forward_equations(jaxpr: Jaxpr, found: dict[Frames, JaxprEqn], backward: bool = False) -> dict[Frames, JaxprEqn]:
    """The first equation of the forward for every line of the program that made any."""
    for eqn in jaxpr.eqns:
        here = backward or "transpose" in transforms(eqn)
        caller = origin(eqn).caller
        if not here and caller:
            found.setdefault(caller, eqn)
        for inner in inner_jaxprs(eqn):
            _forward_equations(inner, found, here)
    return found


def _elements(value: Any, kind: str) -> str:
    numbers = np.asarray(value)
    wrong = np.isnan(numbers) if kind == "nan" else np.isinf(numbers)
    first = tuple(int(i) for i in np.unravel_index(int(np.argmax(wrong)), wrong.shape))
    at = f", the first at index {first}" if first else ""
    return f"{kind} in {int(wrong.sum())} of {wrong.size} elements{at}"


def _argument(path: Any) -> str:
    """``1.w`` for ``args[1]["w"]``; keyword arguments by their names."""
    return repr(path_name(path[1:]))


def _source(where: str) -> str:
    file, _, rest = where.rpartition(":")
    number = rest.split(" ")[0]
    return linecache.getline(file, int(number)).strip() if number.isdigit() else ""
