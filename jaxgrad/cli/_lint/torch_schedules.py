"""Traps of torch scripts around the learning rate: when its scheduler is stepped, and by what."""

import ast
from collections.abc import Iterator

from jaxgrad.cli._lint.finding import Rule
from jaxgrad.cli._lint.script import Loop, Script, argument, is_epochs
from jaxgrad.cli._lint.torch_script import SCHEDULERS, is_scheduler, methods, owner, steps

_PLATEAU = "torch.optim.lr_scheduler.ReduceLROnPlateau"
_ONE_CYCLE = "torch.optim.lr_scheduler.OneCycleLR"


def _before_step(script: Script) -> Iterator[ast.AST]:
    """``scheduler.step()`` that comes before the first ``optimizer.step()`` of the turn."""
    for node in script.nodes:
        if not isinstance(node, Loop):
            continue
        own = [call for call in methods(script, node, "step") if script.around(call, (*Loop.__args__, ast.If)) is node]
        schedulers = [call for call in own if is_scheduler(script, call)]
        stepped = [_line_in(script, node, step) for step in steps(script, node)] if schedulers else []
        for call in schedulers:
            if stepped and min(stepped) > call.lineno:
                yield call


def _line_in(script: Script, loop: ast.AST, call: ast.Call) -> int:
    """The line of the loop at which a call happens: its own, or that of the function call that leads to it."""
    if call in set(ast.walk(loop)):
        return call.lineno
    for node in ast.walk(loop):
        if isinstance(node, ast.Call) and call in set(script.reached([node])):
            return node.lineno
    return call.lineno


def _plateau_without_metric(script: Script) -> Iterator[ast.AST]:
    for call in methods(script, script.tree, "step"):
        if _PLATEAU in script.made_by(owner(call)):
            given = argument(call, "metrics", ("metrics",))
            if given is None or (isinstance(given, ast.Name) and given.id in ("epoch", "step", "i")):
                yield call


def _one_cycle_per_epoch(script: Script) -> Iterator[ast.AST]:
    for call in methods(script, script.tree, "step"):
        loop = script.around(call, Loop)
        if _ONE_CYCLE not in script.made_by(owner(call)) or loop is None:
            continue
        inner = [node for node in ast.walk(loop) if isinstance(node, Loop) and node is not loop]
        if any(steps(script, each) for each in inner):
            yield call


def _epochs_by_batch(script: Script) -> Iterator[ast.AST]:
    """A scheduler whose length is a number of epochs, stepped with every batch."""
    for call in methods(script, script.tree, "step"):
        loop = script.around(call, Loop)
        if loop is None or script.around(loop, Loop) is None or not steps(script, loop):
            continue
        values = script.assigned.get(ast.unparse(owner(call)), [])
        for made in (each for each in values if isinstance(each, ast.Call)):
            order = ("optimizer", "T_max") if script.address(made.func).endswith(".CosineAnnealingLR") else ()
            lengths = [argument(made, name, order) for name in ("T_max", "total_iters")]
            if any(is_epochs(each) for each in lengths) and script.address(made.func).startswith(SCHEDULERS):
                yield call


RULES = (
    Rule(
        "scheduler-first",
        "scheduler.step() comes before optimizer.step()",
        "the first value of the schedule is never used, and every later one comes one step early",
        "optimizer.step() first, then scheduler.step()",
        _before_step,
    ),
    Rule(
        "plateau-metric",
        "ReduceLROnPlateau.step() needs the metric it watches",
        "a TypeError without one; with a counter in its place the metric always gets worse, and the lr falls",
        "scheduler.step(validation_loss)",
        _plateau_without_metric,
    ),
    Rule(
        "onecycle-per-epoch",
        "OneCycleLR is stepped once per epoch; its total_steps are batches",
        "the learning rate stays near its start, max_lr / 25, for the whole run",
        "scheduler.step() after every optimizer.step()",
        _one_cycle_per_epoch,
    ),
    Rule(
        "scheduler-per-batch",
        "the schedule's length is a number of epochs, and it is stepped with every batch",
        "it is over within the first epochs; a cosine then goes up and down again",
        "scheduler.step() once per epoch, or a length of epochs * len(loader)",
        _epochs_by_batch,
    ),
)
