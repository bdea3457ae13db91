"""Writes docs/coverage.md: PyTorch's own databases of samples, and how many of each entry pass here.

    python -m docs.make_coverage                    # what coverage.jsonl lacks, or what had no time
    python -m docs.make_coverage --only relu GELU   # these entries anew
    python -m docs.make_coverage --seconds 600      # more time for the entries that were cut off

Entries are found by address, so that what is added to the library is picked up. What is found of a part of an entry
is kept in docs/coverage.jsonl as it comes, so a run that was ended goes on where it stood.
"""

import argparse
import fcntl
import json
import math
import os
import statistics
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import jax
import torch

from jaxgrad.parity.jax_side import resolve
from tests.support import entries, module_samples, op_samples
from tests.support.samples import NOISE, Tally

PAGE = Path(__file__).parent / "coverage.md"
FOUND = PAGE.with_suffix(".jsonl")

ERRORS = "errors"
PARTS = {
    "functions": ("float64", "float32", ERRORS),
    "modules": ("float64 train", "float64 eval", "float32 train", "float32 eval", ERRORS),
}
TITLES = {"functions": "Functions (`op_db`)", "modules": "Modules (`module_db`)"}

ABOUT = """# How much of PyTorch's own databases passes

Written by `python -m docs.make_coverage`, torch {version}. Compared are, ours compiled, values, shapes, dtypes and the
gradients of every input and parameter, of modules also names, text and the buffers after the call. A sample of float64
passes if all of it is within 1e-10 of torch's, one of float32 if every tensor is within {noise} times torch's own
rounding. An error input passes if ours raises torch's exception with torch's sentence. *Passed* is of all samples: what
is missing is said beside it. A part of an entry has a budget of the processor's time; where it is used up the page says
how many samples were not reached (those that were run are spread over all), and a call with more `--seconds` runs it
again. An empty cell: the database has no such samples. *not run*: the next call does it."""


@dataclass
class Result:
    """What became of a part of an entry.

    Attributes:
        kind: functions or modules.
        entry: its name.
        part: dtype and mode, or the error inputs.
        passed: of its samples.
        total: number of its samples.
        left_out: number of samples, by reason.
        unreached: number of samples that had no time.
        differ: what differs, of three samples.
        noise: float32: the median of its tensors' distances, in units of torch's own rounding.
        seconds: of the processor, that it had.
    """

    kind: str
    entry: str
    part: str
    passed: int = 0
    total: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    unreached: int = 0
    differ: list[str] = field(default_factory=list)
    noise: float | None = None
    seconds: int = 0

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is of."""
        return self.kind, self.entry, self.part


Run = Callable[[str, int], Tally]


def known() -> dict[tuple[str, str, str], Result]:
    """What was found before."""
    lines = FOUND.read_text().splitlines() if FOUND.exists() else []
    return {result.key: result for result in (Result(**json.loads(line)) for line in lines)}


def keep(result: Result) -> dict[tuple[str, str, str], Result]:
    """Add a result to the file, which other runs may add to; a killed run leaves the file before or the one after."""
    with PAGE.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        results = known() | {result.key: result}
        beside = FOUND.with_suffix(".tmp")
        beside.write_text("".join(json.dumps(asdict(results[key])) + "\n" for key in sorted(results)))
        os.replace(beside, FOUND)
    return results


def functions() -> Iterator[tuple[str, str, Run]]:
    """Name, address and run of every entry of ``op_db`` that is a function of ``torch.nn.functional``."""
    for name, variants in sorted(op_samples.database().items()):
        if not name.startswith("nn.functional.") and name not in entries.OF_TORCH_TOP:
            continue
        for op in variants:
            if torch.float64 in op.supported_dtypes("cpu") or name.endswith("one_hot"):  # else of other devices
                address = name if name.startswith("nn.") else f"nn.functional.{name}"
                yield op_samples.op_id(op), address, lambda part, seconds, op=op: function(op, part, seconds)


def function(op: Any, part: str, seconds: int) -> Tally:
    """One part of an entry of ``op_db``."""
    form = entries.FUNCTIONS.get(op.name, entries.PLAIN)
    ours = entries.output_alone(op.name)
    if part == ERRORS:
        return op_samples.error_inputs(op, ours, adapt=form.adapt)
    dtype = torch.int64 if op.name.endswith("one_hot") else getattr(torch, part)
    leave_out = form.leave_out_single if part == "float32" else form.leave_out
    return op_samples.samples(op, ours, dtype, None, form.jit, leave_out, form.adapt, seconds=seconds)


def modules() -> Iterator[tuple[str, str, Run]]:
    """Name, address and run of every entry of ``module_db``."""
    for name, info in sorted(module_samples.database().items()):
        yield name, f"nn.{name}", lambda part, seconds, info=info, name=name: module(info, name, part, seconds)


def module(info: Any, name: str, part: str, seconds: int) -> Tally:
    """One part of an entry of ``module_db``."""
    form = entries.MODULES.get(name, entries.PLAIN)
    if part == ERRORS:
        return module_samples.error_inputs(info)
    dtype, mode = part.split()
    return module_samples.samples(
        info,
        None,
        getattr(torch, dtype),
        (mode == "train",),
        None,
        form.jit,
        form.leave_out if dtype == "float64" else form.leave_out_single,
        seconds,
    )


def measure(kind: str, entry: str, address: str, part: str, run: Run, seconds: int) -> Result:
    """Run a part of an entry; what cannot be found or breaks is said."""
    result = Result(kind, entry, part, seconds=seconds)
    try:
        resolve(address)
    except (AttributeError, ImportError) as error:
        lazy = "lazy modules are left out: a shape is known when a model is built"
        result.differ.append(lazy if entry.startswith("Lazy") else f"not here: {error}")
        return result
    try:
        with jax.enable_x64(not part.startswith("float32") or entry.endswith("with_dtype")):
            tally = run(part, seconds)
    except Exception as error:
        result.differ.append(f"broke off: {type(error).__name__}: {error}")
        return result
    result.passed, result.total, result.left_out = tally.passed, tally.total, tally.left_out
    result.unreached, result.differ = tally.unreached, [each.strip()[:400] for each in tally.complaints[:3]]
    result.noise = round(float(statistics.median(tally.ratios)), 3) if tally.ratios else None
    return result


def row(entry: str, parts: list[Result | None]) -> str:
    """A line of the table."""
    shown, notes = [], []
    for part in parts:
        found = part and (part.total or part.differ)
        shown.append("not run" if part is None else f"{part.passed}/{part.total}" if part.total else "")
        if part and found:
            reasons = [f"{count} left out: {why}" for why, count in part.left_out.items()]
            reasons += [f"{part.unreached} not reached in {part.seconds} s"] if part.unreached else []
            differ = part.total - part.passed - part.unreached - sum(part.left_out.values())
            reasons += [f"{differ} differ"] if differ else [] if part.total else part.differ
            notes += [(part.part, reason) for reason in reasons]
    said = {reason: [name for name, each in notes if each == reason] for _, reason in notes}
    whole = [reason if len(names) == len(parts) else f"{', '.join(names)}: {reason}" for reason, names in said.items()]
    return f"| {entry} | {' | '.join(shown)} | {'; '.join(whole)} |"


def page(results: dict[tuple[str, str, str], Result], names: dict[str, list[str]]) -> str:
    """The page."""
    version = torch.__version__.split("+")[0]
    parts = [ABOUT.format(version=version, noise=NOISE)]
    for kind, title in TITLES.items():
        found = {name: [results.get((kind, name, part)) for part in PARTS[kind]] for name in names[kind]}
        run = [part for row in found.values() for part in row if part]
        of = [part for part in run if part.part != ERRORS], [part for part in run if part.part == ERRORS]
        counts = [(sum(part.passed for part in each), sum(part.total for part in each)) for each in of]
        whole = [n for n, row in found.items() if all(part and not part.differ and not part.unreached for part in row)]
        parts.append(f"## {title}")
        sums = [sum(each.values()) for each in (part.left_out for part in run)]
        late = sum(part.unreached for part in run)
        differ = counts[0][1] - counts[0][0] - sum(sums) - late
        noise = [part.noise for part in run if part.noise is not None] or [math.nan]
        parts.append(
            f"{len(whole)} of {len(found)} entries are run whole and nothing differs. Of {counts[0][1]} samples "
            f"{counts[0][0]} pass, {differ} differ, {sum(sums)} are left out with a reason, {late} were not reached; "
            f"{counts[1][0]} of {counts[1][1]} error inputs pass. The median of the entries' medians in float32 is "
            f"{statistics.median(noise):.2f} times torch's own rounding, the largest {max(noise):.2f}."
        )
        head = f"| entry | {' | '.join(PARTS[kind])} | what does not pass, and why |\n"
        head += "|---" * (len(PARTS[kind]) + 2) + "|\n"
        parts.append(head + "\n".join(row(name, each) for name, each in found.items()))
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=120, help="of the processor, for a part of an entry")
    parser.add_argument("--only", nargs="*", default=[], help="entries that are run anew")
    parser.add_argument("--parts", nargs="*", default=[], help="of which parts: float64, eval, errors, ...")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    jax.config.update("jax_numpy_rank_promotion", "raise")
    results = known()
    tasks = [("functions", *each) for each in functions()] + [("modules", *each) for each in modules()]
    names = {kind: [task[1] for task in tasks if task[0] == kind] for kind in TITLES}
    for part in dict.fromkeys(
        part for kind in (ERRORS, *PARTS["functions"], *PARTS["modules"]) for part in PARTS.get(kind, (kind,))
    ):
        for kind, entry, address, run in tasks:
            before = results.get((kind, entry, part))
            settled = before and not (before.unreached and before.seconds < options.seconds)
            wanted = entry in options.only or entry.split(".")[0] in options.only if options.only else not settled
            asked = not options.parts or set(part.split()) & set(options.parts)
            if part not in PARTS[kind] or not wanted or not asked:
                continue
            result = measure(kind, entry, address, part, run, options.seconds)
            results = keep(result)
            print(entry, part, f"{result.passed}/{result.total}", *result.differ[:3], flush=True)
    PAGE.write_text(page({key: each for key, each in results.items() if key[1] in names[key[0]]}, names))


if __name__ == "__main__":
    main()
