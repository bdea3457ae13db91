"""``jaxgrad show NAME``: where a name of torch is in this library, and what differs in optax, JAX, flax and equinox."""

import argparse
import json
import textwrap
from typing import Any

from jaxgrad.cli._addresses import described, find, in_full, suggestions
from jaxgrad.cli._differences import DIFFERENCES, NOWHERE_ELSE, SAME, Difference, Same, canonical

_EXAMPLES = """examples:
  jaxgrad show torch.optim.AdamW
  jaxgrad show F.gelu nn.BatchNorm2d          as one writes them
  jaxgrad show optax.rmsprop                  from the other side
  jaxgrad show --all                          every difference that is known

exit status: 0, or 1 if a name is not here"""


def declare(parser: argparse.ArgumentParser) -> None:
    """Say what the sub-command takes."""
    parser.description, parser.epilog = __doc__, _EXAMPLES
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="torch.optim.AdamW, nn.Linear, F.gelu, optax.adamw, ..."
    )
    parser.add_argument("--all", action="store_true", help="every name with a known difference")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace) -> int:
    """Show each name; 1 if one of them is not here."""
    names = list(dict.fromkeys(each.torch for each in DIFFERENCES)) if arguments.all else arguments.names
    if not names:
        arguments.parser.error("give a name, or --all")
    found = [each for name in names for each in describe(name)]
    print("\n".join(json.dumps(each) for each in found) if arguments.json else "\n\n".join(map(text, found)))
    return 0 if all(each["here"] for each in found) else 1


def describe(name: str) -> list[dict[str, Any]]:
    """What is known of a name, in plain data; of another library's name, all of torch's that it is taken for.

    >>> (found,) = describe("torch.optim.AdamW")
    >>> found["here"], [each["code"] for each in found["differences"]]
    ('jaxgrad.optim.AdamW', ['adamw-decay'])
    >>> [each["torch"] for each in describe("optax.rmsprop")]
    ['torch.optim.RMSprop']
    """
    known: tuple[Difference | Same, ...] = (*DIFFERENCES, *SAME)
    twins = [each.torch for each in known if _is_among(name, each.others)]
    if twins:
        return [_of_torch(each) for each in dict.fromkeys(twins)]
    return [_of_torch(name)]


def _of_torch(name: str) -> dict[str, Any]:
    place = find(name)
    full = place.torch if place else in_full(name)
    noted = canonical(full)
    return {
        "torch": full,
        "here": place.here if place else None,
        "arguments": described(place.value) if place else "",
        "note": place.note if place else "",
        "differences": [
            {"others": each.others, "code": each.code, "says": each.says, "effect": each.effect, "fix": each.fix}
            for each in DIFFERENCES
            if each.torch == noted
        ],
        "same": [{"others": each.others, "says": each.says} for each in SAME if each.torch == noted],
        "nowhere_else": full in NOWHERE_ELSE,
        "special_points": place is not None and getattr(place.value, "__module__", "").startswith("jaxgrad._tensor"),
        "near": [] if place else suggestions(name),
    }


def text(found: dict[str, Any]) -> str:
    """What ``describe`` found, for a person."""
    lines = [found["torch"]]
    if not found["here"]:
        near = f"; near: {', '.join(found['near'])}" if found["near"] else ""
        return f"{found['torch']}\n  not here{near}\n  what JAX has of it is in jax.numpy, jax.nn or jax.scipy"
    lines += _wrapped("here", f"{found['here']}{found['arguments']}")
    if found["note"]:
        lines += _wrapped("", found["note"])
    for each in found["same"]:
        lines += _wrapped(_short(each["others"]), f"the same numbers, {each['says']}")
    for each in found["differences"]:
        lines += _wrapped(_short(each["others"]), each["says"])
        lines += _wrapped("", f"size: {each['effect']}")
        lines += _wrapped("", f"use:  {each['fix']}")
    if found["nowhere_else"]:
        lines += _wrapped("elsewhere", "neither optax nor JAX nor flax has it")
    elif found["special_points"]:
        lines += _wrapped("jax.numpy", "differs in value, derivative or error at special points: docs/derivatives.md")
    elif not found["differences"] and not found["same"]:
        lines += _wrapped("elsewhere", "no difference is recorded, which does not say that there is none")
    return "\n".join(lines)


def _is_among(name: str, others: tuple[str, ...]) -> bool:
    written = name.replace("jnp.", "jax.numpy.", 1) if name.startswith("jnp.") else name
    return written in others


def _short(others: tuple[str, ...]) -> str:
    """The other library's name, the first of them if there are several.

    >>> _short(("flax.linen.Conv", "flax.nnx.Conv"))
    'flax Conv'
    """
    if not others:
        return "elsewhere"
    first = others[0]
    return f"flax {first.split('.')[-1]}" if first.startswith("flax.") else first


def _wrapped(label: str, words: str) -> list[str]:
    indent = " " * 26
    whole = words.replace(" %", "\u00a0%")  # a number keeps its unit
    lines = textwrap.wrap(whole, 100 - len(indent), break_long_words=False, break_on_hyphens=False) or [""]
    lines = [each.replace("\u00a0", " ") for each in lines]
    head = f"  {label}"
    first = [f"{head:26}{lines[0]}"] if len(head) < 26 else [head, indent + lines[0]]
    return first + [indent + each for each in lines[1:]]
