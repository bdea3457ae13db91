"""Parameters that are computed from others, after ``torch.nn.utils.parametrize``.

A parametrized module is of a class made on the fly, as torch's is, whose ``weight`` is a property: reading it computes
the weight from ``parametrizations.weight.original``. What is trained is the original, under that name. Differs from
torch: a module comes back and the one given does not change. ``cached`` has no counterpart: it is a switch of the
process in torch, and what ``jit`` compiles computes equal things once.
"""

import functools
from typing import Any

import jax.numpy as jnp
from flax import nnx

from jaxgrad._core.call import Call, enter
from jaxgrad._core.errors import explain
from jaxgrad._core.listing import attributes
from jaxgrad._core.modules import clone
from jaxgrad.nn.parameter import Buffer, Parameter
from jaxgrad.nn.utils.parametrization_list import ParametrizationList, Part, check_same

__all__ = [
    "ParametrizationList",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "type_before_parametrizations",
]


class _ByName(Part):
    """The parametrized names of a module, each with its ``ParametrizationList``."""

    _shown = "ModuleDict"


class Computed(Parameter):
    """What ``module.weight`` is when it is computed: read as a parameter is, and not set.

    >>> Computed(jnp.ones(2)).set_value(jnp.zeros(2))
    Traceback (most recent call last):
    RuntimeError: this parameter is computed from others, and a value that is set here would be lost ...
    """

    def set_value(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError(
            explain(
                "this parameter is computed from others, and a value that is set here would be lost",
                remedy="module.weight = value, which sets the originals",
            )
        )


def register_parametrization(module: Any, tensor_name: str, parametrization: Any, *, unsafe: bool = False) -> Any:
    r"""Mirror of ``torch.nn.utils.parametrize.register_parametrization``: :math:`w = f(v)`, and v is trained.

    Differs from torch: the module given does not change; the one returned shares no variables with it, so that a
    parameter that was tied to another module's is no longer. Tie such parameters afterwards.

    Args:
        module: an ``nn.Module``.
        tensor_name: of a parameter or buffer of it, or of a parametrized one, which then runs through this one too.
        parametrization: an ``nn.Module`` whose ``forward`` computes the parameter from the original. Its method
            ``right_inverse``, if it has one, gives the original (or a tuple of them) from the parameter.
        unsafe: whether dtype and shape may change.

    Returns:
        A copy, of a class derived from the module's.

    Raises:
        ValueError: ``Module '...' does not have a parameter, a buffer, or a parametrized element with name '...'``;
            the parametrization changes dtype or shape.
        TypeError: the module or the parametrization is none of this library's.

    >>> from jaxgrad import func, nn, random
    >>> class Symmetric(nn.Module):
    ...     def forward(self, x):
    ...         return jnp.triu(x) + jnp.triu(x, 1).T
    >>> layer = nn.Linear(2, 2, rngs=nn.Rngs(random.manual_seed(0)))
    >>> layer = register_parametrization(layer, "weight", Symmetric())
    >>> bool((layer.weight.get_value() == layer.weight.get_value().T).all()), list(func.extract(layer)[0])
    (True, ['bias', 'parametrizations.weight.original'])

    Source: torch/nn/utils/parametrize.py.
    """
    return register(parametrizable(module), tensor_name, parametrization, unsafe=unsafe)


def is_parametrized(module: Any, tensor_name: str | None = None) -> bool:
    """Mirror of ``torch.nn.utils.parametrize.is_parametrized``.

    Args:
        module: any module.
        tensor_name: of a parameter; None asks for any.

    Returns:
        Whether it is computed from others.

    >>> from jaxgrad import nn, random
    >>> is_parametrized(nn.Linear(2, 2, rngs=nn.Rngs(random.manual_seed(0))), "weight")
    False
    """
    names = _names(module)
    return bool(names) if tensor_name is None else tensor_name in names


def remove_parametrizations(module: Any, tensor_name: str, leave_parametrized: bool = True) -> Any:
    """Mirror of ``torch.nn.utils.parametrize.remove_parametrizations``: a parameter of its own again.

    Differs from torch: the module given does not change, and the value is the one of evaluation, as after
    ``model.eval()`` in torch (``spectral_norm`` makes no further iteration).

    Args:
        module: a parametrized one.
        tensor_name: of a parametrized parameter.
        leave_parametrized: whether it keeps the computed value; otherwise it gets the original's.

    Returns:
        A copy, of the former class when nothing in it is parametrized any more.

    Raises:
        ValueError: ``Module ... does not have a parametrization on ...``; the original of several is asked for.

    >>> from jaxgrad import nn, random
    >>> layer = nn.Linear(2, 2, rngs=nn.Rngs(random.manual_seed(0)))
    >>> normed = nn.utils.parametrizations.weight_norm(layer)
    >>> [name for name, _ in remove_parametrizations(normed, "weight").named_parameters()]
    ['bias', 'weight']

    Source: torch/nn/utils/parametrize.py.
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    made = parametrizable(module)
    parts = getattr(made.parametrizations, tensor_name)
    if not parts.is_tensor and not leave_parametrized:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor "
            "that is parametrized in terms of a sequence of tensors."
        )
    original = parts.originals()[0]
    if leave_parametrized:
        value = parts.in_mode(training=False)
        original = Parameter(value) if isinstance(original, nnx.Param) else Buffer(value)
    delattr(made.parametrizations, tensor_name)
    _set_class(made)
    setattr(made, tensor_name, original)
    if not _names(made):
        del made.parametrizations
    return made


def type_before_parametrizations(module: Any) -> type:
    """Mirror of ``torch.nn.utils.parametrize.type_before_parametrizations``.

    Args:
        module: any module.

    Returns:
        The class that it was built as.

    >>> from jaxgrad import nn, random
    >>> layer = nn.Linear(2, 2, rngs=nn.Rngs(random.manual_seed(0)))
    >>> normed = nn.utils.parametrizations.weight_norm(layer)
    >>> type(normed).__name__, type_before_parametrizations(normed).__name__
    ('ParametrizedLinear', 'Linear')
    """
    return type(module).__bases__[0] if getattr(type(module), "_parametrized", False) else type(module)


def parametrizable(module: Any) -> Any:
    """A copy of a module that may be given a parametrization.

    >>> from jaxgrad import nn
    >>> parametrizable(nn.ReLU())
    ReLU()
    """
    if not isinstance(module, nnx.Module) or not hasattr(type(module), "_call"):
        raise TypeError(
            explain(
                "a parametrization is registered on a module",
                got=f"{type(module).__module__}.{type(module).__qualname__}",
                expected="an nn.Module of jaxgrad",
            )
        )
    return clone(module)


def current(made: Any, name: str) -> Any:
    """The array of a parameter or buffer, computed if it is parametrized; None if there is none of this name."""
    if is_parametrized(made, name):
        return getattr(made.parametrizations, name).in_mode(training=True)
    held = vars(made).get(name)
    return held.get_value() if isinstance(held, nnx.Variable) else None


def register(made: Any, name: str, parametrization: Any, *, unsafe: bool = False) -> Any:
    """``register_parametrization`` on a copy that nobody else has, which changes."""
    if not isinstance(parametrization, nnx.Module) or not hasattr(type(parametrization), "_call"):
        raise TypeError(
            explain(
                "a parametrization is a module", got=type(parametrization).__name__, expected="an nn.Module of jaxgrad"
            )
        )
    if is_parametrized(made, name):
        parts = getattr(made.parametrizations, name)
        before = None if unsafe else parts.in_mode(training=True)
        parts.append(parametrization)
        if not unsafe:
            enter(parametrization, Call(True))
            value = parametrization(before)
            vars(parametrization).pop("_call", None)
            words = f"module.{name}.{{}}", f"parametrization(module.{name}).{{}}"
            check_same(value, before, *words, "unless the `unsafe` flag is enabled.")
        parts.unsafe = parts.unsafe or unsafe
        return made
    original = vars(made).get(name)
    if not isinstance(original, nnx.Variable):
        raise ValueError(
            f"Module '{made}' does not have a parameter, a buffer, or a parametrized element with name '{name}'"
        )
    parts = ParametrizationList([parametrization], original, unsafe=unsafe)
    delattr(made, name)
    if not _names(made):
        made.parametrizations = _ByName()
    setattr(made.parametrizations, name, parts)
    _set_class(made)
    return made


def _names(module: Any) -> list[str]:
    held = vars(module).get("parametrizations") if hasattr(module, "__dict__") else None
    return [name for name, _ in attributes(held)] if isinstance(held, _ByName) else []


def _set_class(made: Any) -> None:
    base, names = type_before_parametrizations(made), tuple(_names(made))
    object.__setattr__(made, "__class__", _class_with(base, names) if names else base)


@functools.cache
def _class_with(base: type, names: tuple[str, ...]) -> type:
    """A class derived from the module's whose attributes of these names are computed; one for all such modules."""
    own: dict[str, Any] = {name: _computed_attribute(name) for name in names}
    own |= {"_parametrized": True, "__module__": base.__module__, "__reduce_ex__": _not_pickled}
    return type(f"Parametrized{base.__name__}", (base,), own)


def _not_pickled(self: Any, protocol: Any) -> Any:
    raise RuntimeError(
        explain(
            "Serialization of parametrized modules is only supported through state_dict(). See:\n"
            "https://pytorch.org/tutorials/beginner/saving_loading_models.html"
            "#saving-loading-a-general-checkpoint-for-inference-and-or-resuming-training",
            remedy="serialization.save(file, func.extract(model)); copy.deepcopy(model) for a copy",
        )
    )


def _computed_attribute(name: str) -> property:
    def read(self: Any) -> Computed:
        return Computed(getattr(self.parametrizations, name)())

    def write(self: Any, value: Any) -> None:
        array = value.get_value() if isinstance(value, nnx.Variable) else jnp.asarray(value)
        getattr(self.parametrizations, name).right_inverse(array)

    return property(read, write)
