"""Parameters in a list or a dict, after the second half of ``torch/nn/modules/container.py``."""

import operator
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NoReturn, Self

import jax
import numpy as np
from flax import nnx

from jaxgrad._core.dtype_names import torch_name
from jaxgrad.nn.modules.container import pairs
from jaxgrad.nn.modules.module import Module
from jaxgrad.nn.parameter import Parameter


class ParameterList(Module):
    """Mirror of ``torch.nn.ParameterList``: a list whose parameters are the module's, named "0", "1", ...

    Args:
        values: parameters; arrays become parameters, anything else is kept as it is.

    Raises:
        TypeError: ``ParameterList.extend should be called with an iterable, but got ...``.

    >>> import jax.numpy as jnp
    >>> from jaxgrad import nn
    >>> factors = nn.ParameterList([nn.Parameter(jnp.ones(2)), jnp.zeros(3)])
    >>> [(name, value.shape) for name, value in factors.named_parameters()]
    [('0', (2,)), ('1', (3,))]
    >>> factors
    ParameterList(
        (0): Parameter containing: [torch.float32 of size 2]
        (1): Parameter containing: [torch.float32 of size 3]
    )

    Source: torch/nn/modules/container.py.
    """

    def __init__(self, values: Iterable[Any] | None = None):
        self._size = 0
        if values is not None:
            self.extend(values)

    def _key(self, index: Any) -> str:
        index = operator.index(index)
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of range")
        return str(index % len(self))

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)([self[i] for i in range(*index.indices(len(self)))])
        return getattr(self, self._key(index))

    def __setitem__(self, index: int, param: Any) -> None:
        setattr(self, self._key(index), _as_parameter(param))

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __iadd__(self, parameters: Iterable[Any]) -> Self:
        return self.extend(parameters)

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if not name.isdigit()]

    def append(self, value: Any) -> Self:
        """Add a value at the end."""
        self._size += 1
        self[len(self) - 1] = value
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Add values at the end.

        Raises:
            TypeError: not an iterable, or an array.
        """
        if not isinstance(values, Iterable) or _is_array(values):
            raise TypeError(f"ParameterList.extend should be called with an iterable, but got {type(values).__name__}")
        for value in list(values):
            self.append(value)
        return self

    def extra_repr(self) -> str:
        """Torch's."""
        return "\n".join(f"  ({i}): {_described(value, by_dtype=True)}" for i, value in enumerate(self))

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raises: a list is not called."""
        raise RuntimeError("ParameterList should not be called.")


class ParameterDict(Module):
    """Mirror of ``torch.nn.ParameterDict``: a dict whose parameters are the module's.

    Args:
        parameters: a dict (a plain one is taken in the order of its sorted keys, as in torch, an OrderedDict in its
            own), or pairs; arrays become parameters, anything else is kept as it is.

    Raises:
        TypeError: not a dict and not pairs, or a key that is not a string.

    >>> import jax.numpy as jnp
    >>> from jaxgrad import nn
    >>> choices = nn.ParameterDict({"right": jnp.ones(2), "left": jnp.zeros(3)})
    >>> [(name, value.shape) for name, value in choices.named_parameters()]
    [('left', (3,)), ('right', (2,))]

    Source: torch/nn/modules/container.py.
    """

    def __init__(self, parameters: Any = None):
        self._keys: dict[str, None] = {}
        if parameters is not None:
            self.update(parameters)

    def __getitem__(self, key: str) -> Any:
        return getattr(self, _checked(key))

    def __setitem__(self, key: str, value: Any) -> None:
        self._keys[_checked(key)] = None
        setattr(self, key, _as_parameter(value))

    def __delitem__(self, key: str) -> None:
        del self._keys[key]
        delattr(self, _checked(key))

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._keys)

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def copy(self) -> "ParameterDict":
        """Another dict of the same parameters."""
        return ParameterDict(OrderedDict(self.items()))

    def setdefault(self, key: str, default: Any | None = None) -> Any:
        """The value of a key, which is set if it was not there."""
        if key not in self:
            self[key] = default
        return self[key]

    def clear(self) -> None:
        """Take everything out."""
        for key in list(self):
            del self[key]

    def pop(self, key: str) -> Any:
        """Take a value out."""
        value = self[key]
        del self[key]
        return value

    def popitem(self) -> tuple[str, Any]:
        """Take the last key and its value out."""
        key = next(reversed(self))
        return key, self.pop(key)

    def get(self, key: str, default: Any | None = None) -> Any:
        """The value of a key, or the default."""
        return self[key] if key in self else default

    def fromkeys(self, keys: Iterable[str], default: Any | None = None) -> "ParameterDict":
        """A dict of these keys, all with the default."""
        return ParameterDict([(key, default) for key in keys])

    def keys(self) -> Any:
        """The names."""
        return self._keys.keys()

    def items(self) -> Iterator[tuple[str, Any]]:
        """Names and values."""
        return ((key, self[key]) for key in self._keys)

    def values(self) -> Iterator[Any]:
        """The values."""
        return (self[key] for key in self._keys)

    def update(self, parameters: Any) -> None:
        """Set the values of a dict, or of pairs.

        Raises:
            TypeError: in torch's words, not a dict and not pairs.
        """
        found = pairs(parameters, "ParameterDict")
        in_its_order = isinstance(parameters, OrderedDict | ParameterDict) or not isinstance(parameters, Mapping)
        for key, value in found if in_its_order else sorted(found, key=operator.itemgetter(0)):
            self[key] = value

    def extra_repr(self) -> str:
        """Torch's."""
        return "\n".join(f"  ({key}): {_described(value, by_dtype=False)}" for key, value in self.items())

    def __call__(self, input: Any) -> NoReturn:
        """Raises: a dict is not called."""
        raise RuntimeError("ParameterDict should not be called.")

    def __or__(self, other: "ParameterDict") -> "ParameterDict":
        both = self.copy()
        both.update(other)
        return both

    def __ror__(self, other: "ParameterDict") -> "ParameterDict":
        both = other.copy()
        both.update(self)
        return both

    def __ior__(self, other: "ParameterDict") -> Self:
        self.update(other)
        return self


def _checked(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(
            "Index given to ParameterDict cannot be used as a key as it is not a string "
            f"(type is '{type(key).__name__}'). Open an issue on github if you need non-string keys."
        )
    return key


def _is_array(value: Any) -> bool:
    return isinstance(value, jax.Array | np.ndarray)


def _as_parameter(value: Any) -> Any:
    return Parameter(value) if _is_array(value) else value


def _described(value: Any, *, by_dtype: bool) -> str:
    if not isinstance(value, nnx.Variable):
        return f"Object of type: {type(value).__name__}"
    array = value.get_value()
    kind = "Parameter" if isinstance(value, nnx.Param) else "Tensor"
    what = f"torch.{array.dtype.name}" if by_dtype else f"torch.{torch_name(array.dtype)}Tensor"
    return f"{kind} containing: [{what} of size {'x'.join(map(str, array.shape))}]"
