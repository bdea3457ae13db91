"""The parity cases, family by family; ``CASES`` is all of them."""

from jaxgrad.parity.case import Case
from jaxgrad.parity.catalog import activation, classification, linear, margin, regression

CASES: tuple[Case, ...] = (*linear.CASES, *activation.CASES, *classification.CASES, *regression.CASES, *margin.CASES)

__all__ = ["CASES"]
