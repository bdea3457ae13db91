"""``assert_close`` decides as torch does, and says where and how far."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jaxgrad.testing import assert_close
from jaxgrad.testing.comparison import ulp_distance
from jaxgrad.testing.tolerances import default_tolerances

torch = pytest.importorskip("torch", reason="the reference is not installed")

FLOATS = st.floats(-1e6, 1e6, width=32) | st.sampled_from([0.0, -0.0, np.inf, -np.inf, np.nan])


def verdict(compare, a, e, **options):
    try:
        compare(a, e, **options)
    except AssertionError as error:
        return str(error)
    return None


@settings(max_examples=150, deadline=None)
@given(
    pair=st.sampled_from([np.float32, np.float64]).flatmap(
        lambda dtype: st.tuples(
            hnp.arrays(dtype, 4, elements=FLOATS), hnp.arrays(dtype, 4, elements=FLOATS), st.just(dtype)
        )
    ),
    nudge=st.sampled_from([None, 0.0, 1e-9, 1e-6, 2e-6, 1e-5]),
    tolerances=st.none() | st.tuples(st.sampled_from([0.0, 1e-6, 0.1]), st.sampled_from([0.0, 1e-6, 1.0])),
    equal_nan=st.booleans(),
)
def test_decision_is_torchs(pair, nudge, tolerances, equal_nan):
    a, e, dtype = pair
    if nudge is not None:
        with np.errstate(all="ignore"):
            a = (e * dtype(1 + nudge)).astype(dtype)
    options = {"equal_nan": equal_nan}
    if tolerances is not None:
        options |= dict(zip(("rtol", "atol"), tolerances, strict=True))
    ours = verdict(assert_close, {"x": a}, {"x": e}, **options)
    theirs = verdict(torch.testing.assert_close, {"x": torch.from_numpy(a)}, {"x": torch.from_numpy(e)}, **options)
    assert (ours is None) == (theirs is None), (ours, theirs)


def test_report_has_torchs_lines():
    a, e = np.float32([[1, 2], [3, 4.5]]), np.float32([[1, 2], [3, 4]])
    ours = verdict(assert_close, {"w": a}, {"w": e})
    theirs = verdict(torch.testing.assert_close, {"w": torch.from_numpy(a)}, {"w": torch.from_numpy(e)})
    for line in theirs.splitlines():
        assert line in ours
    assert "1048576 ulp at index (1, 1)" in ours


def test_every_leaf_that_differs_is_named_the_furthest_first():
    ours = verdict(
        assert_close,
        {"a": np.float32([1.0]), "b": np.float32([2.0]), "c": np.float32([3.0])},
        {"a": np.float32([1.1]), "b": np.float32([2.0]), "c": np.float32([9.0])},
    )
    assert ours.index("['c']") < ours.index("['a']") and "['b']" not in ours


def test_structure_dtype_shape_and_none():
    x = np.float32([1.0])
    assert "Missing from actual: ['b']" in verdict(assert_close, {"a": x}, {"a": x, "b": x})
    assert "attribute 'dtype' do not match" in verdict(assert_close, {"a": x}, {"a": x.astype(np.float64)})
    assert verdict(assert_close, {"a": x}, {"a": x.astype(np.float64)}, check_dtype=False) is None
    assert "attribute 'shape' do not match" in verdict(assert_close, {"a": x}, {"a": x[None]})
    assert "None mismatch" in verdict(assert_close, {"a": None}, {"a": x})
    assert_close({"a": None, "b": {"c": x}}, {"a": None, "b": {"c": x}})
    assert "['b.c']" in verdict(assert_close, {"b": {"c": x}}, {"b": {"c": 2 * x}})


def test_integers_compare_exactly():
    assert verdict(assert_close, np.array([2**62]), np.array([2**62 + 1])) is not None
    assert_close(np.array([1, 2]), np.array([1, 2]))


def test_options():
    x = np.float32(1.0)
    with pytest.raises(ValueError, match="Both 'rtol' and 'atol' must be either specified or omitted"):
        assert_close(x, x, rtol=0.1)
    with pytest.raises(ValueError, match="check_stride"):
        assert_close(x, x, check_stride=True)
    with pytest.raises(AssertionError, match=r"^mine$"):
        assert_close(x, 2 * x, msg="mine")
    with pytest.raises(AssertionError, match=r"^header\n\nScalars"):
        assert_close(x, 2 * x, msg=lambda report: f"header\n\n{report}")
    with pytest.raises(AssertionError, match="type equality is required"):
        assert_close(np.ones(1, np.float32), jnp.ones(1), allow_subclasses=False)


@given(st.floats(width=32, allow_nan=False), st.integers(0, 1000))
@settings(max_examples=100, deadline=None)
def test_ulp_counts_representable_numbers(x, steps):
    a = b = np.float32(x)
    for _ in range(min(steps, 50)):
        with np.errstate(over="ignore"):
            b = np.nextafter(b, np.float32(np.inf))
    expected = min(steps, 50)
    if np.isinf(b):
        return
    assert int(ulp_distance(np.atleast_1d(a), np.atleast_1d(b))[0]) == expected


def test_the_table_of_tolerances_is_torchs():
    from torch.testing._comparison import default_tolerances as torchs

    for name in ("float16", "bfloat16", "float32", "float64", "complex64", "complex128", "int32", "bool"):
        assert default_tolerances(jnp.dtype(name)) == torchs(getattr(torch, name)), name
    assert default_tolerances(np.float64(1), jnp.bfloat16) == torchs(torch.float64, torch.bfloat16)
