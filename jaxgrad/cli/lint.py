"""``jaxgrad lint SCRIPT``: porting traps in a training script of JAX or torch, found in its text; nothing is run.

A trap changes a run in ordinary use. A note matters in some runs alone, or cannot be told from the text. A line that
is meant as it is says so: ``# jaxgrad: ok CODE``.
"""

import argparse
import json
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from jaxgrad.cli._lint import Finding, lint, porting
from jaxgrad.cli.failure import CannotRun

_EXAMPLES = """examples:
  jaxgrad lint train.py
  jaxgrad lint --port train_torch.py          before it is ported
  jaxgrad lint --traps-only src               all of a folder, without the notes
  jaxgrad lint --json train.py | jq .code

exit status: 0 no trap, 1 traps, 2 a file cannot be read"""


def declare(parser: argparse.ArgumentParser) -> None:
    """Say what the sub-command takes."""
    parser.description, parser.epilog = __doc__, _EXAMPLES
    parser.add_argument(
        "scripts", nargs="+", metavar="SCRIPT", help="a Python file, or a folder of them; '-' reads standard input"
    )
    parser.add_argument("--traps-only", action="store_true", help="leave the notes out")
    parser.add_argument(
        "--port", action="store_true", help="of a torch script: what differs in optax, JAX and flax, call by call"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a finding")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Lint every script; 1 if there is a trap."""
    traps = 0
    for path in _files(arguments.scripts):
        findings = [each for each in read(path, port=arguments.port) if each.trap or not arguments.traps_only]
        traps += sum(each.trap for each in findings)
        if arguments.json:
            for each in findings:
                print(json.dumps({"file": path, **asdict(each)}))
        else:
            print(text(path, findings))
    return 1 if traps else 0


def _files(paths: Sequence[str]) -> Iterator[str]:
    """The files that are meant: of a folder all below it."""
    for path in paths:
        yield from sorted(map(str, Path(path).rglob("*.py"))) if path != "-" and Path(path).is_dir() else [path]


def read(path: str, *, port: bool = False) -> list[Finding]:
    """The findings of one file; with ``port`` also what its torch calls differ in elsewhere.

    Raises:
        CannotRun: it is no file, or no Python.
    """
    try:
        source = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
        found = lint(source)
        if port:
            said = {(each.line, each.code) for each in found}
            found += [each for each in porting(source) if (each.line, each.code) not in said]
        return found
    except OSError as error:
        raise CannotRun(f"{path}: {error.strerror}") from error
    except SyntaxError as error:
        raise CannotRun(f"{path}:{error.lineno}: {error.msg}") from error
    except ValueError as error:  # bytes that are no text
        raise CannotRun(f"{path}: {error}") from error


def text(path: str, findings: list[Finding]) -> str:
    """The findings of one file for a person; one that is on several lines is told once."""
    if not findings:
        return f"{path}: no trap found"
    lines: dict[Finding, list[Finding]] = {}
    for each in findings:
        lines.setdefault(replace(each, line=0, source=""), []).append(each)
    told = [_told(path, each, lines[each]) for each in sorted(lines, key=lambda each: not each.trap)]
    traps = sum(each.trap for each in lines)
    count = f"{_counted(traps, 'trap')}, {_counted(len(lines) - traps, 'note')}"
    return "\n".join([*told, f"{path}: {count}"])


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _told(path: str, each: Finding, found: list[Finding]) -> str:
    at = [one.line for one in found]
    more = f" (and {', '.join(map(str, at[1:6]))}{', ...' if len(at) > 6 else ''})" if len(at) > 1 else ""
    head = f"{path}:{at[0]}{more}: {'trap' if each.trap else 'note'} {each.code}"
    body = [("| ", found[0].source), ("", each.says), ("size: ", each.effect), ("fix:  ", each.fix)]
    wrapped = [
        textwrap.fill(label + words, 100, initial_indent="  ", subsequent_indent="  " + " " * len(label))
        for label, words in body
        if words
    ]
    return "\n".join([head, *wrapped])
