"""What an optimizer remembers, after torch's ``state_dict()``: ordinary tuples and dicts of arrays."""

from typing import Any, NamedTuple

from jaxgrad._core.donated import showable
from jaxgrad._core.types import Array, PyTree


class ParamGroup(NamedTuple):
    """What changes of one of torch's ``param_groups``, and which parameters it holds.

    >>> import jax.numpy as jnp
    >>> from jaxgrad import optim
    >>> group = optim.SGD(lr=0.5).init({"w": jnp.ones(2)}).param_groups[0]
    >>> sorted(group.hyperparams), group.params.tolist(), group.scalars["step"].tolist()
    (['dampening', 'lr', 'momentum', 'weight_decay'], [0], [0])
    """

    hyperparams: dict[str, Any]
    """``{"lr": ..., "betas": (..., ...)}``; read them with ``get_hyperparams``, change them with ``set_hyperparams``.

    A number is a float64 scalar in 64-bit mode, otherwise three float32 numbers whose sum it is. A plain scalar that
    is put there is taken as well.
    """

    scalars: dict[str, Array]
    """``{"step": int32 (n,)}`` and what else torch keeps as one number a parameter; entry i is of the i-th parameter in
    JAX's order."""

    params: Array
    """Torch's ``group["params"]``: the number of each parameter in torch's order, int32 (n,), entries as above.

    JAX sorts the keys of a dict whenever it goes through ``jit``, so the order is noted in ``init``, from the dict that
    is given there. An ``init`` inside ``jit`` sees the sorted one.
    """

    injected: dict[str, Any]
    """The hyper-parameters that were arrays when the optimizer was made, as they were last seen: a new value there
    replaces the one in ``hyperparams``."""


class OptimizerState(NamedTuple):
    """The state of an optimizer, after torch's ``state_dict()``.

    >>> import jax.numpy as jnp
    >>> from jaxgrad import optim
    >>> state = optim.Adam().init({"w": jnp.ones(2)})
    >>> state.state["w"].exp_avg.shape, len(state.param_groups)
    ((2,), 1)
    """

    state: PyTree
    """The tree of the parameters with one record a parameter: ``state["0.weight"].exp_avg``."""

    param_groups: tuple[ParamGroup, ...]
    """One :class:`ParamGroup` a group."""

    def __repr__(self) -> str:
        return f"OptimizerState(state={showable(self.state)!r}, param_groups={showable(self.param_groups)!r})"
