"""Names that are imported when they are first asked for (PEP 562): a package offers much and imports little."""

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any


def offer(
    package: str, modules: Iterable[str], names: Mapping[str, Iterable[str]], whole: Iterable[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package that imports its parts when they are asked for.

    Args:
        package: its name.
        modules: parts of it that are modules themselves.
        names: part -> what of it the package offers under its own name; a part elsewhere has its full name.
        whole: parts of which it offers everything in their ``__all__``.

    Returns:
        The two functions that the package sets.

    >>> getattr_, dir_ = offer("jaxgrad", ["random"], {"random": ["rand"]})
    >>> getattr_("rand").__name__
    'rand'
    """
    modules, whole = tuple(modules), tuple(whole)
    homes = {name: module for module, offered in names.items() for name in offered}

    def __getattr__(name: str) -> Any:
        if name in modules:
            value: Any = importlib.import_module(f"{package}.{name}")
        elif name in homes:
            value = getattr(importlib.import_module(_full(package, homes[name])), name)
        else:
            value = _out_of(whole, name)
        setattr(sys.modules[package], name, value)
        return value

    def _out_of(parts: tuple[str, ...], name: str) -> Any:
        if not name.startswith("__"):
            for part in (importlib.import_module(f"{package}.{part}") for part in parts):
                if name in part.__all__:
                    return getattr(part, name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        everything = (importlib.import_module(f"{package}.{part}").__all__ for part in whole)
        return sorted({*vars(sys.modules[package]), *modules, *homes}.union(*everything))

    return __getattr__, __dir__


def _full(package: str, part: str) -> str:
    """
    >>> _full("jaxgrad.testing", "comparison"), _full("jaxgrad.testing", "jaxgrad.parity.assertion")
    ('jaxgrad.testing.comparison', 'jaxgrad.parity.assertion')
    """
    return part if part.startswith(f"{package.split('.')[0]}.") else f"{package}.{part}"
