"""The generator as a value: seeds, bytes, refusals, and its way through JAX's transformations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad import random
from tests.random.side_by_side import Pair, assert_same_state


@settings(deadline=None, max_examples=50)
@given(st.integers(-(2**63), 2**64 - 1))
def test_a_fresh_generator_has_torchs_bytes(seed):
    theirs = torch.Generator().manual_seed(seed)
    assert_same_state(random.manual_seed(seed), theirs)
    assert random.manual_seed(seed).initial_seed() == theirs.initial_seed()


@pytest.mark.parametrize("seed", [-(2**63), -1, 0, 1, 2**32 - 1, 2**32, 2**63, 2**64 - 1])
def test_corner_seeds(seed):
    assert_same_state(random.manual_seed(seed), torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("seed", [2**64, -(2**63) - 1, 10**30])
def test_seeds_out_of_range_are_refused_as_by_torch(seed):
    with pytest.raises(ValueError) as theirs:
        torch.manual_seed(seed)
    with pytest.raises(ValueError) as ours:
        random.manual_seed(seed)
    assert str(ours.value).splitlines()[0] == str(theirs.value)


def test_an_unseeded_generator_stands_where_torchs_does():
    assert_same_state(random.unseeded(), torch.Generator())


def test_seeding_from_entropy_gives_another_stream_each_time():
    (first, generator), (second, _) = random.seed(), random.manual_seed(0).seed()
    assert first != second and 0 <= first < 2**53
    assert generator.initial_seed() == first


def test_reseeding_clears_the_cached_normal():
    _, generator = random.randn(random.manual_seed(1), 1)
    assert int(generator.has_cached) == 1
    np.testing.assert_array_equal(generator.manual_seed(1).get_state(), random.manual_seed(1).get_state())


@pytest.mark.parametrize("damage", ["size", "dtype", "seeded", "left", "next"])
def test_damaged_states_are_refused_as_by_torch(damage):
    state = torch.Generator().manual_seed(0).get_state()
    if damage == "size":
        state = state[:100]
    elif damage == "dtype":
        state = state.float()
    else:
        state[{"seeded": slice(12, 16), "left": slice(8, 12), "next": slice(16, 24)}[damage]] = (
            0 if damage != "next" else 255
        )
    with pytest.raises((RuntimeError, TypeError)) as theirs:
        torch.Generator().set_state(state)
    with pytest.raises(theirs.type) as ours:
        random.from_state(state.numpy())
    assert str(ours.value).splitlines()[0] == str(theirs.value).splitlines()[0]


def test_a_draw_leaves_its_generator_as_it_was():
    generator = random.manual_seed(3)
    before = generator.get_state()
    first, _ = random.rand(generator, 1000)
    second, _ = random.rand(generator, 1000)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(generator.get_state(), before)
    with pytest.raises(ValueError, match="read-only"):
        generator.words[0] = 0


def test_leaves_are_32_bit_integers_and_survive_a_round_trip_through_a_device():
    _, generator = random.randn(random.manual_seed(5), 3)
    assert {str(np.asarray(leaf).dtype) for leaf in jax.tree.leaves(generator)} == {"uint32", "int32"}
    moved = jax.jit(lambda g: g, donate_argnums=0)(jax.device_put(generator))
    np.testing.assert_array_equal(moved.get_state(), generator.get_state())


def test_scan_carries_the_stream():
    theirs = torch.Generator().manual_seed(11)
    expected = torch.stack([torch.rand(100, generator=theirs) for _ in range(20)])

    @jax.jit
    def run(generator):
        return jax.lax.scan(lambda g, _: random.rand(g, 100)[::-1], generator, length=20)

    generator, values = run(jax.tree.map(jnp.asarray, random.manual_seed(11)))
    np.testing.assert_array_equal(values, expected.numpy())
    assert_same_state(generator, theirs)


def test_vmap_draws_from_many_generators():
    seeds = [1, 2, 3]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *[random.manual_seed(seed) for seed in seeds])
    values, stacked = jax.vmap(lambda g: random.randn(g, 40))(stacked)
    small, _ = jax.vmap(lambda g: random.exponential(g, 3))(stacked)
    for i, seed in enumerate(seeds):
        theirs = torch.Generator().manual_seed(seed)
        np.testing.assert_array_equal(values[i], torch.randn(40, generator=theirs).numpy())
        np.testing.assert_array_equal(small[i], torch.empty(3).exponential_(generator=theirs).numpy())


def test_a_concrete_generator_can_be_drawn_from_while_something_else_is_traced():
    expected = torch.randn(20000, generator=torch.Generator().manual_seed(2)).numpy()

    @jax.jit
    def shifted(x):
        noise, _ = random.randn(random.manual_seed(2), 20000)
        return noise + x

    np.testing.assert_array_equal(shifted(0.0), expected)


def test_bytes_of_a_traced_generator_are_refused():
    with pytest.raises(TypeError, match="return the generator from the jitted function"):
        jax.jit(lambda g: g.get_state())(random.manual_seed(0))


def test_repr_names_seed_and_position():
    assert repr(random.manual_seed(4)) == "Generator(initial_seed=4, position=624)"
    assert jax.eval_shape(lambda g: g, random.manual_seed(4)).position.shape == ()


def test_the_state_of_torchs_global_generator_can_be_taken_over():
    torch.manual_seed(9)
    torch.randn(5)
    pair = Pair(0)
    pair.ours, pair.theirs = random.from_state(torch.get_rng_state()), torch.default_generator
    pair.draw(lambda g: random.randn(g, 7), lambda g: torch.randn(7, generator=g))
