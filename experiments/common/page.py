"""One page that shows every recorded run, made from the records that lie in a directory."""

import json
from pathlib import Path
from typing import Any

from experiments.common.display import short
from experiments.common.files import write_whole
from jaxgrad._core.pages import filled


def write(out: Path) -> Path:
    """Write ``index.html`` beside the records in ``out`` and return its path."""
    records = sorted((_read(path) for path in out.glob("*.json")), key=lambda each: each["number"])
    values = {"records": records}
    html = filled("experiments.common", "page.html.j2", values, {"short": _short}, extra="experiments")
    path = out / "index.html"
    write_whole(path, lambda temporary: temporary.write_text(html, encoding="utf-8"))
    return path


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return f"{value['dtype']}{value['shape']}, norm {float(value['norm']):.4g}"
    return short(value)
