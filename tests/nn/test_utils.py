"""Clipping and parameter vectors beside torch.nn.utils on real ``.grad`` buffers."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.experimental import checkify

from jaxgrad import nn, random
from jaxgrad.nn import utils

SHAPES = {"0.weight": (4, 3), "0.bias": (4,), "1.weight": (2, 4), "1.bias": (2,), "scale": ()}
NORM_TYPES = [2.0, 1.0, float("inf"), -float("inf"), 0.0, 3.0, 0.5, -1.0, "inf"]


def draw_grads(seed, scale=1.0, missing=(), dtype=np.float64):
    rng = np.random.default_rng(seed)
    return {
        name: None if name in missing else np.asarray(scale * rng.standard_normal(shape), dtype)
        for name, shape in SHAPES.items()
    }


def torch_parameters(grads, dtype=torch.float64):
    parameters = [torch.nn.Parameter(torch.zeros(shape, dtype=dtype)) for shape in SHAPES.values()]
    for parameter, grad in zip(parameters, grads.values(), strict=True):
        parameter.grad = None if grad is None else torch.tensor(np.asarray(grad, np.float64), dtype=dtype)
    return parameters


def torch_clip(grads, max_norm, norm_type, dtype=torch.float64, foreach=None):
    parameters = torch_parameters(grads, dtype)
    norm = torch.nn.utils.clip_grad_norm_(parameters, max_norm, norm_type, foreach=foreach)
    clipped = {
        name: None if p.grad is None else p.grad.double().numpy() for name, p in zip(grads, parameters, strict=True)
    }
    return clipped, norm.double().item()


def to_jax(grads, dtype=None):
    return {name: None if g is None else jnp.asarray(g, dtype) for name, g in grads.items()}


def assert_equal_trees(ours, theirs, rtol):
    assert ours.keys() == theirs.keys()
    for name, theirs_leaf in theirs.items():
        if theirs_leaf is None:
            assert ours[name] is None
        else:
            np.testing.assert_allclose(np.asarray(ours[name], np.float64), theirs_leaf, rtol=rtol, atol=0)


jitted_clip = jax.jit(utils.clip_grad_norm, static_argnames=("norm_type", "error_if_nonfinite", "foreach"))


@pytest.mark.parametrize("norm_type", NORM_TYPES)
def test_clip_grad_norm_in_float64(norm_type, x64):
    @settings(deadline=None, max_examples=20)
    @given(
        st.integers(0, 10**6),
        st.sampled_from([1e-7, 1e-3, 1.0, 1e4]),
        st.sampled_from([1e-6, 0.01, 1.0, 50.0]),
        st.sampled_from([(), ("0.bias",), ("0.weight", "scale")]),
    )
    def check(seed, scale, max_norm, missing):
        grads = draw_grads(seed, scale, missing)
        theirs, their_norm = torch_clip(grads, max_norm, norm_type)
        clipped, norm = jitted_clip(to_jax(grads), max_norm, norm_type)
        np.testing.assert_allclose(float(norm), their_norm, rtol=1e-13)
        assert_equal_trees(clipped, theirs, 1e-13)

    check()


@pytest.mark.parametrize("norm_type", [2.0, 1.0, float("inf"), 3.0])
def test_clip_grad_norm_in_float32_is_within_torch_s_noise(norm_type):
    """Distance from the float64 truth, ours over torch's: at most 3 for any tensor, 1.5 in the median."""
    ratios = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        grads = {"a": rng.standard_normal((64, 100)).astype(np.float32), "b": rng.standard_normal(100).astype("f4")}
        parameters = {
            dtype: [torch.nn.Parameter(torch.zeros(g.shape, dtype=dtype)) for g in grads.values()]
            for dtype in (torch.float32, torch.float64)
        }
        for dtype, each in parameters.items():
            for parameter, grad in zip(each, grads.values(), strict=True):
                parameter.grad = torch.from_numpy(grad).to(dtype)
            torch.nn.utils.clip_grad_norm_(each, 0.5, norm_type)
        clipped, _ = jitted_clip(to_jax(grads), 0.5, norm_type)
        for name, noisy, exact in zip(grads, parameters[torch.float32], parameters[torch.float64], strict=True):
            truth = exact.grad.numpy()
            noise = np.linalg.norm(noisy.grad.numpy() - truth)
            # a single scalar multiplies all: where torch's happens to be exact, the unit is one rounding of it
            unit = max(noise, np.finfo(np.float32).eps * np.linalg.norm(truth))
            ratios.append(np.linalg.norm(np.asarray(clipped[name], np.float64) - truth) / unit)
    assert max(ratios) <= 3 and np.median(ratios) <= 1.5


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("norm_type", [2.0, 1.0, float("inf"), 0.0])
def test_half_precision_sums_in_float32_and_rounds_where_torch_does(dtype, norm_type):
    for seed in range(5):
        grads = draw_grads(seed)
        halves = to_jax(grads, dtype)
        theirs, their_norm = torch_clip(
            {k: np.asarray(v, np.float64) for k, v in halves.items()}, 1.0, norm_type, getattr(torch, dtype)
        )
        clipped, norm = jitted_clip(halves, 1.0, norm_type)
        assert norm.dtype == dtype and float(norm) == their_norm
        for name in grads:
            assert clipped[name].dtype == dtype
            np.testing.assert_array_equal(np.asarray(clipped[name], np.float64), theirs[name])


def test_mixed_dtypes_keep_theirs():
    grads = {"a": jnp.ones(3, jnp.bfloat16), "b": jnp.ones(3, jnp.float32)}
    theirs = torch.nn.utils.get_total_norm([torch.ones(3, dtype=torch.bfloat16), torch.ones(3)])
    clipped, norm = utils.clip_grad_norm(grads, 1.0)
    assert norm.dtype == jnp.float32 and float(norm) == theirs.item()
    assert clipped["a"].dtype == jnp.bfloat16 and clipped["b"].dtype == jnp.float32


def test_complex_gradients():
    grads = [np.array([1 + 2j, -0.5j], np.complex64), np.array([3.0], np.float32)]
    theirs = torch.nn.utils.get_total_norm([torch.from_numpy(g) for g in grads])
    ours = utils.get_total_norm([jnp.asarray(g) for g in grads])
    assert ours.dtype == jnp.float32
    np.testing.assert_allclose(float(ours), theirs.item(), rtol=2e-7)


def test_the_comparison_sees_a_missing_1e_6_and_a_missing_clamp(x64):
    """optax's clip, right in form, is 10 % off at norm 1e-5; a clip without the clamp enlarges small gradients."""
    grads = draw_grads(0, 1e-6)
    theirs, norm = torch_clip(grads, 1e-6, 2.0)
    assert norm > 2e-6
    assert_equal_trees(utils.clip_grad_norm(to_jax(grads), 1e-6)[0], theirs, 1e-13)
    optaxed, _ = optax.clip_by_global_norm(1e-6).update(to_jax(grads), optax.EmptyState())
    with pytest.raises(AssertionError):
        assert_equal_trees(optaxed, theirs, 1e-2)
    theirs, _ = torch_clip(grads, 1.0, 2.0)
    unclamped = {name: g * (1.0 / (norm + 1e-6)) for name, g in grads.items()}
    with pytest.raises(AssertionError):
        assert_equal_trees(unclamped, theirs, 1e-2)


def test_zero_norm_counts_tensors_as_torch_does():
    grads = [np.float32([1, 0, 2]), np.float32([0, 0]), np.float32([5])]
    theirs = torch.nn.utils.get_total_norm([torch.from_numpy(g) for g in grads], 0.0).item()
    assert float(utils.get_total_norm([jnp.asarray(g) for g in grads], 0.0)) == theirs == 2.0


def test_nothing_to_clip():
    assert float(utils.get_total_norm({})) == torch.nn.utils.get_total_norm([]).item() == 0.0
    clipped, norm = utils.clip_grad_norm({"w": None}, 1.0)
    assert clipped == {"w": None} and float(norm) == 0.0


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nonfinite(value):
    """Without the flag the gradients are scaled by the non-finite norm; with it torch's sentence is raised."""
    grads = {"a": np.array([1.0, value]), "b": np.array([2.0])}
    parameters = [torch.nn.Parameter(torch.zeros(2).double()), torch.nn.Parameter(torch.zeros(1).double())]
    for parameter, grad in zip(parameters, grads.values(), strict=True):
        parameter.grad = torch.from_numpy(grad.copy())
    with pytest.raises(RuntimeError) as theirs:
        torch.nn.utils.clip_grad_norm_(parameters, 1.0, error_if_nonfinite=True)
    with pytest.raises(RuntimeError) as ours:
        utils.clip_grad_norm(to_jax(grads, jnp.float32), 1.0, error_if_nonfinite=True)
    assert str(ours.value).split("\n")[0] == str(theirs.value)
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    clipped, _ = utils.clip_grad_norm(to_jax(grads, jnp.float32), 1.0)
    for ours_leaf, parameter in zip(clipped.values(), parameters, strict=True):
        np.testing.assert_array_equal(np.asarray(ours_leaf), parameter.grad.float().numpy())


def test_nonfinite_inside_jit_is_a_checkify_check():
    def clip(grads):
        return utils.clip_grad_norm(grads, 1.0, error_if_nonfinite=True)

    checked = jax.jit(checkify.checkify(clip))
    error, (_, norm) = checked({"w": jnp.array([3.0, 4.0])})
    error.throw()
    assert float(norm) == 5.0
    error, _ = checked({"w": jnp.array([3.0, jnp.nan])})
    with pytest.raises(checkify.JaxRuntimeError, match="is non-finite, so it cannot be clipped"):
        error.throw()
    with pytest.raises(ValueError, match="checkify"):
        jax.jit(clip)({"w": jnp.array([3.0, 4.0])})


@pytest.mark.parametrize(
    "tensors, norm_type",
    [([np.zeros(0)], float("inf")), ([np.zeros(0)], -float("inf")), ([np.zeros(0)], -2.5), ([np.array([3, 4])], 2.0)],
    ids=["inf", "-inf", "-2.5", "integers"],
)
def test_what_has_no_norm(tensors, norm_type):
    with pytest.raises(RuntimeError) as theirs:
        torch.nn.utils.get_total_norm([torch.from_numpy(t) for t in tensors], norm_type, foreach=False)
    with pytest.raises(RuntimeError) as ours:
        utils.get_total_norm(
            [jnp.asarray(t, jnp.float32 if t.dtype == float else jnp.int32) for t in tensors], norm_type
        )
    assert str(theirs.value).startswith(str(ours.value).split("\n")[0])


@pytest.mark.parametrize("foreach", [True, False])
def test_foreach_changes_nothing(foreach):
    grads = to_jax(draw_grads(1), jnp.float32)
    plain, norm = utils.clip_grad_norm(grads, 1.0)
    clipped, same = utils.clip_grad_norm(grads, 1.0, foreach=foreach)
    assert norm == same and all((plain[name] == clipped[name]).all() for name in grads)
    with pytest.raises(TypeError, match="foreach"):
        utils.clip_grad_value(grads, 1.0, foreach="yes")


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.1, 0.3, 2.0]), st.sampled_from(["float32", "bfloat16"]))
def test_clip_grad_value(seed, clip_value, dtype):
    grads = to_jax(draw_grads(seed, missing=("1.bias",)), dtype)
    grads["scale"] = jnp.asarray(jnp.nan, dtype)
    parameters = torch_parameters(
        {name: None if g is None else np.asarray(g, np.float64) for name, g in grads.items()}, getattr(torch, dtype)
    )
    torch.nn.utils.clip_grad_value_(parameters, clip_value)
    clipped = utils.clip_grad_value(grads, clip_value)
    for name, parameter in zip(grads, parameters, strict=True):
        if parameter.grad is None:
            assert clipped[name] is None
        else:
            assert clipped[name].dtype == dtype
            np.testing.assert_array_equal(np.asarray(clipped[name], np.float64), parameter.grad.double().numpy())


def test_clip_grads_with_a_norm_of_more(x64):
    grads = draw_grads(3)
    parameters = torch_parameters(grads)
    torch.nn.utils.clip_grads_with_norm_(parameters, 0.5, torch.tensor(17.0, dtype=torch.float64))
    clipped = utils.clip_grads_with_norm(to_jax(grads), 0.5, jnp.asarray(17.0))
    for name, parameter in zip(grads, parameters, strict=True):
        np.testing.assert_array_equal(np.asarray(clipped[name]), parameter.grad.numpy())


# --- transformations ---


def test_transformations_in_a_chain(x64):
    """clip, then SGD, against torch's loop; the norm is read from the state."""
    tx = optax.chain(utils.clip_by_norm(0.5, norm_type=3.0), utils.clip_by_value(0.2), optax.sgd(0.1))
    params = {name: jnp.zeros(shape) for name, shape in SHAPES.items()}
    state = tx.init(params)
    update = jax.jit(tx.update)
    parameters = torch_parameters(draw_grads(0))
    optimizer = torch.optim.SGD(parameters, lr=0.1)
    for seed in range(3):
        grads = draw_grads(seed)
        for parameter, grad in zip(parameters, grads.values(), strict=True):
            parameter.grad = torch.from_numpy(grad.copy())
        norm = torch.nn.utils.clip_grad_norm_(parameters, 0.5, 3.0)
        torch.nn.utils.clip_grad_value_(parameters, 0.2)
        optimizer.step()
        updates, state = update(to_jax(grads), state, params)
        params = optax.apply_updates(params, updates)
        np.testing.assert_allclose(float(state[0].total_norm), norm.item(), rtol=1e-14)
    for name, parameter in zip(SHAPES, parameters, strict=True):
        np.testing.assert_allclose(np.asarray(params[name]), parameter.detach().numpy(), rtol=1e-13)


def test_transformation_keeps_missing_gradients_and_its_state_type():
    tx = utils.clip_by_norm(1.0)
    grads = {"a": jnp.array([3.0, 4.0]), "b": None}
    state = tx.init({"a": jnp.zeros(2), "b": jnp.zeros(1)})
    clipped, after = jax.lax.scan(lambda s, _: tx.update(grads, s)[::-1], state, None, length=2)
    assert after["b"] is None and clipped.total_norm.dtype == state.total_norm.dtype


def test_transformation_with_a_given_norm():
    tx = optax.chain(utils.clip_by_given_norm(1.0), optax.sgd(1.0))
    updates, _ = tx.update({"w": jnp.array([2.0])}, tx.init({"w": jnp.zeros(1)}), total_norm=jnp.array(4.0))
    np.testing.assert_allclose(updates["w"], [-0.5], rtol=1e-6)


# --- vectors ---


def test_vector_and_back():
    grads = draw_grads(0, dtype=np.float32)
    parameters = [torch.nn.Parameter(torch.from_numpy(g.copy())) for g in grads.values()]
    theirs = torch.nn.utils.parameters_to_vector(parameters)
    params = to_jax(grads)
    vector = utils.parameters_to_vector(params)
    np.testing.assert_array_equal(np.asarray(vector), theirs.detach().numpy())
    np.testing.assert_array_equal(np.asarray(utils.parameters_to_vector(params.values())), theirs.detach().numpy())

    torch.nn.utils.vector_to_parameters(theirs * 2, parameters)
    back = utils.vector_to_parameters(vector * 2, params)
    assert list(back) == list(params)
    for name, parameter in zip(params, parameters, strict=True):
        assert back[name].shape == params[name].shape
        np.testing.assert_array_equal(np.asarray(back[name]), parameter.detach().numpy())
    assert isinstance(utils.vector_to_parameters(vector, list(params.values())), list)


def test_the_order_inside_transformations_is_said_or_refused():
    """jax sorts dict keys: without an order the vector would silently have another order inside jit."""
    params = to_jax(draw_grads(0, dtype=np.float32))
    names = list(params)
    vector = utils.parameters_to_vector(params)
    inside = jax.jit(lambda p: utils.parameters_to_vector(p, names))(params)
    np.testing.assert_array_equal(np.asarray(inside), np.asarray(vector))
    with pytest.raises(RuntimeError, match="JAX has sorted the keys"):
        jax.jit(utils.parameters_to_vector)(params)
    back = jax.jit(lambda v: utils.parameters_to_vector(utils.vector_to_parameters(v, params), names))(vector)
    np.testing.assert_array_equal(np.asarray(back), np.asarray(vector))
    for sorted_by_jax in (
        jax.tree.map(lambda leaf: leaf, {"0.weight": jnp.ones(2), "0.bias": jnp.zeros(1)}),
        jax.jit(lambda p: p)({f"{i}.scale": jnp.ones(1) * i for i in range(11)}),
        jax.tree.map(lambda leaf: leaf, {"weight_hh_l0": jnp.ones(2), "bias_hh_l0": jnp.zeros(1)}),
    ):
        with pytest.raises(RuntimeError, match=r"(?s)JAX has sorted the keys.*order=model"):
            utils.parameters_to_vector(sorted_by_jax)
        with pytest.raises(RuntimeError, match="JAX has sorted the keys"):
            utils.vector_to_parameters(jnp.ones(3), sorted_by_jax)
    model = nn.Linear(2, 1, rngs=nn.Rngs(random.manual_seed(0)))
    shuffled = {"bias": jnp.array([3.0]), "weight": jnp.array([[1.0, 2.0]])}
    assert utils.parameters_to_vector(shuffled, order=model).tolist() == [1.0, 2.0, 3.0]
    assert list(utils.vector_to_parameters(jnp.ones(3), shuffled, order=model)) == ["weight", "bias"]
    gradient = jax.grad(lambda v: sum(jnp.sum(p**2) for p in utils.vector_to_parameters(v, params).values()))(vector)
    np.testing.assert_array_equal(np.asarray(gradient), 2 * np.asarray(vector))


def test_invalid_vectors():
    params = {"a": jnp.zeros(2), "b": jnp.zeros(3)}
    with pytest.raises(TypeError, match="but got: list"):
        utils.vector_to_parameters([1.0], params)
    for length in (4, 6):
        with pytest.raises(RuntimeError, match=f"is invalid for input of size {length}"):
            utils.vector_to_parameters(jnp.zeros(length), params)
    with pytest.raises(KeyError, match="order has other names"):
        utils.parameters_to_vector(params, ["a"])
    with pytest.raises(TypeError, match="order says how a dict is read"):
        utils.parameters_to_vector([jnp.zeros(1)], ["a"])
