"""The linter: each trap is found at its line and nothing else is; scripts that are right stay without one."""

import ast
import json
from pathlib import Path

import pytest

from jaxgrad.cli._differences import DIFFERENCES
from jaxgrad.cli._lint import lint
from jaxgrad.cli._lint.lint import RULES
from jaxgrad.cli.main import main
from tests.cli.scripts import JAX, NOTES, RIGHT, TRAPS


@pytest.mark.parametrize("code", TRAPS)
def test_a_trap_is_found_and_no_other(code):
    for script in TRAPS[code]:
        assert {each.code for each in lint(script) if each.trap} == {code}, script


@pytest.mark.parametrize("code", NOTES)
def test_a_note_is_found_and_no_trap(code):
    found = lint(NOTES[code])
    assert code in {each.code for each in found} and not [each for each in found if each.trap]


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_has_no_trap(name):
    ast.parse(RIGHT[name])
    assert [each for each in lint(RIGHT[name]) if each.trap] == []


def test_every_rule_has_a_script():
    codes = {each.code for each in RULES} | {each.code for each in DIFFERENCES if each.when is not None}
    assert codes == TRAPS.keys() | NOTES.keys()
    assert len(codes) > 50


def test_the_line_is_that_of_the_call():
    (found,) = [
        each for each in lint(JAX + "\n\ntx = optax.chain(\n  optax.clip(1.0),\n  optax.adagrad(0.1),\n)") if each.trap
    ]
    assert found.line == JAX.count("\n") + 5


def test_the_experiments_of_this_repository_are_clean():
    """They are checked against torch by running; what the linter says of their text must not contradict that."""
    for path in sorted((Path(__file__).parents[2] / "experiments").glob("*.py")):
        traps = {each.code for each in lint(path.read_text()) if each.trap}
        if path.name == "optimizer_drift.py":  # whose subject is how far optax's defaults lead away
            assert {"adamw-decay", "rmsprop-eps", "adagrad"} <= traps
        else:
            assert traps == set(), path.name


def test_every_finding_says_what_how_much_and_what_instead():
    for each in (*RULES, *DIFFERENCES):
        assert each.says and each.effect and each.fix and not each.says.endswith(".")


def test_the_command(tmp_path, capsys):
    (tmp_path / "bad.py").write_text(TRAPS["adamw-decay"][0] + "\ny = jax.nn.gelu(x)\nz = jax.nn.gelu(y)\n")
    (tmp_path / "good.py").write_text("x = 1\n")
    assert main(["lint", str(tmp_path / "good.py")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'good.py'}: no trap found\n"
    assert main(["lint", str(tmp_path / "bad.py")]) == 1
    text = capsys.readouterr().out
    assert "bad.py:5 (and 6): trap gelu-tanh" in text and "4.7e-4" in text and "2 traps, 1 note" in text
    assert main(["lint", "--json", "--traps-only", str(tmp_path / "bad.py")]) == 1
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["code"], row["line"]) for row in rows] == [("adamw-decay", 4), ("gelu-tanh", 5), ("gelu-tanh", 6)]


def test_what_a_port_has_to_look_out_for(tmp_path, capsys):
    (tmp_path / "t.py").write_text(
        "import torch\nfrom torch import nn\nopt = torch.optim.RMSprop(p)\nm = f(nn.GELU(), nn.BatchNorm1d(3))\n"
    )
    assert main(["lint", str(tmp_path / "t.py")]) == 0 and "no trap" in capsys.readouterr().out
    assert main(["lint", "--port", "--json", str(tmp_path / "t.py")]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    found = {(row["line"], row["code"]) for row in rows}
    assert {(3, "rmsprop-eps"), (4, "gelu-tanh"), (4, "batchnorm-momentum")} <= found
    assert not any(row["trap"] for row in rows)


def test_a_folder(tmp_path, capsys):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "a.py").write_text("x = 1\n")
    (tmp_path / "b.py").write_text(TRAPS["nadam"][0])
    assert main(["lint", str(tmp_path)]) == 1
    assert "a.py: no trap found" in (text := capsys.readouterr().out) and "b.py: 1 trap, 1 note" in text


def test_notes_alone_are_no_failure(tmp_path):
    (tmp_path / "a.py").write_text(NOTES["clip-eps"])
    assert main(["lint", str(tmp_path / "a.py")]) == 0


@pytest.mark.parametrize(
    "content, words", [(b"def f(:\n", "invalid syntax"), (b"\xff\xfe\x00", "codec"), (None, "No such file")]
)
def test_what_cannot_be_read(content, words, tmp_path, capsys):
    path = tmp_path / "a.py"
    if content is not None:
        path.write_bytes(content)
    assert main(["lint", str(path)]) == 2
    printed = capsys.readouterr()
    assert words in printed.err and "Traceback" not in printed.err and "a.py" in printed.err
