"""Running a piece of a model inside a transformation, and taking out of it what the piece changed.

A value that a module writes inside a transformation belongs to the inside. So while the piece is traced every module
that it can reach holds the attributes of a copy; afterwards its own are put back, and the new values of variables and
of the stream are among the results.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from flax import nnx

from jaxgrad._core.call import Call, call_of
from jaxgrad._core.listing import Variable, attributes
from jaxgrad._core.modules import clone


def reachable_modules(*values: Any) -> list[Any]:
    """The modules among some values, in what they are bound to, and in what functions among them close over.

    >>> module = nnx.Module()
    >>> reachable_modules(lambda: module, [1, {"a": partial(print, module)}]) == [module]
    True
    """
    found: dict[int, Any] = {}
    seen: set[int] = set()

    def visit(value: Any) -> None:
        if isinstance(value, nnx.Module):
            found[id(value)] = value
        elif id(value) not in seen:
            seen.add(id(value))
            for inner in _inside(value):
                visit(inner)

    for value in values:
        visit(value)
    return list(found.values())


def _inside(value: Any) -> list[Any]:
    if isinstance(value, list | tuple | set):
        return list(value)
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, partial):
        return [value.func, *value.args, *value.keywords.values()]
    if not callable(value) or isinstance(value, type):
        return []
    inner = [getattr(value, name, None) for name in ("__self__", "__wrapped__", "__defaults__", "__kwdefaults__")]
    for cell in getattr(value, "__closure__", None) or ():
        try:
            inner.append(cell.cell_contents)
        except ValueError:  # a name that is not bound yet
            continue
    return inner


class Piece:
    """A function with all that it reads and writes of some modules as arguments and results.

    >>> class Counter(nnx.Module):
    ...     def __init__(self):
    ...         self.count = nnx.Variable(0)
    ...
    ...     def __call__(self, x):
    ...         self.count.set_value(self.count.get_value() + 1)
    ...         return x
    >>> counter = Counter()
    >>> piece = Piece(counter, [counter])
    >>> out, written = piece.run(3)
    >>> counter.count.get_value()
    0
    >>> piece.write(written)
    >>> out, counter.count.get_value()
    (3, 1)
    """

    def __init__(self, function: Callable[..., Any], modules: list[Any]):
        self._function, self._modules = function, modules
        self._targets: list[Callable[[Any], None]] = []

    def run(self, *args: Any, **kwargs: Any) -> tuple[Any, list[Any]]:
        """What the function returns, and the values that it wrote; the modules are as they were."""
        with _copies(self._modules) as pairs:
            before = [copy.get_raw_value() for _, copy in pairs.variables]
            out = self._function(*args, **kwargs)
            self._targets, written = [], []
            for (variable, copy), old in zip(pairs.variables, before, strict=True):
                if copy.get_raw_value() is not old:
                    self._targets.append(variable.set_value)
                    written.append(copy.get_value())
            for call, fork in pairs.calls:
                if fork.drawn:
                    self._targets.append(call.advance)
                    written.append(fork.generator)
        return out, written

    def write(self, written: list[Any]) -> None:
        """Give the modules and their calls the values that the last run wrote."""
        for target, value in zip(self._targets, written, strict=True):
            target(value)


class _Pairs:
    """Modules, variables and calls beside their copies."""

    def __init__(self, modules: list[Any], copies: list[Any]):
        self.modules: list[tuple[Any, Any]] = []
        self.variables: list[tuple[Variable, Variable]] = []
        self.calls: list[tuple[Call, Call]] = []
        seen: set[int] = set()
        for module, copy in zip(modules, copies, strict=True):
            self._walk(module, copy, seen)

    def _walk(self, module: Any, copy: Any, seen: set[int]) -> None:
        if id(module) in seen:
            return
        seen.add(id(module))
        if isinstance(module, nnx.Pytree):
            self.modules.append((module, copy))
        call = call_of(module)
        if call is not None and id(call) not in seen:
            seen.add(id(call))
            self.calls.append((call, call_of(copy) or call))
        for (_, inner), (_, inner_copy) in zip(attributes(module), attributes(copy), strict=True):
            if isinstance(inner, nnx.Variable) and id(inner) not in seen:
                seen.add(id(inner))
                self.variables.append((inner, inner_copy))
            elif isinstance(inner, nnx.Pytree | list | tuple | dict):
                self._walk(inner, inner_copy, seen)


@contextmanager
def _copies(modules: list[Any]) -> Iterator[_Pairs]:
    """Every module holds the attributes of a copy, made at the present trace level."""
    pairs = _Pairs(modules, list(clone(tuple(modules))))
    kept = [(module, dict(vars(module))) for module, _ in pairs.modules]
    try:
        for module, copy in pairs.modules:
            _hold(module, dict(vars(copy)))
        yield pairs
    finally:
        for module, own in kept:
            _hold(module, own)


def _hold(module: Any, own: dict[str, Any]) -> None:
    vars(module).clear()
    vars(module).update(own)
