"""Parameters computed anew in every call, under torch's older names (``weight_g`` beside ``weight_v``).

torch hangs a hook before ``forward`` on the module. Here the module is of a class made on the fly, printed and pickled
as the one it is derived from: it knows what computes its parameters, and brings that up to date when it is called.
"""

import copyreg
import dataclasses
import functools
from typing import Any

from flax import nnx

from jaxgrad._core.errors import explain
from jaxgrad._core.types import Array
from jaxgrad.nn.parameter import Parameter
from jaxgrad.nn.utils.parametrize import Computed, is_parametrized, parametrizable


@dataclasses.dataclass(frozen=True)
class Norm:
    """What computes one parameter of a module from others; a subclass has the formula.

    >>> Norm("weight").title
    'norm'
    """

    name: str

    @property
    def title(self) -> str:
        """As torch's sentences call it."""
        return type(self).__name__.lower()

    def value(self, module: Any) -> Array:
        """The parameter."""
        raise NotImplementedError

    def renew(self, module: Any) -> None:
        """What a call does before ``forward``."""

    def held(self) -> tuple[str, ...]:
        """The names of what it is computed from."""
        raise NotImplementedError


def norms_of(module: Any) -> tuple[Norm, ...]:
    """What computes parameters of this module, in the order of registration.

    >>> from jaxgrad import nn
    >>> norms_of(nn.ReLU())
    ()
    """
    found: tuple[Norm, ...] = getattr(type(module), "_norms", ())
    return found


def computable(module: Any, name: str, kind: type[Norm], title: str) -> Any:
    """A copy of a module, one parameter of which is to be computed; the module itself does not change.

    Raises:
        RuntimeError: it is so already, by the same kind.
        AttributeError: there is no parameter of this name.

    >>> from jaxgrad import nn, random
    >>> computable(nn.Linear(2, 1, rngs=nn.Rngs(random.manual_seed(0))), "weight", Norm, "norm")
    Linear(in_features=2, out_features=1, bias=True)
    """
    made = parametrizable(module)
    if any(isinstance(norm, kind) and norm.name == name for norm in norms_of(made)):
        raise RuntimeError(f"Cannot register two {title} hooks on the same parameter {name}")
    if is_parametrized(made):
        raise RuntimeError(
            explain(
                f"{title} on a module that is parametrized: {type(made).__name__}",
                remedy=f"nn.utils.parametrizations.{title}, which may be registered beside others",
            )
        )
    if not isinstance(vars(made).get(name), nnx.Param):
        raise AttributeError(f"'{type(made).__name__}' object has no attribute '{name}'")
    return made


def compute(made: Any, norm: Norm) -> Any:
    """The copy, its parameter of that name gone and computed from now on."""
    delattr(made, norm.name)
    _set_norms(made, (*norms_of(made), norm))
    return made


def own_again(module: Any, name: str, kind: type[Norm], title: str) -> Any:
    """A copy whose parameter of this name is one again, with the value that it was computed to have.

    Raises:
        ValueError: it is not computed by this kind.
    """
    made = parametrizable(module)
    found = [norm for norm in norms_of(made) if isinstance(norm, kind) and norm.name == name]
    if not found:
        raise ValueError(f"{title} of '{name}' not found in {module}")
    value = found[0].value(made)
    for held in found[0].held():
        delattr(made, held)
    _set_norms(made, tuple(norm for norm in norms_of(made) if norm is not found[0]))
    setattr(made, name, Parameter(value))
    return made


def _set_norms(made: Any, norms: tuple[Norm, ...]) -> None:
    base = type(made).__bases__[0] if norms_of(made) else type(made)
    object.__setattr__(made, "__class__", _class_with(base, norms) if norms else base)


@functools.cache
def _class_with(base: Any, norms: tuple[Norm, ...]) -> type:
    """A class derived from the module's; one for all modules of that class with equal norms."""

    def called(self: Any, *args: Any, **kwargs: Any) -> Any:
        for norm in norms:
            norm.renew(self)
        return base.__call__(self, *args, **kwargs)

    def reduced(self: Any, protocol: Any) -> Any:
        function, arguments, *rest = base.__reduce_ex__(self, protocol)
        if function is not copyreg.__newobj__:  # type: ignore[attr-defined] # a module that pickles itself
            return function, arguments, *rest
        return _anew, (base, norms), *rest

    own: dict[str, Any] = {norm.name: _attribute(norm) for norm in norms}
    own |= {"_norms": norms, "__module__": base.__module__, "__qualname__": base.__qualname__}
    return type(base.__name__, (base,), own | {"__call__": called, "__reduce_ex__": reduced})


def _anew(base: type, norms: tuple[Norm, ...]) -> Any:
    """An empty module, which unpickling fills."""
    return object.__new__(_class_with(base, norms))


def _attribute(norm: Norm) -> property:
    def read(self: Any) -> Computed:
        return Computed(norm.value(self))

    def write(self: Any, value: Any) -> None:
        raise RuntimeError(
            explain(
                f"'{norm.name}' is computed from {' and '.join(norm.held())}: a value that is set here would be lost",
                remedy=f"set those, or nn.utils.remove_{norm.title}(module, {norm.name!r}) first",
            )
        )

    return property(read, write)
