"""The report in a terminal, with rich and without."""

import importlib.util
import io

import pytest

from jaxgrad.parity.report.terminal import plain, show
from tests.parity.report.samples import diverged, equal


def test_without_rich_the_same_is_said_and_what_is_missing(monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None)
    diverged().print()
    text = capsys.readouterr().out
    assert plain(diverged()) in text and "pip install 'jaxgrad[report]'" in text


def test_with_rich():
    console = pytest.importorskip("rich.console").Console(file=io.StringIO(), width=100)
    show(diverged(), console)
    text = console.file.getvalue()
    for part in (
        "eps is inside the root",
        "9-11",
        "exp_avg_sq['fc1.weight']",
        "and 71 more",
        "port.py:88",
        "parity_case()",
    ):
        assert part in text
    assert max(map(len, text.splitlines())) <= 100


def test_the_letters_of_the_grid():
    lines = plain(diverged()).splitlines()
    (head,) = [line for line in lines if line.lstrip().startswith("steps")]
    (row,) = [line for line in lines if line.lstrip().startswith("8 ")]
    assert head.split()[1:] == ["inputs", "forward", "loss", "grads", "clipped", "lr", "optimizer", "params"]
    assert row.split()[1:] == ["=", "·", "·", "·", "·", "=", "✗", "✗"]
    assert "✓" in plain(equal()) and "to see it again" not in plain(equal())


def test_markup_of_a_user_is_text():
    from dataclasses import replace

    console = pytest.importorskip("rich.console").Console(file=io.StringIO(), width=100)
    report = diverged()
    show(replace(report, first=replace(report.first, module="[bold]x[/nothing]")), console)
    assert "[bold]x[/nothing]" in console.file.getvalue()
