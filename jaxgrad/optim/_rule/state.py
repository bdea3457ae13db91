"""What an optimizer remembers, after torch's ``state_dict()``."""

from typing import Any, NamedTuple

from jaxgrad._core.flat import Flat
from jaxgrad._core.types import Array, PyTree
from jaxgrad.optim._rule.packed import Packed


class ParamGroup(NamedTuple):
    """What changes of one of torch's ``param_groups``."""

    hyperparams: Packed
    """``{"lr": ..., "betas": (..., ...)}`` in one array; see ``get_hyperparams`` and ``set_hyperparams``."""

    scalars: dict[str, Array]
    """``{"step": int32 (n,)}`` and what else torch keeps as one number a parameter."""


class OptimizerState(Flat):
    """The state of an optimizer, after torch's ``state_dict()``; as a pytree it is one node.

    Attributes:
        state: the tree of the parameters with one record a parameter: ``state["0.weight"].exp_avg``.
        param_groups: one :class:`ParamGroup` a group.
    """

    __slots__ = ()
    _fields = ("state", "param_groups")

    def __init__(self, state: PyTree, param_groups: tuple[ParamGroup, ...]) -> None:
        super().__init__(state, param_groups)

    @property
    def state(self) -> PyTree:
        """The tree of the parameters with one record a parameter."""
        return self._parts()[0]

    @property
    def param_groups(self) -> tuple[ParamGroup, ...]:
        """What torch keeps in ``optimizer.param_groups``."""
        return self._parts()[1]


def with_scalars(group: ParamGroup, **changed: Any) -> ParamGroup:
    """A group with some of its vectors changed."""
    return group._replace(scalars=group.scalars | changed)
