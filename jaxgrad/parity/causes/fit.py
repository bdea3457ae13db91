"""A constant from the numbers it made: the value under which a prediction leaves least."""

from collections.abc import Callable, Iterable

import numpy as np

from jaxgrad.parity.causes.context import Context, Tensors, wide
from jaxgrad.parity.causes.weigh import STILL, moved, norm

Predict = Callable[[float], Tensors | None]
"""From a value of the constant to the tensors it would make."""

SECTIONS = 60
"""Steps of the search, each of which narrows the bracket by a third."""

TRIED = 15
"""After so many the bracket is a thousandth of what it was; if no more than half is explained by then, none will be."""


DECAYS = (0.0, *(10.0**n for n in range(-7, 1)), 10.0)
"""Weight decays among which one is looked for."""


def fit(context: Context, predict: Predict, grid: Iterable[float]) -> float | None:
    """The constant that explains the candidate's tensors best.

    Args:
        context: whose candidate's tensors are to be explained.
        predict: from a constant to tensors.
        grid: values to begin with, in ascending order, that the constant lies among; its neighbours in the grid bracket
            the search.

    Returns:
        The constant, as the shortest decimal that explains as well; None if nothing can be predicted.
    """
    points = list(grid)
    with np.errstate(all="ignore"):
        costs = [_cost(context, predict, point) for point in points]
        if not points or not np.isfinite(min(costs)):
            return None
        best = int(np.argmin(costs))
        low, high = points[max(best - 1, 0)], points[min(best + 1, len(points) - 1)]
        found = _narrowed(lambda value: _cost(context, predict, value), low, high, points[best], costs[best])
        least = min(_cost(context, predict, found), costs[best])
        found = found if least < costs[best] else points[best]
        return _shortest(lambda value: _cost(context, predict, value), found, least)


def _narrowed(cost: Callable[[float], float], low: float, high: float, start: float, begin: float) -> float:
    """Golden section, in logarithms where the bracket spans more than a factor of ten.

    ``start`` is the best point so far, at the cost ``begin``: while both sections cost as much or more, as on a
    plateau, the side is kept that it lies on.
    """
    logarithmic = low > 0 and high / low > 10
    a, b, start = (float(np.log(x)) for x in (low, high, start)) if logarithmic else (low, high, start)
    value = np.exp if logarithmic else float
    ratio = (5**0.5 - 1) / 2
    c, d = b - ratio * (b - a), a + ratio * (b - a)
    at_c, at_d = cost(float(value(c))), cost(float(value(d)))
    for section in range(SECTIONS):
        if section == TRIED and min(at_c, at_d) > begin / 2:
            break
        plateau = min(at_c, at_d) >= begin and not c < start < d
        downwards = start <= c if plateau else at_c < at_d
        if downwards:
            b, d, at_d = d, c, at_c
            c = b - ratio * (b - a)
            at_c = cost(float(value(c)))
        else:
            a, c, at_c = c, d, at_d
            d = a + ratio * (b - a)
            at_d = cost(float(value(d)))
    return float(value((a + b) / 2))


def _shortest(cost: Callable[[float], float], value: float, least: float) -> float:
    """The decimal of fewest digits (of the value, or of its distance from 1) that leaves no more than twice as much."""
    for digits in range(1, 6):
        near = (float(f"{value:.{digits}g}"), float(f"{1 - float(f'{1 - value:.{digits}g}'):.12g}"))
        for rounded in near:
            if cost(rounded) <= 2 * least + 1e-12:
                return rounded
    return value


def _cost(context: Context, predict: Predict, value: float) -> float:
    try:
        predicted = predict(value)
    except ZeroDivisionError:
        return float("inf")
    if not predicted:
        return float("inf")
    wrong = {name: wide(context.wrong(context.phase)[name]) for name in predicted}
    distances = {name: moved(context, context.phase, name, mine) for name, mine in wrong.items()}
    least = STILL * max(distances.values())
    total = 0.0
    for name, tensor in predicted.items():
        total += (norm(wrong[name] - wide(tensor)) / max(distances[name], least)) ** 2
    return float(np.sqrt(total)) if np.isfinite(total) else float("inf")
