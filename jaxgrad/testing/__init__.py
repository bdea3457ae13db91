"""Comparison of trees with torch's tolerances and torch's report, after ``torch.testing``; whole training steps.

``assert_parity`` compares training steps and so needs everything above this package. It is therefore written in
``jaxgrad.parity`` and only offered here, where a test looks for it: it is imported when it is asked for.
"""

import importlib
from typing import Any

from jaxgrad.testing.comparison import assert_close
from jaxgrad.testing.tolerances import default_tolerances

__all__ = ["assert_close", "assert_parity", "default_tolerances"]


def __getattr__(name: str) -> Any:
    if name == "assert_parity":
        return importlib.import_module("jaxgrad.parity.assertion").assert_parity
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
