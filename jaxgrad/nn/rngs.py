"""The random stream that constructors draw their initial values from.

This is the one place where a generator is carried by an object instead of going in and coming out: constructors are
called one inside the other, and torch's are called in the same order. It lives as long as a model is being built.
"""

from collections.abc import Callable
from typing import Any

from jaxgrad._core.errors import explain
from jaxgrad._core.types import Array
from jaxgrad.random import Generator


class Rngs:
    """Hands a generator from one constructor to the next; ``torch.manual_seed`` and all modules after it.

    Args:
        generator: where torch's global generator stands before the model is built.

    Attributes:
        generator: where it stands now.

    >>> from jaxgrad import nn, random
    >>> rngs = nn.Rngs(random.manual_seed(0))
    >>> model = nn.Linear(2, 1, rngs=rngs)  # draws a weight, then a bias
    >>> x, generator = random.rand(rngs.generator, (3,))  # what torch.rand(3) gives next
    """

    def __init__(self, generator: Generator):
        if not isinstance(generator, Generator):
            raise TypeError(
                explain(
                    f"Rngs needs a generator, got {type(generator).__name__}",
                    got=repr(generator),
                    expected="jaxgrad.random.Generator",
                    remedy="nn.Rngs(random.manual_seed(seed))",
                )
            )
        self.generator = generator

    def draw(self, fn: Callable[..., tuple[Array, Generator]], *args: Any, **kwargs: Any) -> Array:
        """``fn(generator, *args)`` with the current generator, which the one it returns replaces."""
        value, self.generator = fn(self.generator, *args, **kwargs)
        return value
