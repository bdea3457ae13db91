"""The one language for "which parameters"."""

import jax
import jax.numpy as jnp
import pytest

from jaxgrad import autograd, nn, optim
from jaxgrad._core.selection import UnknownName, select
from jaxgrad._core.trees import named_leaves

PARAMS = {"body.weight": jnp.ones((2, 2)), "body.bias": jnp.ones(2), "head.weight": jnp.ones((1, 2)), "gone": None}


def everywhere(where):
    """What every function that takes a choice makes of it."""
    params = {name: leaf for name, leaf in PARAMS.items() if leaf is not None}
    loss = lambda p: sum(leaf.sum() for leaf in p.values())  # noqa: E731
    found = {
        "inputs": [name for name, g in autograd.backward(loss, params, inputs=where)[1].items() if g is not None],
        "mask": [name for name, flag in autograd.requires_grad(params, where).items() if flag],
        "freeze": [name for name, leaf in autograd.freeze(params, where)[1].items() if leaf is not None],
        "groups": optim.param_groups(params, [{"params": where}, {"params": ...}])[0]["params"],
    }
    return found


@pytest.mark.parametrize(
    "where",
    [
        "*.weight",
        ["body.weight", "head.weight"],
        ("head.*", "body.w*"),
        lambda name, leaf: leaf.ndim == 2,
        {"body.weight": True, "body.bias": False, "head.weight": True},
    ],
)
def test_every_function_reads_every_form_alike(where):
    assert everywhere(where) == {key: ["body.weight", "head.weight"] for key in ("inputs", "mask", "freeze", "groups")}


def test_names_are_in_the_order_of_the_parameters_and_none_is_left_out():
    assert select(PARAMS, ["head.weight", "body.*", "gone"]) == ["body.weight", "body.bias", "head.weight"]
    assert select(PARAMS, None) == ["body.weight", "body.bias", "head.weight"]
    assert select(PARAMS, []) == []
    assert select(PARAMS, PARAMS.keys()) == ["body.weight", "body.bias", "head.weight"]
    assert select([1.0, {"w": 2.0}], "1.*") == ["1.w"]
    assert select([1.0, 2.0], [False, True]) == ["1"]
    assert select({"a[0]": 1.0}, "a[0]") == ["a[0]"]  # a name may look like a pattern


def test_a_wrong_choice_is_one_error_everywhere():
    for call in (
        lambda where: select(PARAMS, where),
        lambda where: autograd.backward(lambda p: p["a"], {"a": 1.0}, inputs=where),
        lambda where: autograd.freeze({"a": 1.0}, where),
        lambda where: autograd.requires_grad({"a": 1.0}, where),
        lambda where: optim.param_groups({"a": 1.0}, [{"params": where}]),
    ):
        with pytest.raises(UnknownName, match=r'no parameter matches "head\.wieght"'):
            call(["head.wieght"])
        with pytest.raises(TypeError, match="a predicate of parameters takes the name and the leaf"):
            call(lambda name: True)
        with pytest.raises(ValueError, match="a mask needs one boolean for each parameter"):
            call({"another": True})
    with pytest.raises(ValueError, match="no boolean at"):
        select({"a": 1.0}, {"a": 1.0})
    with pytest.raises(UnknownName, match=r'\n  remedy:   "head\.weight" is close'):
        select(PARAMS, "head.wieght")


def test_a_name_belongs_to_one_leaf():
    params = {"a.b": jnp.ones(2), "a": {"b": jnp.ones(2)}}
    for call in (
        named_leaves,
        lambda p: autograd.backward(lambda p: p["a.b"].sum(), p),
        lambda p: autograd.freeze(p, "a.b"),
        lambda p: autograd.grad(lambda p: p["a.b"].sum(), p),
        lambda p: autograd.accumulate(p, p),
        lambda p: autograd.computational_graph(lambda p: p["a.b"].sum(), p),
        lambda p: jax.jit(lambda p: autograd.forward(lambda p: p["a.b"].sum(), p)[0])(p),
    ):
        with pytest.raises(ValueError, match=r'two leaves have the name "a\.b"'):
            call(params)


def test_clipping_of_some_gradients():
    """torch's ``clip_grad_norm_(model.head.parameters(), ...)``: the others are neither counted nor changed."""
    grads = {"body.weight": 3 * jnp.ones(4), "head.weight": 3 * jnp.ones(4), "head.bias": None}
    clipped, norm = nn.utils.clip_grad_norm(grads, 1.0, names="head.*")
    alone, expected = nn.utils.clip_grad_norm({"head.weight": grads["head.weight"]}, 1.0)
    assert float(norm) == float(expected) == 6.0
    assert list(clipped) == list(grads) and clipped["head.bias"] is None
    assert clipped["body.weight"] is grads["body.weight"]
    assert (clipped["head.weight"] == alone["head.weight"]).all()
    by_value = nn.utils.clip_grad_value(grads, 1.0, names=lambda name, grad: name.startswith("head"))
    assert by_value["head.weight"].max() == 1.0 and by_value["body.weight"].max() == 3.0
    with pytest.raises(UnknownName, match="no parameter matches"):
        nn.utils.clip_grad_norm(grads, 1.0, names="tail.*")


def test_hooks_of_patterns_and_of_a_name_run_in_order():
    params = {"a.weight": jnp.ones(1), "a.bias": jnp.ones(1), "b.bias": jnp.ones(1)}
    hooks = {"*.bias": lambda p, g: (p, 10 * g), "a.*": [lambda p, g: (p, g + 1), lambda p, g: (p - g, None)]}
    new, grads = autograd.post_accumulate_grad(params, params, hooks)
    assert {name: float(value[0]) for name, value in new.items()} == {"a.weight": -1, "a.bias": -10, "b.bias": 1}
    assert grads["a.bias"] is grads["a.weight"] is None and float(grads["b.bias"][0]) == 10
    with pytest.raises(RuntimeError, match="post accumulate grad hooks cannot be registered on non-leaf tensors"):
        autograd.post_accumulate_grad(params, params, {"c.*": hooks["*.bias"]})
