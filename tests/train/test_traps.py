"""What a porter writes first, and what is said: the sentence names the way out."""

import jax.numpy as jnp
import pytest

from jaxgrad import amp, func, nn, optim, random, train
from jaxgrad.nn import functional as F

GENERATOR = random.manual_seed(0)
MODEL = nn.Linear(4, 2, rngs=nn.Rngs(GENERATOR))
PARAMS, _ = func.extract(MODEL)
LOSS = train.supervised(MODEL, F.mse_loss)
FACTORIES = [name for name in optim.__all__ if name[0].isupper() and hasattr(getattr(optim, name), "__wrapped__")]


def test_all_optimizers_are_asked():
    assert len(FACTORIES) == 15


@pytest.mark.parametrize("name", FACTORIES)
def test_parameters_come_later(name):
    factory = getattr(optim, name)
    for call in (
        lambda: factory(PARAMS),
        lambda: factory(MODEL.parameters(), lr=0.1),
        lambda: factory(MODEL.parameters(), 0.1),
        lambda: factory([{"params": PARAMS}], lr=0.1),
    ):
        with pytest.raises(TypeError, match=rf"{name}\(\): argument 'lr' must be float(.|\n)*tx\.init\(params\)"):
            call()


TRAPS = {
    "a schedule for an lr": (lambda: optim.Adam(lr=optim.lr_scheduler.StepLR(0.1, 3)), "give a schedule to the step"),
    "an optimizer for an lr": (lambda: optim.lr_scheduler.StepLR(optim.Adam(), 3), "where torch has the optimizer"),
    "a generator for rngs": (lambda: nn.Linear(4, 2, rngs=GENERATOR), r"rngs = nn\.Rngs\(generator\)"),
    "a shape for a generator": (lambda: random.randn(32, 10), r"generator = random\.manual_seed\(seed\)"),
    "a model for a loss": (lambda: train.make_train_step(MODEL, optim.SGD()), r"train\.supervised\(model"),
    "parameters for an optimizer": (lambda: train.make_train_step(LOSS, PARAMS), "the parameters are init_state's"),
    "a model for parameters": (lambda: train.init_state(MODEL, optim.SGD()), r"func\.extract\(model\)"),
    "a word for autocast": (lambda: train.make_train_step(LOSS, optim.SGD(), autocast="cpu"), r"amp\.autocast"),
    "with autocast": (lambda: amp.autocast("cpu").__enter__(), r"make_train_step\(\.\.\., autocast="),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_the_way_out_is_named(trap):
    call, words = TRAPS[trap]
    with pytest.raises(TypeError, match=words):
        call()


def test_a_state_that_a_step_has_taken_says_which_step(capfd):
    tx, batch = optim.SGD(0.1), (jnp.ones((3, 4)), jnp.ones((3, 2)))
    step, evaluate = train.make_train_step(LOSS, tx), train.make_eval_step(LOSS)
    state = train.init_state(PARAMS, tx)
    step(state, batch)
    for again in (step, evaluate):
        with pytest.raises(
            RuntimeError, match=r"the train step of loss_fn has taken over its memory(.|\n)*donate=False"
        ):
            again(state, batch)
    assert "Execute" not in capfd.readouterr().err  # the runtime is not asked, which would complain by itself
    kept, state = train.make_train_step(LOSS, tx, donate=False), train.init_state(PARAMS, tx)
    assert kept(state, batch)[1]["loss"] == kept(state, batch)[1]["loss"] == evaluate(state, batch)["loss"]


def test_a_frozen_name_that_there_is_not():
    step = train.make_train_step(LOSS, optim.SGD(), frozen="head.*")
    with pytest.raises(KeyError, match=r'no parameter matches "head\.\*"'):
        step(train.init_state(PARAMS, optim.SGD()), (jnp.ones((3, 4)), jnp.ones((3, 2))))
