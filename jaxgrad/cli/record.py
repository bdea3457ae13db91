"""``jaxgrad record FILE[:FUNCTION] --out RECORDING``: run one side of a comparison and write down all of each step.

The recording is a directory that is complete after every step; ``jaxgrad diff`` compares two of them, made on whatever
machines.
"""

import argparse
from typing import Any

from jaxgrad.cli import _case, _output
from jaxgrad.cli.failure import CannotRun

_EXAMPLES = """the function takes no arguments and returns a side and its batches, or reference, candidate and batches:

  def parity_case():
      return parity.from_torch(model, loss_fn, optimizer), batches

examples:
  jaxgrad record train_torch.py --out torch.rec      on the machine that has torch
  jaxgrad record train_jax.py --out jax.rec          on the one that has the accelerator
  jaxgrad diff torch.rec jax.rec
  jaxgrad record port.py:resnet --side candidate --steps 20 --out candidate.rec

exit status: 0 recorded, 2 could not run"""


def declare(parser: argparse.ArgumentParser) -> None:
    """Say what the sub-command takes."""
    parser.description, parser.epilog = __doc__, _EXAMPLES
    parser.add_argument("case", metavar="FILE[:FUNCTION]", help="a Python file, and which of its functions")
    parser.add_argument("--out", metavar="RECORDING", required=True, help="the directory to write to")
    parser.add_argument(
        "--side",
        choices=("reference", "candidate"),
        default="reference",
        help="which, if the function returns both (the reference)",
    )
    parser.add_argument("--steps", type=_output.positive_count, metavar="N", help="the first N batches alone")
    parser.add_argument("--no-float64", action="store_true", help="record the side's own precision alone")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Record, and say what was recorded."""
    from jaxgrad import parity

    side, batches = chosen(_case.load(arguments.case), arguments.side)
    batches = _case.first(batches, arguments.steps)
    try:
        recording = parity.record(side, batches, arguments.out, float64=not arguments.no_float64)
    except FileExistsError as error:
        raise CannotRun(str(error)) from error
    precision = "with" if recording.float64 is not None else "without"
    print(f"{arguments.out}: {len(recording.steps)} steps, {precision} float64 beside")
    return 0


def chosen(case: _case.Case, side: str) -> tuple[Any, Any]:
    """The side that is asked for, and its batches.

    >>> from pathlib import Path
    >>> chosen(_case.Case(Path("a.py"), "f", ("torch", "jax", [1])), "candidate")
    ('jax', [1])
    >>> chosen(_case.Case(Path("a.py"), "f", ("jax", [1])), "reference")
    ('jax', [1])
    """
    found = case.returned
    if isinstance(found, tuple | list) and len(found) == 2:
        return found[0], found[1]
    if isinstance(found, dict) and found.keys() == {"side", "batches"}:
        return found["side"], found["batches"]
    parts = case.parts()
    return parts[side], parts["batches"]
