"""Public functions say in their signatures which arrays they take; every test of a call holds them to it."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Float, Integer

from jaxgrad import amp, func, nn, optim, random, train
from jaxgrad._core.types import Array, Grads, InexactTree, Params
from jaxgrad.nn import functional as F
from tests.support.annotations import checked, is_checked, speaks_of_arrays


def scaled(x: Float[Array, "*batch n"], factor: Float[Array, " n"] | None = None) -> Float[Array, "*batch n"]:
    if isinstance(x, jax.Array) and x.ndim == 0:
        raise ValueError("torch's sentence")
    return x if factor is None else jnp.asarray(x) * jnp.asarray(factor)[None]


def wrong_argument(x: Float[Array, "n n"]) -> Float[Array, "n n"]:
    return x


def wrong_result(x: Float[Array, " n"]) -> Integer[Array, " n"]:
    return x


def wrong_shape(x: Float[Array, "n m"]) -> Float[Array, "m n"]:
    return x


def wrong_pair(x: Float[Array, " n"]) -> tuple[Float[Array, ""], Float[Array, " n"]]:
    return x, x


def wrong_dict(params: Params) -> Params:
    return params


def wrong_gradients(grads: Grads) -> InexactTree:
    return {"w": jnp.ones(1), "steps": [None, jnp.ones(2, int)]}


def wrong_list(x: list[Float[Array, " n"]]) -> None:
    return None


@pytest.mark.parametrize(
    "fn, args, words",
    [
        (wrong_argument, [jnp.ones((2, 3))], "'x' does not hold"),
        (wrong_argument, [np.ones((2, 3), "float32")], "'x' does not hold"),
        (wrong_argument, [jnp.ones((2, 2), int)], "'x' does not hold"),
        (wrong_argument, [[[1.0, 2.0]]], "'x' does not hold"),
        (wrong_result, [jnp.ones(2)], "result does not hold"),
        (wrong_shape, [jnp.ones((2, 3))], "result does not hold"),
        (wrong_pair, [jnp.ones(2)], "result does not hold"),
        (scaled, [jnp.ones((2, 3)), jnp.ones(1)], "'factor' does not hold"),
    ],
)
def test_a_wrong_annotation_is_seen(fn, args, words):
    fn(*args)
    with pytest.raises(TypeError, match=words):
        checked(fn)(*args)
    with pytest.raises(TypeError, match=words):
        jax.eval_shape(checked(fn), *(jnp.asarray(each) for each in args))


@pytest.mark.parametrize(
    "fn, given, words",
    [
        (wrong_dict, {"w": jnp.ones(2), "steps": jnp.ones(2, int)}, "'params' does not hold"),
        (wrong_dict, [jnp.ones(2)], "'params' does not hold: list is no dict"),
        (wrong_gradients, {"w": jnp.ones(2), "frozen": None}, "result does not hold"),
        (wrong_list, [jnp.ones(2), jnp.ones(3)], "'x' does not hold"),
    ],
)
def test_dicts_lists_and_trees_are_seen_whole(fn, given, words):
    fn(given)
    with pytest.raises(TypeError, match=words):
        checked(fn)(given)
    with pytest.raises(TypeError, match=words):
        jax.eval_shape(checked(fn), given)


def test_a_right_annotation_is_silent_and_errors_come_first():
    assert checked(scaled)(np.ones((4, 3), "float32"), [1.0, 2.0, 3.0]).shape == (4, 3)
    assert checked(scaled)(jnp.ones((4, 3)), None).shape == (4, 3)
    assert checked(wrong_shape)(jnp.ones((2, 2))).shape == (2, 2)
    with pytest.raises(ValueError, match="torch's sentence"):
        checked(scaled)(jnp.ones(()))


def test_every_function_of_functional_is_annotated_and_checked():
    functions = {name: getattr(F, name) for name in F.__all__}
    bare = [
        name
        for name, fn in functions.items()
        if not any(speaks_of_arrays(each.annotation) for each in inspect.signature(fn).parameters.values())
    ]
    assert not bare
    unchecked = [name for name, fn in functions.items() if not is_checked(fn)]
    assert not unchecked


def test_methods_and_what_takes_trees_are_checked():
    functions = [optim.step, optim.apply_updates, func.extract, func.bind, func.functional_call, train.init_state]
    functions += [nn.init.kaiming_uniform, nn.init.orthogonal, random.normal, random.multinomial]
    methods = [amp.GradScaler.unscale, train.TrainState.__init__, train.TrainState.params.fget]
    methods += [train.TrainStep.__call__, type(optim.SGD().method).advance]
    assert [fn.__qualname__ for fn in functions + methods if not is_checked(fn)] == []
    with pytest.raises(TypeError, match="annotation of 'params' does not hold"):
        train.TrainState({"w": jnp.ones(1, int)}, ())
