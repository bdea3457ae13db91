"""A script as its rules see it: the tree, what each name stands for, loops and functions; nothing is run."""

import ast
import re
from collections.abc import Iterator, Set
from functools import cached_property
from typing import Any

_SILENCE = re.compile(r"#\s*jaxgrad:\s*ok\b\s*([\w\s,-]*)")
_EPOCHS = re.compile(r"(^|_)epochs?$", re.IGNORECASE)
_SAME_PLACE = ("optax.schedules.", "optax.losses.", "optax.transforms.")
_GRADIENTS = {
    *(f"jax.{name}" for name in ("grad", "value_and_grad", "vjp", "jacrev", "jacfwd", "hessian", "linearize")),
    *(f"equinox.filter_{name}" for name in ("grad", "value_and_grad", "vjp")),
    *(f"flax.nnx.{name}" for name in ("grad", "value_and_grad", "vjp")),
}
_STARRED = {
    "torch.optim": "SGD Adam AdamW RMSprop Adagrad Adadelta Adamax NAdam RAdam ASGD Rprop LBFGS Adafactor Muon",
    "torch.optim.lr_scheduler": "LambdaLR StepLR MultiStepLR ConstantLR LinearLR ExponentialLR PolynomialLR "
    "CosineAnnealingLR CosineAnnealingWarmRestarts CyclicLR OneCycleLR SequentialLR ChainedScheduler ReduceLROnPlateau",
}
"""What ``from ... import *`` brings that the rules ask for."""

_MODULES = {"flax.linen.Module", "flax.nnx.Module", "equinox.Module"}
UNKNOWN = object()
"""Stands for a value that only a run would show."""

Function = ast.FunctionDef | ast.AsyncFunctionDef
Loop = ast.For | ast.AsyncFor | ast.While


class Script:
    """The source of a script, parsed.

    Args:
        source: its text.

    Raises:
        SyntaxError: it is no Python.

    >>> script = Script("import jax.numpy as jnp\\ny = jnp.std(x, ddof=1)")
    >>> [(script.address(call.func), call.lineno) for call in script.calls]
    [('jax.numpy.std', 2)]
    """

    def __init__(self, source: str):
        self.tree = ast.parse(source)
        self.source = source
        self.lines = source.splitlines()
        self.nodes = list(ast.walk(self.tree))
        self.parents = {child: node for node in self.nodes for child in ast.iter_child_nodes(node)}

    @cached_property
    def calls(self) -> list[ast.Call]:
        """Every call, in the order of the lines."""
        return sorted((node for node in self.nodes if isinstance(node, ast.Call)), key=lambda call: call.lineno)

    @cached_property
    def imports(self) -> dict[str, str]:
        """Local name -> what it was imported from."""
        found: dict[str, str] = {}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for name, asname in ((alias.name, alias.asname) for alias in node.names):
                    found[asname or name.split(".")[0]] = name if asname else name.split(".")[0]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                starred = _STARRED.get(node.module, "").split() if node.names[0].name == "*" else []
                found |= {name: f"{node.module}.{name}" for name in starred}
                found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        return found

    @cached_property
    def assigned(self) -> dict[str, list[ast.expr]]:
        """Name (or ``self.name``) -> all that is assigned to it anywhere."""
        found: dict[str, list[ast.expr]] = {}
        for node in self.nodes:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            value = getattr(node, "value", None)
            if not isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) or value is None:
                continue
            for target in targets:
                if isinstance(target, ast.Name | ast.Attribute):
                    found.setdefault(ast.unparse(target), []).append(value)
        return found

    @cached_property
    def rebound(self) -> set[str]:
        """Names that get a value otherwise: arguments, loop variables, unpacking, augmented assignment."""
        found = {node.arg for node in self.nodes if isinstance(node, ast.arg)}
        for node in self.nodes:
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                parent = self.parents[node]
                if not (isinstance(parent, ast.Assign | ast.AnnAssign | ast.NamedExpr) and node in _targets(parent)):
                    found.add(node.id)
        return found

    def address(self, node: ast.AST | None, through: Set[str] = frozenset()) -> str:
        """The full address of what an expression names; '' if it is nothing imported.

        Args:
            node: a name, or a name with attributes.
            through: names that were followed to get here, lest two that stand for each other be followed for ever.
        """
        if isinstance(node, ast.Name):
            if node.id in self.imports:
                return _plain(self.imports[node.id])
            values = self.assigned.get(node.id, [])
            one = values[0] if len(values) == 1 and node.id not in self.rebound and node.id not in through else None
            return self.address(one, {*through, node.id}) if isinstance(one, ast.Attribute | ast.Name) else ""
        if isinstance(node, ast.Attribute):
            base = self.address(node.value, through)
            return _plain(f"{base}.{node.attr}") if base else ""
        return ""

    def made_by(self, node: ast.AST) -> set[str]:
        """The addresses of the calls whose result a name holds."""
        values = self.assigned.get(ast.unparse(node), []) if isinstance(node, ast.Name | ast.Attribute) else [node]
        return {self.address(value.func) for value in values if isinstance(value, ast.Call)} - {""}

    def value(self, node: ast.AST | None) -> Any:
        """The value of a literal, or of a name that is assigned one literal; ``UNKNOWN`` otherwise."""
        if isinstance(node, ast.Name) and node.id not in self.rebound:
            values = self.assigned.get(node.id, [])
            node = values[0] if len(values) == 1 else node
        try:
            return ast.literal_eval(node)  # type: ignore[arg-type]
        except (ValueError, TypeError, SyntaxError):
            return UNKNOWN

    @cached_property
    def functions(self) -> dict[str, Function]:
        """Every function and method by its own name."""
        return {node.name: node for node in self.nodes if isinstance(node, Function)}

    @cached_property
    def differentiated(self) -> set[ast.AST]:
        """All nodes of functions that the script differentiates, of what they call by name, and of its modules."""
        names: set[str] = set()
        roots: list[ast.AST] = []
        for node in self.nodes:
            if isinstance(node, ast.Call) and self.address(node.func) in _GRADIENTS and node.args:
                if isinstance(node.args[0], ast.Name):
                    names.add(node.args[0].id)
                roots.append(node.args[0])
            if isinstance(node, Function) and any(
                self.address(getattr(each, "func", each)) in _GRADIENTS for each in node.decorator_list
            ):
                names.add(node.name)
            if isinstance(node, ast.ClassDef) and any(self.address(base) in _MODULES for base in node.bases):
                roots.append(node)
        roots += [self.functions[name] for name in names if name in self.functions]
        return set(self.reached(roots))

    def reached(self, roots: list[ast.AST]) -> Iterator[ast.AST]:
        """All nodes below these, and in the script's functions that are called or handed on by name below them."""
        seen: set[ast.AST] = set()
        while roots:
            root = roots.pop()
            if root in seen:
                continue
            seen.add(root)
            for node in ast.walk(root):
                yield node
                if isinstance(node, ast.Call):
                    named = [node.func, *node.args]
                    called = [each.id if isinstance(each, ast.Name) else getattr(each, "attr", "") for each in named]
                    own = isinstance(node.func, ast.Name) or ast.unparse(node.func).startswith("self.")
                    roots += [self.functions[name] for name in called if name in self.functions and own]

    def around(self, node: ast.AST, kinds: Any) -> ast.AST | None:
        """The nearest node around it that is one of these kinds."""
        while (node := self.parents.get(node)) is not None:  # type: ignore[assignment]
            if isinstance(node, kinds):
                return node
        return None

    def line(self, number: int) -> str:
        """A line as it is written, without its indentation; '' where there is none."""
        return self.lines[number - 1].strip() if 0 < number <= len(self.lines) else ""

    def silenced(self, line: int, code: str) -> bool:
        """Whether a comment ``# jaxgrad: ok CODE`` (or without a code) on the line says that it is meant so."""
        found = _SILENCE.search(self.line(line))
        return found is not None and (not found[1].strip() or code in re.split(r"[\s,]+", found[1]))


def argument(call: ast.Call, name: str, order: tuple[str, ...] = ()) -> ast.expr | None:
    """An argument of a call by its name, wherever it stands; None if it is not there."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    at = order.index(name) if name in order else len(call.args)
    return call.args[at] if at < len(call.args) else None


def is_epochs(node: ast.AST | None) -> bool:
    """Whether an expression is a number of epochs by its name: ``num_epochs``, ``args.epochs``."""
    last = node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")
    return _EPOCHS.search(last) is not None


def opaque(call: ast.Call) -> bool:
    """Whether arguments come in that cannot be seen: ``*args`` or ``**kwargs``."""
    return any(isinstance(each, ast.Starred) for each in call.args) or any(k.arg is None for k in call.keywords)


def _targets(node: ast.AST) -> list[ast.AST]:
    return list(node.targets) if isinstance(node, ast.Assign) else [node.target]  # type: ignore[attr-defined]


def _plain(address: str) -> str:
    """optax's sub-packages offer what optax itself does."""
    for place in _SAME_PLACE:
        if address.startswith(place):
            return f"optax.{address.removeprefix(place)}"
    return address
