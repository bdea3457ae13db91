"""What holds for every file: size, direction, documentation, and that importing the library does nothing else."""

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import jaxgrad

ROOT = Path(__file__).parent.parent
LONGEST = 400


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def modules() -> list[str]:
    return ["jaxgrad", *(info.name for info in pkgutil.walk_packages(jaxgrad.__path__, "jaxgrad."))]


def test_no_file_is_longer_than_one_idea():
    long = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in sources("jaxgrad", "experiments", "tests")
    }
    assert {name: n for name, n in long.items() if n > LONGEST} == {}


def test_every_module_and_public_name_is_documented():
    bare = []
    for name in modules():
        module = importlib.import_module(name)
        if not module.__doc__:
            bare.append(name)
        for public in getattr(module, "__all__", ()):
            value = getattr(module, public)
            if (inspect.isclass(value) or inspect.isfunction(value)) and not inspect.getdoc(value):
                bare.append(f"{name}.{public}")
    assert bare == []


def test_init_files_hold_a_docstring_and_re_exports_only():
    for path in sources("jaxgrad"):
        if path.name != "__init__.py" or path.parent == ROOT / "jaxgrad":
            continue
        for node in ast.parse(path.read_text()).body:
            plain = isinstance(node, ast.Import | ast.ImportFrom | ast.Expr)
            names = isinstance(node, ast.Assign | ast.AnnAssign)
            assert plain or names, f"{path.relative_to(ROOT)}:{node.lineno} does more than re-export"


def packages() -> list[str]:
    found = pkgutil.walk_packages(jaxgrad.__path__, "jaxgrad.")
    return ["jaxgrad", *(info.name for info in found if info.ispkg)]


@pytest.mark.parametrize("guest", ["torch", "tensorflow_datasets", "matplotlib", "grain", "sklearn"])
def test_guests_are_not_imported_with_the_library(guest):
    """Every package of the library, imported in a fresh interpreter, leaves the guests out."""
    assert guest not in _imported_by_everything()


_cache: set[str] = set()


def _imported_by_everything() -> set[str]:
    if not _cache:
        code = f"import importlib, sys\nfor name in {packages()!r}: importlib.import_module(name)\nprint(*sys.modules)"
        printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        _cache.update(printed.split())
    return _cache


def test_importing_the_library_imports_nothing_yet():
    """Not even JAX: its parts come when they are first named."""
    code = "import jaxgrad, sys; assert 'jax' not in sys.modules; jaxgrad.optim.SGD; jaxgrad.utils.data.DataLoader"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_type_checker_sees_what_is_offered():
    """The imports under TYPE_CHECKING, the tables of lazy names and __all__ say the same."""
    tree = ast.parse((ROOT / "jaxgrad" / "__init__.py").read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names} - {"*"}
    offered = {*jaxgrad._PACKAGES, *(name for names in jaxgrad._TOP_LEVEL.values() for name in names)}
    assert seen == offered == set(jaxgrad.__all__)
    assert offered <= set(dir(jaxgrad))
    for home, names in jaxgrad._TOP_LEVEL.items():
        for name in names:
            assert getattr(jaxgrad, name) is getattr(getattr(jaxgrad, home), name)


def test_every_package_is_offered_and_lists_its_names():
    """``import jaxgrad; jaxgrad.a.b`` works for every public package, and each has an ``__all__``."""
    public = [name for name in packages() if not any(part.startswith("_") for part in name.split("."))]
    missing = {name.split(".")[1] for name in public if "." in name} - set(jaxgrad._PACKAGES)
    assert not missing, f"add to jaxgrad/__init__.py, in its three lists: {missing}"
    bare = []
    for name in public:
        module = importlib.import_module(name)
        holds = [each for each, value in vars(module).items() if each[0] != "_" and not inspect.ismodule(value)]
        bare += [name] if holds and not hasattr(module, "__all__") else []
    assert not bare, f"without __all__: {bare}"


def test_no_environment_variables_and_no_global_configuration():
    """The library reads no environment, sets no option of JAX, rebinds no global; it does as its arguments say."""
    forbidden = {"os.environ", "os.getenv", "jax.config.update"}
    for path in sources("jaxgrad"):
        for node in ast.walk(ast.parse(path.read_text())):
            at = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            assert not isinstance(node, ast.Global), f"{at} rebinds a global"
            assert not (isinstance(node, ast.Attribute) and ast.unparse(node) in forbidden), at


def test_nothing_is_imported_from_outside_inside_out():
    """No relative imports: an address reads the same everywhere."""
    for path in sources("jaxgrad", "experiments"):
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.ImportFrom) and node.level), f"{path.relative_to(ROOT)}:{node.lineno}"


def test_what_jax_does_not_promise_is_touched_in_one_room():
    """Private and experimental modules of JAX are imported in ``jaxgrad/_jaxpr``; a new one finds its name there."""
    allowed = {"jaxgrad/_core/call.py"}  # below that room: JAX's own mark of the trace that a call belongs to
    unstable = ("jax._src", "jax.interpreters", "jax.experimental", "jax.extend")
    found = []
    for path in sources("jaxgrad"):
        name = str(path.relative_to(ROOT))
        if name.startswith("jaxgrad/_jaxpr/") or name in allowed:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            found += [f"{name}:{node.lineno}" for module in modules if module.startswith(unstable)]
    assert found == []
