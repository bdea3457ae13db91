"""The command line itself: it starts without JAX and torch, helps with examples, and never shows a traceback."""

import json
import subprocess
import sys

import pytest

from jaxgrad.cli.main import COMMANDS, main


def test_it_starts_without_jax_torch_and_rich():
    code = (
        "import sys; from jaxgrad.cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "main(['lint', sys.argv[1]])\n"
        "print([name for name in ('jax', 'torch', 'rich', 'numpy', 'optax') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, __file__], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples(name, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([name, "--help"])
    text = capsys.readouterr().out
    assert stopped.value.code == 0 and f"  jaxgrad {name}" in text and "`" not in text.split("examples:")[0]


@pytest.mark.parametrize(
    "arguments", [[], ["nothing"], ["lint"], ["show", "--no"], ["parity"], ["diff", "one"], ["record", "a.py"]]
)
def test_a_wrong_call_is_2_and_says_where_help_is(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    printed = capsys.readouterr()
    assert stopped.value.code == 2 and "--help" in printed.err and "usage: jaxgrad" in printed.err


def test_info(capsys):
    assert main(["info"]) == 0
    assert "jaxlib" in capsys.readouterr().out
    assert main(["info", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["versions"]["jaxgrad"] and found["backend"] == "cpu" and len(found["devices"]) == 2


def test_info_says_what_is_missing(monkeypatch, capsys):
    import importlib.util

    there = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "torch" else there(name, *more)
    )
    assert main(["info"]) == 0
    assert "pip install 'jaxgrad[torch]'" in capsys.readouterr().out
