"""What a rule found, and the rules themselves: a name, the words, and a visitor."""

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from jaxgrad.cli._lint.script import Script


@dataclass(frozen=True)
class Finding:
    """One trap at one line.

    Args:
        line: where, from 1.
        code: the rule.
        says: what is wrong.
        effect: its measured size.
        fix: what to write instead.
        trap: False for what matters in some runs alone.
        source: the line as it is written.

    >>> Finding(3, "gelu-tanh", "is tanh", "4.7e-4", "approximate=False").trap
    True
    """

    line: int
    code: str
    says: str
    effect: str
    fix: str
    trap: bool = True
    source: str = ""


@dataclass(frozen=True)
class Rule:
    """A trap that one visitor finds.

    Args:
        code: its short name.
        says: what is wrong, in a sentence.
        effect: its measured size.
        fix: what to write instead.
        visit: gives the nodes where it is so.
        trap: False for what matters in some runs alone.

    >>> Rule("none", "", "", "", lambda script: []).find(Script("x = 1"))
    []
    """

    code: str
    says: str
    effect: str
    fix: str
    visit: Callable[[Script], Iterable[ast.AST]]
    trap: bool = True

    def find(self, script: Script) -> list[Finding]:
        """Every place of a script."""
        lines = [getattr(node, "lineno", 1) for node in self.visit(script)]
        return [Finding(line, self.code, self.says, self.effect, self.fix, self.trap) for line in lines]
