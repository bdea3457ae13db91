"""An optimizer as torch writes it, in two halves.

The *host* half is what torch computes in Python's doubles before it touches a tensor: from the counters and
hyper-parameters to the constants of this step. The *rule* proper is what happens to one tensor, its gradient and its
state with these constants. ``lift`` ties the two together.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from jaxgrad._core.types import Array, PyTree

Constants: TypeAlias = dict[str, Array]
"""The numbers of one step: float64 scalars, or vectors with an entry for each parameter of the group."""

Scalars: TypeAlias = dict[str, Array]
"""Torch's 0-dim state tensors, a vector each with an entry for each parameter of the group; always ``step``."""


@dataclass(eq=False)
class Rule:
    """The two halves of an optimizer and what goes with them; pickled by its name, as a function is."""

    tensor: Callable[..., tuple[Array, Any]]
    """``(param, grad, state, c, **options) -> (param, state)`` for one tensor."""

    called: str
    """Torch's name of the optimizer."""

    init: Callable[..., Any]
    host: Callable[..., tuple[Constants, Scalars]]
    scalars: Callable[..., dict[str, Any]]
    validate: Callable[..., None]
    check_params: Callable[[PyTree], None]
    check_grads: Callable[[PyTree, PyTree], None]
    counts_steps: bool
    counts_in_python: bool
    starts_at_once: bool

    def __post_init__(self) -> None:
        self.__module__ = self.tensor.__module__

    def __reduce__(self) -> str:
        return self.tensor.__name__
