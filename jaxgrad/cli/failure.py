"""What ends a sub-command without a result: a sentence for the user, never a traceback."""

import sys
import traceback
from pathlib import Path


class CannotRun(Exception):
    """A sub-command cannot do what it is asked; the text says why and what to do about it. Exit status 2."""


def place(error: BaseException) -> str:
    """The innermost line of the user's own code that an error went through: ``port.py:12 in parity_case``.

    Code of installed packages and of this library is passed over.

    >>> try:
    ...     exec(compile("1 / 0", "<no file>", "exec"))
    ... except ZeroDivisionError as error:
    ...     place(error)
    ''
    """
    here = str(Path(__file__).parents[1])
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        own = not frame.filename.startswith((here, sys.prefix, sys.base_prefix, "<"))
        if own and "site-packages" not in frame.filename:
            return f"{frame.filename}:{frame.lineno} in {frame.name}: {frame.line}"
    return ""
