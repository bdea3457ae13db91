"""Who called: the line of the user's that a warning or a module belongs to, however many libraries lie between."""

import functools
import importlib.util
import linecache
import os
import sys
from types import CodeType, FrameType

_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_PYTHON = os.path.dirname(os.path.abspath(os.__file__)) + os.sep


def users_level() -> int:
    """The ``stacklevel`` at which ``warnings.warn`` names the line that called into this package.

    >>> users_level()
    1
    """
    level = 1
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_HERE):
        frame, level = frame.f_back, level + 1
    return level


def users_line(within: CodeType) -> str:
    """``file.py:12 the line``, the innermost of a user's that led here from a running function of these libraries.

    Empty if there is none: what a library's own container calls, for one.

    >>> def library():
    ...     return users_line(library.__code__)
    >>> library()
    ''
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code is not within:
        path = frame.f_code.co_filename
        if not path.startswith(_libraries()) and (not path.startswith(_PYTHON) or "site-packages" in path):
            return line_of(frame)
        frame = frame.f_back
    return ""


def line_of(frame: FrameType) -> str:
    """``file.py:12 the line`` at which a call stands.

    >>> line_of(sys._getframe()).split()[0].split(":")[0].startswith("<doctest")
    True
    """
    path = frame.f_code.co_filename
    line = linecache.getline(path, frame.f_lineno).strip()
    return f"{os.path.basename(path)}:{frame.f_lineno} {line}".rstrip()


@functools.cache
def _libraries() -> tuple[str, ...]:
    """Where the files lie that no user wrote; JAX and flax are looked up, not imported."""
    specs = (importlib.util.find_spec(name) for name in ("jax", "flax"))
    return (_HERE, "<", *(place + os.sep for spec in specs if spec for place in spec.submodule_search_locations or ()))
