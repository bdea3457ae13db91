"""Traps of torch scripts: what the loop does in which order, and calls that do something else than they seem to."""

import ast
from collections.abc import Iterator

from jaxgrad.cli._lint.finding import Rule
from jaxgrad.cli._lint.script import UNKNOWN, Function, Loop, Script, argument, is_epochs

_SCHEDULERS = "torch.optim.lr_scheduler."
_PLATEAU = "torch.optim.lr_scheduler.ReduceLROnPlateau"
_ONE_CYCLE = "torch.optim.lr_scheduler.OneCycleLR"
_CLIPS = {"torch.nn.utils.clip_grad_norm_", "torch.nn.utils.clip_grad_value_", "torch.nn.utils.clip_grad_norm"}
_CROSS_ENTROPY = {"torch.nn.functional.cross_entropy"}
_SOFTMAX = {"torch.softmax", "torch.nn.functional.softmax"}


def _is_torch(script: Script) -> bool:
    return any(name == "torch" or name.startswith("torch.") for name in script.imports.values())


def _methods(script: Script, root: ast.AST, name: str) -> list[ast.Call]:
    """Calls ``x.name(...)`` in a piece of the script and in its functions that are called there; no other library's."""
    calls = (node for node in script.reached([root]) if isinstance(node, ast.Call))
    named = [call for call in calls if getattr(call.func, "attr", "") == name]
    return [call for call in named if not (at := script.address(call.func)) or at.startswith("torch.")]


def _owner(call: ast.Call) -> ast.expr:
    """The x of ``x.method(...)``."""
    assert isinstance(call.func, ast.Attribute)
    return call.func.value


def _is_scheduler(script: Script, call: ast.Call) -> bool:
    return any(address.startswith(_SCHEDULERS) for address in script.made_by(_owner(call)))


def _steps(script: Script, root: ast.AST) -> list[ast.Call]:
    """``optimizer.step()`` and ``scaler.step(optimizer)``: every step() that is not a scheduler's or a profiler's."""
    known = [call for call in _methods(script, root, "step") if not _is_scheduler(script, call)]
    return [call for call in known if _is_optimizer(script, call)]


def _is_optimizer(script: Script, call: ast.Call) -> bool:
    owner = _owner(call)
    made = script.made_by(owner)
    if made:
        return any(
            each.startswith(("torch.optim.", "torch.amp.GradScaler", "torch.cuda.amp.GradScaler")) for each in made
        )
    last = ast.unparse(owner).split(".")[-1].lower()
    return last.startswith(("opt", "scaler")) or last.endswith(("optimizer", "opt", "optim"))


def _loops(script: Script) -> Iterator[ast.AST]:
    """Loops that step an optimizer in themselves and not only in a loop within: one turn is one step."""
    for node in script.nodes:
        if isinstance(node, Loop) and _steps(script, node):
            within = [inner for inner in ast.walk(node) if isinstance(inner, Loop) and inner is not node]
            if not any(_steps(script, inner) for inner in within):
                yield node


def _clears(script: Script, root: ast.AST) -> bool:
    """Whether gradients are cleared somewhere in it, by whatever way."""
    nodes = list(script.reached([root]))
    for node in nodes:
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("zero_grad", "zero_"):
            return True
        if isinstance(node, ast.Assign) and any(ast.unparse(each).endswith(".grad") for each in node.targets):
            return True
        if isinstance(node, ast.Call) and script.address(node.func) in ("torch.autograd.grad", "torch.func.grad"):
            return True
    return False


def _without_zero_grad(script: Script) -> Iterator[ast.AST]:
    for loop in _loops(script) if _is_torch(script) else ():
        backward = _methods(script, loop, "backward")
        if backward and not _clears(script, loop):
            yield min(_steps(script, loop), key=lambda call: call.lineno)


def _before_step(script: Script) -> Iterator[ast.AST]:
    """``scheduler.step()`` that comes before the first ``optimizer.step()`` of the turn."""
    for node in script.nodes:
        if not isinstance(node, Loop):
            continue
        own = [call for call in _methods(script, node, "step") if script.around(call, (*Loop.__args__, ast.If)) is node]
        schedulers = [call for call in own if _is_scheduler(script, call)]
        steps = _steps(script, node)
        for call in schedulers:
            if steps and all(_line_in(script, node, step) > call.lineno for step in steps):
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
    for call in _methods(script, script.tree, "step"):
        if _PLATEAU in script.made_by(_owner(call)):
            given = argument(call, "metrics", ("metrics",))
            if given is None or (isinstance(given, ast.Name) and given.id in ("epoch", "step", "i")):
                yield call


def _one_cycle_per_epoch(script: Script) -> Iterator[ast.AST]:
    for call in _methods(script, script.tree, "step"):
        loop = script.around(call, Loop)
        if _ONE_CYCLE not in script.made_by(_owner(call)) or loop is None:
            continue
        inner = [node for node in ast.walk(loop) if isinstance(node, Loop) and node is not loop]
        if any(_steps(script, each) for each in inner):
            yield call


def _epochs_by_batch(script: Script) -> Iterator[ast.AST]:
    """A scheduler whose length is a number of epochs, stepped with every batch."""
    for call in _methods(script, script.tree, "step"):
        loop = script.around(call, Loop)
        if loop is None or script.around(loop, Loop) is None or not _steps(script, loop):
            continue
        values = script.assigned.get(ast.unparse(_owner(call)), [])
        for made in (each for each in values if isinstance(each, ast.Call)):
            order = ("optimizer", "T_max") if script.address(made.func).endswith(".CosineAnnealingLR") else ()
            lengths = [argument(made, name, order) for name in ("T_max", "total_iters")]
            if any(is_epochs(each) for each in lengths) and script.address(made.func).startswith(_SCHEDULERS):
                yield call


def _clip_order(script: Script) -> Iterator[ast.AST]:
    """A clip that does not stand between backward() and step() of its own loop or function."""
    for call in script.calls:
        if script.address(call.func) not in _CLIPS:
            continue
        around = script.around(call, (*Loop.__args__, *Function.__args__)) or script.tree
        here = [node for node in ast.walk(around) if isinstance(node, ast.Call)]
        backward = [node.lineno for node in here if getattr(node.func, "attr", "") == "backward"]
        steps = [step.lineno for step in _steps(script, around) if step in here]
        late = steps and all(line < call.lineno for line in steps) and not any(line > max(steps) for line in backward)
        early = backward and steps and call.lineno < min(backward) and max(steps) > max(backward)
        if late or early:
            yield call


def _clip_scaled(script: Script) -> Iterator[ast.AST]:
    scales = [call for call in _methods(script, script.tree, "scale") if "scaler" in ast.unparse(call.func).lower()]
    if not scales or _methods(script, script.tree, "unscale_"):
        return
    for call in script.calls:
        if script.address(call.func) in _CLIPS:
            yield call


def _softmax_twice(script: Script) -> Iterator[ast.AST]:
    for call in script.calls:
        is_loss = script.address(call.func) in _CROSS_ENTROPY or "torch.nn.CrossEntropyLoss" in script.made_by(
            call.func
        )
        given = argument(call, "input", ("input",))
        if is_loss and given is not None and (script.made_by(given) & _SOFTMAX or _is_softmax_module(script, given)):
            yield call


def _is_softmax_module(script: Script, node: ast.expr) -> bool:
    """Whether a value comes out of a Sequential that ends in a softmax."""
    values = script.assigned.get(ast.unparse(node), []) if isinstance(node, ast.Name) else [node]
    for value in values:
        if not isinstance(value, ast.Call):
            continue
        for model in script.assigned.get(ast.unparse(value.func), []):
            if isinstance(model, ast.Call) and script.address(model.func) == "torch.nn.Sequential" and model.args:
                last = model.args[-1]
                if isinstance(last, ast.Call) and script.address(last.func) == "torch.nn.Softmax":
                    return True
    return False


def _eval_for_good(script: Script) -> Iterator[ast.AST]:
    """``eval()`` in a loop that trains, with no ``train()`` in the script: the second turn trains in eval mode."""
    if not _is_torch(script) or _methods(script, script.tree, "train"):
        return
    for node in script.nodes:
        if isinstance(node, Loop) and _methods(script, node, "backward"):
            calls = [call for call in _methods(script, node, "eval") if _is_trained(script, _owner(call))]
            yield from calls[:1] if script.around(node, Loop) is None else ()


def _is_trained(script: Script, model: ast.expr) -> bool:
    """Whether an optimizer of the script has its parameters."""
    made = [call for call in script.calls if script.address(call.func).startswith("torch.optim.")]
    return any(f"{ast.unparse(model)}.parameters" in ast.unparse(call) for call in made)


def _sum_of_micro_batches(script: Script) -> Iterator[ast.AST]:
    """Steps only every k turns, and a loss that nothing divides."""
    for loop in _loops(script) if _is_torch(script) else ():
        for step in _steps(script, loop):
            guard = script.around(step, ast.If)
            test = guard.test if isinstance(guard, ast.If) else None
            every = test is not None and any(isinstance(each, ast.Mod) for each in ast.walk(test))
            divided = any(isinstance(each, ast.Div) for each in ast.walk(loop))
            if every and loop in _ancestors(script, guard) and not divided:
                yield step


def _ancestors(script: Script, node: ast.AST | None) -> Iterator[ast.AST]:
    while node is not None and (node := script.parents.get(node)) is not None:
        yield node


def _decay_of_adam(script: Script) -> Iterator[ast.AST]:
    for call in script.calls:
        if script.address(call.func) == "torch.optim.Adam":
            value = script.value(
                decay := argument(call, "weight_decay", ("params", "lr", "betas", "eps", "weight_decay"))
            )
            if decay is not None and (value is UNKNOWN or value):
                yield call


RULES = (
    Rule(
        "zero-grad",
        "no turn of the loop clears the gradients: each step takes the sum of all batches so far",
        "from the second step on the gradient is another one; it grows with every step",
        "optimizer.zero_grad() before backward(), in the same loop",
        _without_zero_grad,
    ),
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
    Rule(
        "clip-order",
        "the clip does not stand between backward() and step(), so it clips gradients that are used up or stale",
        "the step is not clipped",
        "loss.backward(); clip_grad_norm_(...); optimizer.step()",
        _clip_order,
    ),
    Rule(
        "clip-scaled",
        "gradients are clipped while they still carry the scale of the loss",
        "the clip acts at 1/65536 of its threshold, the scaler's first scale being 65536",
        "scaler.unscale_(optimizer) before the clip",
        _clip_scaled,
    ),
    Rule(
        "softmax-before-loss",
        "cross_entropy takes logits; a softmax is taken twice",
        "a loss that cannot fall below log(1 + (n - 1) / e) for n classes: 1.46 for 10",
        "leave the softmax out",
        _softmax_twice,
    ),
    Rule(
        "eval-for-good",
        "eval() in the loop, and train() nowhere: from the second turn on it trains in eval mode",
        "no dropout, and running statistics that stand still",
        "model.train() at the beginning of each epoch",
        _eval_for_good,
    ),
    Rule(
        "accumulated-sum",
        "gradients of several batches are summed, and the loss is not divided by their number",
        "a factor of that number in the gradient; optax.MultiSteps would take the mean",
        "(loss / k).backward(), if the mean is meant",
        _sum_of_micro_batches,
        trap=False,
    ),
    Rule(
        "adam-l2",
        "Adam(weight_decay=) adds the decay to the gradient; a port to optax.adamw decouples it",
        "128 % of the distance moved",
        "for a port: optax.chain(optax.add_decayed_weights(decay), optax.adam(lr)), or jaxgrad.optim.Adam",
        _decay_of_adam,
        trap=False,
    ),
)
