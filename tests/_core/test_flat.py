"""A record that is one node: what JAX does to a pytree leaves its fields as they were."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad import optim, train
from jaxgrad._core.flat import Flat


class Pair(Flat):
    """Two trees."""

    _fields = ("left", "right")

    def __init__(self, left, right):
        super().__init__(left, right)

    left = property(lambda self: self._parts()[0])
    right = property(lambda self: self._parts()[1])


TREE = {"b": (1, None), "a": [2.0, {"c": 3}]}


def test_fields_come_back_as_they_were():
    pair = Pair(TREE, None)
    assert pair.left == TREE and pair.right is None
    assert pair.replace(right=4).right == 4 and pair.right is None
    assert jax.tree.map(lambda x: 10 * x, pair).left == {"b": (10, None), "a": [20.0, {"c": 30}]}


def test_it_is_one_node_however_many_records_it_holds():
    params = {str(i): jnp.ones(2) for i in range(50)}
    state = train.init_state(params, optim.Adam())
    structure = jax.tree.structure(state)
    assert structure.num_nodes == structure.num_leaves + 1
    assert structure.num_leaves > 50 * 3
    assert state.opt_state.state["7"].exp_avg.shape == (2,)


def test_leaves_have_their_names():
    names = [path[0].name for path, _ in jax.tree_util.tree_leaves_with_path(Pair(TREE, 5))]
    assert names == ["left.a.0", "left.a.1.c", "left.b.0", "right"]


def test_leaves_may_become_anything():
    pair = Pair(TREE, 5)
    nothing = jax.tree_util.tree_map_with_path(lambda path, leaf: None if "a" in path[0].name else leaf, pair)
    assert nothing.left == {"b": (1, None), "a": [None, {"c": None}]}
    assert len(jax.tree.leaves(nothing)) == 2
    split = jax.tree.map(lambda leaf: {"x": leaf}, pair)
    assert split.right == {"x": 5}
    assert jax.tree.transpose(jax.tree.structure(pair), jax.tree.structure({"x": 0}), split)["x"].left == TREE


def test_transformations_keep_it():
    pair = Pair({"w": jnp.arange(3.0)}, (jnp.ones((3, 2)),))
    doubled = jax.jit(jax.vmap(lambda p: p.replace(left={"w": 2 * p.left["w"]})))(pair)
    np.testing.assert_array_equal(doubled.left["w"], [0, 2, 4])
    _, stacked = jax.lax.scan(lambda carry, x: (carry, x), 0.0, pair)
    assert stacked.right[0].shape == (3, 2)
    gradient = jax.grad(lambda p: (p.left["w"] ** 2).sum() + p.right[0].sum())(pair)
    np.testing.assert_array_equal(gradient.left["w"], [0, 2, 4])


def test_another_structure_is_another_tree():
    with pytest.raises(ValueError):
        jax.tree.map(lambda a, b: a, Pair({"a": 1}, 2), Pair({"b": 1}, 2))


def test_it_can_be_pickled():
    state = train.init_state({"w": jnp.ones(2)}, optim.SGD(lr=0.1, momentum=0.9))
    again = pickle.loads(pickle.dumps(state))
    assert optim.get_hyperparams(again) == optim.get_hyperparams(state)
    np.testing.assert_array_equal(again.params["w"], state.params["w"])
