"""The hyper-parameters of a group as one array.

They are state, so every call of a compiled step takes them in and gives them back, and for a small model that costs
more than its arithmetic. One array of all of them costs as much as one of them.
"""

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.errors import explain
from jaxgrad._core.types import Array
from jaxgrad.optim._rule.precision import pack, unpack, widen


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Packed:
    """A dict of numbers, or of tuples of numbers, in one array, each with a double's accuracy.

    Attributes:
        numbers: (n,) float64 in 64-bit mode, else (n, 3) float32; an ensemble's has leading axes.
        structure: of the dict they come from.

    >>> packed = Packed.of({"lr": 0.1, "betas": (0.9, 0.999)})
    >>> packed.unpacked()
    {'betas': (0.9, 0.999), 'lr': 0.1}
    >>> packed.replace("betas", (0.8, 0.99)).unpacked()["betas"]
    (0.8, 0.99)
    """

    numbers: Array
    structure: Any = field(metadata={"static": True})

    @classmethod
    def of(cls, tree: dict[str, Any]) -> "Packed":
        """Pack the numbers of a dict."""
        leaves, structure = jax.tree.flatten(tree)
        return cls(jnp.stack([pack(leaf) for leaf in leaves]), structure)

    @property
    def names(self) -> list[str]:
        """The keys of the dict."""
        return sorted(self._places())

    def widened(self) -> dict[str, Any]:
        """The dict of float64 scalars; call it inside ``double_precision``."""
        return jax.tree.map(lambda place: widen(self.numbers[self._at(place)]), self._places())

    def unpacked(self) -> dict[str, Any]:
        """The dict of Python floats (of arrays for an ensemble)."""
        return jax.tree.map(lambda place: unpack(self.numbers[self._at(place)]), self._places())

    def replace(self, name: str, value: Any) -> "Packed":
        """Another value under one name, for every member of an ensemble.

        Raises:
            ValueError: the value has another form, such as None for a number.
        """
        places = self._places()[name]
        form: Any = jax.tree.structure(places)
        if form != jax.tree.structure(value):
            raise ValueError(
                explain(
                    f"{name} keeps its form in a running state: a number cannot become None, nor None a number",
                    got=repr(value),
                )
            )
        numbers = self.numbers
        for place, number in zip(jax.tree.leaves(places), jax.tree.leaves(value), strict=True):
            row, at = pack(number), self._at(place)
            leading = (1,) * (numbers[at].ndim - row.ndim)
            numbers = numbers.at[at].set(row.reshape(leading + row.shape))
        return Packed(numbers, self.structure)

    def _places(self) -> dict[str, Any]:
        return jax.tree.unflatten(self.structure, range(self.structure.num_leaves))

    def _at(self, place: int) -> tuple[Any, ...]:
        return (..., place) if self.numbers.dtype == jnp.float64 else (..., place, slice(None))
