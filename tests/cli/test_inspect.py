"""The command line: what it says of each kind of file."""

import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxgrad import serialization
from jaxgrad.cli.main import main
from tests.serialization.files import torch_bytes


@pytest.fixture
def files(tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(5, 3)).sum().backward()
    optimizer.step()
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 3)
    checkpoint = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": schedule.state_dict(),
        "rng": torch.get_rng_state(),
        "epoch": 3,
        "bad\x1b[31mname": torch.ones(1),
    }
    (tmp_path / "c.pt").write_bytes(torch_bytes(checkpoint))
    (tmp_path / "l.pt").write_bytes(torch_bytes(model.state_dict(), _use_new_zipfile_serialization=False))
    (tmp_path / "broken.pt").write_bytes(torch_bytes(checkpoint)[:2000])
    serialization.write_safetensors(tmp_path / "t.safetensors", {"w": np.ones((2, 3))}, {"by": "hand"})
    serialization.save(tmp_path / "state.safetensors", {"w": jnp.ones(3)}, meta={"epoch": 7})
    return tmp_path


def test_a_checkpoint(files, capsys):
    assert main(["inspect", str(files / "c.pt")]) == 0
    text = capsys.readouterr().out
    for part in (
        "torch zip",
        "a checkpoint: model (the state_dict of a model",
        "optimizer (the state_dict of an optimizer (4 parameters with a state))",
        "scheduler (the state_dict of a scheduler)",
        "rng (the state of a random generator)",
        "model.1.num_batches_tracked",
        "optimizer.state.0.exp_avg",
        "(4, 3)",
        "epoch",
        "\\x1b[31mname",
    ):
        assert part in text, part
    assert "\x1b" not in text


def test_other_forms_and_json(files, capsys):
    names = ["l.pt", "t.safetensors", "state.safetensors"]
    assert main(["inspect", "--json", *(str(files / name) for name in names)]) == 0
    legacy, tensors, state = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert legacy["form"] == "torch legacy" and legacy["arrays"] == 7
    assert tensors["metadata"] == {"by": "hand"} and tensors["rows"][0]["shape"] == [2, 3]
    assert state["kind"] == "a whole training state" and state["metadata"] == {"meta": {"epoch": 7}}


def test_what_cannot_be_read_is_said_and_the_rest_is_shown(files, capsys):
    paths = [str(files / name) for name in ("broken.pt", "none.pt", "t.safetensors")]
    assert main(["inspect", *paths]) == 1
    printed = capsys.readouterr()
    assert "failed finding central directory" in printed.err and "No such file" in printed.err
    assert "Traceback" not in printed.err and "by: hand" in printed.out


KINDS = {
    "one array of the meta device, which has no data": lambda: torch.ones(2, 3, device="meta"),
    "one sparse array": lambda: torch.eye(3).to_sparse(),
    "dict of arrays (all of the meta device: no data)": lambda: torch.nn.Linear(2, 2, device="meta").state_dict(),
    "dict of arrays (1 of the meta device: no data)": lambda: {"a": torch.ones(1), "b": torch.ones(1, device="meta")},
    "a checkpoint: m (one array of the meta": lambda: {"m": torch.ones(1, device="meta"), "epoch": 1},
    "one value (torch.dtype)": lambda: torch.bfloat16,
    "one value (torch.device)": lambda: torch.device("cuda:1"),
    "one value (torch.Size)": lambda: torch.Size([1, 2]),
    "one value (constant of torch)": lambda: torch.sparse_coo,
    "one value (None)": lambda: None,
    "one value (int)": lambda: 3,
    "a set": lambda: {1, 2},
}


@pytest.mark.filterwarnings("ignore:.*(Sparse|sparse)")
@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_said_in_words(tmp_path, capsys, kind):
    path = tmp_path / "f.pt"
    path.write_bytes(torch_bytes(KINDS[kind]()))
    assert main(["inspect", str(path)]) == 0
    assert kind in capsys.readouterr().out


def test_a_whole_state_is_shown_as_it_was_and_damage_is_said(tmp_path, capsys):
    path = tmp_path / "state"
    state = {"key": jax.random.key(0), "c": jnp.ones(2, jnp.complex64), "i": jnp.arange(2).astype(jnp.int4), "n": 3}
    serialization.save(path, state)
    assert main(["inspect", "--json", str(path)]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["rows"]}
    assert {name: row["dtype"] for name, row in rows.items()} == {
        "key": "key<threefry2x32>",
        "c": "complex64",
        "i": "int4",
        "n": "int",
    }
    assert rows["key"]["shape"] == [] and rows["c"]["shape"] == [2] and rows["n"]["value"] == "3"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert main(["inspect", str(path)]) == 1
    assert "are damaged" in capsys.readouterr().err


def test_as_a_program(files):
    command = [sys.executable, "-m", "jaxgrad", "inspect", str(files / "t.safetensors")]
    assert "float64" in subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_what_is_no_file_is_said_in_words(tmp_path, capsys):
    assert main(["inspect", str(tmp_path / "missing.pt"), str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"{tmp_path}/missing.pt: No such file or directory\n{tmp_path}: Is a directory\n"
