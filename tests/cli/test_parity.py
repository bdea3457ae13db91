"""``jaxgrad parity`` on files of users: what is run, what is said, the exit status, a file's own errors."""

import importlib.util
import json

import pytest

from jaxgrad.cli import _case
from jaxgrad.cli.failure import CannotRun
from jaxgrad.cli.main import main
from jaxgrad.parity.report import Report

pytest.importorskip("torch", reason="the reference is not installed")

PORT = """
import jax.numpy as jnp
import numpy as np
import torch

from jaxgrad import optim, parity, train
from jaxgrad.nn import functional as F


def sides(lr):
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    reference = parity.from_torch(model, torch.nn.functional.mse_loss, torch.optim.SGD(model.parameters(), lr=0.1))
    params = {name: jnp.asarray(value.detach().numpy().copy()) for name, value in model.named_parameters()}

    def loss_fn(params, x, y):
        return F.mse_loss(F.linear(x, params["weight"], params["bias"]), y)

    tx = optim.SGD(lr)
    candidate = parity.from_jax(train.make_train_step(loss_fn, tx), train.init_state(params, tx))
    rng = np.random.default_rng(0)
    draw = lambda *shape: rng.normal(size=shape).astype(np.float32)
    return reference, candidate, [(draw(4, 3), draw(4, 2)) for _ in range(3)]


def parity_case():
    return sides(0.1)


def wrong():
    reference, candidate, batches = sides(0.1001)
    return {"reference": reference, "candidate": candidate, "batches": iter(batches), "float64": True}


def tanh():
    from jaxgrad import func, nn, random

    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.GELU(), torch.nn.Linear(2, 2))
    reference = parity.from_torch(model, torch.nn.functional.mse_loss, torch.optim.SGD(model.parameters(), lr=0.1))
    rngs = nn.Rngs(random.manual_seed(0))
    ours = nn.Sequential(nn.Linear(3, 2, rngs=rngs), nn.GELU(approximate="tanh"), nn.Linear(2, 2, rngs=rngs))
    params, tx = func.extract(ours)[0], optim.SGD(0.1)
    step = train.make_train_step(train.supervised(ours, F.mse_loss), tx)
    return reference, parity.from_jax(step, train.init_state(params, tx)), sides(0.1)[2]


def raises():
    return 1 / 0


def nothing():
    pass
"""

RAISES = PORT.splitlines().index("    return 1 / 0") + 1


@pytest.fixture
def port(tmp_path):
    (tmp_path / "port.py").write_text(PORT)
    return str(tmp_path / "port.py")


def test_equal(port, capsys):
    assert main(["parity", port, "--quiet", "--steps", "2"]) == 0
    assert capsys.readouterr().out.startswith("Equal through all 2 steps")


def test_diverged_with_everything_written(port, tmp_path, capsys):
    html, data = tmp_path / "r.html", tmp_path / "r.json"
    assert main(["parity", f"{port}:wrong", "--html", str(html), "--json", str(data)]) == 1
    printed = capsys.readouterr().out
    report = Report.from_json(data.read_text())
    assert not report.ok and (report.first.step, report.first.phase) == (0, "lr")
    assert "lr" in printed and "from port import wrong" in report.reproduction
    assert len(report.reproduction.splitlines()) == 5
    assert "Equal" not in report.sentence.split(";")[0] and "<!doctype html>" in html.read_text()


def test_the_first_wrong_module_by_bisection(port, capsys):
    assert main(["parity", f"{port}:tanh", "--bisect", "--quiet"]) == 1
    assert "`forward['1']`" in capsys.readouterr().out


def test_json_on_standard_output_is_json_alone(port, capsys):
    assert main(["parity", port, "--json", "-", "--steps", "1", "--mode", "single", "--no-float64"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] and found["mode"] == "single"


def test_the_bound_is_the_users(port, capsys):
    assert main(["parity", port, "--steps", "3", "--quiet", "--bound", "0.0000001"]) == 1
    assert "differs" in capsys.readouterr().out


@pytest.mark.parametrize("address, words", [
    ("{}:raises", f"ZeroDivisionError: division by zero\n  at:       {{}}:{RAISES} in raises: return 1 / 0"),
    ("{}:nothing", "returned None"),
    ("{}:sides", "needs arguments: lr"),
    ("{}:absent", "has no function absent\n  there are: sides, parity_case, wrong, tanh, raises, nothing"),
    ("{}.none", "is no Python file"),
    ("no/such/file.py:f", "no/such/file.py: No such file"),
])  # fmt: skip
def test_what_cannot_run(address, words, port, capsys):
    assert main(["parity", address.format(port)]) == 2
    printed = capsys.readouterr()
    assert words.format(port) in printed.err and "Traceback" not in printed.err and printed.out == ""


def test_the_traceback_is_there_for_who_asks(port, capsys):
    assert main(["--traceback", "parity", f"{port}:raises"]) == 2
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_a_report_that_cannot_be_written_is_said_before_anything_is_run(tmp_path, monkeypatch, capsys):
    for option in ("--json", "--html"):
        assert main(["parity", "not looked at.py", option, str(tmp_path / "none" / "r")]) == 2
        assert "there is no folder" in capsys.readouterr().err
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None)
    assert main(["parity", "not looked at.py", "--html", "r.html"]) == 2
    assert "pip install 'jaxgrad[report]'" in capsys.readouterr().err


def test_what_goes_wrong_when_it_is_written(port, tmp_path, capsys):
    assert main(["parity", port, "--steps", "1", "--quiet", "--json", str(tmp_path)]) == 2
    printed = capsys.readouterr()
    assert "is a directory" in printed.err and printed.out.startswith("Equal in the only step")


@pytest.mark.parametrize(
    "arguments", [["--steps", "0"], ["--steps", "x"], ["--bound", "-1"], ["--bound", "nan"], ["--mode", "x"]]
)
def test_options_are_checked(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["parity", "port.py", *arguments])
    assert stopped.value.code == 2 and arguments[0] in capsys.readouterr().err


def test_the_only_function_is_the_case(tmp_path):
    (tmp_path / "one.py").write_text(
        "from math import sqrt\nfrom textwrap import dedent\ndef mine(x=1): return x, 2, 3\n"
    )
    case = _case.load(str(tmp_path / "one.py"))
    assert case.function == "mine" and case.parts() == {"reference": 1, "candidate": 2, "batches": 3}
    (tmp_path / "two.py").write_text("def a(): pass\ndef b(): pass\n")
    with pytest.raises(CannotRun, match=r"several functions without arguments: a, b"):
        _case.load(str(tmp_path / "two.py"))
    (tmp_path / "none.py").write_text("x = 1\n")
    with pytest.raises(CannotRun, match="no function without arguments"):
        _case.load(str(tmp_path / "none.py"))


def test_siblings_are_found_and_dataclasses_work(tmp_path):
    (tmp_path / "sibling_of_case.py").write_text("value = 7\n")
    text = "from __future__ import annotations\nfrom dataclasses import dataclass\nfrom sibling_of_case import value\n"
    (tmp_path / "with_sibling.py").write_text(
        text + "@dataclass\nclass A:\n    x: int\ndef f(): return value, A(1), []\n"
    )
    assert _case.load(str(tmp_path / "with_sibling.py")).returned[0] == 7
