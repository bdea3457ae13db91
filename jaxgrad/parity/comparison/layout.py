"""How an array of another library becomes the reference's: axes in another order, axes of one element more or less."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations

import numpy as np

_KERNELS = {2: (1, 0), 3: (2, 1, 0), 4: (3, 2, 0, 1), 5: (4, 3, 0, 1, 2)}
"""From (..., in, out), as flax keeps kernels, to torch's (out, in, ...)."""

_ACTIVATIONS = {3: (0, 2, 1), 4: (0, 3, 1, 2), 5: (0, 4, 1, 2, 3)}
"""From channels last to channels first."""


@dataclass(frozen=True)
class Layout:
    """Axes in another order, then another shape of the same elements.

    >>> Layout((1, 0), (3, 2)).to_reference(np.zeros((2, 3))).shape
    (3, 2)
    >>> Layout((1, 0), (3, 2)).to_own(np.zeros((3, 2)), (2, 3)).shape
    (2, 3)
    """

    axes: tuple[int, ...]
    shape: tuple[int, ...]

    def to_reference(self, array: np.ndarray) -> np.ndarray:
        """The candidate's array as the reference has it; one of another shape than expected stays as it is."""
        if len(self.axes) != array.ndim:
            return array
        turned = array.transpose(self.axes)
        return turned.reshape(self.shape) if turned.size == int(np.prod(self.shape)) else turned

    def to_own(self, array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """The reference's array as the candidate has it."""
        turned = np.asarray(array).reshape([shape[axis] for axis in self.axes])
        return turned.transpose(np.argsort(self.axes))


def kernel_layouts(shape: tuple[int, ...], wanted: tuple[int, ...], *, flax: bool) -> Iterator[Layout]:
    """The layouts in which a parameter of one shape can be one of another, the likeliest first.

    >>> [layout.axes for layout in kernel_layouts((4, 4), (4, 4), flax=True)]
    [(1, 0), (0, 1)]
    """
    identity = tuple(range(len(shape)))
    turned = _KERNELS.get(len(shape), identity)
    order = [turned, identity] if flax else [identity, turned]
    if len(shape) <= 4:
        order += list(permutations(identity))
    yield from _fitting(order, shape, wanted)


def activation_layouts(shape: tuple[int, ...], wanted: tuple[int, ...]) -> Iterator[Layout]:
    """The same for what a module returns."""
    identity = tuple(range(len(shape)))
    yield from _fitting([identity, _ACTIVATIONS.get(len(shape), identity)], shape, wanted)


def _fitting(order: list[tuple[int, ...]], shape: tuple[int, ...], wanted: tuple[int, ...]) -> Iterator[Layout]:
    for axes in dict.fromkeys(order):
        turned = tuple(shape[axis] for axis in axes)
        if turned == wanted or _squeezed(turned) == _squeezed(wanted):
            yield Layout(axes, wanted)


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for n in shape if n != 1)
