"""Recordings in files: what was written comes back, and what a killed run leaves can be read."""

import json
import os
import shutil
import subprocess
import sys

import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from jaxgrad import parity
from jaxgrad.parity.record.file import Writer, read
from jaxgrad.parity.record.model import Draw, Recording, StepRecord

KINDS = {
    "single": np.float32([1.5, -0.0]),
    "double": np.array(0.1),
    "half": np.array([1.5], ml_dtypes.bfloat16),
    "complex": np.array([1 + 2j, 3 - 4j]),
    "integers": np.arange(3),
    "flags": np.array([True, False]),
    "nothing": np.zeros((0, 2), np.float32),
    "a/slash['x.y']": np.float32([[1.0, 2.0]]),
    "nan": np.float32([np.nan, np.inf]),
}


def test_every_kind_of_array_comes_back_in_order(tmp_path):
    writer = Writer(tmp_path / "run")
    writer.start({"params": KINDS}, {"dtype": "float32"})
    draw = Draw("bernoulli_", "drop", "model.py:3 self.drop(x)", 1, 2)
    noise = ({"loss": {"loss": (0.5, 0.25)}}, {})
    writer.step(StepRecord(0, {"optimizer": KINDS, "loss": {"loss": np.array(1.0)}}, (draw,)), noise)
    back = read(tmp_path / "run")
    for tensors in (back.initial["params"], back.steps[0]["optimizer"]):
        assert list(tensors) == list(KINDS)
        for name, array in KINDS.items():
            assert tensors[name].dtype == array.dtype and tensors[name].shape == array.shape
            assert tensors[name].tobytes() == array.tobytes(), name
    assert back.steps[0].draws == (draw,)
    assert back.noise[0][0]["loss"]["loss"] == [0.5, 0.25]
    assert back.float64 is None and back.meta == {"dtype": "float32"}


def test_a_recording_is_not_written_over_and_another_kind_of_file_is_refused(tmp_path):
    Writer(tmp_path / "run").start({}, {})
    with pytest.raises(FileExistsError, match="another path"):
        Writer(tmp_path / "run")
    header = tmp_path / "run" / "header.json"
    header.write_text(json.dumps({"format": "jaxgrad recording", "version": 99}))
    with pytest.raises(ValueError, match="version 99"):
        read(tmp_path / "run")
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "no such run")


def test_steps_after_a_gap_are_not_read(tmp_path):
    writer = Writer(tmp_path)
    writer.start({}, {})
    for step in range(5):
        writer.step(StepRecord(step, {"loss": {"loss": np.array(float(step))}}))
    os.remove(tmp_path / "step-000003.safetensors")
    back = read(tmp_path)
    assert [record.step for record in back.steps] == [0, 1, 2]
    assert back.at(2) is not None and back.at(3) is None
    assert float(back.before(2, "loss")["loss"]) == 1.0


KILLED = """
import os, sys
import jax.numpy as jnp
from jaxgrad import parity

def batches():
    for i in range(5):
        if i == 3:
            os._exit(9)
        yield jnp.full(2, float(i))

side = parity.from_jax(lambda state, x: ({"w": state["w"] - x}, {"loss": x.sum()}), {"w": jnp.ones(2)})
parity.record(side, batches(), sys.argv[1])
"""


@pytest.mark.slow
def test_a_killed_run_leaves_the_steps_it_made(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "run")], capture_output=True, text=True)
    assert done.returncode == 9, done.stderr
    back = read(tmp_path / "run")
    assert [float(record["loss"]["loss"]) for record in back.steps] == [0.0, 2.0, 4.0]
    assert json.loads((tmp_path / "run" / "header.json").read_text())["finished"] is False
    assert parity.compare_records(back, back).steps == 3


def side(rate, power=1):
    def step(state, x):
        return {"w": state["w"] - rate * x**power}, {"loss": (state["w"] * x).sum()}

    return parity.from_jax(step, {"w": jnp.ones(2)})


BATCHES = [np.float32([0.5 + i, 1.5]) for i in range(4)]


def test_recordings_are_compared_and_judged_again(tmp_path):
    parity.record(side(0.5), BATCHES, tmp_path / "one")
    parity.record(side(0.5005), BATCHES, tmp_path / "other", members=0)
    report = parity.compare_records(tmp_path / "one", tmp_path / "other")
    assert (report.first.step, report.first.phase, report.first.tensor) == (0, "params", "w")
    assert parity.compare_records(tmp_path / "one", tmp_path / "one").ok
    wide = parity.Bounds(semantics=1e30, rounding=1e30, alone=1e30)
    assert parity.compare_records(tmp_path / "one", tmp_path / "other", bounds=wide).ok
    shutil.rmtree(tmp_path / "other" / "float64")
    alone = parity.compare_records(tmp_path / "one", tmp_path / "other")
    assert not alone.ok and alone.noise["decided_by"] == "float32"


def test_files_and_memory_give_the_same_report(tmp_path):
    sides = side(0.5), side(0.5005)
    held = [parity.record(each, BATCHES) for each in sides]
    kept = [parity.record(each, BATCHES, tmp_path / str(i)) for i, each in enumerate(sides)]
    assert all(isinstance(each, Recording) for each in (*held, *kept))
    one, other = parity.compare_records(*held), parity.compare_records(*kept)
    assert one.distances == other.distances and one.first == other.first
    direct = parity.compare(*sides, BATCHES)
    assert direct.first == one.first and direct.distances == one.distances


def test_nothing_to_compare_is_said():
    empty = parity.record(side(0.5), [])
    with pytest.raises(ValueError, match="nothing to compare"):
        parity.compare_records(empty, empty)
    with pytest.raises(ValueError, match="nothing to compare"):
        parity.compare(side(0.5), side(0.5), [])
    with pytest.raises(ValueError, match='"free", "single" or "module"'):
        parity.compare(side(0.5), side(0.5), BATCHES, mode="both")
