"""What differs between torch and its would-be counterparts in optax, JAX, flax and equinox: data, one file a family."""

from jaxgrad.cli._differences import functions, layers, optimizers, schedules
from jaxgrad.cli._differences.difference import Default, Difference, Same, When
from jaxgrad.cli._differences.moved import MOVED
from jaxgrad.cli._differences.twins import canonical

FAMILIES = (optimizers, schedules, layers, functions)
DIFFERENCES: tuple[Difference, ...] = tuple(each for family in FAMILIES for each in family.DIFFERENCES)
SAME: tuple[Same, ...] = tuple(each for family in FAMILIES for each in family.SAME)
NOWHERE_ELSE: tuple[str, ...] = tuple(name for family in FAMILIES for name in family.NOWHERE_ELSE)
ORDER: dict[str, tuple[str, ...]] = {name: order for family in FAMILIES for name, order in family.ORDER.items()}

__all__ = [
    "DIFFERENCES",
    "FAMILIES",
    "MOVED",
    "NOWHERE_ELSE",
    "ORDER",
    "SAME",
    "Default",
    "Difference",
    "Same",
    "When",
    "canonical",
]
