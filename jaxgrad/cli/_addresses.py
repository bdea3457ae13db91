"""From a name of torch, however short, to its address here."""

import difflib
import importlib
import inspect
from typing import Any, NamedTuple

from jaxgrad.cli._differences import MOVED

_SHORT = {"F.": "torch.nn.functional.", "nn.": "torch.nn.", "optim.": "torch.optim.", "Tensor.": "torch.Tensor."}

_ROOMS = (
    "",
    "nn",
    "nn.functional",
    "optim",
    "optim.lr_scheduler",
    "optim.swa_utils",
    "nn.init",
    "nn.utils",
    "nn.utils.rnn",
    "nn.utils.parametrizations",
    "autograd",
    "amp",
    "linalg",
    "special",
    "random",
    "utils.data",
    "func",
)
"""Where a name without a package is looked for."""


class Place(NamedTuple):
    """A name of torch and where it is here."""

    torch: str
    here: str
    note: str
    value: Any


def find(name: str) -> Place | None:
    """Where a name of torch is in this library; None if it is not.

    Args:
        name: ``torch.optim.AdamW``, ``optim.AdamW``, ``AdamW``, ``F.gelu``, ``torch.Tensor.backward``, ``zeros_``.

    >>> find("F.gelu")[:2], find("torch.nn.init.zeros_")[:2]
    (('torch.nn.functional.gelu', 'jaxgrad.nn.functional.gelu'), ('torch.nn.init.zeros_', 'jaxgrad.nn.init.zeros'))
    >>> find("torch.Tensor.backward").here, find("torch.fft.fft")
    ('jaxgrad.autograd.backward', None)
    """
    full = in_full(name)
    if full in MOVED:
        address, note = MOVED[full]
        return Place(full, f"jaxgrad.{address}", note, _resolve(address))
    return _at_its_address(full) if full.startswith("torch.") else _anywhere(full)


def in_full(name: str) -> str:
    """The name with what people leave out of it.

    >>> in_full("nn.Linear"), in_full("jaxgrad.nn.Linear"), in_full("AdamW")
    ('torch.nn.Linear', 'torch.nn.Linear', 'AdamW')
    """
    name = name.removesuffix("()")
    if name.startswith("jaxgrad."):
        return f"torch.{name.removeprefix('jaxgrad.')}"
    for short, full in _SHORT.items():
        if name.startswith(short):
            return full + name.removeprefix(short)
    return name


def suggestions(name: str) -> list[str]:
    """Names of torch that are here and look like this one."""
    last = name.split(".")[-1].removesuffix("_")
    names = {each: room for room in reversed(_ROOMS) for each in _names(room)}
    lower = {each.lower(): each for each in names}
    near = difflib.get_close_matches(last.lower(), lower, n=4, cutoff=0.7)
    return [".".join(part for part in ("torch", names[lower[each]], lower[each]) if part) for each in near]


def described(value: Any) -> str:
    """The arguments of a function or class, without their types.

    >>> described(lambda a, *, b=1: a)
    '(a, *, b=1)'
    """
    try:
        arguments = inspect.signature(value.__init__ if inspect.isclass(value) else value)
    except (TypeError, ValueError):
        return ""
    plain = [
        each.replace(annotation=inspect.Parameter.empty)
        for name, each in arguments.parameters.items()
        if name != "self"
    ]
    return str(inspect.Signature(plain))


def _at_its_address(full: str) -> Place | None:
    rest = full.removeprefix("torch.")
    candidates = [rest, rest.removesuffix("_")]
    if rest.startswith("Tensor."):  # a method becomes a function
        method = rest.removeprefix("Tensor.").removesuffix("_")
        candidates = [method, f"nn.functional.{method}"]
    candidates += [rest.replace("nn.modules.", "nn.", 1)]
    for each in candidates:
        if (value := _resolve(each)) is not None:
            return Place(full, f"jaxgrad.{each}", "", value)
    return None


def _anywhere(name: str) -> Place | None:
    for room in _ROOMS:
        for each in (name, name.removesuffix("_")):
            if each in _names(room):
                address = f"{room}.{each}".lstrip(".")
                underscore = "_" if room == "nn.init" or (room == "nn.utils" and each.startswith("clip_grad")) else ""
                return Place(f"torch.{address}{underscore}", f"jaxgrad.{address}", "", _resolve(address))
    tail = [full for full in MOVED if full.split(".")[-1] == name]
    return find(tail[0]) if tail else None


def _names(room: str) -> list[str]:
    return _offered(importlib.import_module(f"jaxgrad.{room}".rstrip(".")))


def _offered(module: Any) -> list[str]:
    """A package says it in ``__all__``; of a plain module it is what it defines."""
    if module.__name__ == "jaxgrad":
        return [*module.__all__, *importlib.import_module("jaxgrad._tensor").__all__]
    if hasattr(module, "__all__"):
        return list(module.__all__)
    own = (name for name, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__)
    return [name for name in own if not name.startswith("_")]


def _resolve(address: str) -> Any:
    """The value at ``jaxgrad.ADDRESS``; None where there is nothing public."""
    value: Any = importlib.import_module("jaxgrad")
    for i, part in enumerate(parts := address.split(".")):
        if not part or part.startswith("_"):
            return None
        if inspect.ismodule(value) and part not in _offered(value):
            try:
                value = importlib.import_module(".".join(("jaxgrad", *parts[: i + 1])))
            except ImportError:
                return None
            continue
        value = getattr(value, part, None)
        if value is None:
            return None
    return value
