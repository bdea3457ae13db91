"""The rule of address: what torch has is found under torch's name, with torch's arguments, order and defaults.

The exceptions are the tables of docs/address.md, which is read here.
"""

import importlib
import inspect
import pkgutil
import re
from functools import reduce
from pathlib import Path

import pytest

import jaxgrad

torch = pytest.importorskip("torch", reason="the reference is not installed")

OWN = {"train", "trace", "parity", "cli"}
"""Sub-packages without an address in torch."""

REPLACED = {
    "nn.init": {"tensor"},  # by generator and shape
    "nn.utils": {"parameters"},  # by grads
    "optim": {"params"},  # by tx.init(params)
    "optim.lr_scheduler": {"optimizer"},  # by the base lr
    "optim.swa_utils": {"optimizer"},
}
"""Torch's arguments that stand for an object which changes in place; here a value goes in and comes out."""

ADDED = {
    "nn": {"rngs"},
    "nn.modules": {"rngs"},
    "nn.functional": {"generator", "buffers"},
    "nn.init": {"shape", "dtype", "generator"},
    "nn.utils": {"grads", "names", "order", "rngs"},
    "optim": {"param_groups"},
    "optim.lr_scheduler": {"lr"},
    "optim.swa_utils": {"lr", "params", "model", "generator", "names"},
    "utils.data": {"prefetch", "generator"},
}
"""What makes the hidden state visible."""

DIFFERENT_DEFAULTS = {
    ("optim.lr_scheduler", "base_lr"),  # the first argument already is the base lr
    ("optim.lr_scheduler", "max_lr"),
    ("optim.lr_scheduler", "schedulers"),
    ("optim.lr_scheduler", "milestones"),
    ("utils.data", "generator"),  # torch's is its global one
}

BUILT_DIFFERENTLY = {
    "autograd": "functions of a loss function and its arguments, where torch's take recorded tensors",
    "func": "functional_call says more of a call: its mode and its stream",
    "nn.Module": "the base class is flax's",
    "nn.Parameter": "a flax variable",
    "nn.Buffer": "a flax variable",
    "optim.Optimizer": "an optax transformation",
    "optim.lr_scheduler.LRScheduler": "a value that steps",
    "random": "draws from a generator that goes in and comes out",
    "serialization": "files of this library; torch's are read_torch and write_torch",
    "utils": "modules",
}
"""Where the arguments belong to the form: a package, or one name."""


def packages() -> list[str]:
    """Public sub-packages that have a twin in torch; the others are rooms of one of these."""
    found = (info.name for info in pkgutil.walk_packages(jaxgrad.__path__, "jaxgrad.") if info.ispkg)
    public = [name.removeprefix("jaxgrad.") for name in found if "._" not in name]
    return [name for name in public if name.split(".")[0] not in OWN and twin_of(name) is not None]


def twin_of(address: str):
    """What torch has at this address, or None."""
    try:
        return reduce(getattr, address.split("."), torch)
    except AttributeError:
        try:
            return importlib.import_module(f"torch.{address}")
        except ImportError:
            return None


def names(package: str) -> list[str]:
    return list(importlib.import_module(f"jaxgrad.{package}").__all__)


def exceptions() -> list[str]:
    text = (Path(__file__).parents[1] / "docs" / "address.md").read_text()
    return re.findall(r"^\| `jaxgrad\.([\w.]+)` \|", text, flags=re.M)


def at_torchs_address(package: str, name: str) -> bool:
    theirs = twin_of(package)
    return hasattr(theirs, name) or hasattr(theirs, f"{name}_")


def test_every_public_name_is_at_torchs_address_or_is_a_documented_exception():
    excused = set(exceptions())
    public = [f"{package}.{name}" for package in packages() for name in names(package)]
    public += [f"cli.{name}" for name in names("cli")]
    strange = [
        full for full in public if not at_torchs_address(*full.rsplit(".", 1)) and full not in excused
    ]  # say why in docs/address.md
    assert not strange
    assert not excused - set(public), "documented, and not there"
    mirrored = [full for full in excused if at_torchs_address(*full.rsplit(".", 1))]
    assert set(mirrored) <= {"serialization.load", "serialization.save", "autograd.forward"}  # torch's is another thing


def test_what_torch_has_at_its_top_level_is_at_ours():
    for package in ("autograd", "random"):
        for name in names(package):
            mine = getattr(importlib.import_module(f"jaxgrad.{package}"), name)
            if hasattr(torch, name) and not inspect.ismodule(mine) and name != "Node":  # torch.Node is TorchScript's
                assert getattr(jaxgrad, name) is mine, name
    for name in importlib.import_module("jaxgrad._tensor").__all__:
        assert hasattr(torch, name), name


def mirrored():
    for package in packages():
        if package in BUILT_DIFFERENTLY:
            continue
        for name in names(package):
            ours, theirs = getattr(importlib.import_module(f"jaxgrad.{package}"), name), twin_of(package)
            twin = getattr(theirs, f"{name}_", None) or getattr(theirs, name, None)
            if f"{package}.{name}" in BUILT_DIFFERENTLY or not callable(twin) or inspect.ismodule(ours):
                continue
            if arguments(twin) is not None:
                yield package, name, ours, twin


def arguments(fn):
    """Names and defaults of the arguments; None for what Python cannot see into (builtins, mere ``*args``)."""
    try:
        named = inspect.signature(fn.__init__ if inspect.isclass(fn) else fn).parameters.values()
    except ValueError:
        return None
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    found = {p.name: _written(p.default) for p in named if p.kind not in kinds and p.name != "self"}
    return None if not found and any(p.kind in kinds for p in named) else found


def _written(default):
    """A default as it is compared: functions, ours and torch's, by name."""
    return default.__name__ if inspect.isfunction(default) else repr(default)


def difference(package, ours, theirs) -> str | None:
    mine, yours = arguments(ours), arguments(theirs)
    added, replaced = ADDED.get(package, set()), REPLACED.get(package, set())
    if set(yours) - set(mine) - replaced:
        return f"lacks {sorted(set(yours) - set(mine) - replaced)}"
    if set(mine) - set(yours) - added:
        return f"adds {sorted(set(mine) - set(yours) - added)}"
    common = [name for name in mine if name in yours and name not in added]
    if common != [name for name in yours if name in common]:
        return f"has the order {common}"
    wrong = {
        name: (mine[name], yours[name])
        for name in common
        if (package, name) not in DIFFERENT_DEFAULTS and mine[name] != yours[name]
    }
    return f"has other defaults: {wrong}" if wrong else None


def test_arguments_are_torchs():
    seen, wrong = 0, []
    for package, name, ours, theirs in mirrored():
        seen += 1
        if words := difference(package, ours, theirs):
            wrong.append(f"jaxgrad.{package}.{name} {words}")
    assert not wrong, "\n".join(wrong)
    assert seen > 200


def test_a_wrong_default_would_be_seen():
    def relu(input, inplace=True):
        del input, inplace

    assert "other defaults" in difference("nn.functional", relu, torch.nn.functional.relu)
    assert "lacks" in difference("nn.functional", lambda input: input, torch.nn.functional.relu)
