"""Two networks against each other: two steps, a state each; and an evaluation whose last batch is ragged."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad import func, nn, optim, random, train
from jaxgrad.nn import functional as F

torch = pytest.importorskip("torch", reason="the reference is not installed")

STEPS, ROWS, CODE, PIXELS = 6, 5, 3, 4
BETAS = {"lr": 0.02, "betas": (0.5, 0.9)}


def maker(nn, **rngs):
    return nn.Sequential(nn.Linear(CODE, 6, **rngs), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, PIXELS, **rngs))


def judge(nn, **rngs):
    return nn.Sequential(nn.Linear(PIXELS, 6, **rngs), nn.LeakyReLU(0.2), nn.Linear(6, 1, **rngs))


def data():
    rng = np.random.default_rng(0)
    return rng.standard_normal((STEPS, ROWS, PIXELS)), rng.standard_normal((STEPS, ROWS, CODE))


def in_torch():
    torch.manual_seed(0)
    g, d = maker(torch.nn).double(), judge(torch.nn).double()
    of_g, of_d = (torch.optim.Adam(model.parameters(), **BETAS) for model in (g, d))
    criterion, losses = torch.nn.functional.binary_cross_entropy_with_logits, []
    for real, noise in zip(*map(torch.tensor, data()), strict=True):
        fake = g(noise)
        of_d.zero_grad()
        said_real, said_fake = d(real), d(fake.detach())
        of_both = criterion(said_real, torch.ones_like(said_real)) + criterion(said_fake, torch.zeros_like(said_fake))
        of_both.backward()
        of_d.step()
        of_g.zero_grad()
        fooled = d(fake)
        loss = criterion(fooled, torch.ones_like(fooled))
        loss.backward()
        of_g.step()
        losses.append((of_both.item(), loss.item()))
    return losses, {name: value.numpy() for model in (g, d) for name, value in named(model).items()}


def named(model):
    return {f"{len(model)}.{name}": value for name, value in model.state_dict().items()}


def in_jax():
    rngs = nn.Rngs(random.manual_seed(0))
    g, d = maker(nn, rngs=rngs), judge(nn, rngs=rngs)
    (of_g, buffers), (of_d, _) = ((func.cast(each, jnp.float64) for each in func.extract(model)) for model in (g, d))
    criterion = F.binary_cross_entropy_with_logits

    def made(params, buffers, noise):
        return func.functional_call(g, (params, buffers), noise, training=True, has_aux=True)

    def judged(params, x, verdict):
        said = func.functional_call(d, params, x)
        return criterion(said, jnp.full_like(said, verdict))

    def loss_of_d(params, real, fake):
        return judged(params, real, 1.0) + judged(params, fake, 0.0)

    def loss_of_g(params, noise, of_d, *, buffers):
        fake, aux = made(params, buffers, noise)
        return judged(of_d, fake, 1.0), aux

    tx = optim.Adam(**BETAS)
    d_step, g_step = train.make_train_step(loss_of_d, tx), train.make_train_step(loss_of_g, tx)
    d_state, g_state = train.init_state(of_d, tx), train.init_state(of_g, tx, buffers=buffers)
    make, losses = jax.jit(made), []
    for real, noise in zip(*data(), strict=True):
        fake, _ = make(g_state.params, g_state.buffers, noise)
        d_state, of_both = d_step(d_state, (real, fake))
        g_state, of_one = g_step(g_state, (noise, d_state.params))
        losses.append((float(of_both["loss"]), float(of_one["loss"])))
    assert d_step._cache_size() == g_step._cache_size() == 1
    ends = {"4": {**g_state.params, **g_state.buffers}, "3": d_state.params}
    return losses, {f"{n}.{name}": value for n, values in ends.items() for name, value in values.items()}


def test_two_steps_with_a_state_each(x64):
    losses, ours = in_jax()
    expected, theirs = in_torch()
    np.testing.assert_allclose(losses, expected, rtol=1e-11)
    assert set(ours) == set(theirs)
    for name, value in theirs.items():
        np.testing.assert_allclose(ours[name], value, rtol=1e-9, atol=1e-12, err_msg=name)


def test_evaluation_of_a_ragged_last_batch_is_the_mean_over_all_rows(x64):
    torch.manual_seed(0)
    layers = [torch.nn.Linear(4, 5), torch.nn.BatchNorm1d(5), torch.nn.Dropout(0.5), torch.nn.Linear(5, 3)]
    reference = torch.nn.Sequential(*layers).double().eval()
    rngs = nn.Rngs(random.manual_seed(0))
    layers = [nn.Linear(4, 5, rngs=rngs), nn.BatchNorm1d(5), nn.Dropout(0.5), nn.Linear(5, 3, rngs=rngs)]
    model = nn.Sequential(*layers)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((11, 4)), rng.integers(0, 3, 11)
    expected = torch.nn.functional.cross_entropy(reference(torch.tensor(x)), torch.tensor(y)).item()
    params, buffers = (func.cast(each, jnp.float64) for each in func.extract(model))
    state = train.init_state(params, optim.SGD(0.1), buffers=buffers, generator=rngs.generator)
    evaluate = train.make_eval_step(train.supervised(model, F.cross_entropy))
    batches = [(x[i : i + 4], y[i : i + 4]) for i in range(0, 11, 4)]
    found = train.evaluate(evaluate, state, batches)
    np.testing.assert_allclose(found["loss"], expected, rtol=1e-12)
    wrong = np.mean([float(evaluate(state, batch)["loss"]) for batch in batches])
    assert abs(wrong - expected) > 1e-6  # what the mean of the batches' means would be
