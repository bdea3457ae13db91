"""What is written against what is traced: our layers and models give the loss, the gradients, the buffers and the
stream of torch's own joint graph, run by the same XLA in the same float64.

Both sides are compiled functions of the same parameters, so nothing of torch's kernels is between them: what differs is
the formula.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("torch", reason="the reference is not installed")
pytest.importorskip("expecttest", reason="torch's databases need it")

import torch

from jaxgrad import func, random, trace
from jaxgrad.nn import functional as F
from jaxgrad.parity import distance
from jaxgrad.parity.catalog import models
from jaxgrad.parity.jax_side import resolve
from tests.support.module_samples import build
from tests.support.samples import quiet, to_jax
from tests.trace.test_module_db import LEFT_OUT, WITH_GRADIENT, Summed, database, samples

BOUND = 1e-12
"""Of a tensor's norm."""

ROUNDING = 1e-14
"""Of the greatest gradient: what lies below is rounding alone (the gradient of a key's bias is 0)."""


def graded(loss_fn, params, *batch, generator):
    """``(loss, aux), gradients`` of a compiled loss function."""
    return jax.jit(jax.value_and_grad(loss_fn, has_aux=True))(params, *batch, generator=generator)


def compare(written, traced):
    """Loss, gradients, buffers, and where the stream stands."""
    ((loss, aux), grads), ((expected, expected_aux), expected_grads) = written, traced
    assert distance(loss, expected).relative < BOUND
    least = ROUNDING * max((float(np.abs(each).max(initial=0)) for each in expected_grads.values()), default=0.0)
    assert grads.keys() == expected_grads.keys()
    for name, expected_grad in expected_grads.items():
        found = distance(grads[name], expected_grad)
        assert found.relative < BOUND or found.absolute < least, (name, found)
    for name, value in (aux.buffers or {}).items():
        assert distance(value, expected_aux.buffers[name]).relative < BOUND, name
    if expected_aux.generator is not None:
        state = aux.generator.get_state()
        np.testing.assert_array_equal(state, expected_aux.generator.get_state())


RNG = np.random.default_rng(0)
WORDS = RNG.integers(0, 11, (4, 8))
PIXELS = RNG.uniform(size=(8, 20))

WHOLE = {
    "perceptron": (models.perceptron, "cross_entropy", RNG.normal(size=(6, 10)), RNG.integers(0, 3, 6)),
    "fashion_cnn": (models.fashion_cnn, "cross_entropy", RNG.normal(size=(4, 1, 14, 14)), RNG.integers(0, 10, 4)),
    "gpt": (models.gpt, models.token_loss, WORDS[:, :-1], WORDS[:, 1:]),
    "vae": (models.vae, models.vae_loss, PIXELS, PIXELS),
    "lstm_classifier": (models.lstm_classifier, models.token_loss, WORDS, RNG.integers(0, 3, 4)),
    "resnet": (models.resnet, "cross_entropy", RNG.normal(size=(6, 3, 8, 8)), RNG.integers(0, 4, 6)),
    "unet": (models.unet, "mse_loss", RNG.normal(size=(3, 1, 8, 8)), RNG.normal(size=(3, 1, 8, 8))),
    "translator": (
        models.translator,
        models.token_loss,
        (WORDS[:3, :5], WORDS[:3, 2:], np.arange(5) >= np.array([[5], [3], [4]]), ~np.tri(6, dtype=bool)),
        RNG.integers(0, 11, (3, 6)),
    ),
}


def check_model(name):
    made, criterion, x, y = WHOLE[name]
    if isinstance(criterion, str):
        ours, theirs = getattr(F, criterion), getattr(torch.nn.functional, criterion)
    else:
        ours, theirs = criterion(F), criterion(torch.nn.functional)
    torch.manual_seed(0)
    model, reference = made(models.jaxgrad_library()), made(models.torch_library()).double()
    with quiet():  # nested tensors, which torch would rather have
        traced = trace.from_torch(reference, theirs, jax.tree.map(torch.tensor, (x, y)))

    def loss_fn(params, x, y, *, generator):
        args = x if isinstance(x, tuple) else (x,)
        out, aux = func.functional_call(
            model, (params, traced.buffers), args, training=True, generator=generator, has_aux=True
        )
        return ours(out, y), aux

    batch = jax.tree.map(jnp.asarray, (x, y))
    generator = random.manual_seed(3)
    assert list(func.extract(model)[0]) == list(traced.params)
    compare(
        graded(loss_fn, traced.params, *batch, generator=generator),
        graded(traced.loss_fn, traced.params, *batch, generator=generator),
    )


@pytest.mark.parametrize("name", ["perceptron", "fashion_cnn", "vae"])
def test_models(name, x64):
    check_model(name)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["gpt", "lstm_classifier", "resnet", "unet", "translator"])
def test_larger_models(name, x64):
    check_model(name)


def summed(out):
    """``Summed.forward``'s loss of what a module of ours returns."""
    leaves = [leaf for leaf in jax.tree.leaves(out) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    weights = [1 + jnp.arange(leaf.size, dtype=leaf.dtype).reshape(leaf.shape) for leaf in leaves]
    return sum(jnp.sum(leaf * jnp.sin(weight)) for leaf, weight in zip(leaves, weights, strict=True))


def check_layer(name, limit):
    """A module of the database: every parameter and every input has its gradient."""
    info = database()[name]
    for sample in samples(info, limit):
        built, given = sample.constructor_input, sample.forward_input
        torch.manual_seed(1)
        with quiet():
            module = info.module_cls(*built.args, **built.kwargs).double().train()
            whole = Summed(module, given.args, given.kwargs, WITH_GRADIENT.get(name))
            if not list(whole.parameters()):
                continue
            traced = trace.from_torch(whole, lambda out: out, (torch.zeros(1),))
        ours = build(resolve(f"nn.{name}"), built.args, built.kwargs)
        constant, named = to_jax((list(given.args), dict(given.kwargs)))

        def loss_fn(params, _, *, generator, ours=ours, constant=constant, named=named, traced=traced, whole=whole):
            args = list(constant)
            for number, place in enumerate(whole.places):
                args[place] = params[f"own.{number}"]
            own, held = (
                {key.removeprefix("module."): each for key, each in kept.items() if key.startswith("module.")}
                for kept in (params, traced.buffers)
            )
            out, aux = func.functional_call(
                ours, (own, held), tuple(args), named, training=True, generator=generator, has_aux=True
            )
            return summed(out), func.Aux(
                buffers={f"module.{key}": each for key, each in (aux.buffers or {}).items()}, generator=aux.generator
            )

        one, generator = jnp.zeros(1), random.manual_seed(5)
        with quiet():  # the loss of Kullback and Leibler would rather have another reduction
            written = graded(loss_fn, traced.params, one, generator=generator)
        compare(written, graded(traced.loss_fn, traced.params, one, generator=generator))


NAMES = [name for name in database() if name not in LEFT_OUT]

SOME = "BatchNorm2d GroupNorm GELU LogSoftmax HuberLoss MaxPool2d Embedding LSTM".split()


@pytest.mark.parametrize("name", SOME)
def test_some_layers(name, x64):
    check_layer(name, 1)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", NAMES)
def test_all_layers(name, x64):
    check_layer(name, 2)


def test_a_thousandth_is_seen(x64, monkeypatch):
    """A formula of a layer that is a thousandth off is told from torch's."""
    gelu = F.gelu
    monkeypatch.setattr(F, "gelu", lambda *args, **kwargs: 1.001 * gelu(*args, **kwargs))
    with pytest.raises(AssertionError):
        check_layer("GELU", 1)
