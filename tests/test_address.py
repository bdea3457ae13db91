"""The rule of address: what torch has is found under torch's name, with torch's arguments, order and defaults."""

import importlib
import inspect
from functools import reduce

import pytest

torch = pytest.importorskip("torch", reason="the reference is not installed")

REPLACED = {
    "nn": set(),
    "nn.functional": set(),
    "nn.init": {"tensor"},  # by generator and shape
    "nn.utils": {"parameters"},  # by grads
    "optim": {"params"},  # by tx.init(params)
    "optim.lr_scheduler": {"optimizer"},  # by the base lr
    "optim.swa_utils": {"optimizer"},
    "testing": set(),
    "utils.data": set(),
}
"""Torch's arguments that stand for an object which changes in place; here a value goes in and comes out."""

ADDED = {
    "nn": {"rngs"},
    "nn.functional": {"generator"},
    "nn.init": {"shape", "dtype", "generator"},
    "nn.utils": {"grads", "names"},
    "optim": {"param_groups"},
    "optim.lr_scheduler": {"lr"},
    "optim.swa_utils": {"lr", "params", "model"},
    "testing": set(),
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

BUILT_DIFFERENTLY = {"Module", "Optimizer", "LRScheduler", "Parameter", "Buffer"}
"""Base classes and wrappers, whose arguments belong to their form."""


def mirrored():
    for package in REPLACED:
        ours = importlib.import_module(f"jaxgrad.{package}")
        theirs = reduce(getattr, package.split("."), torch)
        names = getattr(ours, "__all__", None) or [
            name for name, value in vars(ours).items() if getattr(value, "__module__", "").startswith("jaxgrad")
        ]
        for name in names:
            twin = getattr(theirs, f"{name}_", None) or getattr(theirs, name, None)
            twin = getattr(theirs, f"{name}_with_indices", twin)  # torch's own name hides its arguments
            if inspect.isbuiltin(twin):
                continue  # without a signature to compare
            if callable(twin) and name not in BUILT_DIFFERENTLY and not inspect.ismodule(twin):
                yield pytest.param(package, getattr(ours, name), twin, id=f"{package}.{name}")


def arguments(fn):
    named = inspect.signature(fn.__init__ if inspect.isclass(fn) else fn).parameters.values()
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {p.name: p.default for p in named if p.kind not in kinds and p.name != "self"}


@pytest.mark.parametrize("package,ours,theirs", list(mirrored()))
def test_arguments_are_torchs(package, ours, theirs):
    mine, yours = arguments(ours), arguments(theirs)
    assert set(yours) - set(mine) <= REPLACED[package]
    assert set(mine) - set(yours) <= ADDED[package]
    common = [name for name in mine if name in yours and name not in ADDED[package]]
    assert common == [name for name in yours if name in common]
    for name in common:
        if (package, name) not in DIFFERENT_DEFAULTS:
            assert repr(mine[name]) == repr(yours[name]), name


def test_enough_is_mirrored():
    assert len(list(mirrored())) > 60
