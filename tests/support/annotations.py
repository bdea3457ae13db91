"""Array annotations hold: what an annotated function or method has accepted and returned is what its signature says.

The signature is checked after the call, not before: on wrong input the function speaks first, in torch's words. What it
takes without complaint must be what it says it takes. Arguments become arrays first (numpy arrays, numbers and lists
are taken as well), and one name of an axis is one size in all arguments and results of a call. Of a dict or a list all
entries are looked at, of a tree (``_core.types.ArrayTree``) all leaves.
"""

import functools
import importlib.machinery
import inspect
import sys
import types
import typing
from collections.abc import Iterable, Mapping, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import AbstractArray, jaxtyped

from jaxgrad._core.diagnosis import in_place_of


def speaks_of_arrays(hint) -> bool:
    return is_array_hint(hint) or any(speaks_of_arrays(part) for part in typing.get_args(hint))


def is_array_hint(hint) -> bool:
    return inspect.isclass(hint) and issubclass(hint, AbstractArray)


def stands_for_an_array(leaf) -> bool:
    """A state may be one of places: the same record, with where each array lies in place of it."""
    return isinstance(leaf, jax.sharding.Sharding)


def complaint(hint, value) -> str:
    """Why a value is not what an annotation says; empty if it is, or if the annotation is not of arrays."""
    if is_array_hint(hint):
        value = value if _is_array(value) else jnp.asarray(value)
        return _of_any_library(hint).__instancecheck_str__(value)
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        leaves = jax.tree.leaves(value, is_leaf=_is_array)
        return _first(complaint(parts[1], leaf) for leaf in leaves if not stands_for_an_array(leaf))
    if origin in (typing.Union, types.UnionType):
        return _of_union(parts, value)
    if inspect.isclass(origin) and issubclass(origin, Mapping) and speaks_of_arrays(hint):
        if not isinstance(value, Mapping):
            return f"{type(value).__name__} is no dict"
        return _first(complaint(parts[1], each) for each in value.values() if not stands_for_an_array(each))
    if origin in (list, Sequence, Iterable) and isinstance(value, list | tuple) and speaks_of_arrays(hint):
        return _first(complaint(parts[0], each) for each in value)
    if origin is tuple and isinstance(value, tuple) and speaks_of_arrays(hint):
        hints = parts[:1] * len(value) if parts[1:] == (...,) else parts
        if len(hints) != len(value):
            return f"{len(value)} values, not {len(hints)}"
        return _first(map(complaint, hints, value))
    return ""


def _first(complaints) -> str:
    return next(filter(None, complaints), "")


def _is_array(value) -> bool:
    """Sparse arrays and shapes for arrays too."""
    return hasattr(value, "shape") and hasattr(value, "dtype")


def _of_union(parts, value) -> str:
    if value is None and type(None) in parts:
        return ""
    tried = [complaint(part, value) for part in parts if part is not type(None) and _could_be(part, value)]
    return "" if "" in tried else " and ".join(tried)


def _could_be(part, value) -> bool:
    origin = typing.get_origin(part) or part
    if part is typing.Any or is_array_hint(part) or not inspect.isclass(origin):
        return True
    return isinstance(value, origin)


@functools.cache
def _of_any_library(hint):
    """The annotation for whatever has a shape and a dtype."""
    return hint.dtype[typing.Any, hint.dim_str]


def checked(fn):
    """The function, and a TypeError if a call that succeeds is not as its signature says."""
    # Only what stands in the closure: the function becomes one of ``fn``'s module, where doctest looks for it.
    signature, context, complain = inspect.signature(fn), jaxtyped, complaint

    def after(*args, **kwargs):
        result = fn(*args, **kwargs)
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        with context("context"):
            for name, value in given.arguments.items():
                words = complain(signature.parameters[name].annotation, value)
                if words and value is not signature.parameters[name].default:
                    raise TypeError(f"{fn.__qualname__}: the annotation of {name!r} does not hold: {words}")
            if words := complain(signature.return_annotation, result):
                raise TypeError(f"{fn.__qualname__}: the annotation of the result does not hold: {words}")
        return result

    # A warning names the first line outside of the package: this frame is no user's.
    after.__code__ = after.__code__.replace(co_filename=fn.__code__.co_filename)
    after = in_place_of(fn, after)
    after.holds_annotations = True
    return after


def check_module(module) -> None:
    """Put the check around every annotated function and method of a module, beneath its decorators."""
    for name, value in list(vars(module).items()):
        if getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(value):
            _check(module, name, value)
        elif inspect.isclass(value):
            for method, function in list(vars(value).items()):
                _check_method(value, method, function)


def _check_method(owner, name, value) -> None:
    if isinstance(value, property) and value.fget is not None:
        holder = types.SimpleNamespace(get=value.fget)
        _check(holder, "get", value.fget)
        if holder.get is not value.fget:
            setattr(owner, name, property(holder.get, value.fset, value.fdel, value.__doc__))
    elif isinstance(value, classmethod | staticmethod):
        holder = types.SimpleNamespace(of=value.__func__)
        _check(holder, "of", value.__func__)
        if holder.of is not value.__func__:
            setattr(owner, name, type(value)(holder.of))
    elif inspect.isfunction(value):
        _check(owner, name, value)


def _check(holder, name, value) -> None:
    outer, inner = None, value
    while hasattr(inner, "__wrapped__"):
        outer, inner = inner, inner.__wrapped__
    if not inspect.isfunction(inner) or not any(map(speaks_of_arrays, inner.__annotations__.values())):
        return
    if outer is None:
        setattr(holder, name, checked(inner))
    elif _replaced(outer, inner, with_check := checked(inner)):
        outer.__wrapped__ = with_check
    else:
        raise TypeError(f"{name} is decorated by what hides it from the check")


def _replaced(outer, inner, other) -> bool:
    """Whether ``outer`` calls ``inner``, itself or by a function of its closure; from now on it calls the other."""
    for cell in outer.__closure__ or ():
        if cell.cell_contents is inner:
            cell.cell_contents = other
            return True
        if inspect.isfunction(cell.cell_contents) and _replaced(cell.cell_contents, inner, other):
            return True
    return False


def is_checked(fn) -> bool:
    """Whether a public function is called through the check."""
    while fn is not None:
        if getattr(fn, "holds_annotations", False):
            return True
        fn = getattr(fn, "__wrapped__", None)
    return False


class _Finder(importlib.machinery.PathFinder):
    """Finds the package's modules, and checks each as soon as it has run, before another imports from it."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.partition(".")[0] != "jaxgrad":
            return None
        spec = super().find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return None
        run = spec.loader.exec_module

        def run_and_check(module):
            run(module)
            check_module(module)

        spec.loader.exec_module = run_and_check
        return spec


def install() -> None:
    """From here on, modules that are imported are checked; a finder that already stands in front goes first."""
    sys.meta_path.insert(sys.meta_path.index(importlib.machinery.PathFinder), _Finder)
