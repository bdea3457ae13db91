"""The entry point: which sub-commands there are, and what becomes of their complaints."""

import argparse
import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from jaxgrad import __version__
from jaxgrad.cli.failure import CannotRun, place

COMMANDS = {
    "parity": "run two training steps side by side and say where they part, and why",
    "record": "run one side of such a comparison and write down every step",
    "diff": "compare two recordings",
    "show": "where a name of torch is here, and what differs in optax, JAX and flax",
    "lint": "find porting traps in a training script, without running it",
    "info": "versions, devices, and what is not installed",
    "inspect": "names, shapes, dtypes and sizes of what is in a file",
}
"""Each is a module of this package with ``declare(parser)``; its ``run(arguments)`` gives the exit status."""

_EXAMPLES = """examples:
  jaxgrad parity port.py                    compare what port.py's parity_case() returns
  jaxgrad parity port.py:resnet --html report.html
  jaxgrad lint train_jax.py                 momentum 0.1 for 0.9? gelu by tanh? which decay?
  jaxgrad show torch.optim.AdamW            here, and elsewhere
  jaxgrad COMMAND --help                    more examples

exit status:
  0  equal, clean, done      1  diverged, traps found      2  could not run"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one sub-command.

    Args:
        arguments: those of the command line without.

    Returns:
        the exit status: 0 when all is well, 1 when something differs or is to be looked at, 2 when it could not run.

    >>> main(["inspect", "no such file"])
    1
    """
    parser = _Parser(
        prog="jaxgrad",
        description="PyTorch's training semantics in JAX: compare training steps, find traps, look into files.",
        epilog=_EXAMPLES,
        formatter_class=_formatter,
    )
    parser.add_argument("--version", action="version", version=f"jaxgrad {__version__}")
    parser.add_argument("--traceback", action="store_true", help="show where an error comes from, in full")
    subparsers = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, parser_class=_Command, title="commands"
    )
    for name, purpose in COMMANDS.items():
        subparsers.add_parser(name, help=purpose, formatter_class=_formatter)
    parsed = parser.parse_args(arguments)
    try:
        status: int = parsed.run(parsed)
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("\njaxgrad: interrupted", file=sys.stderr)
        return 2
    except Exception as error:  # whatever a user's script may raise
        if parsed.traceback:
            traceback.print_exc()
        print(f"jaxgrad {parsed.command}: {_complaint(error)}", file=sys.stderr)
        return 2
    return status


def _complaint(error: Exception) -> str:
    if isinstance(error, CannotRun):
        return str(error)
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    at = place(error)
    return f"{type(error).__name__}: {error}" + (f"\n  at:       {at}" if at else "")


class _Parser(argparse.ArgumentParser):
    """A parser that says where the examples are when it complains."""

    def error(self, message: str) -> Any:
        self.print_usage(sys.stderr)
        self.exit(2, f"{self.prog}: {message}\n  try:      {self.prog} --help\n")


class _Command(_Parser):
    """The parser of one sub-command; its module is imported when it is chosen, so that the others cost nothing."""

    def parse_known_args(self, args: Any = None, namespace: Any = None, **more: Any) -> Any:
        importlib.import_module(f"jaxgrad.cli.{self.prog.split()[-1]}").declare(self)
        self.description = (self.description or "").replace("``", "")
        return super().parse_known_args(args, namespace, **more)


def _formatter(prog: str) -> argparse.HelpFormatter:
    """Examples keep their lines; in colour where rich-argparse is there."""
    if importlib.util.find_spec("rich_argparse") and sys.stdout.isatty():
        from rich_argparse import RawDescriptionRichHelpFormatter

        return RawDescriptionRichHelpFormatter(prog, max_help_position=30)
    return argparse.RawDescriptionHelpFormatter(prog, max_help_position=30, width=100)
