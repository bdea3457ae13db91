"""Where autocast takes hold: the operations on torch's lists, and the region that a call of one lies in.

In torch every call passes the dispatcher, which looks up a switch of the thread. Here ``amp.autocast`` runs a function
within a context of JAX's own (``jax.make_user_context``): it ends with the call, and it is part of the key under which
JAX keeps compiled functions, so that nothing compiled outside of a region is taken inside of it. What becomes of a
call's arguments is for the region to say; operations only say what torch calls them.
"""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import jax

from jaxgrad._core.diagnosis import in_place_of

F = TypeVar("F", bound=Callable[..., Any])


class Region(Protocol):
    """What an operation finds around it; hashable."""

    def __call__(self, name: str, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The operation called ``name``, on arguments of the dtype that it is to have here."""


_around: Any = jax.make_user_context(None)


def region() -> Region | None:
    """The region that is running, or None."""
    return _around.value


def within(region: Region | None) -> Any:
    """``with within(region):`` runs what follows in it, or outside of any.

    >>> with within(None):
    ...     region()
    """
    return _around(region)


def castable(name: str | Callable[..., str]) -> Callable[[F], F]:
    """Mark a function as one of torch's operations that autocast has a rule for, on some device.

    Args:
        name: torch's, as its dispatcher has it (``aten::cross_entropy_loss``); or what gives it from the arguments.

    >>> @castable("linear")
    ... def product(x, w):
    ...     return x @ w
    >>> def region(name, fn, args, kwargs):
    ...     return name, fn(*args, **kwargs)
    >>> with within(region):
    ...     product(2 * jax.numpy.eye(1), jax.numpy.eye(1))
    ('linear', Array([[2.]], dtype=float32))
    """

    around = _around
    name_of: Callable[..., str] = (lambda *args, **kwargs: name) if isinstance(name, str) else name

    def decorate(fn: F) -> F:
        def cast(*args: Any, **kwargs: Any) -> Any:
            region = around.value
            if region is None:
                return fn(*args, **kwargs)
            return region(name_of(*args, **kwargs), fn, args, kwargs)

        return in_place_of(fn, cast)  # type: ignore[return-value]

    return decorate
