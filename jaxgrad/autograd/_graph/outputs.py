"""Which output of a backward function is not a number: torch counts them, a jaxpr has only equations.

What a backward function of torch returns are the gradients of its operands, in their order. The equations of one
operation's forward are known, and so are those of its backward, which come one after the other; the pull-back of the
first, run once more, tells which of the second is the gradient of which operand.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._jaxpr.evaluate import alone
from jaxgrad._jaxpr.origin import Frames, mark, origin
from jaxgrad._jaxpr.unstable import JaxprEqn, Literal
from jaxgrad.autograd._function.call import output_of_rule


def call_of(eqn: JaxprEqn) -> Frames:
    """The call that an equation belongs to: of a marked operation, or else of a JAX function.

    What the rule of a ``Function`` does has frames of the rule alone; there it is the mark.
    """
    found, marked = origin(eqn), mark(eqn)
    if found.marked_from != found.frames:
        return found.marked_from
    return found.caller if marked is None else ((marked, 0),)


class Outputs:
    """What went through the equations of every call in the forward, and of the last one in the backward."""

    def __init__(self) -> None:
        self.forward: dict[Frames, dict[int, tuple[JaxprEqn, list[Any]]]] = {}
        self.call: Frames = ()
        self.operands: list[Any] = []
        self.results: list[Any] = []
        self.of_rule: list[tuple[int, Any]] = []
        """What the rule of a ``Function`` returned, with the number that it has there."""

    def note_forward(self, eqn: JaxprEqn, operands: list[Any]) -> None:
        """An equation of the forward is about to be done; of a loop's the last round counts."""
        self.forward.setdefault(call_of(eqn), {})[id(eqn)] = (eqn, operands)

    def note_backward(self, eqn: JaxprEqn, operands: list[Any], results: Sequence[Any]) -> None:
        """An equation of the backward was done."""
        call = call_of(eqn)
        if call != self.call:
            self.call, self.operands, self.results, self.of_rule = call, [], [], []
        number = output_of_rule(eqn)
        if number is not None:
            self.of_rule.append((number, results[0]))
        self.operands += operands
        self.results += results

    def index(self, name: str, is_wrong: Callable[[Any], bool]) -> int:
        """The first output of the backward function of the last call that is wrong; 0 where that cannot be told."""
        returned = [i for i, result in self.of_rule if is_wrong(result)]
        if returned:
            return min(returned)
        group = list(self.forward.get(self.call, {}).values())
        wrong = [result for result in self.results if is_wrong(result)]
        try:
            for grads in _gradients(group, name, self.operands):
                found = [i for i, grad in grads.items() if any(_same(grad, each) for each in wrong)]
                if found:
                    return min(found)
        except Exception:  # to count must not be what fails; the operation is known in any case
            return 0
        return 0


Group: TypeAlias = list[tuple[JaxprEqn, list[Any]]]
"""The equations of one call in the forward, with the values of their operands."""


def _gradients(group: Group, name: str, candidates: list[Any]) -> Iterator[dict[int, Any]]:
    """The gradients of the operands, by their positions among torch's.

    For every result of the group (some are kept for the backward alone) and all that may be its gradient.
    """
    made = [var for eqn, _ in group for var in eqn.outvars]
    values = {
        atom: value
        for eqn, operands in group
        for atom, value in zip(eqn.invars, operands, strict=True)
        if not isinstance(atom, Literal) and atom not in made
    }
    operands = [atom for atom in _in_torchs_order(group, name) if atom in values and _is_inexact(atom)]
    cotangents = [each for each in candidates if not any(each is value for value in values.values())]

    def run(*given: Any) -> list[Any]:
        env = values | dict(zip(operands, given, strict=True))
        for eqn, _ in group:
            read = [atom.val if isinstance(atom, Literal) else env[atom] for atom in eqn.invars]
            env.update(zip(eqn.outvars, alone(eqn, read), strict=True))
        return [env[var] for var in made]

    for k, var in enumerate(made):
        aval: Any = var.aval
        fitting = [each for each in cotangents if np.shape(each) == aval.shape and _dtype(each) == aval.dtype]
        if _is_inexact(var) and fitting:
            _, pull_back = jax.vjp(lambda *given, k=k: run(*given)[k], *[values[atom] for atom in operands])
            for cotangent in fitting:
                yield dict(enumerate(pull_back(jnp.asarray(cotangent))))


def _in_torchs_order(group: Group, name: str) -> list[Any]:
    """The variables that the equations read, once each."""
    read: list[Any] = []
    for eqn, _ in group:
        atoms = eqn.invars[:0:-1] if eqn.primitive.name == "select_n" else eqn.invars
        read += [atom for atom in atoms if not isinstance(atom, Literal)]
    if name == "AddmmBackward0":  # the bias is its first operand
        factors = {atom for eqn, _ in group if eqn.primitive.name == "dot_general" for atom in eqn.invars}
        read.sort(key=lambda atom: atom in factors)
    return list(dict.fromkeys(read))


def _is_inexact(var: Any) -> bool:
    return jnp.issubdtype(var.aval.dtype, jnp.inexact)


def _dtype(value: Any) -> Any:
    return getattr(value, "dtype", None)


def _same(a: Any, b: Any) -> bool:
    return np.shape(a) == np.shape(b) and bool(np.array_equal(np.asarray(a), np.asarray(b), equal_nan=True))
