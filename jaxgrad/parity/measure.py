r"""How far two results lie apart, in the three ways in which a claim can be made.

- *exactly*: not one bit differs;
- *in float64*: the error relative to the distance moved, :math:`|ours - truth| / |truth - start|`, shows whether the
  semantics are the same;
- *in float32*: the noise ratio :math:`|ours_{32} - theirs_{64}| / |theirs_{32} - theirs_{64}|` compares our rounding
  with the rounding of the reference itself, so that no tolerance has to be chosen.

Norms are Euclidean, over one tensor, taken in double precision.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxgrad.testing.comparison import ulp_distance


@dataclass(frozen=True)
class Distance:
    """How far one tensor lies from another.

    Attributes:
        absolute: greatest difference of two elements.
        relative: norm of the difference over the norm of the reference (over the distance moved, with a start).
        ulp: greatest difference in units in the last place; None if the dtypes differ or have none.

    >>> distance(np.float32([1.0, 2.0]), np.float32([1.0, 2.0])).exact
    True
    """

    absolute: float
    relative: float
    ulp: int | None

    @property
    def exact(self) -> bool:
        """Whether no element differs (nan equals nan)."""
        return self.absolute == 0.0


def distance(ours: Any, theirs: Any, start: Any = None) -> Distance:
    """The distance of ``ours`` from ``theirs``; relative to what ``theirs`` moved from ``start`` if that is given.

    Args:
        ours, theirs: arrays of one shape.
        start: where ``theirs`` began.

    Returns:
        The three measures.

    Raises:
        ValueError: the shapes differ.

    >>> distance(np.float64([1.0, 2.5]), np.float64([1.0, 2.0]), start=np.float64([1.0, 0.0])).relative
    0.25
    """
    a, e = np.asarray(ours), np.asarray(theirs)
    if a.shape != e.shape:
        raise ValueError(f"shapes differ: {a.shape} and {e.shape}")
    difference = _difference(a, e)
    ulp = ulp_distance(a, e)
    same = difference == 0
    return Distance(
        absolute=float(np.max(np.abs(difference), initial=0.0)),
        relative=_ratio(_norm(difference), _norm(_wide(e) if start is None else _difference(e, np.asarray(start)))),
        ulp=None if ulp is None else int(np.max(np.where(same, 0, ulp), initial=0)),
    )


def noise_ratio(ours: Any, theirs: Any, truth: Any) -> float:
    r""":math:`|ours - truth| / |theirs - truth|`: 1 means as much rounding as the reference, 0 none at all.

    The reference's own rounding is taken as no less than half a unit in the last place of the tensor's norm (of a
    single number: one unit), since a result may by luck be exact. Elements that are not finite must be equal,
    otherwise the ratio is inf.

    Args:
        ours: the result in the lower precision.
        theirs: the reference's result in that precision.
        truth: the reference's result in float64.

    Returns:
        The ratio; inf where only one of both is finite.

    >>> round(noise_ratio(np.float32([1.0, 3.0002]), np.float32([1.0, 3.0001]), np.float64([1.0, 3.0])), 1)
    2.0
    """
    a, e, t = np.asarray(ours), np.asarray(theirs), np.asarray(truth)
    last_place = np.finfo(e.dtype).eps * _norm(_wide(t)) if e.dtype.kind == "f" else 0.0
    luck = last_place if t.size == 1 else last_place / 2
    return _ratio(_norm(_difference(a, t)), max(_norm(_difference(e, t)), luck))


def distances(
    ours: Mapping[str, Any], theirs: Mapping[str, Any], start: Mapping[str, Any] | None = None
) -> dict[str, Distance]:
    """``distance`` for every name of two dicts.

    Args:
        ours, theirs, start: arrays by name.

    Returns:
        Distances by name.

    Raises:
        KeyError: the names differ.

    >>> distances({"w": np.ones(2)}, {"w": np.ones(2)})["w"].absolute
    0.0
    """
    _check_names(ours, theirs)
    return {name: distance(ours[name], theirs[name], None if start is None else start[name]) for name in theirs}


def noise_ratios(ours: Mapping[str, Any], theirs: Mapping[str, Any], truth: Mapping[str, Any]) -> dict[str, float]:
    """``noise_ratio`` for every name of three dicts.

    Args:
        ours, theirs, truth: arrays by name.

    Returns:
        Ratios by name.

    Raises:
        KeyError: the names differ.

    >>> noise_ratios({"w": np.float32(1)}, {"w": np.float32(1)}, {"w": np.float64(1)})
    {'w': 0.0}
    """
    _check_names(ours, theirs)
    return {name: noise_ratio(ours[name], theirs[name], truth[name]) for name in theirs}


def _check_names(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    if ours.keys() != theirs.keys():
        raise KeyError(
            f"names differ: only ours {sorted(ours.keys() - theirs.keys())}, "
            f"only the reference's {sorted(theirs.keys() - ours.keys())}"
        )


def _wide(x: np.ndarray) -> np.ndarray:
    return x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)


def _difference(a: np.ndarray, e: np.ndarray) -> np.ndarray:
    """``a - e`` in double precision; 0 where both are the same infinity or both nan, inf where only one is."""
    x, y = _wide(a), _wide(e)
    with np.errstate(invalid="ignore"):
        d = x - y
    d = np.where((x == y) | (np.isnan(x) & np.isnan(y)), 0.0, d)
    return np.where(np.isnan(d), np.inf, d)


def _norm(x: np.ndarray) -> float:
    largest = float(np.max(np.abs(x), initial=0.0))
    if largest == 0.0 or not np.isfinite(largest):
        return largest if not np.isnan(largest) else np.inf
    return largest * float(np.sqrt(np.sum(np.abs(x / largest) ** 2)))


def _ratio(a: float, b: float) -> float:
    if a == 0.0 or not np.isfinite(a):
        return a
    return a / b if b > 0.0 else np.inf
