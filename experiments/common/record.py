"""What a run found, as one small JSON file: question, versions, device, seed, figures, distances."""

import json
import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments.common.answer import agreement, answer
from experiments.common.display import SHORT
from experiments.common.experiment import Results
from experiments.common.files import write_whole

_PACKAGES = ("jaxgrad", "jax", "jaxlib", "optax", "flax", "numpy", "torch")
_LARGEST = 256
"""Arrays with more elements are recorded by shape, norm and their first elements."""


def as_data(results: Results) -> dict[str, Any]:
    """A run as plain values."""
    return {
        "experiment": results.experiment.name,
        "number": results.experiment.number,
        "question": results.experiment.question,
        "expected": results.experiment.expected,
        "answer": answer(results),
        "agreement": agreement(results),
        "seed": results.settings.seed,
        "quick": results.settings.quick,
        "ok": results.ok,
        "seconds": round(results.seconds, 3),
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "device": str(jax.devices()[0].device_kind),
            "platform": jax.default_backend(),
            "processor": _processor(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
        "versions": {name: _version(name) for name in _PACKAGES},
        "rows": [
            {
                "name": row.name,
                "ours": _plain(row.ours),
                "torch": _plain(row.theirs),
                "distance": None if row.verdict is None else _number(row.verdict.figure),
                "verdict": None if row.verdict is None else row.verdict.words,
                "ok": None if row.verdict is None else row.verdict.ok,
            }
            for row in results.rows
        ],
    }


def write(results: Results, path: Path) -> None:
    """Write the record of a run."""
    text = json.dumps(as_data(results), indent=1, ensure_ascii=False, allow_nan=False)
    write_whole(path, lambda temporary: temporary.write_text(text + "\n", encoding="utf-8"))


def _plain(value: Any) -> Any:
    """A value as JSON has it: a few numbers as a list, more of them with dtype, shape and norm beside."""
    if value is None or isinstance(value, str | bool):
        return value
    array = np.asarray(value)
    if array.dtype.kind in "US":
        return array.tolist()
    numbers = (
        array.ravel().tolist() if array.dtype.kind in "iub" else [_number(each) for each in array.ravel()[:_LARGEST]]
    )
    if array.ndim == 0:
        return numbers[0]
    if array.size <= SHORT:
        return numbers
    kept = "values" if array.size <= _LARGEST else "first"
    norm = np.linalg.norm(array.astype(np.float64).ravel())
    described = {"dtype": str(array.dtype), "shape": list(array.shape), "norm": _number(norm)}
    return described | {kept: numbers[:_LARGEST] if kept == "values" else numbers[:SHORT]}


def _number(value: Any) -> float | str | None:
    """A float, or its name where JSON has none."""
    if value is None:
        return None
    x = float(value)
    return x if np.isfinite(x) else str(x)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
