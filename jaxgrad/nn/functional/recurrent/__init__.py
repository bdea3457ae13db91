"""Recurrences: one step of each kind, and stacks of them over time.

Torch keeps these behind its modules, so they have no address of their own; the modules call them.
"""

from jaxgrad.nn.functional.recurrent.stack import recurrent
from jaxgrad.nn.functional.recurrent.steps import STEPS, Weights, cell_step

__all__ = ["STEPS", "Weights", "cell_step", "recurrent"]
