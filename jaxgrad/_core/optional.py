"""Optional packages, imported at the moment of use, with a sentence that says how to get them."""

import importlib
from types import ModuleType


def require(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import ``module`` or say for what it is needed and which extra brings it.

    Raises:
        ImportError: the package is not installed.

    >>> require("no_such_package", extra="torch", purpose="reading a torch file")
    Traceback (most recent call last):
        ...
    ImportError: reading a torch file needs the package `no_such_package`.
      remedy:   pip install 'jaxgrad[torch]'
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or module.split(".")[0] != error.name.split(".")[0]:
            raise
        package = module.split(".")[0]
        raise ImportError(
            f"{purpose} needs the package `{package}`.\n  remedy:   pip install 'jaxgrad[{extra}]'"
        ) from error
