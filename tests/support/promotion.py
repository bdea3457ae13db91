"""JAX's own promotion of dtypes where the suite is strict: for functions as users and other libraries write them."""

import functools

import jax


def as_written(fn):
    """The function, also a test, under JAX's own promotion: it mixes integers or dtypes with what it is given."""

    @functools.wraps(fn)
    def promoting(*args, **kwargs):
        with jax.numpy_dtype_promotion("standard"):
            return fn(*args, **kwargs)

    return promoting
