"""The parity cases, family by family; ``CASES`` is all of them."""

from jaxgrad.parity.case import Case
from jaxgrad.parity.catalog import classification, linear, regression

CASES: tuple[Case, ...] = (*linear.CASES, *classification.CASES, *regression.CASES)

__all__ = ["CASES"]
