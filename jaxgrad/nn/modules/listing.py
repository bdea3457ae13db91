"""What a module lists of itself, after the methods of ``torch.nn.Module`` that name and visit."""

from collections.abc import Callable, Iterator
from typing import Any, Self

from flax import nnx

from jaxgrad._core import listing
from jaxgrad._core.errors import explain
from jaxgrad._core.listing import Variable
from jaxgrad._core.types import Array
from jaxgrad.nn.parameter import Buffer, Parameter


class Listing(nnx.Module):
    """Base of ``nn.Module``: children, parameters and buffers in torch's order, and the registering of more."""

    def children(self) -> Iterator[Any]:
        """The modules that are attributes of this one, in the order they were set, each once."""
        return (module for _, module in self.named_children())

    def named_children(self) -> Iterator[tuple[str, Any]]:
        """The same with their names."""
        seen: set[int] = set()
        for name, module in listing.named_children(self):
            if id(module) not in seen:
                seen.add(id(module))
                yield name, module

    def modules(self) -> Iterator[Any]:
        """This module and all below it, each once, parents before children."""
        return (module for _, module in self.named_modules())

    def named_modules(
        self, memo: set[Any] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Any]]:
        """The same with their dotted names.

        Args:
            memo: modules to leave out; those listed are added to it.
            prefix: what every name begins with.
            remove_duplicate: list a shared module once, under its first name.
        """
        return listing.named_modules(self, memo, prefix, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Variable]:
        """The parameters, each once; what is trained are their values, ``func.extract(model)[0]``."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Variable]]:
        """The same with their dotted names.

        Args:
            prefix: what every name begins with.
            recurse: those of this module alone, if False.
            remove_duplicate: list a shared parameter once, under its first name.
        """
        return self._named(nnx.Param, prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Variable]:
        """What is remembered and not trained, each once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Variable]]:
        """The same with their dotted names; arguments as ``named_parameters``."""
        return (pair for pair in self._named(nnx.Variable, prefix, recurse, remove_duplicate) if not _is_param(pair))

    def _named(self, kind: Any, prefix: str, recurse: bool, once: bool) -> Iterator[tuple[str, Variable]]:
        seen: set[int] = set()
        for name, variable in listing.named_variables(self, f"{prefix}." if prefix else ""):
            own = recurse or vars(self).get(name.rpartition(".")[2]) is variable
            if own and isinstance(variable, kind) and not (once and id(variable) in seen):
                seen.add(id(variable))
                yield name, variable

    def state_dict(
        self, *, destination: dict[str, Any] | None = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Any]:
        """Parameters and persistent buffers under torch's keys, in torch's order; a shared one under each of its names.

        Args:
            destination: a dict to add them to.
            prefix: what every key begins with, its dot included.
            keep_vars: the ``Parameter`` and ``Buffer`` objects instead of their arrays.
        """
        state = {} if destination is None else destination
        for name, variable in listing.named_variables(self, prefix):
            if variable.get_metadata().get("persistent", True):
                state[name] = variable if keep_vars else variable.get_value()
        return state

    def apply(self, fn: Callable[[Any], Any]) -> Self:
        """``fn(module)`` for every module, children first, this one last; for initial values, while a model is built.

        Args:
            fn: may give parameters new values: ``module.weight.set_value(...)``.

        >>> from jaxgrad import nn, random
        >>> model = nn.Sequential(nn.Linear(2, 3, rngs=nn.Rngs(random.manual_seed(0))), nn.ReLU())
        >>> visited = []
        >>> _ = model.apply(lambda module: visited.append(type(module).__name__))
        >>> visited
        ['Linear', 'ReLU', 'Sequential']
        """
        _apply(self, fn)
        return self

    def get_submodule(self, target: str) -> Any:
        """The module of a dotted name; "" is this one.

        Raises:
            AttributeError: ``... has no attribute `...```, or ```...` is not an nn.Module``.
        """
        module: Any = self
        for step in target.split(".") if target else ():
            entries = dict(listing.attributes(module))
            if step not in entries:
                raise AttributeError(f"{type(module).__name__} has no attribute `{step}`")
            module = entries[step]
            if not isinstance(module, nnx.Module | nnx.List | nnx.Dict):
                raise AttributeError(f"`{step}` is not an nn.Module")
        return module

    def get_parameter(self, target: str) -> Any:
        """The parameter of a dotted name.

        Raises:
            AttributeError: there is none, in torch's words.
        """
        return self._get(target, nnx.Param, "an nn.Parameter")

    def get_buffer(self, target: str) -> Any:
        """The buffer of a dotted name.

        Raises:
            AttributeError: there is none, in torch's words.
        """
        buffer = self._get(target, nnx.Variable, "a buffer")
        if isinstance(buffer, nnx.Param):
            raise AttributeError(f"`{target.rpartition('.')[2]}` is not a buffer")
        return buffer

    def _get(self, target: str, kind: Any, words: str) -> Any:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        entries = dict(listing.attributes(module))
        if name not in entries:
            raise AttributeError(f"{type(module).__name__} has no attribute `{name}`")
        if not isinstance(entries[name], kind):
            raise AttributeError(f"`{name}` is not {words}")
        return entries[name]

    def register_buffer(self, name: str, tensor: Array | None, persistent: bool = True) -> None:
        """Set an attribute that the module remembers and that is not trained.

        Args:
            name: of the attribute.
            tensor: an array, or None.
            persistent: whether it belongs to the ``state_dict``.

        Raises:
            TypeError: ``cannot assign '...' object to buffer '...'``.
            KeyError: the name is taken, empty or has a dot.
        """
        self._check_name("buffer", name, Buffer)
        if tensor is not None and not hasattr(tensor, "dtype"):
            raise TypeError(
                explain(
                    f"cannot assign '{type(tensor).__name__}' object to buffer '{name}' "
                    "(torch Tensor or None required)",
                    remedy="jnp.asarray(value)",
                )
            )
        setattr(self, name, None if tensor is None else Buffer(tensor, persistent=persistent))

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Set an attribute that is trained.

        Args:
            name: of the attribute.
            param: an ``nn.Parameter``, or None.

        Raises:
            TypeError: ``cannot assign '...' object to parameter '...'``.
            KeyError: the name is taken, empty or has a dot.
        """
        self._check_name("parameter", name, nnx.Param)
        if param is not None and not isinstance(param, nnx.Param):
            raise TypeError(
                f"cannot assign '{type(param).__name__}' object to parameter '{name}' "
                "(torch.nn.Parameter or None required)"
            )
        setattr(self, name, param)

    def add_module(self, name: str, module: Any) -> None:
        """Set an attribute that is a module.

        Args:
            name: of the attribute.
            module: any NNX module, or None.

        Raises:
            TypeError: ``... is not a Module subclass``.
            KeyError: the name is taken, empty or has a dot.
        """
        if module is not None and not isinstance(module, nnx.Module):
            raise TypeError(f"{type(module).__name__} is not a Module subclass")
        self._check_name("module", name, nnx.Module)
        setattr(self, name, module)

    def register_module(self, name: str, module: Any) -> None:
        """Another name of ``add_module``."""
        self.add_module(name, module)

    def _check_name(self, kind: str, name: str, again: Any) -> None:
        """Raise unless an attribute may have this name: a free one, or that of one of the same kind."""
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {type(name).__name__}")
        taken = name in vars(self) and not (isinstance(vars(self)[name], again) or vars(self)[name] is None)
        if taken or hasattr(type(self), name):
            raise KeyError(f"attribute '{name}' already exists")
        if "." in name:
            raise KeyError(f'{kind} name can\'t contain "."{f", got: {name}" if kind == "module" else ""}')
        if not name:
            raise KeyError(f'{kind} name can\'t be empty string ""')


def _apply(module: Any, fn: Callable[[Any], Any]) -> None:
    seen: set[int] = set()
    for _, child in listing.named_children(module):
        if id(child) not in seen:
            seen.add(id(child))
            _apply(child, fn)
    fn(module)


def _is_param(pair: tuple[str, Any]) -> bool:
    return isinstance(pair[1], nnx.Param)
