"""The command line: ``python -m experiments [list | run [NAME ...]]``."""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("KMP_BLOCKTIME", "0")  # torch's idle threads would spin against XLA's on few cores

from rich.console import Console

from experiments.common import page, terminal
from experiments.common.answer import answer
from experiments.common.datasets import DataUnavailable
from experiments.common.discover import all_experiments, select
from experiments.common.experiment import Experiment, Results, Settings
from experiments.common.run import run, torch_is_installed, write


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0, 1 if a distance is out of bounds, 2 if something was asked for that is not there."""
    console = Console() if sys.stdout.isatty() else Console(width=120)
    options = _parser().parse_args(arguments)
    if options.command == "list":
        console.print(terminal.listing(all_experiments().values()))
        return 0
    try:
        chosen = select(options.names)
    except LookupError as error:
        print(error.args[0], file=sys.stderr)
        return 2
    if options.data is not None and not options.data.is_dir():
        print(f"--data: there is no directory {options.data}", file=sys.stderr)
        return 2
    return _run_all(chosen, options, console)


def _run_all(chosen: list[Experiment], options: argparse.Namespace, console: Console) -> int:
    with_torch = options.torch and torch_is_installed()
    if options.torch and not with_torch:
        console.print("torch is not installed: the JAX side runs alone. For both: pip install 'jaxgrad[torch]'")
    failed, missing = [], []
    path = page.write(options.out, [each.name for each in chosen])
    _announce(chosen, options, path, console)
    for number, experiment in enumerate(chosen, 1):
        try:
            results = _run_one(experiment, f"{number}/{len(chosen)}", options, with_torch, console)
        except DataUnavailable as error:
            console.print(f"{experiment.name}: {error}", markup=False, highlight=False)
            missing.append(experiment.name)
        else:
            console.print(terminal.verdict(results), highlight=False)
            if options.verbose or len(chosen) == 1:
                console.print(" ".join((answer(results), experiment.expected)), highlight=False, markup=False)
            if options.verbose:
                console.print(terminal.results_table(results))
            write(results, options.out)
            if not results.ok:
                failed.append(experiment.name)
        page.write(options.out, [each.name for each in chosen[number:]])
    console.print(f"\nAll records and figures: {path.resolve()}", highlight=False, soft_wrap=True)
    if missing:
        console.print(f"[bold]Not run, for want of data:[/] {', '.join(missing)}")
    if failed:
        console.print(f"[bold red]Out of bounds:[/] {', '.join(failed)} (the table: -v)")
    return 1 if failed else 2 if missing else 0


def _announce(chosen: list[Experiment], options: argparse.Namespace, path: Path, console: Console) -> None:
    """What is going to happen, and how long it takes, before the first result."""
    if len(chosen) == 1:
        console.print(chosen[0].question, style="bold")
        return
    minutes = max(1, round(sum(each.seconds for each in chosen) / 60))
    long = "" if options.quick or not options.torch else f" (about {minutes} min on two cores)"
    words = f"{len(chosen)} experiments, the short ones first{long}; {path} shows them as they come."
    console.print(words, highlight=False, soft_wrap=True)


def _run_one(
    experiment: Experiment, place: str, options: argparse.Namespace, with_torch: bool, console: Console
) -> Results:
    """Run one, with a line that says what it is at; it vanishes when the result is there."""
    long = "" if options.quick else f", about {experiment.seconds} s"
    head = f"{place} {experiment.name}{long}"
    with terminal.ProgressDisplay(console) as display, console.status(head) as status:
        settings = Settings(data=options.data, quick=options.quick, track=display.track)
        return run(
            experiment,
            settings,
            seed=options.seed,
            with_torch=with_torch,
            say=lambda side: status.update(f"{head}: {side}"),
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments",
        description="One question per experiment, answered in JAX and, where torch is installed, in PyTorch beside it. "
        "Without a command all of them run.",
    )
    commands = parser.add_subparsers(dest="command", metavar="{list,run}")
    commands.add_parser("list", help="name the experiments and their questions")
    running = commands.add_parser("run", help="run the named experiments, or all of them")
    running.add_argument("names", nargs="*", metavar="NAME", help="an experiment; none means all")
    for each in (parser, running):
        _add_options(each, top=each is parser)
    parser.set_defaults(names=[])
    return parser


def _add_options(parser: argparse.ArgumentParser, top: bool) -> None:
    """The options of a run; before the command they are the defaults of those behind it."""

    def default(value: object) -> object:
        return value if top else argparse.SUPPRESS

    parser.add_argument(
        "--seed", type=int, default=default(None), help="seed of the random stream (default: each experiment's own)"
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=default(None),
        help="directory with the data: prepared by tensorflow-datasets, or the four IDX files of FashionMNIST",
    )
    parser.add_argument("--quick", action="store_true", default=default(False), help="a smaller run of the same kind")
    parser.add_argument("-v", "--verbose", action="store_true", default=default(False), help="every table of results")
    parser.add_argument(
        "--no-torch", dest="torch", action="store_false", default=default(True), help="run the JAX side alone"
    )
    parser.add_argument(
        "--out", type=Path, default=default(Path("results")), help="where records and figures go (default: results)"
    )


if __name__ == "__main__":
    sys.exit(main())
