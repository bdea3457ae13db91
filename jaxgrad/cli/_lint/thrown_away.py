"""What a step returns and a script does not keep: JAX's values do not change in place, and torch's objects are held."""

import ast
from collections.abc import Iterator

from jaxgrad.cli._lint.finding import Rule
from jaxgrad.cli._lint.jax_rules import OPTIMIZERS
from jaxgrad.cli._lint.script import Function, Loop, Script, argument


def _unpacked(script: Script) -> Iterator[tuple[ast.Call, list[ast.expr]]]:
    """(call, names) of every ``a, b = call(...)``."""
    for node in script.nodes:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and len(node.targets) == 1:
            (target,) = node.targets
            if isinstance(target, ast.Tuple):
                yield node.value, target.elts


def _is_ignored(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id.startswith("_")


def _optimizer_state(script: Script) -> Iterator[ast.AST]:
    """``updates, _ = tx.update(grads, state)`` of something of optax."""
    if "optax" not in script.imports.values() and not any(v.startswith("optax.") for v in script.imports.values()):
        return
    for call, names in _unpacked(script):
        is_update = isinstance(call.func, ast.Attribute) and call.func.attr == "update" and len(call.args) in (2, 3)
        if is_update and len(names) == 2 and _is_ignored(names[1]) and _is_repeated(script, call):
            yield call


def _is_repeated(script: Script, call: ast.Call) -> bool:
    """Whether it is an optimizer's and happens at every step: in a loop, or in a function that is named as a step."""
    if not _is_optimizer(script, call):
        return False
    around = script.around(call, (*Loop.__args__, *Function.__args__))
    return isinstance(around, Loop) or any(w in getattr(around, "name", "") for w in ("step", "train"))


def _is_optimizer(script: Script, call: ast.Call) -> bool:
    """By what made it (a clip alone has no state to keep); where that cannot be seen, by its name."""
    owner = call.func.value if isinstance(call.func, ast.Attribute) else call.func
    if made := script.made_by(owner):
        return bool(made & {*OPTIMIZERS, "optax.chain"})
    return ast.unparse(owner).split(".")[-1].lower().endswith(("tx", "opt", "optim", "optimizer"))


def _running_statistics(script: Script) -> Iterator[ast.AST]:
    """``logits, _ = model.apply(..., mutable=["batch_stats"])``."""
    for call, names in _unpacked(script):
        mutable = argument(call, "mutable")
        is_apply = isinstance(call.func, ast.Attribute) and call.func.attr in ("apply", "apply_fn")
        named = mutable is not None and "batch_stats" in ast.unparse(mutable)
        if is_apply and named and len(names) == 2 and _is_ignored(names[1]):
            yield call


def _layer_after_optimizer(script: Script) -> Iterator[ast.AST]:
    """``model.fc = nn.Linear(...)`` after ``optimizer = SGD(model.parameters())``, in one function."""
    scopes = (*Function.__args__, *Loop.__args__)
    for made in script.calls:
        if not script.address(made.func).startswith("torch.optim.") or not made.args:
            continue
        given, scope = ast.unparse(made.args[0]), script.around(made, scopes)
        for node in script.nodes:
            if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
                continue
            replaced = [each for each in node.targets if isinstance(each, ast.Attribute)]
            later = node.lineno > made.lineno and script.around(node, scopes) is scope
            is_layer = script.address(node.value.func).startswith("torch.nn.")
            if later and is_layer and any(f"{_root(each)}.parameters()" == given for each in replaced):
                yield node


def _root(node: ast.expr) -> str:
    """The name that a chain of attributes begins with."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return ast.unparse(node)


RULES = (
    Rule(
        "state-thrown-away",
        "the new state of the optimizer is not kept: every step is a first step",
        "no momentum and no moments; Adam's steps all have the size of the learning rate",
        "updates, state = tx.update(grads, state, params)",
        _optimizer_state,
    ),
    Rule(
        "statistics-thrown-away",
        "the new running statistics of BatchNorm are not kept; torch's change in place",
        "evaluation normalises with mean 0 and variance 1, as at the start",
        'logits, changed = model.apply(..., mutable=["batch_stats"]), and changed["batch_stats"] into the state',
        _running_statistics,
    ),
    Rule(
        "layer-after-optimizer",
        "a layer is replaced after the optimizer was made, which goes on with the parameters of the old one",
        "the new layer is never trained",
        "replace the layer first, then make the optimizer",
        _layer_after_optimizer,
    ),
)
