"""The command line: what it lists, runs, writes, suggests, and with which status it ends."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from experiments import __main__ as command
from experiments.common import discover, run
from experiments.common.experiment import Settings
from jaxgrad.parity import Exact

NAMES = list(discover.all_experiments())


@pytest.mark.parametrize("name", NAMES)
def test_quick_form_beside_torch(name, tmp_path):
    pytest.importorskip("torch", reason="the reference is not installed")
    experiment = discover.all_experiments()[name]
    results = run.run(experiment, Settings(quick=True))
    bad = [f"{row.name}: {row.verdict.words}" for row in results.rows if row.verdict and not row.verdict.ok]
    assert not bad
    assert any(row.verdict is not None for row in results.rows)
    run.write(results, tmp_path)
    record = json.loads((tmp_path / f"{name}.json").read_text())
    assert record["agreement"] and ("answer" in record) and "{" not in record["answer"]
    assert record["ok"] and record["experiment"] == name and len(record["rows"]) == len(results.rows)
    assert (tmp_path / f"{name}.svg").stat().st_size > 5000 and (tmp_path / f"{name}.png").exists()
    assert not list(tmp_path.glob(".*"))


def run_without_torch(*arguments):
    """The command in an interpreter in which torch cannot be imported."""
    code = (
        "import sys; sys.modules['torch'] = None; from experiments.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)


def test_jax_side_needs_no_torch(tmp_path):
    done = run_without_torch("run", "-v", "zero_grad", "fashion_mnist_buffers", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "1.1118" in done.stdout and "1.1516" in done.stdout and "index.html" in done.stdout
    assert "torch is not installed" in done.stdout
    page = (tmp_path / "index.html").read_text()
    assert "zero_grad.svg" in page and "fashion_mnist_buffers.svg" in page


def test_list_names_every_experiment(capsys):
    assert command.main(["list"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in NAMES)


def test_unknown_name_gets_a_suggestion(capsys):
    assert command.main(["run", "zero_gard"]) == 2
    assert "Did you mean zero_grad" in capsys.readouterr().err


def test_missing_data_directory_is_one_sentence(capsys, tmp_path):
    assert command.main(["run", "fashion_mnist_buffers", "--data", str(tmp_path / "nowhere")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_directory_without_data_names_the_ways_to_get_it(capsys, tmp_path):
    (tmp_path / "empty").mkdir()
    arguments = [
        "run",
        "fashion_mnist_buffers",
        "--no-torch",
        "--data",
        str(tmp_path / "empty"),
        "--out",
        str(tmp_path),
    ]
    assert command.main(arguments) == 2
    assert "dataset-fashion-mnist" in capsys.readouterr().out


def test_distance_out_of_bounds_is_status_1(monkeypatch, capsys, tmp_path):
    """A planted error of a thousandth on our side."""
    pytest.importorskip("torch", reason="the reference is not installed")
    real = discover.all_experiments()["zero_grad"]

    def wrong(settings):
        record = real.ours(settings)
        return {**record, "grad 1": np.asarray(record["grad 1"]) * np.float32(1.001)}

    monkeypatch.setattr(command, "select", lambda names: [replace(real, ours=wrong)])
    assert command.main(["run", "zero_grad", "--out", str(tmp_path)]) == 1
    assert "Out of bounds: zero_grad" in capsys.readouterr().out


def test_another_seed_gives_other_numbers_and_the_same_distance():
    pytest.importorskip("torch", reason="the reference is not installed")
    experiment = discover.all_experiments()["zero_grad"]
    results = run.run(experiment, Settings(), seed=7)
    assert results.ok and abs(float(results.ours["loss 1"]) - 1.1118) > 1e-3


def test_a_side_without_a_result_is_shown_and_not_judged():
    experiment = replace(
        discover.all_experiments()["zero_grad"],
        ours=lambda settings: {"both": 1.0, "only ours": 2.0},
        reference=lambda settings, dtype: {"both": 1.0, "only theirs": 3.0},
        claims={"*": Exact()},
    )
    rows = {row.name: row for row in run.run(experiment, Settings()).rows}
    assert rows["both"].verdict.ok and rows["only ours"].verdict is None and rows["only theirs"].ours is None


def test_failed_write_leaves_nothing(tmp_path):
    from experiments.common.files import write_whole

    def fail(path):
        path.write_text("half")
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError):
        write_whole(tmp_path / "record.json", fail)
    assert list(tmp_path.iterdir()) == []


def of_numbers(name, **values):
    """The experiment ``zero_grad`` under another name, with these results on both sides."""
    record = {key.replace("_", " "): value for key, value in values.items()}
    real = discover.all_experiments()["zero_grad"]
    both = {"ours": lambda settings: record, "reference": lambda settings, dtype: record}
    return replace(real, name=name, claims={"*": Exact()}, answer="It is {one}.", figure=lambda *_: None, **both)


def test_one_line_a_verdict_and_the_tables_if_asked_for(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(command, "select", lambda names: [of_numbers("first", one=1.5), of_numbers("second", one=2.5)])
    monkeypatch.setattr(command, "torch_is_installed", lambda: True)
    assert command.main(["run", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "✓ first (0 s): The one result agrees with torch: 1 bit for bit." in printed
    assert len(printed.splitlines()) == 5 and "distance" not in printed and "It is" not in printed
    assert command.main(["run", "-v", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "distance" in printed and "It is 1.5." in printed


def test_the_page_is_there_after_each_experiment(monkeypatch, tmp_path):
    seen = []

    def spied(settings):
        seen.append((tmp_path / "index.html").read_text())
        return {"one": 1.0}

    chosen = [of_numbers("first", one=1.0), replace(of_numbers("second", one=1.0), ours=spied)]
    monkeypatch.setattr(command, "select", lambda names: chosen)
    monkeypatch.setattr(command, "torch_is_installed", lambda: True)
    assert command.main(["run", "--out", str(tmp_path)]) == 0
    assert 'id="first"' in seen[0] and "1 to come" in seen[0] and 'http-equiv="refresh"' in seen[0]
    page = (tmp_path / "index.html").read_text()
    assert 'id="second"' in page and "to come" not in page and "refresh" not in page
    assert "data:image/svg+xml;base64," in page and page.count("<details>") == 2


def test_the_short_ones_run_first_and_drift_is_first_on_the_page(tmp_path):
    from experiments.common import page

    times = [each.seconds for each in discover.select([])]
    assert times == sorted(times) and len(set(times)) > 3
    for name, number in (("zero_grad", 1), ("optimizer_drift", 18)):
        run.write(run.run(replace(of_numbers(name, one=1.0), number=number), Settings()), tmp_path)
    text = page.write(tmp_path).read_text()
    assert text.index('id="optimizer_drift"') < text.index('id="zero_grad"')
    assert (tmp_path / text.split('<a href="')[-1].split('"')[0]).resolve().name == "zero_grad.py"


def test_a_result_out_of_bounds_is_named():
    from experiments.common.answer import agreement

    wrong = replace(of_numbers("wrong", one=1.0, two=2.0), ours=lambda settings: {"one": 1.0, "two": 2.1})
    assert agreement(run.run(wrong, Settings())) == "1 of 2 results are out of bounds: two."
    assert agreement(run.run(wrong, Settings(), with_torch=False)) == "The JAX side alone, without torch."


def test_data_that_stand_in_are_named():
    """Without FashionMNIST the training runs use scikit-learn's digits; the line of verdict says so."""
    from experiments.common import datasets, terminal

    digits = of_numbers("first", one=1.0, data=datasets.load("digits", "train").source)
    assert "since FashionMNIST is not here" in terminal.verdict(run.run(digits, Settings()))
    assert "FashionMNIST" not in terminal.verdict(run.run(of_numbers("first", one=1.0), Settings()))
