"""A parity case: one call, written down as data, that both libraries answer.

The rule of address makes a case short: ``nn.functional.cross_entropy`` names both functions. The same list of cases
serves the tests, the command line and the documentation.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    """One call at one address.

    Attributes:
        address: below ``torch`` and ``jaxgrad`` alike, as ``nn.functional.linear``.
        name: what is special about it, unique at its address.
        args: draws the positional arguments: arrays, or plain values. Floating arrays are rounded to float32, so that
            both precisions get the same numbers.
        kwargs: keyword arguments; a value may be a function of the numpy generator too.
        wrt: which arguments are differentiated: positions, and names of those in ``kwargs``.
        error: the sentence that both sides must raise; empty for a call that succeeds.

    >>> case = Case("nn.functional.relu", "kink", lambda rng: (np.array([-1.0, 0.0, 1.0]),))
    >>> str(case)
    'nn.functional.relu[kink]'
    """

    address: str
    name: str
    args: Callable[[np.random.Generator], tuple[Any, ...]]
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    wrt: tuple[int | str, ...] = (0,)
    error: str = ""

    def __str__(self) -> str:
        return f"{self.address}[{self.name}]"

    def draw(self, seed: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of one call, drawn from ``seed``."""
        rng = np.random.default_rng(seed)
        args = tuple(_representable(value) for value in self.args(rng))
        kwargs = {key: value(rng) if callable(value) else value for key, value in self.kwargs.items()}
        return args, {key: _representable(value) for key, value in kwargs.items()}


@dataclass(frozen=True)
class Answer:
    """What one side said: named results (value, then gradients), or the error it raised."""

    results: dict[str, np.ndarray]
    error: Exception | None = None


def cast(value: Any, dtype: Any) -> Any:
    """Floating numpy arrays in ``dtype``; everything else as it is."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return value.astype(dtype)
    return value


def _representable(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return value.astype(np.float32).astype(np.float64)
    return value
