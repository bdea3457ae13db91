"""What went through the modules of a torch model in one step."""

from collections import Counter
from typing import Any

import numpy as np
import torch

from jaxgrad.parity.record.model import module_name
from jaxgrad.parity.sides.torch_draws import Draws, calling_line
from jaxgrad.parity.torch_side import to_numpy


class Modules:
    """Hooks on every module; they look and change nothing.

    Args:
        model: to be hooked.
        draws: told which module runs.
        inputs: whether what went in is noted too.
        only: the names to note, or None for all.

    Attributes:
        lines: name -> the line that called the module first.
        order: names of all modules in the order in which they first finish.
    """

    def __init__(self, model: torch.nn.Module, draws: Draws, *, inputs: bool, only: frozenset[str] | None):
        self.outputs: dict[str, np.ndarray] = {}
        self.inputs: dict[str, np.ndarray] = {}
        self.lines: dict[str, str] = {}
        self.order: dict[str, None] = {}
        self._calls: Counter[str] = Counter()
        self._draws, self._around = draws, [""]
        for path, module in model.named_modules():
            module.register_forward_pre_hook(self._enters(path))
            wanted = only is None or module_name(path) in only
            module.register_forward_hook(self._leaves(path, wanted, inputs), with_kwargs=True)

    def restart(self) -> None:
        """A forward pass begins."""
        self.outputs, self.inputs, self._calls, self._around = {}, {}, Counter(), [""]

    def _enters(self, path: str) -> Any:
        def enter(module: Any, args: Any) -> None:
            self._around.append(path)
            self._draws.module = path

        return enter

    def _leaves(self, path: str, wanted: bool, inputs: bool) -> Any:
        name = module_name(path)

        def leave(module: Any, args: Any, kwargs: Any, output: Any) -> None:
            self._around.pop()
            self._draws.module = self._around[-1] if self._around else ""
            self.order.setdefault(name)
            if not wanted:
                return
            if name not in self.lines:
                self.lines[name] = calling_line()
            called = module_name(path, self._calls[name])
            self._calls[name] += 1
            outputs = tensors_in(output)
            for i, tensor in enumerate(outputs):
                self.outputs[called if len(outputs) == 1 else f"{called}#{i}"] = to_numpy(tensor)
            for i, tensor in enumerate(tensors_in((args, kwargs)) if inputs else ()):
                self.inputs[f"{called}#{i}"] = to_numpy(tensor)

        return leave


def tensors_in(value: Any) -> list[torch.Tensor]:
    """The tensors in a nesting of tuples, lists, dicts and records, in order."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        return [tensor for each in value.values() for tensor in tensors_in(each)]
    if isinstance(value, list | tuple):
        return [tensor for each in value for tensor in tensors_in(each)]
    if hasattr(value, "__dataclass_fields__"):
        return [tensor for name in value.__dataclass_fields__ for tensor in tensors_in(getattr(value, name))]
    return []
