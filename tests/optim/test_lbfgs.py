"""L-BFGS step by step beside torch's: the same points, the same counts of iterations and evaluations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxgrad import optim

torch.set_num_threads(1)
RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((20, 5)), RNG.integers(0, 3, 20)
START = {"a": RNG.standard_normal((5, 8)) / 2, "b": RNG.standard_normal((8, 3)) / 2, "c": np.zeros(3)}

CONFIGURATIONS = [
    {},
    {"lr": 0.01},
    {"lr": 0.5, "history_size": 3},
    {"tolerance_grad": 1e-2, "lr": 0.3},
    {"lr": 0.3, "max_iter": 5, "tolerance_change": 1e-2},
    {"line_search_fn": "strong_wolfe"},
    {"line_search_fn": "strong_wolfe", "history_size": 4, "max_iter": 7},
    {"line_search_fn": "strong_wolfe", "lr": 30.0, "max_eval": 9},
    {"line_search_fn": "strong_wolfe", "lr": 1e-2, "max_iter": 12},
    {"line_search_fn": "strong_wolfe", "max_eval": 1},
]


def our_loss(p):
    h = jnp.tanh(jnp.asarray(X, p["a"].dtype) @ p["a"]) @ p["b"] + p["c"][None]
    chosen = jnp.take_along_axis(jax.nn.log_softmax(h), jnp.asarray(Y)[:, None], 1)
    return -jnp.mean(chosen) + 0.05 * sum(jnp.sum(v * v) for v in p.values())


def torch_loss(p):
    h = torch.tanh(torch.tensor(X, dtype=p["a"].dtype) @ p["a"]) @ p["b"] + p["c"]
    return torch.nn.functional.cross_entropy(h, torch.tensor(Y)) + 0.05 * sum((v * v).sum() for v in p.values())


def torch_steps(kwargs, steps, dtype=torch.float64):
    leaves = {key: torch.nn.Parameter(torch.tensor(value, dtype=dtype)) for key, value in START.items()}
    optimizer = torch.optim.LBFGS(list(leaves.values()), **kwargs)

    def closure():
        optimizer.zero_grad()
        loss = torch_loss(leaves)
        loss.backward()
        return loss

    for _ in range(steps):
        loss = optimizer.step(closure)
        state = optimizer.state[leaves["a"]]
        point = {key: leaf.detach().double().numpy().copy() for key, leaf in leaves.items()}
        yield loss.item(), point, (state["n_iter"], state["func_evals"])


@pytest.mark.parametrize("kwargs", CONFIGURATIONS, ids=lambda kwargs: "-".join(f"{k}={v}" for k, v in kwargs.items()))
def test_the_same_path_as_torch(kwargs, x64):
    tx = optim.LBFGS(**kwargs)
    params = {key: jnp.asarray(value) for key, value in START.items()}
    state = tx.init(params)
    closure = jax.value_and_grad(our_loss)
    step = jax.jit(lambda p, s: optim.step_with_closure(tx, closure, p, s))
    for loss, point, counts in torch_steps(kwargs, 4):
        ours, params, state = step(params, state)
        assert abs(ours - loss) < 1e-11
        assert (int(state.state.n_iter), int(state.state.func_evals)) == counts
        for key, value in point.items():
            np.testing.assert_allclose(params[key], value, rtol=0, atol=1e-9)
    assert step._cache_size() == 1


def test_float32_stays_within_torchs_noise():
    kwargs = {"line_search_fn": "strong_wolfe", "max_iter": 6}
    tx = optim.LBFGS(**kwargs)
    params = {key: jnp.asarray(value, jnp.float32) for key, value in START.items()}
    state = tx.init(params)
    step = jax.jit(lambda p, s: optim.step_with_closure(tx, jax.value_and_grad(our_loss), p, s))
    _, params, state = step(params, state)
    (_, truth, _), (_, theirs, _) = (next(torch_steps(kwargs, 1, dtype)) for dtype in (torch.float64, torch.float32))
    noise = max(np.abs(theirs[key] - truth[key]).max() for key in truth)
    assert max(np.abs(params[key] - truth[key]).max() for key in truth) <= 3 * noise


def test_it_is_a_transformation_of_a_chain_too():
    import optax

    tx = optax.chain(optim.LBFGS(max_iter=3))
    alone = optim.LBFGS(max_iter=3)
    params = {"w": jnp.array([3.0, -2.0])}
    closure = jax.value_and_grad(lambda p: jnp.sum(jnp.array([1.0, 10.0]) * p["w"] ** 2))
    updates, _ = tx.update(closure(params)[1], tx.init(params), params, closure=closure)
    _, moved, _ = optim.step_with_closure(alone, closure, params, alone.init(params))
    np.testing.assert_allclose(optax.apply_updates(params, updates)["w"], moved["w"], atol=1e-6)


def test_lr_of_the_step_and_of_the_state_are_one():
    closure = jax.value_and_grad(lambda p: jnp.sum(p["w"] ** 4))
    params = {"w": jnp.array([3.0, -2.0])}
    tx = optim.LBFGS(max_iter=3)
    _, one, _ = optim.step_with_closure(tx, closure, params, tx.init(params), lr=0.25)
    _, two, _ = optim.step_with_closure(tx, closure, params, optim.set_hyperparams(tx.init(params), lr=0.25))
    np.testing.assert_array_equal(one["w"], two["w"])


def test_a_missing_gradient_counts_as_zero():
    def closure(params):
        loss, grad = jax.value_and_grad(lambda w: jnp.sum(w**2))(params["w"])
        return loss, {"w": grad, "frozen": None}

    tx = optim.LBFGS()
    params = {"w": jnp.ones(2), "frozen": jnp.ones(3)}
    _, moved, _ = optim.step_with_closure(tx, closure, params, tx.init(params))
    assert moved["frozen"].tolist() == [1, 1, 1] and np.max(np.abs(moved["w"])) < 1e-6


def test_every_optimizer_takes_a_closure():
    closure = jax.value_and_grad(lambda p: jnp.sum(p["w"] ** 2))
    tx, params = optim.SGD(lr=0.25), {"w": jnp.ones(2)}
    loss, moved, _ = optim.step_with_closure(tx, closure, params, tx.init(params))
    assert loss == 2.0 and moved["w"].tolist() == [0.5, 0.5]


def test_what_torch_refuses_is_refused():
    params = {"w": jnp.ones(2)}
    with pytest.raises(RuntimeError, match="only 'strong_wolfe' is supported"):
        optim.LBFGS(line_search_fn="armijo")
    with pytest.raises(ValueError, match="LBFGS doesn't support per-parameter options"):
        optim.LBFGS(param_groups=[{"params": ...}])
    with pytest.raises(ValueError, match="Invalid learning rate: -1"):
        optim.LBFGS(lr=-1)
    tx = optim.LBFGS()
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'closure'"):
        optim.step(tx, params, params, tx.init(params))
    with pytest.raises(ValueError, match="optimizer got an empty parameter list"):
        tx.init({})
    with pytest.raises(TypeError, match="keeps no state for each parameter"):
        optim.state_by_parameter(tx, params, tx.init(params))


def quartic(w, sqrt, at):
    return (w * w).sum() * sqrt(w[0] - at)


@pytest.mark.parametrize("line_search_fn", [None, "strong_wolfe"])
def test_a_nan_shows_where_it_shows_in_torch(line_search_fn, x64):
    leaf = torch.nn.Parameter(torch.tensor([3.0, -2.0], dtype=torch.float64))
    reference = torch.optim.LBFGS([leaf], line_search_fn=line_search_fn, max_iter=5)
    tx, params = optim.LBFGS(line_search_fn=line_search_fn, max_iter=5), {"w": jnp.array([3.0, -2.0])}
    state = tx.init(params)

    def closure():
        reference.zero_grad()
        loss = quartic(leaf, torch.sqrt, 1.5)
        loss.backward()
        return loss

    for _ in range(3):
        theirs = reference.step(closure).item()
        ours, params, state = optim.step_with_closure(
            tx, jax.value_and_grad(lambda p: quartic(p["w"], jnp.sqrt, 1.5)), params, state
        )
        np.testing.assert_allclose(ours, theirs, rtol=1e-9)
        np.testing.assert_allclose(params["w"], leaf.detach().numpy(), rtol=1e-9)
    assert np.isnan(theirs)


def test_closures_that_do_the_same_share_a_program():
    from jaxgrad.optim._rule.compiled import _program

    tx, params = optim.LBFGS(max_iter=2), {"w": jnp.ones(3)}
    state = tx.init(params)
    before = _program.cache_info().misses
    for i in range(3):
        x = jnp.full(3, float(i))
        loss, _, _ = optim.step_with_closure(
            tx, jax.value_and_grad(lambda p, x=x: jnp.sum((p["w"] - x) ** 4)), params, state
        )
        assert loss == 3 * (1 - i) ** 4
    assert _program.cache_info().misses == before + 1


@pytest.mark.parametrize("constant", ["SUFFICIENT_DECREASE", "CURVATURE", "TOLERANCE_CHANGE"])
def test_constants_of_the_line_search(constant, monkeypatch, x64):
    """A trial at the edge of each condition: a thousandth more, and the search evaluates otherwise than torch's."""
    from torch.optim.lbfgs import _strong_wolfe as theirs

    from jaxgrad.optim._rule import strong_wolfe as ours

    edges = {
        # f(1) = -1e-4 (1 -+ 5e-4) and f'(1) = 0: enough descent and accepted, or not
        "SUFFICIENT_DECREASE": [
            (1.0, 3 * low - 1, 1 - 2 * low) for low in (1 - 1e-4 * (1 - 5e-4), 1 - 1e-4 * (1 + 5e-4))
        ],
        # |f'(1)| = 0.9 |f'(0)| (1 -+ 5e-4), where f still falls
        "CURVATURE": [(1.0, 0.05 * (1 + side * 4.5e-3), 0.0) for side in (-1, 1)],
        # the bracket [0, 1] times |d| is 1e-9 (1 -+ 5e-4)
        "TOLERANCE_CHANGE": [(1e-9 * (1 + side * 5e-4), 2.0, 0.0) for side in (-1, 1)],
    }

    def counts(scale, square, cube):
        d = np.array([scale])

        def value(t, lib):
            x = t  # in units of the direction
            loss = -x + square * x * x + cube * x**3
            return loss, (-1 + 2 * square * x + 3 * cube * x * x) / scale

        def torch_objective(x, t, d):
            loss, slope = value(float(t), np)
            return loss, torch.tensor([slope], dtype=torch.float64)

        g = torch.tensor([-1 / scale], dtype=torch.float64)
        _, _, t, evaluations = theirs(
            torch_objective, None, 1.0, torch.tensor(d), 0.0, g, g.dot(torch.tensor(d)), max_ls=10
        )

        def objective(t):
            loss, slope = value(t, jnp)
            return loss, jnp.stack([slope])

        direction, start = jnp.asarray(d), jnp.asarray(g.numpy())
        point, mine = ours.strong_wolfe(
            objective,
            jnp.asarray(1.0),
            direction,
            jnp.asarray(0.0),
            start,
            jnp.dot(start, direction),
            max_evaluations=10,
        )
        return (int(mine), round(float(point.t), 9)), (int(evaluations), round(float(t), 9))

    pairs = [counts(*edge) for edge in edges[constant]]
    assert all(mine == his for mine, his in pairs)
    assert pairs[0][1] != pairs[1][1], "the two sides of the edge are told apart"
    monkeypatch.setattr(ours, constant, getattr(ours, constant) * 1.001)
    planted = [counts(*edge) for edge in edges[constant]]
    monkeypatch.setattr(ours, constant, getattr(ours, constant) / 1.001 * 0.999)
    planted += [counts(*edge) for edge in edges[constant]]
    assert any(mine != his for mine, his in planted), "a thousandth is seen"
