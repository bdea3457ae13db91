"""Traps of JAX that one call alone does not show: the order of a chain, a schedule's length, a key used twice."""

import ast
from collections.abc import Iterator

from jaxgrad.cli._differences import DIFFERENCES, ORDER
from jaxgrad.cli._differences.schedules import LENGTHS
from jaxgrad.cli._lint.calls import is_schedule
from jaxgrad.cli._lint.finding import Rule
from jaxgrad.cli._lint.script import Loop, Script, argument, is_epochs

OPTIMIZERS = {
    f"optax.{name}"
    for name in "adabelief adadelta adafactor adagrad adam adamax adamaxw adamw amsgrad lamb lion nadam nadamw "
    "novograd radam rmsprop rprop sgd sm3 yogi".split()
}
_CLIPS = {"optax.clip", "optax.clip_by_global_norm", "optax.adaptive_grad_clip", "optax.clip_by_block_rms"}
_SOFTMAX = {"jax.nn.softmax", "flax.linen.softmax", "flax.nnx.softmax"}
_DRAWS_GRADIENTS = ("jax.grad", "jax.value_and_grad", "flax.nnx.value_and_grad", "equinox.filter_value_and_grad")


def _chains(script: Script) -> Iterator[list[tuple[str, ast.expr]]]:
    for call in script.calls:
        if script.address(call.func) == "optax.chain":
            yield [(next(iter(script.made_by(each)), ""), each) for each in call.args]


def _after_update(wanted: set[str]) -> Iterator[ast.AST]:
    """A visitor of links of a chain that come after a whole optimizer, which has scaled by the learning rate."""

    def visit(script: Script) -> Iterator[ast.AST]:
        for chain in _chains(script):
            whole = [i for i, (address, _) in enumerate(chain) if address in OPTIMIZERS]
            for i, (address, node) in enumerate(chain):
                scaled_again = any(later.startswith("optax.scale") for later, _ in chain[i + 1 :])
                if address in wanted and whole and i > whole[0] and not scaled_again:
                    yield node

    return visit  # type: ignore[return-value]


def _decay_before_clip(script: Script) -> Iterator[ast.AST]:
    for chain in _chains(script):
        clips = [i for i, (address, _) in enumerate(chain) if address in _CLIPS]
        for i, (address, node) in enumerate(chain):
            if address == "optax.add_decayed_weights" and clips and i < clips[-1]:
                yield node


def _half_squares(script: Script) -> Iterator[ast.AST]:
    for call in script.calls:
        if script.address(call.func) == "optax.l2_loss" and not _is_doubled(script, call):
            yield call


def _is_doubled(script: Script, node: ast.AST) -> bool:
    while isinstance(node, ast.expr):
        parent = script.parents[node]
        if isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Mult):
            if 2 in (script.value(parent.left), script.value(parent.right)):
                return True
        node = parent
    return False


def _softmax_twice(script: Script) -> Iterator[ast.AST]:
    for call in script.calls:
        if script.address(call.func).startswith("optax.softmax_cross_entropy"):
            logits = argument(call, "logits", ("logits",))
            if logits is not None and script.made_by(logits) & _SOFTMAX:
                yield call


def _ignored_labels(script: Script) -> Iterator[ast.AST]:
    minus_100 = any(isinstance(node, ast.UnaryOp) and script.value(node) == -100 for node in script.nodes)
    for call in script.calls:
        labels = script.address(call.func) == "optax.softmax_cross_entropy_with_integer_labels"
        if minus_100 and labels and argument(call, "where") is None and not _masked(script, call):
            yield call


def _masked(script: Script, call: ast.Call) -> bool:
    """Whether the function around multiplies by a mask or selects with where."""
    around = script.around(call, ast.FunctionDef) or script.tree
    words = {node.id for node in ast.walk(around) if isinstance(node, ast.Name)}
    chosen = any(isinstance(n, ast.Call) and script.address(n.func).endswith(".where") for n in ast.walk(around))
    return chosen or any("mask" in word or "valid" in word for word in words)


def _lengths(script: Script) -> Iterator[ast.AST]:
    """Lengths of schedules that are one less than something, or a number of epochs."""
    for call in script.calls:
        address = script.address(call.func)
        if not is_schedule(address):
            continue
        for name in LENGTHS:
            node = argument(call, name, ORDER.get(address, ()))
            one_less = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and script.value(node.right) == 1
            if one_less or is_epochs(node):
                yield call


def _shifted(script: Script) -> Iterator[ast.AST]:
    for call in script.calls:
        if not any(is_schedule(address) for address in script.made_by(call.func)) or len(call.args) != 1:
            continue
        (count,) = call.args
        if (
            isinstance(count, ast.BinOp)
            and isinstance(count.op, ast.Add | ast.Sub)
            and 1 in map(script.value, (count.left, count.right))
        ):
            yield call


def _same_mask(script: Script) -> Iterator[ast.AST]:
    for call in script.calls:
        rngs = argument(call, "rngs")
        loop = script.around(call, Loop)
        if not isinstance(rngs, ast.Dict) or loop is None:
            continue
        bound = {node.id for node in ast.walk(loop) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        bound |= {node.arg for node in ast.walk(loop) if isinstance(node, ast.arg)}
        for name, key in zip(rngs.keys, rngs.values, strict=True):
            if script.value(name) == "dropout" and isinstance(key, ast.Name) and key.id not in bound:
                yield call


def _precision(script: Script) -> Iterator[ast.AST]:
    if "matmul_precision" in script.source or any(argument(call, "precision") is not None for call in script.calls):
        return
    for call in script.calls:
        if script.address(call.func) in _DRAWS_GRADIENTS:
            yield call
            return


def _noted(code: str, visit: object, name: str) -> Rule:
    """A rule whose words stand in the table of differences."""
    (each,) = [each for each in DIFFERENCES if each.code == code]
    return Rule(code, f"{name} {each.says}", each.effect, each.fix, visit, each.trap)  # type: ignore[arg-type]


RULES = (
    _noted("l2-half", _half_squares, "optax.l2_loss"),
    _noted("softmax-twice", _softmax_twice, "the cross entropy"),
    _noted("ignore-index", _ignored_labels, "optax.softmax_cross_entropy_with_integer_labels"),
    _noted("schedule-off-by-one", _lengths, "the schedule"),
    _noted("schedule-shifted", _shifted, "the schedule"),
    _noted("matmul-precision", _precision, "a matrix product"),
    Rule(
        "decay-after-update",
        "add_decayed_weights comes after a whole optimizer, whose updates already carry -lr: the decay is added",
        "weights grow by the decay, 1/lr times too fast, instead of shrinking",
        "before the optimizer for torch's Adam(weight_decay=) and SGD(weight_decay=); optax.adamw for AdamW",
        _after_update({"optax.add_decayed_weights"}),  # type: ignore[arg-type]
    ),
    Rule(
        "clip-after-update",
        "the clip comes after a whole optimizer and clips the update; torch's clip_grad_norm_ clips the gradient",
        "another step wherever the clip acts; the moments see unclipped gradients",
        "the clip first: optax.chain(optax.clip_by_global_norm(c), optimizer)",
        _after_update(_CLIPS),  # type: ignore[arg-type]
    ),
    Rule(
        "decay-before-clip",
        "the decay is added before the clip and is clipped with the gradient; torch adds it in step(), after the clip",
        "the decay is scaled down with the gradient wherever the clip acts",
        "optax.chain(clip, optax.add_decayed_weights(decay), optimizer)",
        _decay_before_clip,
    ),
    Rule(
        "dropout-key-reused",
        "every turn of the loop gives dropout the same key, so every step has the same mask",
        "the dropped units are never trained; torch draws a new mask at every step",
        "key, now = jax.random.split(key) in the loop, or jax.random.fold_in(key, step)",
        _same_mask,
    ),
)
