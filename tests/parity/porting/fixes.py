"""What is changed in the naive port, in the order in which the comparison asks for it."""

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from jaxgrad import parity
from tests.parity.porting import recipe

NAIVE = Path(__file__).with_name("naive.py")


@dataclass(frozen=True)
class Fix:
    """One change of the source.

    Args:
        title: in a few words.
        first: (step, phase) of the divergence that it answers.
        cause: what the comparison must name; None where nothing is demanded.
        why: what is to be understood.
        changes: (old, new) pieces of source.
    """

    title: str
    first: tuple[int, str]
    cause: str | None
    why: str
    changes: tuple[tuple[str, str], ...]


FIXES = (
    Fix(
        "padding",
        (0, "loss"),
        None,
        "flax pads to the SAME size by default. With a stride of 2 that puts the extra row behind, torch's padding=1 "
        "puts one on either side: every picture is shifted by a pixel. No cause is named, since two faults meet in "
        "this one number; alone it is.",
        (
            (
                "nn.Conv(features, (size, size), strides, use_bias=False, name=name)",
                "nn.Conv(features, (size, size), strides, padding=size // 2, use_bias=False, name=name)",
            ),
        ),
    ),
    Fix(
        "label smoothing",
        (0, "loss"),
        "label_smoothing",
        "optax's cross entropy has no argument for it, and so it was forgotten.",
        (
            (
                "loss = optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()",
                "soft = optax.smooth_labels(jax.nn.one_hot(labels, 10, dtype=logits.dtype), 0.1)\n"
                "    loss = optax.softmax_cross_entropy(logits, soft).mean()",
            ),
        ),
    ),
    Fix(
        "decay after the clip",
        (0, "optimizer"),
        "decay_clipped",
        "torch clips the gradient and then adds the decay, inside step(). Here the decay was clipped with it.",
        (
            (
                "    optax.add_decayed_weights(DECAY),\n    optax.clip_by_global_norm(CLIP),\n",
                "    optax.clip_by_global_norm(CLIP),\n    optax.add_decayed_weights(DECAY),\n",
            ),
        ),
    ),
    Fix(
        "the clip's 1e-6",
        (0, "optimizer"),
        "clip_without_eps",
        "torch divides by the norm plus 1e-6, optax by the norm. Float64 sees it.",
        (
            ("import jax\nimport optax\n", "import jax\nimport optax\n\nfrom jaxgrad.nn import utils\n"),
            ("optax.clip_by_global_norm(CLIP)", "utils.clip_by_norm(CLIP)"),
        ),
    ),
    Fix(
        "BatchNorm's momentum",
        (0, "buffers"),
        "another_running_momentum",
        "flax keeps 0.99 of the old statistics by default; torch's momentum 0.1 keeps 0.9.",
        (
            (
                "nn.BatchNorm(use_running_average=not train, name=name)",
                "nn.BatchNorm(use_running_average=not train, momentum=0.9, name=name)",
            ),
        ),
    ),
    Fix(
        "the running variance",
        (0, "buffers"),
        "biased_running_variance",
        "torch keeps the unbiased variance, flax the biased one and has no setting for it.",
        (
            (
                "    updates, opt_state",
                '    sizes = {name: 8 * 8 * 8 if name == "bn1" else 8 * 4 * 4 for name in stats}  # values a channel\n'
                "    for name, n in sizes.items():\n"
                '        old, new = 0.9 * old_stats[name]["var"], stats[name]["var"]\n'
                '        stats[name]["var"] = old + (new - old) * n / (n - 1)\n'
                "    updates, opt_state",
            ),
        ),
    ),
    Fix(
        "the schedule's length",
        (1, "lr"),
        "schedule_length",
        "optax counts updates from 0 and needs no - 1: torch's T_max is the same number.",
        (("decay_steps=LENGTH - 1", "decay_steps=LENGTH"),),
    ),
)


def source(count: int, *, without: int = 0) -> str:
    """The port with the first fixes made, but for some at the beginning."""
    text = NAIVE.read_text(encoding="utf-8")
    for fix in FIXES[without:count]:
        for old, new in fix.changes:
            assert text.count(old) == 1, (fix.title, old)
            text = text.replace(old, new)
    return text


def port(count: int, *, without: int = 0) -> ModuleType:
    """The module that this source makes."""
    module = ModuleType("port")
    exec(compile(source(count, without=without), NAIVE.name, "exec"), vars(module))
    return module


def comparison(count: int, steps: int, *, without: int = 0) -> "parity.Report":
    """The port with the first fixes made, but for some at the beginning, against the recipe."""
    model, reference = recipe.reference()
    made = port(count, without=without)
    params, stats = recipe.start(model)
    candidate = parity.from_jax(made.step, (params, stats, made.tx.init(params), 0))
    return parity.compare(reference, candidate, recipe.batches(steps))
