"""The list of causes: one name each, a page that is up to date, a case for every one."""

import re
import runpy
from pathlib import Path

from jaxgrad.parity.causes import RULES

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


def test_every_cause_has_one_name():
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names)


def test_the_page_is_the_list():
    made = runpy.run_path(str(ROOT / "docs" / "make_causes.py"))
    assert (ROOT / "docs" / "causes.md").read_text(encoding="utf-8") == made["page"](), "python docs/make_causes.py"


def test_every_cause_has_a_case():
    cases = " ".join(path.read_text(encoding="utf-8") for path in HERE.parent.rglob("*.py") if path != Path(__file__))
    without = [rule.name for rule in RULES if not re.search(rf'"{rule.name}"', cases)]
    assert without == WITHOUT


WITHOUT = ["another_momentum_decay"]
"""Rules of a family whose others have cases."""
