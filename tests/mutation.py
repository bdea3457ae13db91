"""Plants small errors into the library, one at a time, and says which of them no test notices.

    python -m tests.mutation --sample 40 jaxgrad/testing tests/testing

A mutant is the library with one change: a constant off by a thousandth or by one, an operator or a comparison taken
for its neighbour. The tests run in a forked process that loads the changed module in place of the one on disk. A mutant
is killed if a test fails (or hangs); those that survive are printed as lines to be judged: most are equal to the
original, the others are a test that is missing.
"""

import argparse
import ast
import importlib.abc
import importlib.machinery
import importlib.util
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

SWAPS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.FloorDiv,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}


def changes(node: ast.AST) -> Iterator[str]:
    """Changes the node in place; gives a word for each change, and takes it back when it is asked to go on."""
    if isinstance(node, ast.Constant) and type(node.value) in (int, float) and node.value not in (0, True):
        kept = node.value
        node.value = kept * 1.001 if isinstance(kept, float) else kept + 1
        yield f"{kept} -> {node.value}"
        node.value = kept
    if isinstance(node, ast.BinOp | ast.BoolOp) and type(node.op) in SWAPS:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr) and _is_annotation(node):
            return
        kept = node.op
        node.op = SWAPS[type(kept)]()
        yield f"{type(kept).__name__} -> {type(node.op).__name__}"
        node.op = kept
    if isinstance(node, ast.Compare):
        for i, kept in enumerate(node.ops):
            if type(kept) in SWAPS:
                node.ops[i] = SWAPS[type(kept)]()
                yield f"{type(kept).__name__} -> {type(node.ops[i]).__name__}"
                node.ops[i] = kept


def _is_annotation(node: ast.BinOp) -> bool:
    """``int | None`` and the like, which is no arithmetic."""
    words = {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
    types = {
        "int",
        "float",
        "str",
        "bool",
        "Array",
        "Any",
        "bytes",
        "bytearray",
        "Exception",
        "tuple",
        "list",
        "Generator",
    }
    return bool(words & types) or any(isinstance(n, ast.Constant) and n.value is None for n in ast.walk(node))


def mutants(path: Path) -> list[tuple[int, int, str]]:
    """(number of the node, number of the change, words) for every change of a file; annotations and texts are left."""
    tree = ast.parse(path.read_text())
    skipped = {id(inner) for node in ast.walk(tree) for inner in _annotations(node)}
    found = []
    for number, node in enumerate(ast.walk(tree)):
        if id(node) not in skipped:
            for change, words in enumerate(changes(node)):
                found.append((number, change, f"{path}:{node.lineno}: {words}"))
    return found


def _annotations(node: ast.AST) -> Iterator[ast.AST]:
    for field in ("annotation", "returns"):
        inner = getattr(node, field, None)
        if isinstance(inner, ast.AST):
            yield from ast.walk(inner)
    if isinstance(node, ast.Call) and ast.unparse(node.func) in ("explain", "isinstance", "warnings.warn"):
        yield from ast.walk(node)  # the words of an error, and sets of types


def mutated(path: Path, number: int, change: int) -> ast.Module:
    tree = ast.parse(path.read_text())
    steps = changes(list(ast.walk(tree))[number])
    for _ in range(change + 1):
        next(steps)
    return tree


class Loader(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads one module from a changed tree."""

    def __init__(self, name: str, path: Path, tree: ast.Module):
        self.name, self.path, self.tree = name, path, tree

    def find_spec(self, name, path=None, target=None):
        if name != self.name:
            return None
        inside = [str(self.path.parent)] if self.path.name == "__init__.py" else None
        spec = importlib.machinery.ModuleSpec(name, self, origin=str(self.path), is_package=inside is not None)
        spec.submodule_search_locations = inside
        spec.has_location = True
        return spec

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        exec(compile(self.tree, str(self.path), "exec"), module.__dict__)


def survives(path: Path, tree: ast.Module, tests: list[str], timeout: float) -> bool:
    """Whether all tests pass on the changed library."""
    name = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
    child = os.fork()
    if child == 0:
        os.setsid()
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        sys.meta_path.insert(0, Loader(name, path, tree))
        import pytest

        options = [
            "-x",
            "-q",
            "-n0",
            "-p",
            "no:cacheprovider",
            "-W",
            "ignore::pytest.PytestAssertRewriteWarning",
            "-m",
            "not slow and not exhaustive",
        ]
        os._exit(int(pytest.main([*options, *tests])))
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, default=40, help="how many mutants")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--timeout", type=float, default=300)
    parser.add_argument("target", help="a file or folder of the library")
    parser.add_argument("tests", nargs="+")
    options = parser.parse_args()

    import jax  # noqa: F401  # what every mutant needs, imported once
    import numpy  # noqa: F401
    import optax  # noqa: F401
    import pytest  # noqa: F401
    import torch  # noqa: F401

    target = Path(options.target)
    files = [target] if target.is_file() else sorted(target.rglob("*.py"))
    everything = [(path, *mutant) for path in files for mutant in mutants(path)]
    chosen = random.Random(options.seed).sample(everything, min(options.sample, len(everything)))
    if not survives(files[0], ast.parse(files[0].read_text()), options.tests, options.timeout):
        sys.exit("the tests fail on the library as it is")
    if survives(files[0], ast.parse("raise ImportError"), options.tests, options.timeout):
        sys.exit(f"the tests pass without {files[0]}: mutants do not reach them")
    alive = []
    for path, number, change, words in sorted(chosen, key=lambda each: (each[0], each[1])):
        if survives(path, mutated(path, number, change), options.tests, options.timeout):
            alive.append(words)
            print("survived", words, flush=True)
    print(f"{target}: {len(everything)} mutants, {len(chosen)} tried, {len(alive)} survived", flush=True)


if __name__ == "__main__":
    main()
