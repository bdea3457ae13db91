"""A comparison that a user's file describes: the function that is asked for, called."""

import importlib.util
import inspect
import itertools
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from jaxgrad.cli.failure import CannotRun

DEFAULT = "parity_case"
_PARTS = ("reference", "candidate", "batches")

CASE_HELP = """a case is a function without arguments that returns reference, candidate and batches:

  def parity_case():
      reference = parity.from_torch(model, loss_fn, optimizer)
      candidate = parity.from_jax(step, state)
      return reference, candidate, batches

or a dict of these three and of further arguments of parity.compare. Without :FUNCTION it is
parity_case, or the only function of the file that takes no arguments."""


@dataclass(frozen=True)
class Case:
    """What a function of a user's file returned.

    Args:
        path: the file.
        function: its function.
        returned: what it gave.
    """

    path: Path
    function: str
    returned: Any

    def parts(self) -> dict[str, Any]:
        """``reference``, ``candidate``, ``batches``, and further arguments of ``parity.compare``.

        Raises:
            CannotRun: it is not these.
        """
        found = self.returned
        if isinstance(found, Mapping):
            missing = [name for name in _PARTS if name not in found]
            if not missing:
                return dict(found)
            raise CannotRun(f"{self}() returned a dict without {', '.join(missing)}\n\n{CASE_HELP}")
        if isinstance(found, tuple | list) and len(found) == len(_PARTS):
            return dict(zip(_PARTS, found, strict=True))
        raise CannotRun(
            f"{self}() returned {_described(found)}\n  expected: reference, candidate, batches\n\n{CASE_HELP}"
        )

    def __str__(self) -> str:
        return f"{self.path}:{self.function}"


def load(address: str) -> Case:
    """Run a file and call the function that is asked for.

    Args:
        address: ``path/to/file.py`` or ``path/to/file.py:function``.

    Returns:
        The case.

    Raises:
        CannotRun: there is no such file or function. What the file itself raises comes through.
    """
    name, _, function = address.partition(".py:")
    path = Path(f"{name}.py" if function else address)
    if path.suffix != ".py":
        raise CannotRun(f"{address} is no Python file\n  expected: path/to/file.py or path/to/file.py:function")
    if not path.is_file():
        raise CannotRun(f"{path}: No such file")
    module = _imported(path)
    chosen = function or _only(module, path)
    called = getattr(module, chosen, None)
    if not callable(called):
        raise CannotRun(f"{path} has no function {chosen}\n  there are: {', '.join(_functions(module)) or 'none'}")
    if _required(called):
        raise CannotRun(f"{path}:{chosen} needs arguments: {', '.join(_required(called))}\n\n{CASE_HELP}")
    return Case(path, chosen, called())


def first(batches: Iterable[Any], steps: int | None) -> Iterable[Any]:
    """The first batches; all of them for None.

    >>> list(first([1, 2, 3], 2)), list(first([1, 2], None))
    ([1, 2], [1, 2])
    """
    return batches if steps is None else itertools.islice(batches, steps)


def _imported(path: Path) -> ModuleType:
    """The file as a module, with its folder where its imports look first."""
    folder = str(path.parent.resolve())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None, "a .py file always has a loader"
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(path.stem)
    sys.modules[path.stem] = module  # as dataclasses and pickle want it
    try:
        spec.loader.exec_module(module)
    except BaseException:
        if before is None:
            sys.modules.pop(path.stem, None)
        else:
            sys.modules[path.stem] = before
        raise
    return module


def _functions(module: ModuleType) -> list[str]:
    own = (
        name
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__
    )
    return [name for name in own if not name.startswith("_")]


def _only(module: ModuleType, path: Path) -> str:
    if hasattr(module, DEFAULT):
        return DEFAULT
    free = [name for name in _functions(module) if not _required(getattr(module, name))]
    if len(free) == 1:
        return free[0]
    said = f"several functions without arguments: {', '.join(free)}" if free else "no function without arguments"
    raise CannotRun(f"{path} has no {DEFAULT}, and {said}\n  remedy:   {path}:FUNCTION")


def _required(function: Any) -> list[str]:
    """The arguments without a default."""
    try:
        named = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [each.name for each in named if each.default is each.empty and each.kind not in kinds]


def _described(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    return "None" if value is None else f"a {type(value).__name__}"
