"""Why two runs part: known deviations, each applied to the reference's values and judged by what it leaves.

A new cause is one file in ``rules`` with the deviation and a line in ``rules/__init__.py``; a test of it is a case in
``tests/parity/causes``. A rule is never asked whether it likes the look of the numbers: it says what the candidate's
would be, and is believed if they are.
"""

from jaxgrad.parity.causes.context import Context
from jaxgrad.parity.causes.explanation import explain
from jaxgrad.parity.causes.rules import RULES

__all__ = ["RULES", "Context", "explain"]
