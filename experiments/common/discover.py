"""Which experiments there are: the modules of this package that define ``EXPERIMENT``."""

import difflib
import importlib
import pkgutil

import experiments
from experiments.common.experiment import Experiment


def all_experiments() -> dict[str, Experiment]:
    """Every experiment by name, in the order of their numbers."""
    found = []
    for info in pkgutil.iter_modules(experiments.__path__):
        if info.ispkg or info.name.startswith("_"):
            continue
        module = importlib.import_module(f"experiments.{info.name}")
        found.append(module.EXPERIMENT)
    return {each.name: each for each in sorted(found, key=lambda each: (each.number, each.name))}


def select(names: list[str]) -> list[Experiment]:
    """The experiments of these names; if none is named all of them, the short ones first.

    Raises:
        LookupError: a name is unknown; the nearest ones are suggested.
    """
    known = all_experiments()
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
            hint = f" Did you mean {' or '.join(near)}?" if near else f" There are: {', '.join(known)}."
            raise LookupError(f"There is no experiment named {name!r}.{hint}")
    return [known[name] for name in names] if names else sorted(known.values(), key=lambda each: each.seconds)
