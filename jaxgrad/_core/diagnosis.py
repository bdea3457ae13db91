"""What was wrong with a call that failed: torch's sentence for the first argument that is not what the signature says.

A call with a word in place of a number fails at whatever the word meets first, in Python's or JAX's words. To look at
every argument of every call beforehand would cost more and refuse what works; so it is the call that failed that is
looked at, against the annotations of the function.
"""

import dis
import functools
import inspect
import os
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Set
from typing import Any, Literal, ParamSpec, TypeVar, Union

import jax
import jax.numpy as jnp
from jaxtyping import AbstractArray

from jaxgrad._core.arguments import as_flag, as_integer, as_number, wrong_kind
from jaxgrad._core.errors import explain, is_traced

P = ParamSpec("P")
R = TypeVar("R")

FAILURES = (TypeError, ValueError, AttributeError, IndexError, KeyError, OverflowError)
"""What Python, numpy and JAX raise for arguments that they cannot take."""


def wrong_argument(
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    called: str | None = None,
    remedy: str | None = None,
) -> TypeError | None:
    """Torch's TypeError for a call that failed; None where the arguments are what the signature says.

    Args:
        fn: what was called, or the constructor of the class that was.
        args: its arguments, without ``self``.
        kwargs: its keyword arguments.
        called: its name for the user.
        remedy: how it is called rightly.

    >>> def double(x: int, name: str = ""): ...
    >>> print(wrong_argument(double, ("a",), {}))
    double(): argument 'x' must be int, not str
      got:      'a'
    >>> print(wrong_argument(double, (1, 2), {}))
    double(): argument 'name' must be str, not int
      got:      2
    >>> print(wrong_argument(double, (1, "a", 3), {}))
    double(): too many positional arguments
    >>> wrong_argument(double, (1,), {})
    """
    called = called or fn.__name__
    parameters = {name: each for name, each in inspect.signature(fn).parameters.items() if name != "self"}
    try:
        given = inspect.Signature(list(parameters.values())).bind(*args, **kwargs).arguments
    except TypeError as error:
        return TypeError(explain(f"{called}(): {error}", remedy=remedy))
    hints = _hints(fn)
    for name, value in given.items():
        single = parameters[name].kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        kind = _missed(hints.get(name, Any), value) if single and value is not parameters[name].default else None
        if kind is not None:
            return wrong_kind(value, name, called, kind, remedy)
    return None


def is_explained(error: BaseException) -> bool:
    """Whether an error says already what is wrong: a ``raise`` of this package made it.

    >>> from jaxgrad._core.shapes import axis_of
    >>> try:
    ...     axis_of(3, 2)
    ... except IndexError as error:
    ...     is_explained(error)
    True
    """
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None or not last.tb_frame.f_code.co_filename.startswith(_HERE):
        return False
    return last.tb_frame.f_code.co_code[last.tb_lasti] == dis.opmap["RAISE_VARARGS"]


_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def diagnosis(
    fn: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], error: BaseException
) -> TypeError | None:
    """What to raise in place of an error of Python's or JAX's; None where the error may stand."""
    return None if is_explained(error) else wrong_argument(fn, args, kwargs)


def with_diagnosis(fn: Callable[P, R]) -> Callable[P, R]:
    """The function, and torch's TypeError where it fails on account of an argument."""
    failures, diagnose = FAILURES, diagnosis  # ``in_place_of`` leaves a function no globals

    def diagnosed(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return fn(*args, **kwargs)
        except failures as error:
            wrong = diagnose(fn, args, kwargs, error)
            if wrong is None:
                raise
            raise wrong from error

    return diagnosed


def diagnosed(fn: Callable[P, R]) -> Callable[P, R]:
    """Decorate a public function: where it fails on account of an argument, torch's TypeError says of which.

    >>> @diagnosed
    ... def double(x: float):
    ...     return x * 2.0
    >>> double("a")
    Traceback (most recent call last):
        ...
    TypeError: double(): argument 'x' must be float, not str
      got:      'a'
    """
    return in_place_of(fn, with_diagnosis(fn))


def in_place_of(fn: Callable[P, R], wrapper: Callable[P, R]) -> Callable[P, R]:
    """A wrapper as a function of ``fn``'s own module, where doctest would else not find it; it may use no globals."""
    local = types.FunctionType(wrapper.__code__, fn.__globals__, fn.__name__, None, wrapper.__closure__)
    return functools.update_wrapper(local, fn)


def _hints(fn: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(inspect.unwrap(fn))
    except (NameError, TypeError):  # a name that only the type checker imports
        return {}


def _missed(hint: Any, value: Any) -> str | None:
    """What an annotation asks for, in torch's words, if a value is not that; None if it is, or if nothing is known."""
    if hint is Any or (is_traced(value) and hint in (int, float, bool)):
        return None
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        missed = [_missed(part, value) for part in parts]
        kinds = dict.fromkeys(each for each in missed if each is not None and each != "None")
        return None if None in missed else " or ".join(kinds)
    if inspect.isclass(hint) and issubclass(hint, AbstractArray):  # of its shape torch's own sentences speak
        hint = jax.Array
    if hint in (int, float) and isinstance(value, int) and not -(2**63) <= value < 2**63:
        return f"{hint.__name__} of 64 bits"
    if hint in _SIMPLE:
        kind, accepts = _SIMPLE[hint]
        return None if accepts(value) else kind
    if origin is Literal:
        return None if isinstance(value, str) else "str"
    if origin is not None and isinstance(origin, type):
        if issubclass(origin, Mapping):
            return None if isinstance(value, Mapping) else "dict"
        if issubclass(origin, Iterable):
            return _missed_sequence(parts, value)
        if issubclass(origin, Callable):  # type: ignore[arg-type]
            return None if callable(value) else "callable"
    if inspect.isclass(hint) and hint.__module__.startswith("jaxgrad"):
        return None if isinstance(value, hint) else hint.__name__
    return None


def _missed_sequence(parts: tuple[Any, ...], value: Any) -> str | None:
    element = parts[0] if parts else Any
    kind = _missed(element, _NOTHING)
    name = "tuple" if kind is None else f"tuple of {kind.removesuffix('s')}s"
    unordered = isinstance(value, str | bytes | Mapping | Set)
    if unordered or not isinstance(value, Iterable) or getattr(value, "ndim", 1) == 0:
        return name
    return name if any(_missed(element, each) is not None for each in value) else None


_NOTHING = object()


def _accepted_by(check: Callable[..., Any]) -> Callable[[Any], bool]:
    def accepts(value: Any) -> bool:
        try:
            check(value, "", "")
        except TypeError:
            return False
        return True

    return accepts


def _is_array(value: Any) -> bool:
    if isinstance(value, str | bytes | Mapping | set) or value is None:
        return False
    try:
        jnp.asarray(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


_SIMPLE: dict[Any, tuple[str, Callable[[Any], bool]]] = {
    int: ("int", lambda value: isinstance(value, bool) or _accepted_by(as_integer)(value)),
    float: ("float", _accepted_by(as_number)),
    bool: ("bool", _accepted_by(as_flag)),
    str: ("str", lambda value: isinstance(value, str)),
    type(None): ("None", lambda value: value is None),
    jax.Array: ("Tensor", _is_array),
    Callable: ("callable", callable),
}
