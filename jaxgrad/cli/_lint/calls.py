"""What a call of optax, JAX, flax or equinox shows by itself: the table of differences, applied to every call."""

import ast
from collections.abc import Iterator

from jaxgrad.cli._differences import DIFFERENCES, ORDER, Difference, When
from jaxgrad.cli._lint.finding import Finding
from jaxgrad.cli._lint.script import UNKNOWN, Script, argument, opaque

_BY_ADDRESS: dict[str, list[Difference]] = {}
for _each in DIFFERENCES:
    for _other in _each.others if _each.when is not None else ():
        _BY_ADDRESS.setdefault(_other, []).append(_each)

_WRAPPERS = frozenset({"optax.inject_hyperparams", "optax.inject_stateful_hyperparams"})

_HANDED_ON = frozenset({"jax.nn.gelu", "flax.linen.gelu", "flax.nnx.gelu"})
"""Functions that are handed on as they are (``activation=nn.gelu``), and then called with one argument."""


def find(script: Script) -> Iterator[Finding]:
    """Every call, and every function that is handed on, that the table speaks of."""
    for written in script.calls:
        address, call = _called(script, written)
        for each in _BY_ADDRESS.get(address, ()):
            if each.differentiated and written not in script.differentiated:
                continue
            if all(matches(script, condition, call, ORDER.get(address, ())) for condition in each.when or ()):
                yield _finding(each, address, call.lineno)
    for node in script.nodes:
        if isinstance(node, ast.Name | ast.Attribute) and _is_handed_on(script, node):
            address = script.address(node)
            for each in _BY_ADDRESS[address]:
                yield _finding(each, address, node.lineno)


def matches(script: Script, condition: When, call: ast.Call, order: tuple[str, ...]) -> bool:
    """Whether one condition holds for a call, as far as the text shows.

    >>> script = Script("f(momentum=0.1)")
    >>> matches(script, When("is", "momentum", (0.1,)), script.calls[0], ())
    True
    """
    node = argument(call, condition.argument, order)
    value = script.value(node)
    if condition.kind == "absent":
        return (value in condition.values) if node is not None and value is not UNKNOWN else _is_absent(call, node)
    if node is None:
        return False
    if condition.kind == "is":
        return value is not UNKNOWN and value in condition.values
    if condition.kind == "given":
        return value is UNKNOWN or (value is not None and value not in condition.values)
    return _varies(script, node)


def _is_absent(call: ast.Call, node: ast.expr | None) -> bool:
    return node is None and not opaque(call)


def _varies(script: Script, node: ast.expr) -> bool:
    """Whether a learning rate is a schedule: made by one of optax's, or a function."""
    made = script.made_by(node)
    if isinstance(node, ast.Lambda) or (isinstance(node, ast.Name) and node.id in script.functions):
        return True
    return any(address.startswith("optax.") and is_schedule(address) for address in made)


def is_schedule(address: str) -> bool:
    """Whether an address of optax makes a schedule.

    >>> is_schedule("optax.cosine_decay_schedule"), is_schedule("optax.exponential_decay"), is_schedule("optax.adam")
    (True, True, False)
    """
    return address.startswith("optax.") and (
        address.endswith(("_schedule", "_schedules")) or address == "optax.exponential_decay"
    )


def _called(script: Script, call: ast.Call) -> tuple[str, ast.Call]:
    """What is called with which arguments; ``partial(f, ...)`` and ``inject_hyperparams(f)(...)`` are calls of f."""
    address = script.address(call.func)
    if isinstance(call.func, ast.Call) and script.address(call.func.func) in _WRAPPERS and call.func.args:
        inner = ast.copy_location(ast.Call(call.func.args[0], call.args, call.keywords), call)
        return script.address(call.func.args[0]), inner
    if address == "functools.partial" and call.args:
        inner = ast.copy_location(ast.Call(call.args[0], call.args[1:], call.keywords), call)
        return script.address(call.args[0]), inner
    return address, call


def _is_handed_on(script: Script, node: ast.expr) -> bool:
    if script.address(node) not in _HANDED_ON or not isinstance(getattr(node, "ctx", None), ast.Load):
        return False
    parent = script.parents[node]
    if isinstance(parent, ast.Attribute) or (isinstance(parent, ast.Assign) and parent.value is node):
        return False  # part of a longer name; or a new name of it, whose calls are seen
    if isinstance(parent, ast.Call):
        return parent.func is not node and script.address(parent.func) != "functools.partial"
    return True


def _finding(each: Difference, address: str, line: int) -> Finding:
    return Finding(line, each.code, f"{address} {each.says}", each.effect, each.fix, each.trap)
