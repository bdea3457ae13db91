"""Watching the modules of a run from outside: what each of them returned.

Whoever wants to know opens a ``Tap`` around the call; ``func.functional_call`` shows it the copy that runs. Nothing is
watched elsewhere, and a module computes the same whether it is watched or not. What comes after it may be given other
values instead of those that it returned.
"""

import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from types import CodeType
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.call import level
from jaxgrad._core.caller import users_line
from jaxgrad._core.listing import named_modules

_open: ContextVar["Tap | None"] = ContextVar("tap", default=None)
_classes: "weakref.WeakKeyDictionary[type, type]" = weakref.WeakKeyDictionary()


class Tap:
    """What the modules of a call returned, by path, in the order in which they finished.

    Attributes:
        outputs: path -> what the module returned; the whole model's path is "", the second call of ``fc`` is ``fc@1``.
        only: the paths to note, or None for all.
        instead: name, as of ``arrays_of``, -> the array that goes on in place of the one that was returned; the
            derivative goes to what was returned.
        within: the running function from which the model is called, if the lines are asked for that call its modules.
        lines: path -> the line of the user's that called the module first.
        level: the depth of transformations around the block that watches.

    >>> with watching() as tap:
    ...     pass
    >>> tap.outputs
    {}
    """

    def __init__(
        self,
        only: frozenset[str] | None = None,
        instead: Mapping[str, Any] | None = None,
        within: CodeType | None = None,
    ):
        self.outputs: dict[str, Any] = {}
        self.lines: dict[str, str] = {}
        self.only, self.instead, self._within = only, instead or {}, within
        self.level = level()
        self._paths: dict[int, tuple[Any, str]] = {}
        self._calls: Counter[str] = Counter()
        self._running: list[int] = []

    def attach(self, model: Any) -> None:
        """Watch the modules of a copy that is about to run."""
        for path, module in named_modules(model):
            if callable(module):
                self._paths[id(module)] = module, path
                object.__setattr__(module, "__class__", _watched(type(module)))

    def call(self, module: Any, run: Callable[[], Any]) -> Any:
        """Run a module, and note what it returns."""
        known = self._paths.get(id(module))
        if known is None or id(module) in self._running[-1:]:  # super().__call__ is the same call
            return run()
        self._running.append(id(module))
        if self._within is not None and known[1] not in self.lines:
            self.lines[known[1]] = users_line(self._within)
        try:
            output = run()
        finally:
            self._running.pop()
        path = known[1]
        # inside a transformation that the model itself applies there is no value to hand out
        if level() == self.level:
            called = f"{path}@{self._calls[path]}" if self._calls[path] else path
            if self.only is None or path in self.only:
                self.outputs[called] = output
            output = self._exchanged(called, output)
        self._calls[path] += 1
        return output

    def tell(self, outputs: Mapping[str, Any]) -> None:
        """Note arrays, by the names of ``arrays_of``, that a program returned which stands for its modules."""
        self.outputs |= outputs

    def asks(self, name: str) -> bool:
        """Whether an array of this name is to be noted."""
        path = name.partition("#")[0].partition("@")[0]
        return self.only is None or ("" if path == "model" else path) in self.only

    def _exchanged(self, called: str, output: Any) -> Any:
        given = [self.instead.get(name) for name in arrays_of({called: output})] if self.instead else []
        if not any(each is not None for each in given):
            return output
        leaves, form = jax.tree.flatten(output)
        rest = iter(given)
        return jax.tree.unflatten(form, [given_for(x, next(rest)) if hasattr(x, "dtype") else x for x in leaves])


@contextmanager
def watching(
    only: frozenset[str] | None = None, instead: Mapping[str, Any] | None = None, within: CodeType | None = None
) -> Iterator[Tap]:
    """A tap for the calls of models made in this block."""
    tap = Tap(only, instead, within)
    token = _open.set(tap)
    try:
        yield tap
    finally:
        _open.reset(token)


def show(model: Any) -> None:
    """Let whoever watches see the copy of a model that is about to run."""
    tap = _open.get()
    if tap is not None:
        tap.attach(model)


def opened() -> Tap | None:
    """The tap around this call; None where there is none, or a transformation between the two."""
    tap = _open.get()
    return tap if tap is not None and level() == tap.level else None


def arrays_of(outputs: dict[str, Any]) -> dict[str, Any]:
    """The arrays that modules returned: ``path``, or ``path#0``, ``path#1`` where there are several.

    >>> import numpy as np
    >>> list(arrays_of({"fc": np.ones(1), "lstm": (np.ones(1), np.ones(2)), "": np.ones(1)}))
    ['fc', 'lstm#0', 'lstm#1', 'model']
    """
    named: dict[str, Any] = {}
    for path, output in outputs.items():
        arrays = [leaf for leaf in jax.tree.leaves(output) if hasattr(leaf, "dtype")]
        head, at, call = path.partition("@")
        name = (head or "model") + at + call
        named |= {name if len(arrays) == 1 else f"{name}#{i}": array for i, array in enumerate(arrays)}
    return named


def given_for(value: Any, given: Any) -> Any:
    """The given number, whose derivative is that of the value; a value of another shape, or no real number, stays."""
    if given is None or given.shape != value.shape or not jnp.issubdtype(value.dtype, jnp.inexact):
        return value
    nothing = jnp.where(jnp.isfinite(value), value - jax.lax.stop_gradient(value), 0)
    return given.astype(value.dtype) + nothing


def _watched(cls: type) -> type:
    """A class that is the given one, and tells the tap of its calls."""
    if getattr(cls, "_is_watched", False):
        return cls
    if cls not in _classes:

        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            run = partial(cls.__call__, self, *args, **kwargs)
            tap = _open.get()
            return run() if tap is None else tap.call(self, run)

        body = {"__call__": call, "_is_watched": True, "__module__": cls.__module__, "__doc__": cls.__doc__}
        _classes[cls] = type(cls)(cls.__name__, (cls,), body)
    return _classes[cls]
