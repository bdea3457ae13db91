"""All rules over one script."""

from dataclasses import replace

from jaxgrad.cli._lint import calls, jax_rules, thrown_away, torch_rules, torch_schedules
from jaxgrad.cli._lint.finding import Finding, Rule
from jaxgrad.cli._lint.script import Script

RULES: tuple[Rule, ...] = (*jax_rules.RULES, *torch_rules.RULES, *torch_schedules.RULES, *thrown_away.RULES)
"""Beside the table of differences."""


def lint(source: str) -> list[Finding]:
    """What the rules find in the source of a script, by line; what a comment ``# jaxgrad: ok`` excuses is left out.

    Raises:
        SyntaxError: it is no Python.

    >>> [each.code for each in lint("import optax\\ntx = optax.adamw(1e-3)  # jaxgrad: ok adam-float32")]
    ['adamw-decay']
    """
    script = Script(source)
    found = list(calls.find(script))
    for rule in RULES:
        found += rule.find(script)
    kept = {replace(each, source=script.line(each.line)) for each in found if not script.silenced(each.line, each.code)}
    return sorted(kept, key=lambda each: (each.line, not each.trap, each.code))
