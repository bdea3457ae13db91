"""``jaxgrad diff REFERENCE CANDIDATE``: compare two recordings; where do they part first, and why? Nothing is run.

The noise that the candidate is judged by was recorded with the reference, so another bound needs no other run.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from jaxgrad.cli import _output
from jaxgrad.cli.failure import CannotRun

if TYPE_CHECKING:
    from jaxgrad.parity import Recording

_EXAMPLES = """examples:
  jaxgrad diff torch.rec jax.rec
  jaxgrad diff torch.rec jax.rec --html report.html --json report.json
  jaxgrad diff torch.rec jax.rec --bound 10          judged again, more strictly
  jaxgrad diff yesterday.rec today.rec --quiet       two recordings of the same program

exit status: 0 equal, 1 diverged, 2 could not run"""


def declare(parser: argparse.ArgumentParser) -> None:
    """Say what the sub-command takes."""
    parser.description, parser.epilog = __doc__, _EXAMPLES
    parser.add_argument("reference", metavar="REFERENCE", help="a recording, of jaxgrad record or of parity.record")
    parser.add_argument("candidate", metavar="CANDIDATE", help="another")
    _output.declare(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Compare; 0 equal, 1 diverged."""
    from jaxgrad import parity

    _output.check(arguments)
    paths = arguments.reference, arguments.candidate
    report = parity.compare_records(*map(_read, paths), **_output.bounds(arguments))
    return _output.show(replace(report, reproduction=reproduction(*paths)), arguments)


def _read(path: str) -> "Recording":
    from jaxgrad.parity.record.file import read

    if not Path(path, "header.json").is_file():
        said = "has no header.json" if Path(path).is_dir() else "No such directory"
        raise CannotRun(f"{path} is no recording: {said}\n  remedy:   jaxgrad record FILE --out {path}")
    try:
        return read(path)
    except (ValueError, KeyError, AttributeError) as error:  # other JSON, or none
        raise CannotRun(f"{path} cannot be read: {error}") from error


def reproduction(reference: str, candidate: str) -> str:
    """Lines of Python that make the report again.

    >>> print(reproduction("a.rec", "b.rec"))
    from jaxgrad import parity
    report = parity.compare_records('a.rec', 'b.rec')
    report.assert_ok()  # jaxgrad diff a.rec b.rec
    """
    lines = [
        "from jaxgrad import parity",
        f"report = parity.compare_records({reference!r}, {candidate!r})",
        f"report.assert_ok()  # jaxgrad diff {reference} {candidate}",
    ]
    return "\n".join(lines)
