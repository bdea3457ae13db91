"""A traced candidate with a wrong operation: the comparison names it, with its module and line."""

import copy

import jax.numpy as jnp
import pytest

from jaxgrad import optim, parity, random, trace, train
from jaxgrad.trace.table import TABLE

torch = pytest.importorskip("torch", reason="the reference is not installed")

from tests.trace.models import cases  # noqa: E402 -- after the skip


def pair(module, loss_fn, batch):
    """A torch step and the traced one, both with SGD."""
    theirs = copy.deepcopy(module)
    torch.manual_seed(7)
    reference = parity.from_torch(theirs, loss_fn, torch.optim.SGD(theirs.parameters(), 0.05))
    traced = trace.from_torch(module, loss_fn, batch)
    tx = optim.SGD(0.05)
    state = train.init_state(traced.params, tx, buffers=traced.buffers, generator=random.manual_seed(7))
    return reference, parity.from_jax(train.make_train_step(traced.loss_fn, tx), state)


def mlp():
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2)).double()
    batch = torch.randn(5, 3, dtype=torch.float64), torch.randn(5, 2, dtype=torch.float64)
    return module, torch.nn.functional.mse_loss, batch


MODELS = {"mlp": mlp, **{name: (lambda rest=rest: rest) for name, *rest in cases()}}


def planted(monkeypatch, operation):
    """0.1 % too much of one operation."""
    right = TABLE[operation]

    def wrong(*args, **kwargs):
        result = right(*args, **kwargs)
        return [each * 1.001 for each in result[:1]] + list(result[1:]) if isinstance(result, tuple) else result * 1.001

    monkeypatch.setitem(TABLE, operation, wrong)


@pytest.mark.parametrize(
    ("model", "operation", "place"),
    [
        ("mlp", "tanh", "tanh, in 1 (activation.py:"),
        ("mlp", "mm", "mm, in the derivative of "),
        ("convolutional", "gelu", "gelu, in body.2 (models.py:"),
        pytest.param(
            *("convolutional", "avg_pool2d_backward", "avg_pool2d_backward, in the derivative of (models.py:"),
            marks=pytest.mark.exhaustive,
        ),
        pytest.param(
            *("transformer", "native_layer_norm", "native_layer_norm, in norm (models.py:"),
            marks=pytest.mark.exhaustive,
        ),
    ],
)
def test_the_operation_is_named(model, operation, place, monkeypatch, x64):
    module, loss_fn, batch = MODELS[model]()
    planted(monkeypatch, operation)
    report = parity.compare(*pair(module, loss_fn, batch), [batch])
    assert not report.ok
    assert report.first.operation.startswith(place), report.first.operation
    assert report.first.operation in str(report) and report.first.operation in report.to_json()


def test_nothing_is_blamed_for_another_lr_or_in_a_written_step(x64):
    module, loss_fn, batch = mlp()
    reference, candidate = pair(module, loss_fn, batch)
    tx = optim.SGD(0.04)
    traced = trace.from_torch(module, loss_fn, batch)
    step = train.make_train_step(traced.loss_fn, tx)
    report = parity.compare(reference, parity.from_jax(step, train.init_state(traced.params, tx)), [batch] * 2)
    assert not report.ok and report.first.operation is None
    written = train.make_train_step(lambda params, x, y: jnp.mean((x @ params["0.weight"].T).sum() - y) ** 2, tx)
    report = parity.compare(reference, parity.from_jax(written, train.init_state(traced.params, tx)), [batch])
    assert not report.ok and report.first.operation is None
    assert parity.compare(reference, candidate, [batch] * 2).ok


def test_a_judgement_that_fails_does_not_cost_the_report(monkeypatch, x64):
    def fails(*_, **__):
        raise RuntimeError("an operation that torch does not run alone")

    monkeypatch.setattr("jaxgrad.parity.comparison.operation.oracle", fails)
    planted(monkeypatch, "tanh")
    module, loss_fn, batch = mlp()
    report = parity.compare(*pair(module, loss_fn, batch), [batch])
    assert not report.ok and report.first.phase == "forward" and report.first.operation is None
    assert "does not run alone" in report.noise["explaining_failed"]
