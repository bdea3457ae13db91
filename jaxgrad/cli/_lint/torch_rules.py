"""Traps of torch scripts: what the loop does in which order, and calls that do something else than they seem to."""

import ast
from collections.abc import Iterator

from jaxgrad.cli._lint.finding import Rule
from jaxgrad.cli._lint.script import UNKNOWN, Function, Loop, Script, argument
from jaxgrad.cli._lint.torch_script import is_torch, loops, methods, owner, steps

_CLIPS = {"torch.nn.utils.clip_grad_norm_", "torch.nn.utils.clip_grad_value_", "torch.nn.utils.clip_grad_norm"}
_CROSS_ENTROPY = {"torch.nn.functional.cross_entropy"}
_SOFTMAX = {"torch.softmax", "torch.nn.functional.softmax"}


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
    for loop in loops(script) if is_torch(script) else ():
        backward = methods(script, loop, "backward")
        if backward and not _clears(script, loop):
            yield min(steps(script, loop), key=lambda call: call.lineno)


def _clip_order(script: Script) -> Iterator[ast.AST]:
    """A clip that does not stand between backward() and step() of its own loop or function."""
    for call in script.calls:
        if script.address(call.func) not in _CLIPS:
            continue
        around = script.around(call, (*Loop.__args__, *Function.__args__)) or script.tree
        here = [node for node in ast.walk(around) if isinstance(node, ast.Call)]
        backward = [node.lineno for node in here if getattr(node.func, "attr", "") == "backward"]
        stepped = [step.lineno for step in steps(script, around) if step in here]
        late = stepped and max(stepped) < call.lineno and not any(line > max(stepped) for line in backward)
        early = backward and stepped and call.lineno < min(backward) and max(stepped) > max(backward)
        if late or early:
            yield call


def _clip_scaled(script: Script) -> Iterator[ast.AST]:
    scales = [call for call in methods(script, script.tree, "scale") if "scaler" in ast.unparse(call.func).lower()]
    if not scales or methods(script, script.tree, "unscale_"):
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
    if not is_torch(script) or methods(script, script.tree, "train"):
        return
    for node in script.nodes:
        if isinstance(node, Loop) and methods(script, node, "backward"):
            calls = [call for call in methods(script, node, "eval") if _is_trained(script, owner(call))]
            yield from calls[:1] if script.around(node, Loop) is None else ()


def _is_trained(script: Script, model: ast.expr) -> bool:
    """Whether an optimizer of the script has its parameters."""
    made = [call for call in script.calls if script.address(call.func).startswith("torch.optim.")]
    return any(f"{ast.unparse(model)}.parameters" in ast.unparse(call) for call in made)


def _sum_of_micro_batches(script: Script) -> Iterator[ast.AST]:
    """Steps only every k turns, and a loss that nothing divides."""
    for loop in loops(script) if is_torch(script) else ():
        for step in steps(script, loop):
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
