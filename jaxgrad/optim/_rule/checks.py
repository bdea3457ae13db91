"""Checks of hyper-parameters in torch's words; a traced value cannot be looked at and passes."""

from collections.abc import Callable
from typing import Any

import numpy as np

from jaxgrad._core.errors import explain, is_traced


def check(holds: Callable[[], Any], sentence: str, *values: Any, expected: str | None = None) -> None:
    """Raise ValueError with torch's sentence unless ``holds()``; ``values`` are what it looks at."""
    if not is_traced(*values) and not holds():
        raise ValueError(explain(sentence, expected=expected))


def check_one_element(name: str, value: Any) -> None:
    """Raise "Tensor lr must be 1-element" for an array of several numbers."""
    if np.size(value) != 1:
        raise ValueError(explain(f"Tensor {name} must be 1-element", got=f"shape {np.shape(value)}"))


def check_lr(lr: Any) -> None:
    """Raise "Invalid learning rate: -1" for a negative one."""
    check_one_element("lr", lr)
    check(lambda: lr >= 0, f"Invalid learning rate: {lr}", lr, expected="a number >= 0")


def check_at_least(sentence: str, value: Any, least: float = 0.0) -> None:
    """Raise ``"{sentence}: {value}"`` for a value below ``least``."""
    check(lambda: value >= least, f"{sentence}: {value}", value, expected=f"a number >= {least:g}")


def check_betas(betas: Any) -> None:
    """Raise "Invalid beta parameter at index 0: 1.0" outside [0, 1)."""
    for index, beta in enumerate(betas):
        _check_beta(f"Invalid beta parameter at index {index}: {beta}", beta)


def _check_beta(sentence: str, beta: Any) -> None:
    check(lambda: 0.0 <= beta < 1.0, sentence, beta, expected="a number in [0, 1)")
