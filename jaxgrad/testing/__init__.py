"""Comparison of trees with torch's tolerances and torch's report, after ``torch.testing``."""

from jaxgrad.testing.comparison import assert_close
from jaxgrad.testing.tolerances import default_tolerances

__all__ = ["assert_close", "default_tolerances"]
