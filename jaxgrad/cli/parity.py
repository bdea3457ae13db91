"""``jaxgrad parity FILE[:FUNCTION]``: run two training steps side by side and say where they part first, and why.

The candidate's distance is given in units of the reference's own rounding, which is measured; no tolerance is to be
chosen.
"""

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jaxgrad.cli import _case, _output

if TYPE_CHECKING:
    from jaxgrad.parity import Report

_EXAMPLES = f"""{_case.CASE_HELP}

examples:
  jaxgrad parity port.py                        its parity_case(), both running on by themselves
  jaxgrad parity port.py:resnet --mode single   each step from the reference's values
  jaxgrad parity port.py --steps 20 --html report.html --json report.json
  jaxgrad parity port.py --quiet || echo diverged

exit status: 0 equal, 1 diverged, 2 could not run"""


def declare(parser: argparse.ArgumentParser) -> None:
    """Say what the sub-command takes."""
    parser.description, parser.epilog = __doc__, _EXAMPLES
    parser.add_argument("case", metavar="FILE[:FUNCTION]", help="a Python file, and which of its functions")
    parser.add_argument(
        "--mode",
        choices=("free", "single", "module"),
        help="free: both run on by themselves (the default); single: each step from the reference's values; "
        "module: each module too",
    )
    parser.add_argument("--steps", type=_output.positive_count, metavar="N", help="the first N batches alone")
    parser.add_argument(
        "--bisect",
        action="store_true",
        help="only the first module that goes wrong in the first step, in log2(modules) runs: for models too large",
    )
    parser.add_argument("--no-float64", action="store_true", help="compare in the sides' own precision alone")
    _output.declare(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Compare; 0 equal, 1 diverged."""
    from jaxgrad import parity

    _output.check(arguments)
    case = _case.load(arguments.case)
    parts = case.parts()
    parts["batches"] = _case.first(parts["batches"], arguments.steps)
    if arguments.bisect:
        return _output.show(_bisected(parts, _output.bounds(arguments)), arguments)
    if arguments.mode:
        parts["mode"] = arguments.mode
    if arguments.no_float64:
        parts["float64"] = False
    report = parity.compare(**parts | _output.bounds(arguments))
    steps = report.steps if report.first is None else report.first.step + 1
    return _output.show(replace(report, reproduction=reproduction(case, steps, report.mode)), arguments)


def _bisected(parts: dict[str, Any], bounds: dict[str, Any]) -> "Report":
    """What ``parity.bisect`` finds, as a report."""
    from jaxgrad import parity

    first = parity.bisect(parts["reference"], parts["candidate"], next(iter(parts["batches"])), **bounds)
    return parity.Report(ok=first is None, mode="bisect", steps=1, first=first)


def reproduction(case: _case.Case, steps: int, mode: str) -> str:
    """Lines of Python that make the first divergence again, from the folder of the file.

    >>> from pathlib import Path
    >>> print(reproduction(_case.Case(Path("a/port.py"), "parity_case", ()), 9, "free"))
    from jaxgrad import parity
    from port import parity_case
    reference, candidate, batches = parity_case()
    report = parity.compare(reference, candidate, list(batches)[:9], mode='free')
    report.assert_ok()  # jaxgrad parity a/port.py:parity_case --steps 9
    """
    given, inner = "reference, candidate, batches", f"reference, candidate, list(batches)[:{steps}], mode={mode!r}"
    if isinstance(case.returned, dict):
        given, inner = "case", f"**case | dict(batches=list(case['batches'])[:{steps}], mode={mode!r})"
    lines = [
        "from jaxgrad import parity",
        f"from {case.path.stem} import {case.function}",
        f"{given} = {case.function}()",
        f"report = parity.compare({inner})",
        f"report.assert_ok()  # jaxgrad parity {case} --steps {steps}{'' if mode == 'free' else ' --mode ' + mode}",
    ]
    return "\n".join(lines)
