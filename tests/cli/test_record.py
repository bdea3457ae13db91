"""``jaxgrad record`` and ``jaxgrad diff``: recorded, compared, judged again; what is no recording is said."""

import json
import shutil

import pytest

from jaxgrad.cli.main import main

PORT = """
import jax.numpy as jnp
import numpy as np

from jaxgrad import parity

BATCHES = [np.full(2, i + 1.0, np.float32) for i in range(4)]


def side(rate):
    def step(state, x):
        return {"w": state["w"] - rate * x}, {"loss": jnp.sum(state["w"] * x), "params": {"w": state["w"] - rate * x}}

    return parity.from_jax(step, {"w": jnp.ones(2)})


def parity_case():
    return side(0.5), side(0.25), BATCHES


def alone():
    return side(0.5), BATCHES


def named():
    return {"side": side(0.25), "batches": iter(BATCHES)}
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "port.py").write_text(PORT)
    for name, arguments in {
        "reference": ["port.py"],
        "again": ["port.py:alone"],
        "candidate": ["port.py", "--side", "candidate"],
        "short": ["port.py:named", "--steps", "2", "--no-float64"],
    }.items():
        case, *options = arguments
        assert main(["record", str(folder / case), *options, "--out", str(folder / name)]) == 0
    return folder


def test_the_same_program_twice(recorded, capsys):
    assert main(["diff", str(recorded / "reference"), str(recorded / "again"), "--quiet"]) == 0
    assert capsys.readouterr().out.startswith("Equal through all 4 steps")


def test_two_programs(recorded, tmp_path, capsys):
    paths = [str(recorded / "reference"), str(recorded / "candidate")]
    assert main(["diff", *paths, "--json", "-"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert not found["ok"] and found["first"]["phase"] == "params" and "step" in found["first"]
    assert f"jaxgrad diff {paths[0]} {paths[1]}" in found["reproduction"]
    assert main(["diff", *paths, "--html", str(tmp_path / "r.html"), "--quiet"]) == 1
    assert "the reference" in (tmp_path / "r.html").read_text(), "there was no torch"


def test_judged_again_by_another_bound(recorded, capsys):
    paths = [str(recorded / "reference"), str(recorded / "candidate")]
    assert main(["diff", *paths, "--bound", "1e30", "--quiet"]) == 0


def test_the_steps_that_both_have(recorded, capsys):
    assert main(["diff", str(recorded / "candidate"), str(recorded / "short"), "--quiet"]) == 0
    assert "2 steps" in capsys.readouterr().out


def test_nothing_is_written_over(recorded, capsys):
    assert main(["record", str(recorded / "port.py"), "--out", str(recorded / "reference")]) == 2
    assert "there is a recording already" in capsys.readouterr().err


def test_what_is_no_recording(recorded, tmp_path, capsys):
    good = str(recorded / "reference")
    assert main(["diff", good, str(tmp_path / "none")]) == 2
    assert "none is no recording: No such directory" in capsys.readouterr().err
    assert main(["diff", str(tmp_path), good]) == 2
    assert "has no header.json" in capsys.readouterr().err
    broken = tmp_path / "broken"
    shutil.copytree(recorded / "again", broken)
    (broken / "header.json").write_text("{")
    assert main(["diff", good, str(broken)]) == 2
    printed = capsys.readouterr().err
    assert "Traceback" not in printed and "broken" in printed


def test_a_crash_leaves_what_was_recorded(recorded, tmp_path, capsys):
    text = (
        PORT + "\n\ndef crashes():\n    def batches():\n        yield from BATCHES[:2]\n        raise OSError('disk')\n"
    )
    (tmp_path / "crash.py").write_text(text + "    return side(0.5), batches()\n")
    assert main(["record", str(tmp_path / "crash.py:crashes"), "--out", str(tmp_path / "rec")]) == 2
    assert "disk" in capsys.readouterr().err
    assert main(["diff", str(recorded / "reference"), str(tmp_path / "rec"), "--quiet"]) == 0
    assert "2 steps" in capsys.readouterr().out
