"""Three thousand malformed calls of constructors, losses and draws: what fails speaks to the caller.

A seeded sample every day, everything with everything in ``make test-all``.
"""

import random as python_random
import warnings

import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxgrad import autograd, func, nn, optim, random, train
from jaxgrad.nn import functional as F
from jaxgrad.optim import lr_scheduler
from tests.support.sentences import complaint
from tests.support.wrong_calls import ANYTHING, COUNTS, calls, given


def complaints(tried):
    said = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for address, fn, name, usual, odd in tried:
            words = complaint(fn, **{**given(usual), name: odd})
            said += [f"{address}({name}={odd!r}): {words}"] if words else []
    return said


def has_a_meaning(fn, name, odd):
    """None is an argument left out, and as many modules are made as COUNTS say."""
    return (odd is None and fn is lr_scheduler.SequentialLR) or (name in COUNTS and isinstance(odd, int) and odd > 99)


def everything():
    for address, fn, names, usual in calls():
        for name in names:
            for odd in ANYTHING:
                if not has_a_meaning(fn, name, odd):
                    yield address, fn, name, usual, odd


def test_every_usual_call_works():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _, fn, _, usual in calls():
            fn(**given(usual))


def test_a_sample_of_malformed_calls():
    sample = python_random.Random(20261126).sample(list(everything()), 1500)
    said = complaints(sample)
    assert not said, "\n".join(said)


@pytest.mark.exhaustive
def test_every_malformed_call():
    said = complaints(everything())
    assert not said, "\n".join(said)


def test_a_sentence_of_pythons_is_found():
    """The test can fail."""
    assert complaints([("f", lambda x: x + 1, "x", {}, "a")])


GENERATOR = random.manual_seed(0)
MODEL = nn.Linear(2, 3, rngs=nn.Rngs(GENERATOR))
PARAMS, _ = func.extract(MODEL)
TX = optim.Adam()
TENSORS = {name: torch.tensor(np.asarray(value)) for name, value in PARAMS.items()}
X, Y = jnp.ones((4, 2)), jnp.ones((4, 3))


def step(state, batch):
    return train.make_train_step(train.supervised(MODEL, F.mse_loss), TX)(state, batch)


FIRST_LINES = {
    "parameters first": (
        lambda: optim.Adam(PARAMS, lr=0.1),
        "argument 'lr' must be float, not dict",
        "tx.init(",
    ),
    "parameters alone": (lambda: optim.SGD(PARAMS.values()), "argument 'lr' must be float", "tx.init("),
    "parameters by name": (lambda: optim.SGD(params=PARAMS, lr=1), "argument 'lr' must be float", "tx.init("),
    "a model first": (lambda: optim.AdamW(MODEL), "argument 'lr' must be float, not Linear", "tx.init("),
    "no rngs": (lambda: nn.Linear(2, 3), "Linear(): missing a required argument: 'rngs'", "rngs = nn.Rngs("),
    "no rngs, other": (lambda: nn.LSTM(2, 3), "LSTM(): missing a required argument: 'rngs'", "nn.LSTM(..., rngs=rngs)"),
    "a generator for rngs": (lambda: nn.Linear(2, 3, rngs=GENERATOR), "nn.Rngs, got a Generator", "nn.Rngs(generator)"),
    "a schedule of an optimizer": (lambda: lr_scheduler.StepLR(TX, 3), "Optimizer is not a learning rate", "the lr"),
    "tensors to init": (lambda: TX.init(TENSORS), "torch.Tensor", "load_state_dict"),
    "tensors to step": (
        lambda: optim.step(TX, TENSORS, PARAMS, TX.init(PARAMS)),
        "got torch.Tensor",
        "load_state_dict",
    ),
    "gradients of torch": (lambda: optim.step(TX, PARAMS, TENSORS, TX.init(PARAMS)), "got torch.Tensor", "asarray"),
    "tensors to backward": (lambda: autograd.backward(lambda p: p["bias"].sum(), TENSORS), "torch.Tensor", "asarray"),
    "a batch of torch": (
        lambda: step(train.init_state(PARAMS, TX), (torch.ones(4, 2), torch.ones(4, 3))),
        "got torch.Tensor",
        "jnp.asarray(tensor",
    ),
    "a state of torch": (lambda: step(train.init_state(TENSORS, TX), (X, Y)), "torch.Tensor", "load_state_dict"),
    "batch and state": (lambda: step((X, Y), train.init_state(PARAMS, TX)), "begins with a TrainState", "init_state("),
}


@pytest.mark.parametrize("name", FIRST_LINES)
def test_a_porters_first_lines(name):
    fn, sentence, remedy = FIRST_LINES[name]
    with pytest.raises(TypeError) as caught:
        fn()
    assert sentence in str(caught.value).splitlines()[0]
    assert remedy in str(caught.value)
    assert all(len(line) < 200 for line in str(caught.value).splitlines())


def test_a_constructor_of_the_users_says_what_it_says():
    class Own(nn.Module):
        def __init__(self, width: int):
            raise TypeError(f"no width like {width}")

    with pytest.raises(TypeError, match="no width like a"):
        Own("a")
