"""Every optimizer on bfloat16 and float16: torch's bits, state included.

What torch's CPU kernels do was measured operation by operation: float32 inside, one rounding at the end, the scalar of
an addition rounded first. Only in the elements that are left over when whole vector registers are filled, two kernels
round once more: ``add`` after the product with alpha, ``rsqrt`` after the root. A function of jaxgrad does not depend
on where an element stands, so it is held to the registers; the last elements are held, as exactly, to the same code
with these two roundings put in.
"""

import importlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from jax.experimental.sparse import BCOO

from jaxgrad import optim
from jaxgrad.optim._rule import arithmetic

STEPS = 10
WHOLE = {"w": (16, 32), "b": (64,), "k": (4, 4, 8)}
"""Numbers of elements that fill pairs of registers of up to 512 bits, the unit of torch's loops."""
ODD = {"w": (9, 15), "b": (33,), "k": (3, 2, 4), "s": ()}
MATRICES = {"w": (16, 32), "v": (8, 8)}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "SGD": ("SGD", {}),
    "SGD momentum": ("SGD", {"momentum": 0.9, "dampening": 0.5, "weight_decay": 0.1}),
    "SGD nesterov": ("SGD", {"momentum": 0.9, "nesterov": True, "maximize": True}),
    "Adam": ("Adam", {"weight_decay": 0.1, "amsgrad": True}),
    "AdamW": ("AdamW", {"weight_decay": 0.3}),
    "RMSprop": ("RMSprop", {}),
    "RMSprop centered": ("RMSprop", {"momentum": 0.9, "centered": True, "weight_decay": 0.1}),
    "Adagrad": ("Adagrad", {"lr_decay": 0.1, "initial_accumulator_value": 0.2, "weight_decay": 0.1}),
    "Adadelta": ("Adadelta", {"weight_decay": 0.1}),
    "Adamax": ("Adamax", {"weight_decay": 0.1}),
    "NAdam": ("NAdam", {"weight_decay": 0.1}),
    "RAdam": ("RAdam", {"weight_decay": 0.1}),
    "ASGD": ("ASGD", {"t0": 3, "lambd": 0.05, "weight_decay": 0.1}),
    "Rprop": ("Rprop", {}),
    "Adafactor": ("Adafactor", {"weight_decay": 0.1}),
    "Muon without iterations": ("Muon", {"ns_steps": 0}),
}
DTYPES = ("bfloat16", "float16")


def data(shapes, dtype, seed=0):
    """Parameters and gradients that the dtype holds exactly; gradients in steps of 1/64.

    Squares of such gradients add up without rounding in any order, so that Adafactor's row and column sums do not
    depend on the order, which is torch's own affair. In float16 many of Adam's second moments are subnormal.
    """
    rng = np.random.default_rng(seed)
    wide = getattr(torch, dtype)
    wave = np.sin(np.arange(STEPS) / 2)
    params = {key: torch.tensor(rng.standard_normal(shape)).to(wide) for key, shape in shapes.items()}
    noise = {k: 0.3 * rng.standard_normal((STEPS, *s)) + wave.reshape(-1, *(1,) * len(s)) for k, s in shapes.items()}
    return params, {key: (torch.tensor(value * 64).round() / 64).to(wide) for key, value in noise.items()}


def torch_run(name, kwargs, params, grads):
    """Parameters and state of torch after all steps."""
    leaves = {key: torch.nn.Parameter(value.clone()) for key, value in params.items()}
    optimizer = getattr(torch.optim, name)(list(leaves.values()), **kwargs)
    for i in range(len(grads["w"])):
        for key, leaf in leaves.items():
            leaf.grad = grads[key][i].clone()
        optimizer.step()
    return leaves, {key: optimizer.state[leaf] for key, leaf in leaves.items()}


def jax_run(name, kwargs, params, grads):
    """The same of ours, each step one compiled program."""
    tx = getattr(optim, name)(**kwargs)
    step = jax.jit(lambda p, g, s: optim.step(tx, p, g, s))
    arrays = {key: as_array(value) for key, value in params.items()}
    state = tx.init(arrays)
    for i in range(len(grads["w"])):
        arrays, state = step(arrays, {key: as_array(value[i]) for key, value in grads.items()}, state)
    return arrays, state.state


def as_array(tensor):
    return jnp.asarray(tensor.float().numpy(), str(tensor.dtype).removeprefix("torch."))


def assert_equal_bits(ours, theirs, where=None):
    """Every element, NaN and infinities included (float16 underflows in earnest); ``where`` chooses some of them."""
    where = ... if where is None else where
    assert str(ours.dtype) == str(theirs.dtype).removeprefix("torch.")
    expected = theirs.detach().float().numpy()
    np.testing.assert_array_equal(np.asarray(ours, np.float32)[where], expected[where])


def assert_equal_states(ours, theirs, where=None):
    for field in ours._fields:
        if getattr(ours, field) is not None:
            assert_equal_bits(getattr(ours, field), theirs[field], where)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES)
def test_all_bits_are_torchs(case, dtype):
    """Ten steps, every element of parameters and state equal."""
    name, kwargs = CASES[case]
    params, grads = data(MATRICES if name == "Muon" else WHOLE, dtype)
    theirs, their_state = torch_run(name, kwargs | {"lr": 0.05}, params, grads)
    ours, our_state = jax_run(name, kwargs | {"lr": 0.05}, params, grads)
    for key in ours:
        assert not torch.equal(theirs[key], params[key])
        assert_equal_bits(ours[key], theirs[key])
        assert_equal_states(our_state[key], their_state[key])


def fills_registers(shape, dtype):
    """Where torch's addition rounds once, asked of torch: 1 + alpha * b is just above the middle of 1 and 1 + eps,
    and alpha * b rounded is the middle itself, which goes down to 1."""
    wide = getattr(torch, dtype)
    eps = torch.finfo(wide).eps
    b = torch.full(shape, (1 + eps) * eps / 2, dtype=wide)
    return (torch.ones(shape, dtype=wide).add(b, alpha=1 - eps / 2) > 1).numpy()


def round_as_torch_does_the_rest(monkeypatch, whole):
    """Put torch's two additional roundings into our code, for the elements that are not ``whole``."""
    add, rsqrt = arithmetic.add, arithmetic.rsqrt

    def add_twice_rounded(a, b, alpha):
        if a.dtype == jnp.float32:
            return add(a, b, alpha)
        product = arithmetic.mul(b, arithmetic.element(jnp.float32(alpha), b))
        return jnp.where(whole(a.shape, str(a.dtype)), add(a, b, alpha), arithmetic.plus(a, product))

    def rsqrt_twice_rounded(a):
        return jnp.where(
            whole(a.shape, str(a.dtype)), rsqrt(a), arithmetic.scalar_over(jnp.float32(1), arithmetic.sqrt(a))
        )

    for module in ["_rule.arithmetic", *(name.lower().replace("adamw", "adam") for name, _ in CASES.values())]:
        file = importlib.import_module(f"jaxgrad.optim.{module}")
        for name, replacement in (("add", add_twice_rounded), ("rsqrt", rsqrt_twice_rounded)):
            if hasattr(file, name):
                monkeypatch.setattr(file, name, replacement)


@pytest.mark.parametrize("case", CASES)
def test_elements_that_fill_no_register_round_twice(case, monkeypatch):
    """The elements in registers are torch's; with the two roundings all are, so nothing else differs.

    Norms couple the elements in Adafactor: there only the second half can be said.
    """
    name, kwargs = CASES[case]
    kwargs = kwargs | {"lr": 0.05}
    params, grads = data({"w": (9, 15), "t": (16, 9)} if name == "Muon" else ODD, "bfloat16")
    theirs, their_state = torch_run(name, kwargs, params, grads)
    if name != "Adafactor":
        ours, our_state = jax_run(name, kwargs, params, grads)
        for key in ours:
            registers = fills_registers(ours[key].shape, "bfloat16")
            assert_equal_bits(ours[key], theirs[key], registers)
            assert_equal_states(our_state[key], their_state[key], registers)
    round_as_torch_does_the_rest(monkeypatch, fills_registers)
    ours, our_state = jax_run(name, kwargs, params, grads)
    for key in ours:
        assert_equal_bits(ours[key], theirs[key])
        assert_equal_states(our_state[key], their_state[key])


@pytest.mark.parametrize("case", ["SGD momentum", "Adafactor"])
def test_one_more_rounding_would_be_seen(case, monkeypatch):
    name, kwargs = CASES[case]
    params, grads = data(WHOLE, "bfloat16")
    theirs, _ = torch_run(name, kwargs | {"lr": 0.05}, params, grads)
    round_as_torch_does_the_rest(monkeypatch, lambda shape, dtype: np.zeros(shape, bool))
    ours, _ = jax_run(name, kwargs | {"lr": 0.05}, params, grads)
    for key in ours:
        assert np.mean(np.asarray(ours[key], np.float32) == theirs[key].detach().float().numpy()) < 0.9


def test_muon_on_a_tall_matrix_rounds_twice_everywhere(monkeypatch):
    """Torch's update of a tall matrix is a transposed view, and its addition to the parameter fills no registers."""
    params, grads = data({"w": (32, 8)}, "bfloat16")
    first, kwargs = {"w": grads["w"][:2]}, {"lr": 0.05, "ns_steps": 1}
    theirs, _ = torch_run("Muon", kwargs, params, first)
    ours, _ = jax_run("Muon", kwargs, params, first)
    assert 0.9 < np.mean(np.asarray(ours["w"], np.float32) == theirs["w"].detach().float().numpy()) < 1
    round_as_torch_does_the_rest(monkeypatch, lambda shape, dtype: np.zeros(shape, bool))
    ours, _ = jax_run("Muon", kwargs, params, first)
    assert_equal_bits(ours["w"], theirs["w"])


def test_muon_without_nesterov_keeps_its_momentum():
    """In bfloat16 torch divides the momentum buffer itself by its norm, where in other dtypes it divides a copy."""
    params, grads = data({"w": (8, 8)}, "bfloat16")
    _, their_state = torch_run("Muon", {"nesterov": False, "momentum": 0.5}, params, grads)
    _, our_state = jax_run("Muon", {"nesterov": False, "momentum": 0.5}, params, grads)
    assert torch.linalg.norm(their_state["w"]["momentum_buffer"].float()).item() == pytest.approx(1, rel=1e-2)
    wide, wide_grads = ({key: value.float() for key, value in each.items()} for each in (params, grads))
    _, wide_state = torch_run("Muon", {"nesterov": False, "momentum": 0.5}, wide, wide_grads)
    found = np.asarray(our_state["w"].momentum_buffer, np.float32)
    np.testing.assert_allclose(found, wide_state["w"]["momentum_buffer"], rtol=0, atol=2**-7)


@pytest.mark.parametrize("dtype", DTYPES)
def test_muon_differs_by_the_order_of_its_sums_only(dtype):
    """Muon's iteration multiplies bfloat16 matrices, and another order of summation flips a last place now and then.

    Everything before it is equal bit for bit, and a flip moves an element of the update by 2**-7, two of them by 2**-6:
    the parameter by that times lr, and by a rounding of its own.
    """
    params, grads = data({"w": (64, 128)}, dtype)
    theirs, their_state = torch_run("Muon", {"lr": 0.05}, params, grads)
    ours, our_state = jax_run("Muon", {"lr": 0.05}, params, grads)
    assert_equal_states(our_state["w"], their_state["w"])
    theirs, _ = torch_run("Muon", {"lr": 0.05}, params, {"w": grads["w"][:1]})
    ours, _ = jax_run("Muon", {"lr": 0.05}, params, {"w": grads["w"][:1]})
    found, expected = np.asarray(ours["w"], np.float64), theirs["w"].detach().double().numpy()
    place = float(jnp.finfo(dtype).eps) * np.abs(expected)
    assert np.all(np.abs(found - expected) <= 0.05 * 2**-6 + place)
    assert np.mean(found == expected) > 0.97


@pytest.mark.parametrize("dtype", DTYPES)
def test_sparse_adam_is_torchs(dtype):
    """SparseAdam uses neither of the two kernels: all elements, rows named twice included."""
    rng = np.random.default_rng(0)
    wide = getattr(torch, dtype)
    leaf = torch.nn.Parameter(torch.tensor(rng.standard_normal((9, 5))).to(wide))
    optimizer, tx = torch.optim.SparseAdam([leaf], lr=0.05), optim.SparseAdam(lr=0.05)
    params = {"e": as_array(leaf.detach())}
    state = tx.init(params)
    step = jax.jit(lambda p, g, s: optim.step(tx, p, g, s))
    for _ in range(STEPS):
        rows, values = rng.integers(0, 9, (5, 1)), torch.tensor(rng.standard_normal((5, 5))).to(wide)
        leaf.grad = torch.sparse_coo_tensor(rows.T, values, (9, 5), check_invariants=True)
        optimizer.step()
        grad = BCOO((as_array(values), jnp.asarray(rows)), shape=(9, 5))
        params, state = step(params, {"e": grad}, state)
    assert_equal_bits(params["e"], leaf)
    assert_equal_states(state.state["e"], optimizer.state[leaf])


def test_gradients_pass_the_rounding_to_subnormal_numbers():
    """As they pass every other rounding: a step in float16 can be differentiated by lr."""
    slope = jax.grad(lambda lr: arithmetic.mul(jnp.float16([1e-2]), lr)[0].astype(jnp.float32))
    np.testing.assert_allclose([slope(1e-3), slope(1.0)], 1e-2, rtol=1e-3)
