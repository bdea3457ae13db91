"""How far the candidate is from the reference over the steps, as an SVG figure on a log axis with the noise band."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from jaxgrad.parity.report.parts import TensorDistance

GROUPS = {
    "forward and loss": ("inputs", "forward", "loss"),
    "gradients": ("grads", "clipped"),
    "optimizer": ("lr", "optimizer", "scaler"),
    "parameters": ("params", "buffers"),
}
"""The lines of the figure: each shows the worst tensor of its phases."""

WIDTH, HEIGHT = 640, 330
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 14, 32


@dataclass(frozen=True)
class Line:
    """One line: its name, where it goes, and its points.

    >>> Line("loss", "0,0 1,1", ((0.0, 0.0), (1.0, 1.0))).name
    'loss'
    """

    name: str
    path: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Figure:
    """What the page draws: the lines, the band up to ``band``, both axes.

    Args:
        lines: worst ratio of each group, step by step.
        band: y of the bound; everything below is within the reference's own rounding.
        ticks_y: (y, label).
        ticks_x: (x, label).
        first: x of the first divergence, None where there is none.
    """

    lines: tuple[Line, ...]
    band: float
    ticks_y: tuple[tuple[float, str], ...]
    ticks_x: tuple[tuple[float, str], ...]
    first: float | None


def figure(distances: Sequence[TensorDistance], bound: float, first: int | None) -> Figure | None:
    """The figure of a report; None where no ratio was measured at two steps or more.

    Args:
        distances: of a report.
        bound: the largest ratio that is no divergence.
        first: the step of the first divergence.

    >>> found = figure([TensorDistance(i, "loss", "loss", "within", ratio=1.0 + i) for i in range(3)], 3.0, None)
    >>> [line.name for line in found.lines], len(found.lines[0].points)
    (['forward and loss'], 3)
    """
    series = {name: _worst(distances, group) for name, group in GROUPS.items()}
    series = {name: found for name, found in series.items() if found}
    steps = sorted({step for found in series.values() for step in found})
    if len(steps) < 2:
        return None
    values = [ratio for found in series.values() for ratio in found.values() if 0 < ratio < math.inf]
    low = _exponent(min([*values, 0.1]), math.floor)
    high = max(_exponent(max([*values, 10 * bound]), math.ceil), low + 1)
    low = max(low, -3)

    def x(step: float) -> float:
        return round(LEFT + (step - steps[0]) / (steps[-1] - steps[0]) * (WIDTH - LEFT - RIGHT), 1)

    def y(ratio: float) -> float:
        at = min(max(math.log10(ratio) if ratio > 0 else low, low), high) if ratio < math.inf else high
        return round(TOP + (high - at) / (high - low) * (HEIGHT - TOP - BOTTOM), 1)

    lines = []
    for name, found in series.items():
        points = tuple((x(step), y(ratio)) for step, ratio in sorted(found.items()))
        lines.append(Line(name, " ".join(f"{a},{b}" for a, b in points), points))
    every = max(1, math.ceil((high - low) / 6))
    return Figure(
        tuple(lines),
        y(bound),
        tuple((y(10.0**n), _power(n)) for n in range(low, high + 1, every)),
        tuple((x(step), str(step)) for step in _ticks(steps)),
        None if first is None or not steps[0] <= first <= steps[-1] else x(first),
    )


def _worst(distances: Sequence[TensorDistance], group: tuple[str, ...]) -> dict[int, float]:
    """step -> the largest ratio of these phases."""
    found: dict[int, float] = {}
    for each in distances:
        if each.phase in group and each.ratio is not None and not math.isnan(each.ratio):
            found[each.step] = max(found.get(each.step, 0.0), each.ratio)
    return found


def _exponent(value: float, rounded: object) -> int:
    return int(rounded(math.log10(value)))  # type: ignore[operator]


def _power(n: int) -> str:
    """
    >>> _power(-1), _power(0), _power(6)
    ('0.1', '1', '10⁶')
    """
    small = {-3: "0.001", -2: "0.01", -1: "0.1", 0: "1", 1: "10", 2: "100", 3: "1000"}
    return small.get(n) or "10" + str(n).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _ticks(steps: Sequence[int]) -> list[int]:
    """At most seven round numbers between the first and the last step.

    >>> _ticks(range(0, 100)), _ticks(range(3))
    ([0, 20, 40, 60, 80], [0, 1, 2])
    """
    span = steps[-1] - steps[0]
    unit = next(u * 10**n for n in range(12) for u in (1, 2, 5) if span <= 6 * u * 10**n)
    return [step for step in range(math.ceil(steps[0] / unit) * unit, steps[-1] + 1, unit)]
