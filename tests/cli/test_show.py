"""``jaxgrad show``: names as people write them, what is not here, both directions."""

import json

import pytest

import jaxgrad
from jaxgrad.cli._addresses import described, find, suggestions
from jaxgrad.cli.main import main


@pytest.mark.parametrize("written, here", [
    ("torch.optim.AdamW", "jaxgrad.optim.AdamW"),
    ("optim.AdamW", "jaxgrad.optim.AdamW"),
    ("AdamW", "jaxgrad.optim.AdamW"),
    ("jaxgrad.optim.AdamW", "jaxgrad.optim.AdamW"),
    ("F.gelu", "jaxgrad.nn.functional.gelu"),
    ("gelu", "jaxgrad.nn.functional.gelu"),
    ("torch.nn.modules.linear.Linear", "jaxgrad.nn.modules.linear.Linear"),
    ("torch.nn.modules.Linear", "jaxgrad.nn.modules.Linear"),
    ("clip_grad_norm_", "jaxgrad.nn.utils.clip_grad_norm"),
    ("torch.nn.init.kaiming_uniform_", "jaxgrad.nn.init.kaiming_uniform"),
    ("torch.Tensor.clamp_", "jaxgrad.clamp"),
    ("torch.Tensor.backward", "jaxgrad.autograd.backward"),
    ("torch.nn.utils.rnn.pack_sequence", "jaxgrad.nn.utils.rnn.pack_sequence"),
    ("torch.utils.data.DataLoader", "jaxgrad.utils.data.DataLoader"),
    ("torch.optim", "jaxgrad.optim"),
    ("torch.fft.fft", None),
    ("torch._C", None),
    ("torch.version", None),
    ("", None),
    ("torch.", None),
    ("no.such", None),
])  # fmt: skip
def test_where_a_name_is(written, here):
    found = find(written)
    assert (found and found.here) == here
    assert found is None or found.value is not None


def test_everything_at_the_top_level_is_found():
    for name in jaxgrad.__all__:
        assert find(f"torch.{name}"), name


def test_suggestions():
    assert "torch.optim.AdamW" in suggestions("adamv")
    assert "torch.nn.BatchNorm2d" in suggestions("torch.nn.Batchnorm2D")


def test_arguments_without_types():
    def fn(a: int, *, b: str = "x") -> None: ...

    assert described(fn) == "(a, *, b='x')" and described(3) == ""


def test_the_command(capsys):
    assert main(["show", "torch.optim.AdamW", "F.gelu"]) == 0
    text = capsys.readouterr().out
    for part in ("jaxgrad.optim.AdamW(lr=0.001", "optax.adamw", "4 % of the distance", "4.7e-4", "approximate=False"):
        assert part in text
    assert max(map(len, text.splitlines())) <= 100
    assert main(["show", "torch.fft.fft"]) == 1
    assert "not here" in capsys.readouterr().out


def test_from_the_other_side_and_json(capsys):
    assert main(["show", "--json", "optax.rmsprop", "jnp.std"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["torch"] for row in rows] == ["torch.optim.RMSprop", "torch.std"]
    assert {each["code"] for each in rows[0]["differences"]} == {"rmsprop-decay", "rmsprop-eps", "rmsprop-momentum-lr"}


def test_what_nobody_else_has_and_what_is_the_same(capsys):
    main(["show", "torch.optim.ASGD", "torch.optim.SGD", "nn.LSTM", "nn.BatchNorm1d"])
    text = capsys.readouterr().out
    assert "neither optax nor JAX nor flax has it" in text and "the same numbers" in text
    assert "one bias" in text and "0.99 of the old statistics" in text


def test_tensor_functions_are_here_for_their_special_points(capsys):
    main(["show", "torch.maximum", "torch.gather"])
    text = capsys.readouterr().out
    assert "docs/derivatives.md" in text and "out of range" in text


def test_all(capsys):
    main(["show", "--all"])
    assert capsys.readouterr().out.count("size: ") > 50
