"""Mode "module": each module takes what the reference's modules returned, so that each wrong one is wrong by itself."""

import secrets

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad import func, nn, optim, parity, train
from jaxgrad._core.tap import watching
from jaxgrad.nn import functional as F
from jaxgrad.parity.catalog.models import jaxgrad_library, torch_library
from tests.parity.faults.models import MODELS

torch = pytest.importorskip("torch", reason="the reference is not installed")
F_torch = torch.nn.functional


def pair(small, seed, build=None, accumulate=1):
    """The model trained by torch, and by a step of ours that may be built otherwise."""
    torch.manual_seed(seed)
    theirs = small.build(torch_library())
    trained = getattr(torch.optim, small.optimizer)(theirs.parameters(), **small.options)
    library = jaxgrad_library(seed)
    model = (build or small.build)(library)
    params, buffers = func.extract(model)
    tx = getattr(optim, small.optimizer)(**small.options)
    step = train.make_train_step(train.supervised(model, small.criterion(F)), tx, accumulate=accumulate)
    state = train.init_state(params, tx, buffers=buffers, generator=library.rngs["rngs"].generator)
    reference = parity.from_torch(theirs, small.criterion(torch.nn.functional), trained, accumulate=accumulate)
    return reference, parity.from_jax(step, state)


def wrong_in(report, step=0):
    """The modules whose output differs."""
    return {d.tensor for d in report.distances if d.phase == "forward" and d.step == step and not d.ok}


@pytest.mark.parametrize("name", MODELS)
def test_a_right_pair_is_right(name):
    seed = secrets.randbelow(2**31)
    report = parity.compare(*pair(MODELS[name], seed), MODELS[name].batches(seed), "module")
    assert report.ok and report.steps == 4 and report.mode == "module", (seed, report.sentence)


def test_right_with_micro_batches():
    small = MODELS["mlp"]
    batches = small.batches(1)
    pairs = [tuple(np.stack(each) for each in zip(*batches[i : i + 2], strict=True)) for i in (0, 2)]
    assert parity.compare(*pair(small, 1, accumulate=2), pairs, "module").ok


def test_two_wrong_modules_are_told_from_those_behind_them():
    small = MODELS["mlp"]

    def build(lib):
        model = small.build(lib)
        model[1], model[5] = nn.GELU(approximate="tanh"), nn.LeakyReLU(0.02)
        return model

    assert wrong_in(parity.compare(*pair(small, 0, build), small.batches(), "module")) == {"1", "5"}
    single = wrong_in(parity.compare(*pair(small, 0, build), small.batches(), "single"))
    assert {"1", "2", "4", "5", "6", "model"} <= single


def test_a_module_that_is_right_may_stand_behind_one_that_returns_no_number():
    small = MODELS["mlp"]

    class Broken(nn.Module):
        def forward(self, x):
            return F.gelu(x).at[0].set(jnp.nan)

    def build(lib):
        model = small.build(lib)
        model[1] = Broken()
        return model

    report = parity.compare(*pair(small, 0, build), small.batches()[:1], "module")
    assert wrong_in(report) == {"1"} and report.first.kind == "nonfinite"


def test_what_goes_on_is_what_was_given_and_the_derivative_stays():
    layers = nn.Sequential(nn.Tanh(), nn.Identity())
    given = jnp.float32([0.25, -3.0, jnp.pi])

    def out(x):
        with watching(instead={"0": given}) as tap:
            return func.functional_call(layers, {}, x), tap.outputs["0"]

    x = jnp.float32([0.1, -0.7, 5.0])
    (value, own), back = jax.vjp(out, x)
    assert value.tolist() == given.tolist() and own.tolist() == jnp.tanh(x).tolist()
    (grad,) = back((jnp.ones(3), jnp.zeros(3)))
    assert grad.tolist() == jax.grad(lambda x: func.functional_call(layers, {}, x).sum())(x).tolist()


def test_the_lines_of_both_sides_stand_side_by_side():
    class Theirs(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.act = torch.nn.Linear(3, 4), torch.nn.GELU()

        def forward(self, x):
            return self.act(self.fc(x))  # theirs

    class Ours(nn.Module):
        def __init__(self, rngs):
            self.fc, self.act = nn.Linear(3, 4, rngs=rngs), nn.GELU(approximate="tanh")

        def forward(self, x):
            return self.act(self.fc(x))  # ours

    torch.manual_seed(0)
    theirs, ours = Theirs(), Ours(nn.Rngs(jaxgrad_library(0).rngs["rngs"].generator))
    reference = parity.from_torch(theirs, F_torch.mse_loss, torch.optim.SGD(theirs.parameters(), lr=0.1))
    tx, (params, _) = optim.SGD(0.1), func.extract(ours)
    step = train.make_train_step(train.supervised(ours, F.mse_loss), tx)
    candidate = parity.from_jax(step, train.init_state(params, tx))
    first = parity.compare(reference, candidate, [(np.ones((2, 3)), np.zeros((2, 4)))]).first
    assert (first.phase, first.tensor) == ("forward", "act")
    sources = first.reference_source, first.candidate_source
    assert [each.split(" ", 1)[1] for each in sources] == [
        "return self.act(self.fc(x))  # theirs",
        "return self.act(self.fc(x))  # ours",
    ]
    assert all(each.startswith("test_by_module.py:") for each in sources)


def test_a_candidate_without_modules_is_refused():
    function = parity.from_jax(lambda state, x: (state, {"loss": x.sum()}), {"w": jnp.ones(2)})
    with pytest.raises(TypeError, match="modules of this side cannot be reached"):
        parity.compare(pair(MODELS["mlp"], 0)[0], function, [], "module")
    with pytest.raises(ValueError, match="'layer' is not a mode"):
        parity.compare(function, function, [], "layer")


def test_a_loss_that_calls_no_module_is_refused():
    torch.manual_seed(0)
    theirs = torch.nn.Linear(2, 1)
    reference = parity.from_torch(theirs, F_torch.mse_loss, torch.optim.SGD(theirs.parameters(), lr=0.1))
    params, tx = (
        {name: jnp.asarray(value.detach().numpy()) for name, value in theirs.named_parameters()},
        optim.SGD(0.1),
    )

    def loss_fn(params, x, y):
        return F.mse_loss(F.linear(x, params["weight"], params["bias"]), y)

    candidate = parity.from_jax(train.make_train_step(loss_fn, tx), train.init_state(params, tx))
    with pytest.raises(TypeError, match=r"(?s)modules of this side cannot be reached.*whose loss calls modules"):
        parity.compare(reference, candidate, [(np.ones((4, 2)), np.ones((4, 1)))], "module")
