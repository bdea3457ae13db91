"""A clone keeps the order of attributes, shares arrays, and does not share variables."""

import jax.numpy as jnp
from flax import nnx

from jaxgrad._core.modules import clone


class Add(nnx.Module):
    def __init__(self, k):
        self.k, self.bias = k, nnx.Param(jnp.ones(()))

    def __call__(self, x):
        return 2 * x + self.k * self.bias.get_value()


class Chain(nnx.Module):
    """Children by number, run in the order in which they were set."""

    def __init__(self, n):
        for k in range(n):
            setattr(self, str(k), Add(k))
        self.named = nnx.Dict({"z": Add(1), "a": Add(2)})
        self.shared = getattr(self, "0")

    def __call__(self, x):
        for module in [value for name, value in vars(self).items() if name.isdigit()]:
            x = module(x)
        return x


def test_more_than_ten_children_keep_their_order():
    chain = Chain(12)
    copy = clone(chain)
    assert copy(jnp.zeros(())) == chain(jnp.zeros(()))
    assert [name for name in vars(copy) if name.isdigit()] == [str(k) for k in range(12)]
    assert nnx.clone(chain)(jnp.zeros(())) != chain(jnp.zeros(()))  # why this function exists


def test_variables_are_the_copys_own_and_sharing_is_kept():
    chain = Chain(2)
    copy = clone(chain)
    assert copy.shared is getattr(copy, "0") and copy.shared is not chain.shared
    copy.shared.bias.set_value(jnp.zeros(()))
    assert float(chain.shared.bias.get_value()) == 1.0
    one = getattr(chain, "1").bias.get_value()
    assert getattr(copy, "1").bias.get_value().unsafe_buffer_pointer() == one.unsafe_buffer_pointer()
