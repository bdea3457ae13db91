"""default_collate and default_convert beside torch's: structure, dtype, values, errors."""

import collections
import types

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch.utils import data as torch_data

from jaxgrad.utils import data

Point = collections.namedtuple("Point", "x y")


def plain(value):
    """A collated batch of either library as types, dtypes and numbers that compare with ``==``."""
    if isinstance(value, torch.Tensor):
        value = value.numpy()
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "US":
            return ("array of text", value.tolist())
        return (str(value.dtype), value.shape, value.tobytes())
    if isinstance(value, collections.abc.Mapping):
        return (type(value), [(key, plain(each)) for key, each in value.items()])
    if isinstance(value, list | tuple | collections.UserList | collections.deque):
        return (type(value), [plain(each) for each in value])
    return value


DTYPES = st.sampled_from(
    [np.bool_, np.uint8, np.int8, np.int16, np.int32, np.int64, np.float16, np.float32, np.float64, np.complex64]
)


def leaves():
    shapes = hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3)
    return st.one_of(
        st.builds(lambda dtype, shape: ("array", dtype, shape), DTYPES, shapes),
        st.sampled_from([("int",), ("float",), ("bool",), ("str",), ("bytes",)]),
        st.builds(lambda dtype: ("scalar", dtype), DTYPES),
    )


STRUCTURES = st.recursive(
    leaves(),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda each: ("list", each)),
        st.lists(inner, max_size=3).map(lambda each: ("tuple", each)),
        st.lists(inner, max_size=3).map(lambda each: ("dict", each)),
        st.lists(inner, max_size=3).map(lambda each: ("ordered", each)),
        st.tuples(inner, inner).map(lambda each: ("point", each)),
    ),
    max_leaves=8,
)


def sample(structure, rng):
    """One sample of a structure, with random numbers in it."""
    kind = structure[0]
    if kind == "array":
        return np.asarray(rng.integers(0, 2, structure[2])).astype(structure[1])
    if kind == "scalar":
        return structure[1](rng.integers(0, 2))
    if kind in ("int", "float", "bool", "str", "bytes"):
        number = int(rng.integers(-(2**40), 2**40))
        return {
            "int": number,
            "float": number / 3,
            "bool": number % 2 == 0,
            "str": str(number),
            "bytes": str(number).encode(),
        }[kind]
    parts = [sample(each, rng) for each in structure[1]]
    if kind == "point":
        return Point(*parts)
    if kind in ("list", "tuple"):
        return parts if kind == "list" else tuple(parts)
    items = {f"key{i}": part for i, part in enumerate(parts)}
    return items if kind == "dict" else collections.OrderedDict(items)


@settings(deadline=None, max_examples=150)
@given(structure=STRUCTURES, size=st.integers(1, 4), seed=st.integers(0, 2**32 - 1))
def test_any_structure(structure, size, seed):
    rng = np.random.default_rng(seed)
    batch = [sample(structure, rng) for _ in range(size)]
    assert plain(data.default_collate(batch)) == plain(torch_data.default_collate(batch))
    assert plain(data.default_convert(batch[0])) == plain(torch_data.default_convert(batch[0]))


@pytest.mark.parametrize(
    "batch",
    [
        [1, 2.5],
        [1.5, 2],
        [True, 2],
        [2, True],
        [np.float32(1), np.float32(2)],
        [np.zeros(2, np.float32), np.zeros(2, np.float64)],
        [np.zeros(2, np.int32), np.zeros(2, np.float32)],
        [np.zeros(2, np.int64), np.zeros(2, np.float16)],
        [np.zeros(2, np.uint8), np.zeros(2, np.int8)],
        [range(3), range(3)],
        [collections.deque([1, 2]), collections.deque([3, 4])],
        [collections.UserList([1, "a"]), collections.UserList([2, "b"])],
        [types.MappingProxyType({"a": 1}), types.MappingProxyType({"a": 2})],
        [collections.defaultdict(int, a=1)],
        [{"a": 1}, {"a": 2, "b": 3}],
        [np.str_("a"), np.str_("b")],
    ],
    ids=str,
)
def test_particular_cases(batch):
    assert plain(data.default_collate(batch)) == plain(torch_data.default_collate(batch))


@pytest.mark.parametrize(
    "batch",
    [
        [None],
        [{1}],
        [1j],
        [np.array("a")],
        [np.array([None])],
        [[1, 2], [3]],
        [np.zeros(2), np.zeros(3)],
        [np.zeros((2, 2)), np.zeros(2)],
        [{"a": 1}, {"b": 1}],
        [2**70],
        [1.0, "a"],
        [1, None],
        [],
    ],
    ids=str,
)
def test_errors_are_torchs(batch):
    with pytest.raises(Exception) as theirs:
        torch_data.default_collate(batch)
    with pytest.raises(type(theirs.value)) as ours:
        data.default_collate(batch)
    assert str(ours.value) == str(theirs.value)


def test_arrays_of_jax_and_torch():
    batch = [(jnp.ones(2), torch.zeros(2)), (jnp.zeros(2), torch.ones(2))]
    first, second = data.default_collate(batch)
    assert first.dtype == second.dtype == np.float32
    np.testing.assert_array_equal(first, [[1, 1], [0, 0]])
    np.testing.assert_array_equal(second, [[0, 0], [1, 1]])
