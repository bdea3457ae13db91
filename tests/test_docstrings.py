"""The words of every public name: what goes in, what comes out, what is raised, and an example that runs."""

import ast
import importlib
import inspect
import pkgutil
import re
import textwrap

import jaxgrad

ROOMS = {"jaxgrad", "jaxgrad.random.host", "jaxgrad.random.traced", "jaxgrad.parity.catalog"}
"""Packages whose names are offered by another, or by none."""

PART = {
    "Args": re.compile(r"^\s*(Args|Attributes):", re.M),
    "Returns": re.compile(r"^\s*(Returns|Yields):", re.M),
    "Raises": re.compile(r"^\s*Raises:", re.M),
    "example": re.compile(r"^\s*>>> ", re.M),
}
REFERENCE = re.compile(r":(func|class|meth):`|\b[Aa]s (in )?``|\bas :|[Ss]ee (``|:)")


def public():
    """(address, value) of every public function and class, once, at the shortest address."""
    found = {}
    packages = ["jaxgrad", *(i.name for i in pkgutil.walk_packages(jaxgrad.__path__, "jaxgrad.") if i.ispkg)]
    for package in sorted(packages, key=lambda name: (name.count("."), name)):
        if "._" in package or package in ROOMS or package.startswith("jaxgrad.nn.functional."):
            continue
        module = importlib.import_module(package)
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if inspect.isfunction(value) or inspect.isclass(value):
                found.setdefault(id(value), (f"{package}.{name}", value))
    return sorted(found.values(), key=lambda pair: pair[0])


def takes_arguments(value) -> bool:
    if getattr(value, "_is_protocol", False):
        return False
    try:
        fn = value.__init__ if inspect.isclass(value) else value
        if fn is object.__init__:
            return False
        parameters = [name for name in inspect.signature(fn).parameters if name != "self"]
    except (TypeError, ValueError):
        return False
    return bool(parameters) and not (inspect.isclass(value) and issubclass(value, Exception))


def gives_something(value) -> bool:
    return inspect.isfunction(value) and inspect.signature(value).return_annotation not in (None, "None")


def raises_itself(value) -> bool:
    """Whether the function's own body has a ``raise``."""
    if not inspect.isfunction(value):
        return False
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(value))))
    except (OSError, SyntaxError):
        return False
    return any(isinstance(node, ast.Raise) for node in ast.walk(tree))


def lacks(value) -> list[str]:
    """The parts that a docstring should have and has not; a family's second member may refer to the first."""
    doc = inspect.getdoc(value) or ""
    wanted = {
        "Args": takes_arguments(value),
        "Returns": gives_something(value),
        "Raises": raises_itself(value),
        "example": not (inspect.isclass(value) and issubclass(value, Exception)),
    }
    refers = REFERENCE.search(doc) is not None
    return [
        part
        for part, needed in wanted.items()
        if needed and not PART[part].search(doc) and not (refers and part in ("Args", "Returns", "Raises"))
    ]


def test_every_public_name_has_its_words():
    lacking = {address: parts for address, value in public() if (parts := lacks(value))}
    assert not lacking, "\n".join(f"{address} lacks {', '.join(parts)}" for address, parts in lacking.items())


def test_what_is_missing_would_be_seen():
    def bare(x: int) -> int:
        """Something of x."""
        if x < 0:
            raise ValueError("no")
        return x

    assert lacks(bare) == ["Args", "Returns", "Raises", "example"]
