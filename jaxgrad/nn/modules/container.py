"""Modules that hold modules."""

import operator
import textwrap
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self, overload

from flax import nnx

from jaxgrad._core.listing import numbered_lines
from jaxgrad.nn.modules.module import Module


class _Numbered(Module):
    """What ``Sequential`` and ``ModuleList`` share: modules under numbers."""

    def _held(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if isinstance(value, nnx.Module)}

    def _key(self, index: int) -> str:
        index = operator.index(index)
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of range")
        return list(self._held())[index]

    def _hold(self, modules: Iterable[Any]) -> None:
        """These modules, numbered from 0, instead of those that are there."""
        modules = list(modules)
        for name in self._held():
            delattr(self, name)
        for i, module in enumerate(modules):
            setattr(self, str(i), module)

    def __len__(self) -> int:
        return len(self._held())

    def __iter__(self) -> Iterator[Any]:
        return iter(self._held().values())

    def __setitem__(self, index: int, module: Any) -> None:
        self.add_module(self._key(index), module)

    def __delitem__(self, index: int | slice) -> None:
        names = list(self._held())
        gone = set(names[index]) if isinstance(index, slice) else {self._key(index)}
        self._hold(module for name, module in self._held().items() if name not in gone)

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if not name.isdigit()]

    def append(self, module: Any) -> Self:
        """Add a module at the end, under the next number."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Any]) -> Self:
        """Add modules at the end."""
        for module in list(modules):
            self.append(module)
        return self

    def pop(self, key: int | slice) -> Any:
        """Take a module out; those after it move up."""
        module = self[key]
        del self[key]
        return module


class Sequential(_Numbered):
    """Mirror of ``torch.nn.Sequential``: one module after the other, named "0", "1", ... or as an OrderedDict says.

    Any NNX module may stand in it.

    Args:
        args: modules, or one OrderedDict of them.

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
            self.add_module(str(name), module)

    def forward(self, input: Any) -> Any:
        """Each module's output is the next one's input."""
        for module in self:
            input = module(input)
        return input

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> "Sequential": ...

    def __getitem__(self, index: int | slice) -> Any:
        """The module at a place, or a Sequential of a slice that shares its modules."""
        if isinstance(index, slice):
            return type(self)(OrderedDict(list(self._held().items())[index]))
        return self._held()[self._key(index)]

    def insert(self, index: int, module: Any) -> Self:
        """Put a module before the place ``index``.

        Raises:
            AssertionError: ``module should be of type: ...``.
            IndexError: ``Index out of range: ...``.
        """
        if not isinstance(module, nnx.Module):
            raise AssertionError(f"module should be of type: {Module}")
        modules = list(self)
        if not -len(modules) <= index <= len(modules):
            raise IndexError(f"Index out of range: {index}")
        modules.insert(index, module)
        self._hold(modules)
        return self

    def __add__(self, other: Any) -> "Sequential":
        return Sequential(*self, *_sequential(other))

    def __iadd__(self, other: Any) -> Self:
        return self.extend(_sequential(other))

    def __mul__(self, other: int) -> "Sequential":
        return Sequential(*(list(self) * self._times(other)))

    def __rmul__(self, other: int) -> "Sequential":
        return self * other

    def __imul__(self, other: int) -> Self:
        return self.extend(list(self) * (self._times(other) - 1))

    def _times(self, other: Any) -> int:
        if not isinstance(other, int):
            raise TypeError(f"unsupported operand type(s) for *: {type(self)} and {type(other)}")
        if other <= 0:
            raise ValueError(f"Non-positive multiplication factor {other} for {type(self)}")
        return other


def _sequential(other: Any) -> Sequential:
    if not isinstance(other, Sequential):
        raise ValueError(f"add operator supports only objects of Sequential class, but {type(other)} is given.")
    return other


class ModuleList(_Numbered):
    """Mirror of ``torch.nn.ModuleList``: a list whose modules are children, named "0", "1", ...

    Args:
        modules: what it holds.

    Raises:
        TypeError: ``... is not a Module subclass``, or not an iterable.

    >>> from jaxgrad import nn, random
    >>> rngs = nn.Rngs(random.manual_seed(0))
    >>> layers = nn.ModuleList(nn.Linear(3, 3, rngs=rngs) for _ in range(2))
    >>> layers
    ModuleList(
      (0-1): 2 x Linear(in_features=3, out_features=3, bias=True)
    )
    >>> [name for name, _ in layers.named_parameters()]
    ['0.weight', '0.bias', '1.weight', '1.bias']

    Source: torch/nn/modules/container.py.
    """

    def __init__(self, modules: Iterable[Any] | None = None):
        if modules is not None:
            self.extend(modules)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> "ModuleList": ...

    def __getitem__(self, index: int | slice) -> Any:
        """The module at a place, or a ModuleList of a slice that shares its modules."""
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return self._held()[self._key(index)]

    def extend(self, modules: Iterable[Any]) -> Self:
        """Add modules at the end.

        Raises:
            TypeError: ``ModuleList.extend should be called with an iterable, but got ...``.
        """
        if not isinstance(modules, Iterable):
            raise TypeError(f"ModuleList.extend should be called with an iterable, but got {type(modules).__name__}")
        return super().extend(modules)

    def insert(self, index: int, module: Any) -> None:
        """Put a module before the place ``index``.

        Raises:
            TypeError: ``... is not a Module subclass``.
        """
        if not isinstance(module, nnx.Module):
            raise TypeError(f"{type(module).__name__} is not a Module subclass")
        modules = list(self)
        modules.insert(index, module)
        self._hold(modules)

    def __add__(self, other: Iterable[Any]) -> "ModuleList":
        return ModuleList([*self, *other])

    def __iadd__(self, modules: Iterable[Any]) -> Self:
        return self.extend(modules)

    def __repr__(self) -> str:
        """Torch's form: equal neighbours are printed once."""
        lines = [textwrap.indent(line, "  ") for line in numbered_lines(self)]
        return f"{type(self).__name__}(" + "".join(f"\n{line}" for line in lines) + ("\n)" if lines else ")")


class ModuleDict(Module):
    """Mirror of ``torch.nn.ModuleDict``: a dict whose modules are children, in the order of insertion.

    Args:
        modules: a dict, or pairs of names and modules.

    Raises:
        TypeError: ``... is not a Module subclass``, or no pairs.
        KeyError: a name that a method of the dict has, or with a dot.

    >>> from jaxgrad import nn
    >>> nn.ModuleDict({"relu": nn.ReLU(), "flat": nn.Flatten()})["relu"]
    ReLU()

    Source: torch/nn/modules/container.py.
    """

    def __init__(self, modules: Any = None):
        if modules is not None:
            self.update(modules)

    def _held(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if isinstance(value, nnx.Module)}

    def __getitem__(self, key: str) -> Any:
        return self._held()[key]

    def __setitem__(self, key: str, module: Any) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        if key not in self._held():
            raise KeyError(key)
        delattr(self, key)

    def __len__(self) -> int:
        return len(self._held())

    def __iter__(self) -> Iterator[str]:
        return iter(self._held())

    def __contains__(self, key: str) -> bool:
        return key in self._held()

    def clear(self) -> None:
        """Take everything out."""
        for key in list(self):
            del self[key]

    def pop(self, key: str) -> Any:
        """Take a module out."""
        module = self[key]
        del self[key]
        return module

    def keys(self) -> Any:
        """The names."""
        return self._held().keys()

    def items(self) -> Any:
        """Names and modules."""
        return self._held().items()

    def values(self) -> Any:
        """The modules."""
        return self._held().values()

    def update(self, modules: Any) -> None:
        """Set the modules of a dict, or of pairs.

        Raises:
            TypeError: in torch's words, not a dict and not pairs.
        """
        for key, module in pairs(modules, "ModuleDict"):
            self[key] = module


def pairs(modules: Any, kind: str) -> list[tuple[Any, Any]]:
    """The names and values of a dict or of an iterable of pairs; torch's complaints otherwise."""
    if not isinstance(modules, Iterable) or getattr(modules, "ndim", 1) == 0:
        raise TypeError(
            f"{'ParametersDict' if kind == 'ParameterDict' else kind}.update should be called with an iterable of "
            f"key/value pairs, but got {type(modules).__name__}"
        )
    if isinstance(modules, Mapping) or hasattr(modules, "items"):
        return list(modules.items())
    found = []
    for i, pair in enumerate(modules):
        if not isinstance(pair, Iterable) or getattr(pair, "ndim", 1) == 0:
            raise TypeError(f"{kind} update sequence element #{i} should be Iterable; is{type(pair).__name__}")
        entries = list(pair)
        if len(entries) != 2:
            raise ValueError(f"{kind} update sequence element #{i} has length {len(entries)}; 2 is required")
        found.append((entries[0], entries[1]))
    return found
