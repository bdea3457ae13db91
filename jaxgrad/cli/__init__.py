"""The command line: ``jaxgrad SUBCOMMAND``, one file a sub-command."""

from jaxgrad.cli.main import main

__all__ = ["main"]
