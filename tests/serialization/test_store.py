"""A whole training state in one file; safetensors both ways."""

import json

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch

from jaxgrad import func, nn, optim, random, serialization, train
from jaxgrad.nn import functional as F
from jaxgrad.serialization import SerializationError, load, save
from jaxgrad.serialization._packed import pack


def setup():
    rngs = nn.Rngs(random.manual_seed(0))
    model = nn.Sequential(nn.Linear(3, 4, rngs=rngs), nn.ReLU(), nn.Linear(4, 2, rngs=rngs))
    params, buffers = func.extract(model)
    tx = optim.Adam()
    step = train.make_train_step(train.supervised(model, F.cross_entropy), tx)
    return step, lambda: train.init_state(params, tx, buffers=buffers, generator=rngs.generator)


def same(one, two):
    leaves = jax.tree.map(
        lambda a, b: a.dtype == b.dtype and np.asarray(a).tobytes() == np.asarray(b).tobytes(), one, two
    )
    return jax.tree.all(leaves)


def test_a_training_state_goes_on_as_if_nothing_had_been(tmp_path):
    step, fresh = setup()
    batch = jnp.ones((5, 3)), jnp.zeros(5, jnp.int32)
    state, _ = step(fresh(), batch)
    save(tmp_path / "state", state, meta={"epoch": 3, "best": [0.1, None]})
    loaded, meta = load(tmp_path / "state", like=fresh())
    assert meta == {"epoch": 3, "best": [0.1, None]} and same(loaded, state)
    shaped, _ = load(tmp_path / "state", like=jax.eval_shape(fresh))
    assert same(shaped, state) and type(shaped) is type(state)
    assert same(step(loaded, batch)[0], step(state, batch)[0])


def test_leaves_of_every_kind(tmp_path):
    tree = {
        "key": jax.random.key(3),
        "complex": jnp.ones((2, 1), jnp.complex64),
        "complex 0-d": jnp.array(1j),
        "numbers": [3, 2**70, float("nan"), -0.0, True, 2 + 1j, "text"],
        "bfloat16": jnp.ones(2, jnp.bfloat16),
        "float8": jnp.ones(2, jnp.float8_e4m3fn),
        "int4": jnp.arange(-3, 3).astype(jnp.int4),
        "empty": np.empty((0, 3)),
        "numpy": (np.float64(0.1), np.arange(3)[::-1], np.arange(6, dtype=">i2").reshape(2, 3).T),
        "none": None,
        "a": {"b": jnp.zeros(1)},
        "a.b": jnp.ones(1),
    }
    save(tmp_path / "tree", tree)
    loaded, meta = load(tmp_path / "tree", like=tree)
    assert meta == {}
    assert jax.tree.structure(loaded) == jax.tree.structure(tree)
    for one, two in zip(jax.tree.leaves(loaded), jax.tree.leaves(tree), strict=True):
        if isinstance(two, jax.Array) and jax.dtypes.issubdtype(two.dtype, jax.dtypes.prng_key):
            one, two = jax.random.key_data(one), jax.random.key_data(two)
        assert isinstance(one, type(two)) and np.shape(one) == np.shape(two)
        if isinstance(two, np.ndarray | jax.Array):
            assert (
                np.asarray(one).astype("f8" if two.dtype.kind != "c" else "c16").tolist()
                == np.asarray(two).astype("f8" if two.dtype.kind != "c" else "c16").tolist()
            )
        else:
            assert repr(one) == repr(two)


def test_a_state_that_does_not_fit_is_refused_with_its_names(tmp_path):
    state = {"w": jnp.ones((2, 3)), "n": 3, "old": jnp.ones(1)}
    save(tmp_path / "s", state)
    with pytest.raises(RuntimeError) as error:
        load(tmp_path / "s", like={"w": jnp.ones((3, 2)), "n": jnp.ones(()), "new": jnp.ones(1)})
    text = str(error.value)
    assert 'Missing key(s) in state: "new". ' in text and 'Unexpected key(s) in state: "old". ' in text
    assert "size mismatch for w: copying a param with shape torch.Size([2, 3]) from checkpoint" in text
    assert "n: the file has the int 3, the state an array float32[]." in text
    with pytest.raises(RuntimeError, match="dtype mismatch for w: float32 in the file, bfloat16 in the state"):
        load(tmp_path / "s", like=state | {"w": jnp.ones((2, 3), jnp.bfloat16)})
    for bad, sentence in [({"a": object()}, "not of object"), ({"a": "x"}, None)]:
        if sentence:
            with pytest.raises(TypeError, match=sentence):
                save(tmp_path / "s", bad)
    with pytest.raises(TypeError, match="strings as keys, lists instead of tuples"):
        save(tmp_path / "s", state, meta={"a": (1, 2)})
    with pytest.raises(TypeError, match="meta must be what JSON has"):
        save(tmp_path / "s", state, meta={"a": jnp.ones(1)})
    with pytest.raises(TypeError, match="save it outside of jit"):
        jax.jit(lambda s: save(tmp_path / "s", s))({"w": jnp.ones(1)})
    assert load(tmp_path / "s", like=state)[0]["n"] == 3


def test_damage_is_noticed(tmp_path):
    path = tmp_path / "s"
    save(path, {"w": jnp.arange(100.0)})
    data = bytearray(path.read_bytes())
    data[-50] ^= 1
    path.write_bytes(data)
    with pytest.raises(SerializationError, match='the numbers of "w" are damaged'):
        load(path, like={"w": jnp.arange(100.0)})
    serialization.write_safetensors(path, {"w": np.ones(1)})
    with pytest.raises(SerializationError, match="this is not a file of serialization"):
        load(path, like={"w": jnp.ones(1)})


def test_one_wrong_bit_anywhere_is_noticed(tmp_path):
    """The record has a checksum of its own: numbers of Python and ``meta`` are in no array."""
    path, state = tmp_path / "s", {"w": jnp.arange(3.0), "lr": 0.1, "n": 37, "name": "adam", "on": True}
    save(path, state, meta={"epoch": 3, "best": float("inf"), "seen": [1.5]})
    whole, found = path.read_bytes(), load(path, like=state)
    for at in range(len(whole)):
        data = bytearray(whole)
        data[at] ^= 1
        path.write_bytes(data)
        try:
            again = load(path, like=state)
        except (SerializationError, RuntimeError):
            continue
        assert repr(again) == repr(found), bytes(data[at - 10 : at + 10])
    first = whole.replace(b', \\"sum\\"', b', \\"tum\\"')
    assert first != whole
    path.write_bytes(first)
    with pytest.raises(SerializationError, match="the description of the state is damaged"):
        serialization.read_meta(path)


def test_a_record_without_a_checksum_is_one_of_the_first_files(tmp_path):
    arrays, text = pack({"n": 3}, {"epoch": 1})
    record = json.loads(text)
    del record["sum"]
    serialization.write_safetensors(tmp_path / "s", arrays, {"jaxgrad": json.dumps(record)})
    assert load(tmp_path / "s", like={"n": 0}) == ({"n": 3}, {"epoch": 1})


TENSORS = {
    "w": np.ones((2, 3), ml_dtypes.bfloat16),
    "jax": jnp.ones(3),
    "0-d": np.array(2.0),
    "empty": np.empty((0, 2)),
    "float8": np.ones(2, ml_dtypes.float8_e4m3fn),
    "bool": np.array([True, False]),
    "transposed": np.arange(6).reshape(2, 3).T,
    "big": np.arange(3, dtype=">f4"),
}


def test_safetensors_beside_the_library(tmp_path):
    path = tmp_path / "t.safetensors"
    serialization.write_safetensors(path, TENSORS, {"by": "hand"})
    theirs, ours = safetensors.torch.load_file(path), serialization.read_safetensors(path)
    mapped = serialization.read_torch(path, mmap=True)
    assert set(theirs) == set(ours) == set(mapped) == set(TENSORS)
    for name, value in TENSORS.items():
        assert str(theirs[name].dtype) == f"torch.{ours[name].dtype.name}"
        for array in (ours[name], mapped[name], theirs[name].float().numpy()):
            assert array.shape == value.shape and np.array_equal(array.astype("f4"), np.asarray(value).astype("f4"))
    assert serialization.safetensors_metadata(path) == {"by": "hand"}
    safetensors.torch.save_file(theirs, path, {"by": "them"})
    again = serialization.read_safetensors(path)
    assert all(again[name].tobytes() == ours[name].tobytes() for name in ours)
    with pytest.raises(TypeError, match="the safetensors format has no complex128"):
        serialization.write_safetensors(path, {"c": np.ones(1, np.complex128)})
    with pytest.raises(TypeError, match="metadata must be a string"):
        serialization.write_safetensors(path, {}, {"epoch": 3})


def test_safetensors_in_parts(tmp_path):
    path = tmp_path / "model.safetensors"
    serialization.write_safetensors(path, TENSORS, max_shard_size=20)
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names[0].startswith("model-00001-of-0000") and names[-1] == "model.safetensors.index.json"
    index = tmp_path / "model.safetensors.index.json"
    parts = serialization.read_safetensors(index)
    assert list(parts) == list(TENSORS) and all(np.array_equal(parts[n], np.asarray(v)) for n, v in TENSORS.items())
    assert serialization.safetensors_metadata(index)["total_size"] == sum(
        np.asarray(v).nbytes for v in TENSORS.values()
    )
    text = index.read_text()
    index.write_text(text.replace(names[0], "../" + names[0]))
    with pytest.raises(SerializationError, match="outside of its folder"):
        serialization.read_safetensors(index)
    index.write_text(text)
    (tmp_path / names[0]).unlink()
    with pytest.raises(FileNotFoundError):
        serialization.read_safetensors(index)
