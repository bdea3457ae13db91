"""One page that shows every recorded run, made from the records that lie in a directory.

It is one file to pass on: the figures are in it. It is rewritten after every experiment of a run.
"""

import base64
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.common.display import short
from experiments.common.files import write_whole
from jaxgrad._core.pages import filled

FIRST = "optimizer_drift"
CODE = Path(__file__).parents[1]
LARGEST = 400_000
"""Bytes of a drawing above which the page takes the picture in points."""


def write(out: Path, pending: Sequence[str] = ()) -> Path:
    """Write ``index.html`` beside the records in ``out`` and return its path.

    Args:
        out: where the records are.
        pending: names of the experiments that are still to run; the page says so and reloads itself meanwhile.
    """
    out.mkdir(parents=True, exist_ok=True)
    found = [_read(path) for path in out.glob("*.json")]
    records = sorted(found, key=lambda each: (each["experiment"] != FIRST, each["number"]))
    for record in records:
        name = record["experiment"]
        record["image"] = _image(out, name)
        record["code"] = Path(os.path.relpath(CODE / f"{name}.py", out.resolve())).as_posix()
        record["judged"] = [row for row in record["rows"] if row["verdict"]]
    values = {"records": records, "pending": list(pending)}
    html = filled("experiments.common", "page.html.j2", values, {"short": _short}, extra="experiments")
    path = out / "index.html"
    write_whole(path, lambda temporary: temporary.write_text(html, encoding="utf-8"))
    return path


def _image(out: Path, name: str) -> str:
    """The figure as a link that holds it; empty if there is none."""
    drawing, points = out / f"{name}.svg", out / f"{name}.png"
    if not drawing.exists():
        return ""
    small = drawing.stat().st_size <= LARGEST or not points.exists()
    chosen, kind = (drawing, "svg+xml") if small else (points, "png")
    return f"data:image/{kind};base64,{base64.b64encode(chosen.read_bytes()).decode()}"


def _read(path: Path) -> dict[str, Any]:
    return {"answer": "", "agreement": ""} | json.loads(path.read_text(encoding="utf-8"))


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return f"{value['dtype']}{value['shape']}, norm {float(value['norm']):.4g}"
    return short(value)
