"""``jaxgrad info``: versions, devices, and what is not installed; the first thing to put into a report of a problem."""

import argparse
import importlib.util
import json
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

_PACKAGES = ("jaxgrad", "jax", "jaxlib", "flax", "optax", "numpy", "ml_dtypes", "safetensors", "torch", "equinox")

_EXTRAS = {
    "torch": {"torch": "the reference side of `jaxgrad parity`, and `trace.from_torch`"},
    "report": {
        "rich": "tables in the terminal",
        "jinja2": "the page of a report",
        "rich_argparse": "help texts in colour",
    },
    "data": {"grain": "loaders", "tensorflow_datasets": "data sets", "sklearn": "the digits"},
}
"""extra -> package -> what it is for."""

_EXAMPLES = """examples:
  jaxgrad info
  jaxgrad info --json > environment.json"""


def declare(parser: argparse.ArgumentParser) -> None:
    """Say what the sub-command takes."""
    parser.description, parser.epilog = __doc__, _EXAMPLES
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print it."""
    found = information()
    print(json.dumps(found, indent=1) if arguments.json else _text(found))
    return 0


def information() -> dict[str, Any]:
    """What is installed and what it runs on, in plain data; torch is not imported for it."""
    import jax  # here, since the command line starts without it

    missing = {
        extra: lacking
        for extra, packages in _EXTRAS.items()
        if (lacking := {name: purpose for name, purpose in packages.items() if not importlib.util.find_spec(name)})
    }
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": {name: _version(name) for name in _PACKAGES},
        "backend": jax.default_backend(),
        "devices": [f"{device.platform}:{device.id} {device.device_kind}" for device in jax.devices()],
        "float64": bool(jax.config.jax_enable_x64),  # type: ignore[attr-defined]
        "matmul_precision": jax.config.jax_default_matmul_precision or "default",  # type: ignore[attr-defined]
        "missing": missing,
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _text(found: dict[str, Any]) -> str:
    lines = [f"python {found['python']} on {found['platform']}"]
    lines += [f"  {name:12} {number or 'not installed'}" for name, number in found["versions"].items()]
    lines.append(f"backend {found['backend']}, float64 {'on' if found['float64'] else 'off (jax_enable_x64)'}")
    lines += [f"  {device}" for device in found["devices"]]
    precision = found["matmul_precision"]
    lossy = found["backend"] != "cpu" and precision == "default"
    lines.append(f"matrix products: {precision}" + (" (TF32 or bfloat16 on this backend)" if lossy else ""))
    if not found["missing"]:
        lines.append("every extra is installed")
    for extra, packages in found["missing"].items():
        lines.append(f"missing: pip install 'jaxgrad[{extra}]'")
        lines += [f"  {name:20} {purpose}" for name, purpose in packages.items()]
    return "\n".join(lines)
