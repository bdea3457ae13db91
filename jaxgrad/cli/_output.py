"""What ``parity`` and ``diff`` do with a report: show it, write it, and say by the exit status what it says."""

import argparse
import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxgrad.cli.failure import CannotRun

if TYPE_CHECKING:
    from jaxgrad.parity.report import Report


def declare(parser: argparse.ArgumentParser) -> None:
    """The options of a report."""
    shown = parser.add_argument_group("the report")
    shown.add_argument("--html", metavar="FILE", help="write it as one HTML page that needs nothing else")
    shown.add_argument("--json", metavar="FILE", help="write it as JSON; '-' prints it, and nothing else")
    shown.add_argument("--quiet", action="store_true", help="print the verdict alone, in one sentence")
    judged = parser.add_argument_group("the judgement")
    judged.add_argument(
        "--bound",
        type=_positive,
        metavar="X",
        help="the largest distance that is no divergence, in units of the reference's own rounding",
    )


def bounds(arguments: argparse.Namespace) -> dict[str, Any]:
    """The keyword arguments of a comparison that the options ask for."""
    if arguments.bound is None:
        return {}
    from jaxgrad.parity import Bounds

    return {"bounds": replace(Bounds(), semantics=arguments.bound, rounding=arguments.bound, alone=arguments.bound)}


def check(arguments: argparse.Namespace) -> None:
    """Find out before a long run what would go wrong after it.

    Raises:
        CannotRun: a file cannot be written where it is to be, or the page needs a package that is not there.
    """
    if arguments.html and importlib.util.find_spec("jinja2") is None:
        raise CannotRun("the page of a report needs the package `jinja2`.\n  remedy:   pip install 'jaxgrad[report]'")
    for path in (arguments.html, arguments.json):
        if path not in (None, "-") and not Path(path).absolute().parent.is_dir():
            raise CannotRun(f"{path}: there is no folder {Path(path).parent}")


def show(report: "Report", arguments: argparse.Namespace) -> int:
    """Write and print a report.

    Returns:
        0 for equal, 1 for diverged.
    """
    if arguments.json == "-":
        print(report.to_json())
    elif arguments.quiet:
        print(report.sentence)
    else:
        report.print()
    if arguments.html:
        _written(arguments.html, report.save_html)
    if arguments.json not in (None, "-"):
        _written(arguments.json, lambda path: _save(path, report.to_json()))
    return 0 if report.ok else 1


def positive_count(text: str) -> int:
    """A number of steps.

    Raises:
        argparse.ArgumentTypeError: it is not one.
    """
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of steps, which is 1, 2, 3, ...")
    return int(text)


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return value


def _written(path: str, write: Any) -> None:
    try:
        write(path)
    except OSError as error:
        raise CannotRun(f"{path}: {error.strerror or error}") from error


def _save(path: str, text: str) -> None:
    from jaxgrad.serialization.atomic import replacing

    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.write(text + "\n")
