"""Values that a file or a model cannot take: a sentence before anything is written, never a broken file."""

import io
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxgrad import nn, random, serialization
from jaxgrad.serialization import load, load_state_dict, load_torch, save, write_safetensors, write_torch
from tests.serialization.files import torch_bytes

KEY = jax.random.key(0)


@pytest.mark.parametrize(
    "state, meta, error, sentence",
    [
        ({"__metadata__": np.ones(1)}, None, ValueError, "keeps the name __metadata__ for itself"),
        ({"\ud800": np.ones(1)}, None, ValueError, "text that utf-8 has"),
        ({"a": np.array(["x"])}, None, TypeError, "no arrays of dtype <U1"),
        ({"a": np.array([None])}, None, TypeError, "no arrays of dtype object"),
        ({"a": np.array(["2020"], "M8[s]")}, None, TypeError, "no arrays of dtype datetime64"),
        ({"a": np.ones(1, np.longdouble)}, None, TypeError, "no arrays of dtype"),
        ({}, [1], TypeError, "meta must be a dict"),
        ({}, "epoch", TypeError, "meta must be a dict"),
    ],
)
def test_what_a_state_cannot_hold_is_refused_and_the_old_file_stays(tmp_path, state, meta, error, sentence):
    path = tmp_path / "s"
    save(path, {"n": 1})
    with pytest.raises(error, match=sentence):
        save(path, state, meta=meta)
    assert load(path, like={"n": 0})[0] == {"n": 1} and [p.name for p in tmp_path.iterdir()] == ["s"]


@pytest.mark.parametrize("dtype", ["float4_e2m1fn", "float8_e4m3", "float8_e3m4", "int2", "uint4"])
def test_small_dtypes_come_back(tmp_path, dtype):
    state = {"a": np.arange(4).clip(0, 1).astype(jnp.dtype(dtype)).reshape(2, 2)}
    save(tmp_path / "s", state)
    found = load(tmp_path / "s", like=state)[0]["a"]
    assert found.dtype == jnp.dtype(dtype) and np.array_equal(found.astype("f4"), [[0, 1], [1, 1]])


def test_long_integers_come_back(tmp_path):
    state = {"a": 1 << 50_000, "b": -(3**9_000), "c": -12}
    save(tmp_path / "s", state)
    assert load(tmp_path / "s", like=state)[0] == state


@pytest.mark.parametrize(
    "arguments, options, error, sentence",
    [
        ([[1]], {}, TypeError, "safetensors hold arrays by name"),
        ([{"a": KEY}], {}, TypeError, r"the safetensors format has no key<fry>"),
        ([{"a": np.ones(1)}, {"\ud800": "x"}], {}, ValueError, "text that utf-8 has"),
        ([{"a": np.ones(1)}], {"max_shard_size": "5GB"}, ValueError, "max_shard_size is a number of bytes"),
        ([{"a": np.ones(1)}], {"max_shard_size": 0}, ValueError, "max_shard_size is a number of bytes"),
        ([{"a": np.ones(9), "__metadata__": np.ones(1)}], {"max_shard_size": 8}, ValueError, "__metadata__"),
    ],
)
def test_what_safetensors_cannot_hold_is_refused(tmp_path, arguments, options, error, sentence):
    with pytest.raises(error, match=sentence):
        write_safetensors(tmp_path / "m.safetensors", *arguments, **options)
    with pytest.raises(TypeError, match="a traced array has no numbers to write"):
        jax.jit(lambda x: write_safetensors(tmp_path / "m.safetensors", {"a": x}))(jnp.ones(1))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("write", [write_torch, save, write_safetensors])
def test_a_folder_that_is_not_there_is_named(tmp_path, write):
    with pytest.raises(FileNotFoundError, match="none/f"):
        write(tmp_path / "none" / "f", {"a": np.ones(1)})


def test_what_contains_itself_is_not_written():
    loop = [1]
    loop.append({"again": loop})
    with pytest.raises(ValueError, match="the object contains itself"):
        write_torch(io.BytesIO(), loop)
    twice = [2]
    file = io.BytesIO()
    write_torch(file, [twice, (twice,)])
    assert serialization.read_torch(io.BytesIO(file.getvalue())) == [[2], ([2],)]


def without_an_array():
    with warnings.catch_warnings():  # torch says what it thinks of them
        warnings.simplefilter("ignore")
        return {
            "meta": torch.ones(2, 2, device="meta"),
            "sparse": torch.eye(2).to_sparse(),
            "csr": torch.eye(2).to_sparse_csr(),
            "quantized": torch.quantize_per_tensor(torch.ones(2, 2), 0.1, 0, torch.qint8),
            "complex32": torch.zeros(2, 2, dtype=torch.complex32),
            "key": jax.random.split(KEY, (2, 2)),
            "object": np.array([[None, 1], [2, 3]]),
            "date": np.ones((2, 2), "M8[s]"),
        }


def test_what_no_array_can_hold_is_said_with_its_name():
    model = nn.Linear(2, 2, rngs=nn.Rngs(random.manual_seed(0)))
    for assign in (False, True):
        for kind, value in without_an_array().items():
            with pytest.raises(RuntimeError, match='While copying the parameter named "weight"'):
                load_state_dict(model, {"weight": value, "bias": np.ones(2, "f4")}, assign=assign)
            assert kind
    with pytest.raises(RuntimeError, match="Cannot copy out of meta tensor; no data!"):
        load_torch(io.BytesIO(torch_bytes(torch.nn.Linear(2, 2, device="meta").state_dict())), model)
    with pytest.raises(TypeError, match="the keys of a state_dict are strings"):
        load_state_dict(model, {0: np.ones(2)})
    big = {"weight": np.full((2, 2), 3, ">f4"), "bias": np.ones(2, ">f4")}
    assert load_state_dict(model, big, assign=True)[0]["weight"].tolist() == [[3, 3], [3, 3]]


def test_a_safetensors_file_of_another_name_is_recognized(tmp_path):
    save(tmp_path / "state", {"a": jnp.ones(1)})
    with pytest.raises(serialization.SerializationError, match="it looks like a safetensors file"):
        serialization.read_torch(tmp_path / "state")
