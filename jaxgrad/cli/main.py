"""The entry point: which sub-commands there are, and what becomes of their complaints."""

import argparse
import os
import sys
from collections.abc import Sequence

from jaxgrad import __version__
from jaxgrad.cli import inspect

_COMMANDS = (inspect,)
"""Each has ``add(subparsers)``, which sets ``run``: ``run(arguments)`` gives the exit status."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one sub-command.

    Args:
        arguments: those of the command line without.

    Returns:
        the exit status: 0 when all is well, 1 when it is not.

    >>> main(["inspect", "no such file"])
    1
    """
    parser = argparse.ArgumentParser(
        prog="jaxgrad", description="PyTorch's training semantics in JAX: tools for files."
    )
    parser.add_argument("--version", action="version", version=f"jaxgrad {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add(subparsers)
    parsed = parser.parse_args(arguments)
    try:
        status: int = parsed.run(parsed)
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status
