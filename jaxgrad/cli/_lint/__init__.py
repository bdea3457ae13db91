"""Porting traps, found in the text of a script: rules as data, a visitor each; nothing is imported or run."""

from jaxgrad.cli._lint.finding import Finding, Rule
from jaxgrad.cli._lint.lint import lint
from jaxgrad.cli._lint.porting import find as porting

__all__ = ["Finding", "Rule", "lint", "porting"]
