"""Writes docs/coverage.md: PyTorch's own databases of samples, and how many of each entry pass here.

    python -m docs.make_coverage                    # every sample of every entry: hours
    python -m docs.make_coverage --limit 1          # one of each, what coverage.md shows
    python -m docs.make_coverage --only relu GELU   # these entries, printed

Entries are found by address, so that what is added to the library is picked up. Each runs in float64 to the bound of
semantics: values, shapes, dtypes, gradients of every input and parameter, buffers after the call, in training and in
evaluation, and every error input by its sentence.
"""

import argparse
import signal
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import torch

from jaxgrad.parity.jax_side import resolve
from tests.nn.test_embedding import adapted, in_place
from tests.support import module_samples, op_samples
from tests.support.samples import Tally

PAGE = Path(__file__).parent / "coverage.md"

NOT_MIRRORED = {
    "Lazy": "lazy modules are left out: a shape is known when a model is built",
}


@dataclass
class Row:
    """One entry of a database.

    Attributes:
        name: of the entry.
        samples: how many were run.
        passed: how many of them agree.
        errors: error inputs run, and how many of them have torch's class and sentence.
        notes: what was left out, or differs, and why.
    """

    name: str
    samples: int = 0
    passed: int = 0
    errors: tuple[int, int] = (0, 0)
    notes: list[str] = field(default_factory=list)

    def line(self) -> str:
        """A line of the table."""
        given, right = self.errors
        errors = f"{right}/{given}" if given else ""
        return f"| {self.name} | {self.passed}/{self.samples} | {errors} | {'; '.join(self.notes)} |"


EMBEDDING = {"adapt": adapted, "leave_out": in_place}

WITH_STATE = ("batch_norm", "instance_norm", "embedding", "embedding_bag")
"""Functions that return what torch changes in place beside their output."""


def output_alone(address: str) -> Callable[..., Any]:
    """Our function at an address; of several results the first where the others are torch's hidden state."""
    fn = resolve(address)
    if address.rsplit(".", 1)[-1] not in WITH_STATE:
        found: Callable[..., Any] = fn
        return found

    def call(*args: Any, **kwargs: Any) -> Any:
        result = fn(*args, **kwargs)
        return result[0] if isinstance(result, tuple) else result

    return call


def in_chunks(sample: Any, training: bool) -> str | None:
    """Of LinearCrossEntropyLoss: torch's recipe for saving memory."""
    return "chunks are not mirrored" if sample.constructor_input.kwargs.get("options") is not None else None


class _TooLong(BaseException):
    pass


def measure(name: str, address: str, seconds: int, samples: Callable[[], Tally], errors: Callable[[], Tally]) -> Row:
    """Run one entry; what cannot be found, breaks or takes too long is said in its row."""
    row = Row(name)
    for prefix, reason in NOT_MIRRORED.items():
        if name.startswith(prefix):
            row.notes.append(reason)
            return row
    try:
        resolve(address)
    except (AttributeError, ImportError):
        row.notes.append("not here")
        return row
    signal.signal(signal.SIGPROF, _stop)  # of the processor's time, whatever else the machine does
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        tally = samples()
        row.samples, row.passed = tally.total, tally.passed
        row.notes += [f"{count} left out: {reason}" for reason, count in tally.left_out.items()]
        if tally.complaints:
            row.notes.append(f"{len(tally.complaints)} differ")
            print(f"{name}: {tally.complaints[0]}", file=sys.stderr)
        said = errors()
        row.errors = (said.total, said.passed)
        if said.complaints:
            print(f"{name}: {said.complaints[0]}", file=sys.stderr)
    except _TooLong:
        row.notes.append(f"not finished in {seconds} s of the processor")
    except Exception as error:
        row.notes.append(f"broke off: {type(error).__name__}")
        print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return row


def _stop(*_: Any) -> None:
    raise _TooLong


def functions(limit: int | None, seconds: int, only: list[str]) -> list[Row]:
    """A row for every entry of ``op_db`` that is a function of ``torch.nn.functional``."""
    rows = []
    beside = {"softmax", "log_softmax", "sigmoid", "tanh"}  # listed there under torch's top level
    for name, variants in sorted(op_samples.database().items()):
        if not name.startswith("nn.functional.") and name not in beside:
            continue
        address = name if name.startswith("nn.") else f"nn.functional.{name}"
        for op in variants:
            shown = op_samples.op_id(op)
            if only and shown.split(".")[0] not in only:
                continue
            if op.variant_test_name.startswith("chunked"):
                continue  # a saving of memory that is not mirrored
            if torch.float64 not in op.supported_dtypes("cpu") and name != "nn.functional.one_hot":
                continue  # a variant for other devices
            dtype = torch.int64 if name == "nn.functional.one_hot" else torch.float64
            form = EMBEDDING if "embedding" in name and "cosine" not in name else {}

            def run(op: Any = op, address: str = address, dtype: Any = dtype, form: Any = form) -> Tally:
                return op_samples.samples(op, output_alone(address), dtype, limit, jit=True, **form)

            def err(op: Any = op, address: str = address, form: Any = form) -> Tally:
                return op_samples.error_inputs(op, output_alone(address), adapt=form.get("adapt"))

            rows.append(measure(shown, address, seconds, run, err))
            print(rows[-1].line(), flush=True)
    return rows


def modules(limit: int | None, seconds: int, only: list[str]) -> list[Row]:
    """A row for every entry of ``module_db``."""
    rows = []
    for name, info in sorted(module_samples.database().items()):
        if only and name not in only:
            continue

        def run(info: Any = info) -> Tally:
            return module_samples.samples(info, limit=limit, jit=True, leave_out=in_chunks)

        def err(info: Any = info) -> Tally:
            return module_samples.error_inputs(info)

        rows.append(measure(name, f"nn.{name}", seconds, run, err))
        print(rows[-1].line(), flush=True)
    return rows


def page(tables: dict[str, list[Row]], limit: int | None) -> str:
    """The page."""
    each = "every sample" if limit is None else f"up to {limit} samples, spread over all, of every entry (and mode)"
    parts = [
        "# How much of PyTorch's own databases passes",
        f"Written by `python -m docs.make_coverage{'' if limit is None else f' --limit {limit}'}`: {each}, float64, "
        f"values and gradients to 1e-10, torch {torch.__version__.split('+')[0]}. Error inputs count as right if ours "
        "raises torch's exception with torch's sentence. Lazy, quantised and sparse modules are not mirrored.",
    ]
    for title, rows in tables.items():
        whole = [row for row in rows if row.samples and row.passed == row.samples]
        parts.append(f"## {title}\n\n{len(whole)} of {len(rows)} entries pass whole.")
        head = "| entry | samples passed | error inputs right | left out, and why |\n|---|---|---|---|\n"
        parts.append(head + "\n".join(row.line() for row in rows))
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=int, default=None)
    parser.add_argument(
        "--seconds", type=int, default=600, help="of the processor; an entry that takes longer is left out"
    )
    parser.add_argument("--only", nargs="*", default=[])
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    jax.config.update("jax_numpy_rank_promotion", "raise")
    with jax.enable_x64(True):
        tables = {
            "Functions (`op_db`)": functions(options.limit, options.seconds, options.only),
            "Modules (`module_db`)": modules(options.limit, options.seconds, options.only),
        }
    if not options.only:
        PAGE.write_text(page(tables, options.limit))


if __name__ == "__main__":
    main()
