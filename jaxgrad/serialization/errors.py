"""The one complaint about a file: it is broken, it lies, or it asks for something that is not done here."""

import pickle
from typing import NoReturn

from jaxgrad._core.errors import explain


class SerializationError(RuntimeError, pickle.UnpicklingError):
    """A file that cannot be trusted or understood; nothing of it has been executed.

    It is both of what torch raises: a ``RuntimeError`` for a broken archive and a ``pickle.UnpicklingError`` for a
    pickle that is refused.

    >>> issubclass(SerializationError, RuntimeError)
    True
    """


class EmptyFileError(SerializationError, EOFError):
    """A file without a byte; Python's ``EOFError`` too, which torch raises."""


def refuse(sentence: str, *, got: object = None, expected: object = None, remedy: str | None = None) -> NoReturn:
    """Raise a :class:`SerializationError` with the sentence, what was met, what was expected and the remedy."""
    raise SerializationError(explain(sentence, got=got, expected=expected, remedy=remedy))
