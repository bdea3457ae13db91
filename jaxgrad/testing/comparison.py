"""``assert_close`` for trees: which leaf, which element, how far, in absolute, relative and last-place units.

The rule of one element is torch's: ``|actual - expected| <= atol + rtol * |expected|``. A tree is compared leaf by
leaf under its dotted names; every leaf that is not close is reported, the furthest first. ``None`` (no gradient)
is close to ``None`` only.
"""

from typing import Any

import jax
import numpy as np

from jaxgrad._core.trees import named_leaves
from jaxgrad._core.types import PyTree
from jaxgrad.testing.tolerances import default_tolerances, dtype_of


def assert_close(
    actual: PyTree,
    expected: PyTree,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: Any = None,
) -> None:
    """Mirror of ``torch.testing.assert_close``, for any two trees of arrays or numbers.

    Differs from torch: all leaves that are not close are reported, by name and with their distance in units in
    the last place; torch stops at the first. Arrays of JAX and numpy may be mixed; torch tensors are converted by
    the caller.

    Args:
        actual: tree of arrays.
        expected: tree of arrays with the same names.
        allow_subclasses: False demands that the two leaves are of the same type.
        rtol: relative tolerance; given together with ``atol`` or not at all (then by dtype, as in torch).
        atol: absolute tolerance.
        equal_nan: whether two NaN are close.
        check_device: JAX arrays on both sides must lie on the same devices.
        check_dtype: dtypes must be equal; otherwise both sides are promoted.
        check_layout: every array here is strided, so either value says the same.
        check_stride: must be False, since JAX arrays have no strides.
        msg: replaces the report; a function of the report may also be given.

    Raises:
        AssertionError: with torch's report.
        ValueError: only one of ``rtol`` and ``atol`` was given, or ``check_stride`` was asked for.

    >>> assert_close({"w": np.float32([1, 2])}, {"w": np.float32([1, 2])})
    >>> assert_close({"w": np.float32([1, 2.5])}, {"w": np.float32([1, 2])})
    Traceback (most recent call last):
        ...
    AssertionError: Tensor-likes are not close!
    <BLANKLINE>
    Mismatched elements: 1 / 2 (50.0%)
    Greatest absolute difference: 0.5 at index (1,) (up to 1e-05 allowed)
    Greatest relative difference: 0.25 at index (1,) (up to 1.3e-06 allowed)
    Greatest distance in the last place: 2097152 ulp at index (1,)
    <BLANKLINE>
    The failure occurred for item ['w']
    """
    del check_layout
    if (rtol is None) != (atol is None):
        missing = "rtol" if rtol is None else "atol"
        raise ValueError(f"Both 'rtol' and 'atol' must be either specified or omitted, but got no {missing}.")
    if check_stride:
        raise ValueError("check_stride=True has no meaning here: JAX arrays have no strides")

    reports = _structure_report(actual, expected)
    if not reports:
        found = []
        theirs = named_leaves(expected)
        for name, a in named_leaves(actual).items():
            e = theirs[name]
            report = _attribute_report(a, e, allow_subclasses, check_device, check_dtype)
            if report is not None:
                found.append((np.inf, name, report))
                continue
            if a is None:
                continue
            excess, report = _value_report(a, e, rtol, atol, equal_nan)
            if report is not None:
                found.append((excess, name, report))
        found.sort(key=lambda row: -row[0])
        reports = [report + _item(name) for _, name, report in found]
    if reports:
        text = "\n\n".join(reports)
        raise AssertionError(msg(text) if callable(msg) else text if msg is None else msg)


def _item(name: str) -> str:
    return f"\n\nThe failure occurred for item ['{name}']" if name else ""


def _structure_report(actual: PyTree, expected: PyTree) -> list[str]:
    ours, theirs = named_leaves(actual), named_leaves(expected)
    missing = sorted(theirs.keys() - ours.keys())
    unexpected = sorted(ours.keys() - theirs.keys())
    if not missing and not unexpected:
        return []
    report = "The keys of the two trees differ!"
    if missing:
        report += f"\nMissing from actual: {missing}"
    if unexpected:
        report += f"\nMissing from expected: {unexpected}"
    return [report]


def _attribute_report(a: Any, e: Any, allow_subclasses: bool, check_device: bool, check_dtype: bool) -> str | None:
    if (a is None) != (e is None):
        return f"None mismatch: {_kind(a)} is not {_kind(e)}"
    if a is None:
        return None
    if not allow_subclasses and type(a) is not type(e):
        return f"Except for Python scalars, type equality is required, but got {type(a)} and {type(e)} instead."
    if np.shape(a) != np.shape(e):
        return f"The values for attribute 'shape' do not match: {np.shape(a)} != {np.shape(e)}."
    if check_dtype and dtype_of(a) != dtype_of(e):
        return f"The values for attribute 'dtype' do not match: {dtype_of(a)} != {dtype_of(e)}."
    if check_device and isinstance(a, jax.Array) and isinstance(e, jax.Array) and a.devices() != e.devices():
        return f"The values for attribute 'device' do not match: {a.devices()} != {e.devices()}."
    return None


def _kind(leaf: Any) -> str:
    return "None (no gradient)" if leaf is None else f"{dtype_of(leaf)}{list(np.shape(leaf))}"


def _value_report(a: Any, e: Any, rtol: float | None, atol: float | None, equal_nan: bool) -> tuple[float, str | None]:
    if rtol is None or atol is None:
        rtol, atol = default_tolerances(a, e)
    a, e = np.asarray(a), np.asarray(e)
    wide = _wide_dtype(a, e)
    x, y = a.astype(wide), e.astype(wide)
    with np.errstate(all="ignore"):
        absolute = np.abs(x - y)
        close = (x == y) | (_finite(x) & _finite(y) & (absolute <= atol + rtol * np.abs(y)))
        relative = absolute / np.abs(y)
    if equal_nan and wide is not object:
        close |= np.isnan(x) & np.isnan(y)
    if np.all(close):
        return 0.0, None
    absolute, relative = (
        np.where(close, -1.0, np.nan_to_num(d.astype(np.float64), nan=np.inf)) for d in (absolute, relative)
    )
    bad = int(np.sum(~close))
    if not close.ndim:
        lines = [
            "Scalars are not close!",
            "",
            f"Expected {e} but got {a}.",
            f"Absolute difference: {float(absolute)} (up to {atol} allowed)",
            f"Relative difference: {float(relative)} (up to {rtol} allowed)",
        ]
        ulp_words = "Distance in the last place"
    else:
        lines = [
            "Tensor-likes are not close!" if rtol or atol else "Tensor-likes are not equal!",
            "",
            f"Mismatched elements: {bad} / {close.size} ({bad / close.size:.1%})",
            f"Greatest absolute difference: {_greatest(absolute)} (up to {atol} allowed)",
            f"Greatest relative difference: {_greatest(relative)} (up to {rtol} allowed)",
        ]
        ulp_words = "Greatest distance in the last place"
    ulp = ulp_distance(a, e)
    if ulp is not None:
        where = np.unravel_index(int(np.argmax(np.where(close, 0, ulp))), ulp.shape)
        at = f" at index {tuple(int(i) for i in where)}" if where else ""
        lines.append(f"{ulp_words}: {int(ulp[where])} ulp{at}")
    with np.errstate(all="ignore"):
        size = np.abs(y).astype(np.float64)
        scale = np.sqrt(np.mean(np.where(np.isfinite(size), size, 0) ** 2))
        excess = float(np.max(absolute) / (scale or 1.0))
    return excess, "\n".join(lines)


def _wide_dtype(a: np.ndarray, e: np.ndarray) -> Any:
    """A dtype in which neither side loses a bit and differences do not overflow."""
    kinds = {a.dtype.kind, e.dtype.kind}
    if "c" in kinds:
        return np.complex128
    if kinds <= set("iub"):
        return object if 8 in (a.itemsize, e.itemsize) else np.int64
    return np.float64


def _finite(x: np.ndarray) -> Any:
    return True if x.dtype == object else np.isfinite(x)


def _greatest(difference: np.ndarray) -> str:
    where = np.unravel_index(int(np.argmax(difference)), difference.shape)
    return f"{float(difference[where])} at index {tuple(int(i) for i in where)}"


def ulp_distance(a: Any, e: Any) -> np.ndarray | None:
    """How many representable numbers lie between two arrays of one real floating dtype; None for other dtypes.

    >>> ulp_distance(np.float32([1, -0.0]), np.nextafter(np.float32([1, 0]), np.float32(2)))
    array([1, 1], dtype=uint64)
    """
    a, e = np.asarray(a), np.asarray(e)
    integers: Any = {2: np.int16, 4: np.int32, 8: np.int64}.get(a.itemsize)
    if a.dtype != e.dtype or a.dtype.kind in "iubcO" or integers is None:
        return None

    def ladder(x: np.ndarray) -> np.ndarray:
        bits = x.view(integers).astype(np.int64)
        return np.where(bits < 0, np.int64(np.iinfo(integers).min) - bits, bits)

    x, y = ladder(np.ascontiguousarray(a)), ladder(np.ascontiguousarray(e))
    high, low = np.maximum(x, y), np.minimum(x, y)
    return (high.view(np.uint64) - low.view(np.uint64)).reshape(a.shape)
