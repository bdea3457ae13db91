"""Who is who in a torch script: optimizers, schedulers, loops whose every turn is a step."""

import ast
from collections.abc import Iterator

from jaxgrad.cli._lint.script import Loop, Script

_STEPPED = ("torch.optim.", "torch.amp.GradScaler", "torch.cuda.amp.GradScaler")
SCHEDULERS = "torch.optim.lr_scheduler."


def is_torch(script: Script) -> bool:
    """Whether the script imports torch."""
    return any(name == "torch" or name.startswith("torch.") for name in script.imports.values())


def owner(call: ast.Call) -> ast.expr:
    """The x of ``x.method(...)``."""
    assert isinstance(call.func, ast.Attribute)
    return call.func.value


def methods(script: Script, root: ast.AST, name: str) -> list[ast.Call]:
    """Calls ``x.name(...)`` in a piece of the script and in its functions that are called there; no other library's."""
    calls = (node for node in script.reached([root]) if isinstance(node, ast.Call))
    named = [call for call in calls if getattr(call.func, "attr", "") == name]
    return [call for call in named if not (at := script.address(call.func)) or at.startswith("torch.")]


def is_scheduler(script: Script, call: ast.Call) -> bool:
    """Whether a ``step()`` is that of a scheduler."""
    return any(address.startswith(SCHEDULERS) for address in script.made_by(owner(call)))


def steps(script: Script, root: ast.AST) -> list[ast.Call]:
    """``optimizer.step()`` and ``scaler.step(optimizer)``: every step() that is not a scheduler's or a profiler's."""
    known = [call for call in methods(script, root, "step") if not is_scheduler(script, call)]
    return [call for call in known if is_optimizer(script, call)]


def is_optimizer(script: Script, call: ast.Call) -> bool:
    """By what made it; where that cannot be seen, by its name."""
    if made := script.made_by(owner(call)):
        return any(each.startswith(_STEPPED) for each in made)
    last = ast.unparse(owner(call)).split(".")[-1].lower()
    return last.startswith(("opt", "scaler")) or last.endswith(("optimizer", "opt", "optim"))


def loops(script: Script) -> Iterator[ast.AST]:
    """Loops that step an optimizer in themselves and not only in a loop within: one turn is one step."""
    for node in script.nodes:
        if isinstance(node, Loop) and steps(script, node):
            within = [inner for inner in ast.walk(node) if isinstance(inner, Loop) and inner is not node]
            if not any(steps(script, inner) for inner in within):
                yield node
