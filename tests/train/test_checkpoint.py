"""Checkpoints: bit for bit, whole or not at all, damaged ones noticed, and a run that is killed again and again."""

import shutil
import threading
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad import optim, random, train
from jaxgrad.serialization import SerializationError
from jaxgrad.train.seal import clear, seal
from tests.train import kills


def same(one, two):
    leaves = jax.tree.map(lambda a, b: np.asarray(a).tobytes() == np.asarray(b).tobytes(), one, two)
    return jax.tree.structure(one) == jax.tree.structure(two) and jax.tree.all(leaves)


def held(state):
    return jax.tree.map(np.array, state)


TX = optim.Adam()
STEP = train.make_train_step(lambda params, x: jnp.sum((params["w"] - x) ** 2), TX)


def fresh():
    return train.init_state({"w": jnp.zeros(5), "none": jnp.zeros((0, 3))}, TX)


@pytest.fixture(scope="module")
def recipe():
    return kills.recipe()


def test_an_interrupted_epoch_goes_on_bit_for_bit(tmp_path, recipe):
    step, start, loader = recipe
    losses, ends, positions = [], [], []
    batches, state = loader.epoch(start())
    with train.Checkpoints(tmp_path / "run", every=2, keep=5) as checkpoints:
        for number, batch in enumerate(batches, start=1):
            state, metrics = step(state, batch)
            saved = checkpoints.save(number, state, position=batches.state(), meta={"loss": metrics["loss"]})
            assert saved == (number % 2 == 0)  # and `state` goes into the next step at once
            losses.append(float(metrics["loss"]))
            ends.append(held(state))
            positions.append(batches.position)
        assert checkpoints.steps() == [2, 4, 6]
    shutil.rmtree(tmp_path / "run" / "6")
    with train.Checkpoints(tmp_path / "run") as checkpoints:
        found = checkpoints.restore(like=jax.eval_shape(start))
    assert found.step == 4 and found.meta == {"loss": losses[3]} and same(found.state, ends[3])
    batches, state = loader.resume(found.position), found.state
    assert batches.position == positions[3]
    again = []
    for batch in batches:
        state, metrics = step(state, batch)
        again.append(float(metrics["loss"]))
    assert again == losses[4:] and len(again) == 2 and same(state, ends[-1])


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A folder with the checkpoints of steps 1 and 2, and their states."""
    folder, states, state = tmp_path_factory.mktemp("two") / "run", {}, fresh()
    with train.Checkpoints(folder) as checkpoints:
        for number in (1, 2):
            state, _ = STEP(state, jnp.arange(5.0))
            checkpoints.save(number, state, position={"position": number, "own": np.arange(6, dtype=np.uint8)})
            states[number] = held(state)
    return folder, states


def damage(path, how):
    data = path.read_bytes()
    middle = len(data) // 2
    changed = {
        "cut": data[:middle],
        "empty": b"",
        "flipped": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
    }
    path.write_bytes(changed[how])


FILES = ["state/d/", "state/manifest.ocdbt", "state/_METADATA", "record/metadata", "jaxgrad.sums"]


@pytest.mark.parametrize("how", ["cut", "empty", "flipped", "gone"])
@pytest.mark.parametrize("part", FILES)
def test_damage_is_noticed_and_the_one_before_is_used(tmp_path, two, part, how):
    folder, states = two
    shutil.copytree(folder, tmp_path / "run")
    damaged = tmp_path / "run" / "2" / part
    for path in sorted(damaged.iterdir()) if part.endswith("/") else [damaged]:
        path.unlink() if how == "gone" else damage(path, how)
    with train.Checkpoints(tmp_path / "run") as checkpoints:
        with pytest.warns(
            RuntimeWarning, match=r"(?s)a checkpoint is damaged or .*going on from step 1 instead.*step 2: "
        ):
            found = checkpoints.restore(like=fresh())
    assert found.step == 1 and same(found.state, states[1]) and found.position["position"] == 1
    assert found.position["own"].tolist() == [0, 1, 2, 3, 4, 5]


def test_a_number_that_changed_is_noticed(tmp_path, two, monkeypatch):
    """Where the files are in order and a bit of an array is not."""
    shutil.copytree(two[0], tmp_path / "run")
    with train.Checkpoints(tmp_path / "run") as checkpoints:
        read = checkpoints._manager.restore

        def flipped(step, args):
            found = read(step, args=args)
            if step == 2 and "state" in found.keys():
                found["state"]["params.w"].view(np.uint8)[3] ^= 1
            return found

        monkeypatch.setattr(checkpoints._manager, "restore", flipped)
        with pytest.warns(RuntimeWarning, match=r'(?s)going on from step 1.*step 2: the numbers of "params.w"'):
            assert checkpoints.restore(like=fresh()).step == 1


def test_where_nothing_is_whole_and_where_nothing_is(tmp_path, two):
    with train.Checkpoints(tmp_path / "none") as checkpoints:
        assert checkpoints.restore(like=fresh()) is None
    shutil.copytree(two[0], tmp_path / "run")
    for number in "12":
        (tmp_path / "run" / number / "record" / "metadata").write_text("{}")
        seal(str(tmp_path / "run" / number))
    with train.Checkpoints(tmp_path / "run") as checkpoints:
        with pytest.raises(SerializationError, match=r"(?s)no checkpoint in .* is whole.*step 2: .*step 1: "):
            checkpoints.restore(like=fresh())


def test_killed_before_the_first_was_finished(tmp_path, two):
    shutil.copytree(two[0], tmp_path / "run")
    for number in "12":
        (tmp_path / "run" / number / "jaxgrad.sums").unlink()
    with train.Checkpoints(tmp_path / "run", keep=1) as checkpoints:
        with pytest.warns(RuntimeWarning, match=r"(?s)not finished: going on from the beginning.*step 2: .*step 1: "):
            assert checkpoints.restore(like=fresh()) is None
        for number in (2, 3, 4):
            checkpoints.save(number, fresh())
        assert checkpoints.steps() == [1, 4]  # what has no seal may be somebody else's, and is not cleared away


def test_killed_while_an_old_one_was_removed(tmp_path, two):
    shutil.copytree(two[0], tmp_path / "run")
    clear(str(tmp_path / "run" / "1"))
    with train.Checkpoints(tmp_path / "run", keep=1) as checkpoints:
        assert checkpoints.restore(like=fresh()).step == 2
        checkpoints.save(3, fresh())
        assert checkpoints.steps() == [3]


def test_another_model_is_not_a_damaged_checkpoint(two):
    other = train.init_state({"w": jnp.zeros(4), "none": jnp.zeros((0, 3))}, TX)
    with train.Checkpoints(two[0]) as checkpoints:
        with pytest.raises(RuntimeError, match=r"(?s)Error\(s\) in loading state.*size mismatch for params.w"):
            checkpoints.restore(like=other)


def test_a_run_that_went_back_writes_its_own(tmp_path):
    state = fresh()
    with train.Checkpoints(tmp_path, keep=2) as checkpoints:
        for number in (1, 2, 3, 4, 3):
            state, _ = STEP(state, jnp.ones(5) * number)
            checkpoints.save(number, state)
        assert checkpoints.steps() == [3, 4]
        shutil.rmtree(tmp_path / "4")
    with train.Checkpoints(tmp_path) as checkpoints:
        assert same(checkpoints.restore(like=fresh()).state, held(state))


def test_keys_and_steps_not_asked_for(tmp_path):
    state = train.init_state({"w": jnp.zeros(2)}, TX, generator=jax.random.key(3))
    with train.Checkpoints(tmp_path, every=10) as checkpoints:
        assert not checkpoints.save(3, state) and checkpoints.save(3, state, force=True)
        found = checkpoints.restore(like=state)
    assert jax.random.key_data(found.state.generator).tolist() == jax.random.key_data(jax.random.key(3)).tolist()
    assert found.position is None and found.meta == {}


def test_what_goes_wrong_in_the_thread_is_raised(tmp_path):
    with train.Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, fresh().replace(generator=object()))
        with pytest.raises(TypeError, match=r"made of arrays and numbers"):
            checkpoints.wait()
        with pytest.raises(TypeError, match=r"meta must be what JSON has"):
            checkpoints.save(1, fresh(), meta={"model": object()})
        with pytest.raises(TypeError, match=r"a traced state"):
            jax.jit(lambda state: checkpoints.save(1, state))(fresh())
    for wrong in ({"every": 0}, {"keep": 1.5}):
        with pytest.raises(ValueError, match=r"is a positive number"):
            train.Checkpoints(tmp_path, **wrong)


def test_the_run_goes_on_while_it_is_written(tmp_path, monkeypatch):
    begun, may_end = threading.Event(), threading.Event()
    write = train.Checkpoints._write

    def slowly(self, *args):
        begun.set()
        assert may_end.wait(60)
        write(self, *args)

    monkeypatch.setattr(train.Checkpoints, "_write", slowly)
    state, _ = STEP(fresh(), jnp.ones(5))
    expected = held(state)
    with train.Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, state)
        assert begun.wait(60)
        for _ in range(3):  # the memory of what is being written is taken over
            state, _ = STEP(state, jnp.ones(5))
        jax.block_until_ready(state)
        may_end.set()
        assert same(checkpoints.restore(like=fresh()).state, expected)
    assert not same(held(state), expected)


def test_a_state_on_several_devices(tmp_path):
    mesh = jax.make_mesh((2,), ("fsdp",))
    state = train.shard(train.init_state({"w": jnp.arange(4.0)}, TX, generator=random.manual_seed(0)), mesh)
    with train.Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, state)
        found = checkpoints.restore(like=state).state
    assert same(held(found), held(state))
    assert jax.tree.all(jax.tree.map(lambda a, b: a.sharding == b.sharding, found, state))


def check_kills(tmp_path, count, seed):
    (tmp_path / "killed").mkdir()
    (tmp_path / "left alone").mkdir()
    epochs = kills.EPOCHS_PER_KILL * count
    within = kills.disturbed(tmp_path / "killed", epochs, count, seed)
    kills.train_on(tmp_path / "left alone", epochs, every=10**6)
    losses = kills.losses_in(tmp_path / "killed")
    assert losses == kills.losses_in(tmp_path / "left alone") and len(losses) == kills.STEPS_PER_EPOCH * epochs
    ends = [Path(tmp_path, name, "end").read_bytes() for name in ("killed", "left alone")]
    assert ends[0] == ends[1]
    return within


def test_killed_and_resumed(tmp_path):
    check_kills(tmp_path, 3, seed=0)


@pytest.mark.exhaustive
def test_killed_ten_times_and_resumed(tmp_path):
    assert check_kills(tmp_path, 10, seed=1) > 0  # some came within a save
