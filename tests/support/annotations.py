"""Array annotations hold: what an annotated function has accepted and returned is what its signature says.

The signature is checked after the call, not before: on wrong input the function speaks first, in torch's words. What it
takes without complaint must be what it says it takes. Arguments become arrays first (numpy arrays, numbers and lists
are taken as well), and one name of an axis is one size in all arguments and results of a call.
"""

import functools
import importlib.machinery
import inspect
import sys
import types
import typing

import jax.numpy as jnp
from jaxtyping import AbstractArray, jaxtyped

from jaxgrad._core.diagnosis import in_place_of


def speaks_of_arrays(hint) -> bool:
    return is_array_hint(hint) or any(speaks_of_arrays(part) for part in typing.get_args(hint))


def is_array_hint(hint) -> bool:
    return inspect.isclass(hint) and issubclass(hint, AbstractArray)


def complaint(hint, value) -> str:
    """Why a value is not what an annotation says; empty if it is, or if the annotation is not of arrays."""
    if is_array_hint(hint):
        value = value if hasattr(value, "shape") and hasattr(value, "dtype") else jnp.asarray(value)
        return _of_any_library(hint).__instancecheck_str__(value)
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _of_union(parts, value)
    if origin is tuple and isinstance(value, tuple) and speaks_of_arrays(hint):
        hints = parts[:1] * len(value) if parts[1:] == (...,) else parts
        if len(hints) != len(value):
            return f"{len(value)} values, not {len(hints)}"
        return next(filter(None, map(complaint, hints, value)), "")
    return ""


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
    """Put the check around every annotated function of a module, beneath its decorators."""
    for name, value in list(vars(module).items()):
        if not inspect.isfunction(value) or value.__module__ != module.__name__:
            continue
        outer, inner = None, value
        while hasattr(inner, "__wrapped__"):
            outer, inner = inner, inner.__wrapped__
        if any(map(speaks_of_arrays, inner.__annotations__.values())):
            if outer is None:
                setattr(module, name, checked(inner))
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
    """From here on, modules of the package that are imported are checked."""
    sys.meta_path.insert(0, _Finder)
