"""Porting traps, found in the text of a script: rules as data, a visitor each; nothing is imported or run."""

from jaxgrad.cli._lint.finding import Finding, Rule
from jaxgrad.cli._lint.lint import lint

__all__ = ["Finding", "Rule", "lint"]
