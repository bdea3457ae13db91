"""What is computed: the originals of one parameter, and the modules that they run through."""

import textwrap
from collections.abc import Sequence
from typing import Any, ClassVar

import jax
from flax import nnx

from jaxgrad._core.call import Call, enter, unknown_mode
from jaxgrad._core.listing import named_children, numbered_lines
from jaxgrad._core.types import Array
from jaxgrad.nn.parameter import Buffer, Parameter


class Part(nnx.Module):
    """Base of what hangs below ``parametrizations``: in the mode of the call, printed as torch prints it.

    >>> Part()
    Part()
    """

    _call: Call | None = None
    _shown: ClassVar[str | None] = None

    @property
    def training(self) -> bool:
        """The mode of the call.

        Raises:
            RuntimeError: there is no call that says ``training=``.
        """
        if self._call is None:
            raise unknown_mode(type(self).__name__)
        return self._call.mode(type(self).__name__)

    def __repr__(self) -> str:
        lines = self._lines()
        inside = f"\n{textwrap.indent(chr(10).join(lines), '  ')}\n" if lines else ""
        return f"{self._shown or type(self).__name__}({inside})"

    def __str__(self) -> str:
        return repr(self)

    def _lines(self) -> list[str]:
        return [f"({name}): {child!r}" for name, child in named_children(self)]


class ParametrizationList(Part):
    """Mirror of ``torch.nn.utils.parametrize.ParametrizationList``: originals, and the modules that they run through.

    Args:
        modules: the parametrizations, the first one first.
        original: the parameter or buffer that becomes computed.
        unsafe: whether dtype and shape may change.

    Attributes:
        original: what is trained, if ``right_inverse`` gives one array; otherwise ``original0``, ``original1``, ...

    Raises:
        ValueError: no modules; ``right_inverse`` or the result is no array, or of another shape or dtype.

    >>> import jax.numpy as jnp
    >>> from jaxgrad import nn
    >>> class Positive(nn.Module):
    ...     def forward(self, x):
    ...         return jnp.exp(x)
    ...
    ...     def right_inverse(self, y):
    ...         return jnp.log(y)
    >>> ParametrizationList([Positive()], nn.Parameter(jnp.ones(2))).original.get_value().tolist()
    [0.0, 0.0]

    Source: torch/nn/utils/parametrize.py.
    """

    def __init__(self, modules: Sequence[Any], original: nnx.Variable[Any], unsafe: bool = False):
        if len(modules) == 0:
            raise ValueError("ParametrizationList requires one or more modules.")
        self.unsafe = unsafe
        self._size = 0
        for module in modules:
            self.append(module)
        before = original.get_value()
        new = self._inverse(before, may_lack=True)
        several = not _is_array(new)
        if several and not isinstance(new, Sequence):
            raise ValueError(
                "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
                f"Got {type(new).__name__}"
            )
        if not several and new.dtype != before.dtype:
            raise ValueError(
                "When `right_inverse` outputs one tensor, it may not change the dtype.\n"
                f"original.dtype: {before.dtype}\nright_inverse(original).dtype: {new.dtype}"
            )
        self.ntensors = len(new) if several else 1
        self.is_tensor = not several
        kind = Parameter if isinstance(original, nnx.Param) else Buffer
        if several:
            for i, each in enumerate(new):
                setattr(self, f"original{i}", kind(each))
        else:
            original.set_value(new)
            self.original = original
        if not unsafe:
            value = self.in_mode(training=True)  # a module of torch's is in training mode when it is new
            check_same(value, before, "unparametrized {}", "parametrized {}", "unless `unsafe` flag is enabled.")

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: int) -> Any:
        return getattr(self, str(range(self._size)[index]))

    def _lines(self) -> list[str]:
        return numbered_lines(self[i] for i in range(len(self)))

    def append(self, module: Any) -> None:
        """Add a parametrization at the end."""
        setattr(self, str(self._size), module)
        self._size += 1

    def originals(self) -> list[nnx.Variable[Any]]:
        """The arrays that the first parametrization is given."""
        return [self.original] if self.is_tensor else [getattr(self, f"original{i}") for i in range(self.ntensors)]

    def right_inverse(self, value: Array) -> None:
        """Give the originals the values from which this one is computed.

        Args:
            value: what the parameter is to be.

        Raises:
            RuntimeError: ``parametrization ... does not implement right_inverse.``.
        """
        new = self._inverse(value, may_lack=False)
        for original, each in zip(self.originals(), [new] if self.is_tensor else new, strict=True):
            original.set_value(each)

    def _inverse(self, value: Any, *, may_lack: bool) -> Any:
        for module in reversed([self[i] for i in range(len(self))]):
            if hasattr(type(module), "right_inverse"):
                try:
                    value = module.right_inverse(value)
                except NotImplementedError:
                    if not may_lack:
                        raise
            elif not may_lack:
                raise RuntimeError(f"parametrization {type(module).__name__} does not implement right_inverse.")
        return value

    def __call__(self) -> Any:
        """The parameter."""
        value = self[0](*(original.get_value() for original in self.originals()))
        for i in range(1, len(self)):
            value = self[i](value)
        return value

    def in_mode(self, *, training: bool) -> Any:
        """The parameter, computed outside of a call."""
        enter(self, Call(training))
        try:
            return self()
        finally:
            for _, each in nnx.iter_modules(self):
                vars(each).pop("_call", None)


def _is_array(value: Any) -> bool:
    return isinstance(value, jax.Array)


def check_same(value: Any, before: Any, old: str, new: str, unless: str) -> None:
    """Raise unless a parametrization gives an array of the shape and dtype that there were before.

    >>> import jax.numpy as jnp
    >>> check_same(jnp.ones(2), jnp.zeros(2), "old {}", "new {}", "here.")
    """
    if not _is_array(value):
        raise ValueError(f"A parametrization must return a tensor. Got {type(value).__name__}.")
    for what in ("dtype", "shape"):
        mine, theirs = getattr(value, what), getattr(before, what)
        if mine != theirs:
            raise ValueError(
                f"Registering a parametrization may not change the {what} of the tensor, {unless}\n"
                f"{old.format(what)}: {theirs}\n{new.format(what)}: {mine}"
            )
