"""The size of a program that draws: it grows with the number of draws, not with its square."""

import jax
import pytest

from jaxgrad import random


@pytest.mark.parametrize("draw", ["rand", "bernoulli"])
def test_many_draws_are_as_many_times_one(draw):
    def size(count):
        def program(generator):
            drawn = []
            for _ in range(count):
                arguments = ((3, 700), 0.9) if draw == "bernoulli" else ((3, 700),)
                value, generator = getattr(random, draw)(generator, *arguments)
                drawn.append(value)
            return drawn, generator

        return len(jax.jit(program).lower(random.manual_seed(0)).compile().as_text())

    one, three, nine = size(1), size(3), size(9)
    assert nine - three < 1.25 * 3 * (three - one), (one, three, nine)
