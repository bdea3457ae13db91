"""Modules that hold modules."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, overload

from flax import nnx

from jaxgrad.nn.modules.module import Module


class Sequential(Module):
    """Mirror of ``torch.nn.Sequential``: one module after the other, named "0", "1", ... or as an OrderedDict says.

    Any NNX module may stand in it.

    Raises:
        TypeError: an argument is not a module.

    >>> from jaxgrad import nn, random
    >>> rngs = nn.Rngs(random.manual_seed(0))
    >>> nn.Sequential(nn.Linear(3, 4, rngs=rngs), nn.ReLU())
    Sequential(
      (0): Linear(in_features=3, out_features=4, bias=True)
      (1): ReLU()
    )

    Source: torch/nn/modules/container.py.
    """

    def __init__(self, *args: Any):
        named = args[0] if len(args) == 1 and isinstance(args[0], OrderedDict) else None
        for name, module in named.items() if named is not None else enumerate(args):
            self._add(str(name), module)

    def _add(self, name: str, module: Any) -> None:
        if not isinstance(module, nnx.Module):
            raise TypeError(f"{type(module).__name__} is not a Module subclass")
        setattr(self, name, module)

    def append(self, module: nnx.Module) -> "Sequential":
        """Add a module at the end, under the next number."""
        self._add(str(len(self)), module)
        return self

    def forward(self, input: Any) -> Any:
        """Each module's output is the next one's input."""
        for module in self:
            input = module(input)
        return input

    def __len__(self) -> int:
        return len(self.children())

    def __iter__(self) -> Iterator[Any]:
        return iter(self.children().values())

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> "Sequential": ...

    def __getitem__(self, index: int | slice) -> Any:
        """The module at a place, or a Sequential of a slice that shares its modules."""
        if isinstance(index, slice):
            return Sequential(OrderedDict(list(self.children().items())[index]))
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of range")
        return list(self)[index]
