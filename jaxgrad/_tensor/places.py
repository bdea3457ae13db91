"""Places in an array, as torch's indexing functions name them, and what happens at one that does not exist.

Where the numbers can be looked at, an index out of range raises as in torch. Inside ``jit`` nothing can be raised: what
is read there is nan (or the smallest integer), what is written there is dropped. JAX's own indexing takes the last
element instead.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxgrad._core.dtype_names import torch_name
from jaxgrad._core.errors import explain, is_traced
from jaxgrad._core.types import Array

Places = tuple[Any, ...]
"""One index array an axis, broadcastable to each other: what ``array[places]`` takes."""


def along(index: Array, axis: int) -> Places:
    """The places of a full-rank ``index`` along one axis: every other coordinate is the element's own.

    >>> [x.shape for x in along(jnp.zeros((2, 3), int), 1)]
    [(2, 1), (2, 3)]
    """
    grid = np.ogrid[tuple(slice(n) for n in index.shape)]
    return tuple(index if each == axis else jnp.asarray(grid[each]) for each in range(index.ndim))


def whole(index: Array, axis: int, shape: tuple[int, ...]) -> Places:
    """The places of a vector ``index`` along one axis of an array, with all of the other axes."""
    sizes = [len(index) if each == axis else size for each, size in enumerate(shape)]
    grid = np.ogrid[tuple(slice(n) for n in sizes)]
    stand = [1] * len(shape)
    stand[axis] = -1
    return tuple(index.reshape(stand) if each == axis else jnp.asarray(grid[each]) for each in range(len(shape)))


def check_dtype(name: str, index: Array) -> None:
    """Raise unless an index is int32 or int64.

    Raises:
        RuntimeError: torch's sentence.
    """
    if index.size and index.dtype not in (jnp.int32, jnp.int64):
        raise RuntimeError(f"{name}(): Expected dtype int32/int64 for index")


def check_rank(name: str, input: Array, index: Array, axis: int) -> None:
    """Raise unless ``index`` has the rank of ``input`` and fits into it apart from ``axis``.

    Raises:
        RuntimeError: torch's sentence.
    """
    if index.size == 0:
        return
    if max(index.ndim, 1) != max(input.ndim, 1):
        raise RuntimeError("Index tensor must have the same number of dimensions as input tensor")
    for each, (have, most) in enumerate(zip(index.shape, input.shape, strict=False)):
        if each != axis and have > most:
            raise RuntimeError(
                f"Size does not match at dimension {each} expected index {list(index.shape)} to be no larger than self "
                f"{list(input.shape)} apart from dimension {axis}"
            )


def check_range(index: Array, size: int, sentence: str, *, negative: bool = False, error: type = RuntimeError) -> None:
    """Raise the sentence, with the first index that is out of range put in for ``{}``, if it can be looked at.

    Args:
        index: integers.
        size: of the axis.
        sentence: torch's.
        negative: whether negative ones count from the end.
        error: which exception torch raises.

    Raises:
        RuntimeError: an index is out of range; or what ``error`` says.
    """
    if is_traced(index):
        return
    numbers = np.asarray(index).ravel()
    wrong = numbers[(numbers >= size) | (numbers < (-size if negative else 0))]
    if wrong.size:
        raise error(sentence.format(wrong[0]))


def check_same_dtype(name: str, input: Array, source: Array) -> None:
    """Raise unless both have one dtype.

    Raises:
        RuntimeError: torch's sentence.
    """
    if input.dtype != source.dtype:
        raise RuntimeError(
            explain(
                f"{name}(): Expected self.dtype to be equal to src.dtype",
                got=f"{torch_name(source.dtype)} for src",
                expected=torch_name(input.dtype),
            )
        )
