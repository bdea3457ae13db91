"""Comparison of trees with torch's tolerances and torch's report, after ``torch.testing``; whole training steps.

``assert_parity`` compares training steps and so needs everything above this package. It is therefore written in
``jaxgrad.parity`` and only offered here, where a test looks for it: it is imported when it is asked for.
"""

from jaxgrad._core.lazy import offer
from jaxgrad.testing.comparison import assert_close
from jaxgrad.testing.tolerances import default_tolerances

__all__ = ["assert_close", "assert_parity", "default_tolerances"]

__getattr__, __dir__ = offer(__name__, (), {"jaxgrad.parity.assertion": ("assert_parity",)})
