"""The axes of a mesh that a train step runs over, each of whose devices computes on rows of its own."""

import jax

SPLIT = "fsdp"
AXES = ("data", SPLIT)


def bound_axes() -> tuple[str, ...]:
    """Which of them there are where this is called: in the program of one replica all, elsewhere none.

    >>> bound_axes(), jax.vmap(lambda x: x if bound_axes() == ("data",) else None, axis_name="data")(jax.numpy.ones(1))
    ((), Array([1.], dtype=float32))
    """
    return tuple(name for name in AXES if _is_bound(name))


def _is_bound(name: str) -> bool:
    try:
        jax.lax.axis_size(name)
    except NameError:
        return False
    return True
