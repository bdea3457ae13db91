"""Shapes, trees and checks that everything stands on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad._core.dtypes import keep_dtype, x64_enabled
from jaxgrad._core.errors import check_differentiable, check_matching_grads
from jaxgrad._core.optional import require
from jaxgrad._core.shapes import along, broadcast, broadcast_shape
from jaxgrad._core.trees import map_keeping_none, named_leaves

SHAPES = st.lists(st.integers(0, 3), max_size=4).map(tuple)


@settings(max_examples=200, deadline=None)
@given(st.lists(SHAPES, min_size=1, max_size=3))
def test_broadcast_shape_is_numpys_or_torchs_complaint(shapes):
    arrays = [np.zeros(shape) for shape in shapes]
    try:
        expected = np.broadcast_shapes(*shapes)
    except ValueError:
        with pytest.raises(RuntimeError, match=r"The size of tensor a .* must match the size of tensor b"):
            broadcast_shape(*arrays)
        return
    assert broadcast_shape(*arrays) == expected


def test_broadcast_and_along_do_not_rely_on_rank_promotion():
    a, b = broadcast(jnp.ones((2, 3)), jnp.arange(3.0))
    assert a.shape == b.shape == (2, 3)
    assert (jnp.ones((2, 3, 4)) * along(jnp.arange(3.0), 1, 3)).shape == (2, 3, 4)


def test_none_is_a_leaf():
    tree = {"a": {"w": 1, "b": None}, "c": [2, None]}
    assert map_keeping_none(lambda x: x + 1, tree) == {"a": {"w": 2, "b": None}, "c": [3, None]}
    assert named_leaves(tree) == {"a.b": None, "a.w": 1, "c.0": 2, "c.1": None}
    assert map_keeping_none(lambda x, y: x + y, {"a": 1, "b": 1}, {"a": None, "b": 2}) == {"a": None, "b": 3}


def test_flat_names_keep_torchs_order():
    assert list(named_leaves({"0.weight": 1, "0.bias": 2})) == ["0.weight", "0.bias"]


def test_gradients_must_fit_their_parameters():
    params = {"w": jnp.ones((2, 3)), "b": jnp.ones(3)}
    check_matching_grads(params, {"w": jnp.ones((2, 3)), "b": None})
    with pytest.raises(RuntimeError, match=r'(?s)Missing key\(s\) in grads: "b".*Unexpected key\(s\) in grads: "c"'):
        check_matching_grads(params, {"w": jnp.ones((2, 3)), "c": jnp.ones(3)})
    with pytest.raises(
        RuntimeError, match=r"(?s)attempting to assign a gradient of size.*float32\[3,2\].*float32\[2,3\]"
    ):
        check_matching_grads(params, {"w": jnp.ones((3, 2)), "b": None})
    with pytest.raises(RuntimeError, match="attempting to assign a gradient with dtype"):
        check_matching_grads(params, {"w": jnp.ones((2, 3), jnp.bfloat16), "b": None})


def test_sentences_are_torchs():
    torch = pytest.importorskip("torch")
    with pytest.raises(RuntimeError) as theirs:
        torch.tensor([1, 2], requires_grad=True)
    with pytest.raises(RuntimeError) as ours:
        check_differentiable({"n": jnp.arange(3)})
    assert str(ours.value).splitlines()[0] == str(theirs.value)


def test_a_gradient_that_does_not_fit_gets_torchs_sentence():
    torch = pytest.importorskip("torch")
    leaf = torch.ones(2, requires_grad=True)
    for wrong, ours in ((torch.ones(3), jnp.ones(3)), (torch.ones(2).bfloat16(), jnp.ones(2, jnp.bfloat16))):
        with pytest.raises(RuntimeError) as theirs:
            leaf.grad = wrong
        with pytest.raises(RuntimeError) as raised:
            check_matching_grads({"p": jnp.ones(2)}, {"p": ours})
        assert str(theirs.value).startswith(str(raised.value).splitlines()[0])


def test_dtypes_are_kept_or_refused(x64):
    assert x64_enabled() and keep_dtype(jnp.float64) == np.float64
    with jax.enable_x64(False):
        assert not x64_enabled()
        with pytest.raises(TypeError, match="float64 needs JAX's 64-bit mode"):
            keep_dtype(np.float64)


def test_a_broken_package_is_not_called_missing(tmp_path, monkeypatch):
    (tmp_path / "broken_guest.py").write_text("import no_such_thing_at_all")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_thing_at_all"):
        require("broken_guest", extra="torch", purpose="this")
