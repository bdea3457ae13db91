"""What a torch run is made of, as JSON."""

import inspect
import os
import platform
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from jaxgrad.parity.record.model import module_name


def describe(model: Any, optimizer: Any, scheduler: Any, clip: Any, accumulate: int, names: Mapping[int, str]) -> Any:
    """The ``meta`` of a torch run."""
    tied: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        tied.setdefault(id(parameter), []).append(name)
    first = next(model.parameters(), None)
    return {
        "library": "torch",
        "optimizer": {"class": type(optimizer).__name__, "groups": [_group(g, names) for g in optimizer.param_groups]},
        "modules": {
            module_name(path): {"class": type(module).__name__, "options": _options(module)}
            for path, module in model.named_modules()
        },
        "tied": [names for names in tied.values() if len(names) > 1],
        "frozen": [name for name, parameter in model.named_parameters() if not parameter.requires_grad],
        "clip": plain(clip),
        "accumulate": accumulate,
        "scheduler": None if scheduler is None else type(scheduler).__name__,
        "versions": {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version()},
        "device": "cpu" if first is None else str(first.device),
        "dtype": "float32" if first is None else str(first.dtype).removeprefix("torch."),
        "source": {module_name(path): _defined(module) for path, module in model.named_modules() if _defined(module)},
    }


def plain(value: Any) -> Any:
    """A value as JSON; what JSON has not is its ``repr``."""
    if isinstance(value, bool | int | float | str | None):
        return value
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        return value.item()
    return getattr(value, "__name__", None) or repr(value)[:80]


def _group(group: Mapping[str, Any], names: Mapping[int, str]) -> dict[str, Any]:
    params = [names.get(id(parameter), "?") for parameter in group["params"]]
    return {"params": params, **{key: plain(value) for key, value in group.items() if key != "params"}}


def _options(module: Any) -> dict[str, Any]:
    """The attributes of a module that are numbers, words, or tuples of them."""
    held = {name: value for name, value in vars(module).items() if not name.startswith("_") and name != "training"}
    simple = {name: value for name, value in held.items() if isinstance(value, bool | int | float | str | list | tuple)}
    return {name: plain(value) for name, value in simple.items()}


def _defined(module: Any) -> str:
    """Where the class of a module of the user's own is written."""
    if type(module).__module__.startswith("torch."):
        return ""
    try:
        path, line = inspect.getsourcefile(type(module)), inspect.getsourcelines(type(module).forward)[1]
    except (OSError, TypeError):
        return ""
    return f"{os.path.basename(path or '')}:{line}"
