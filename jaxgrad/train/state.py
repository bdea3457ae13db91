"""Everything a training step remembers, as one value."""

import jax
import jax.numpy as jnp
import optax

from jaxgrad._core.errors import check_differentiable
from jaxgrad._core.flat import Flat
from jaxgrad._core.types import Buffers, Params, ParamsLike, PyTree
from jaxgrad.random import Generator


class TrainState(Flat):
    """What torch keeps in the model, the optimizer and the global generator; it does not change.

    As a pytree it is one node: its leaves stand side by side, and the dicts are put together when they are looked at.

    Attributes:
        params: what is trained.
        opt_state: what the optimizer remembers (``optimizer.state`` and ``param_groups`` in torch).
        buffers: what the model remembers without training it.
        generator: the random stream that the loss function draws from, or None.

    >>> state = TrainState({"w": jnp.ones(2)}, (), {"mean": jnp.zeros(3)})
    >>> state.params["w"].shape, state.generator
    ((2,), None)
    >>> list(jax.tree_util.tree_leaves_with_path(state)[0][0])
    [GetAttrKey(name='params.w')]
    """

    __slots__ = ()
    _fields = ("params", "opt_state", "buffers", "generator")

    def __init__(
        self, params: Params, opt_state: PyTree, buffers: Buffers | None = None, generator: Generator | None = None
    ) -> None:
        super().__init__(params, opt_state, {} if buffers is None else buffers, generator)

    @property
    def params(self) -> Params:
        """What is trained."""
        return self._parts()[0]

    @property
    def opt_state(self) -> PyTree:
        """What the optimizer remembers."""
        return self._parts()[1]

    @property
    def buffers(self) -> Buffers:
        """What the model remembers."""
        return self._parts()[2]

    @property
    def generator(self) -> Generator | None:
        """The random stream."""
        return self._parts()[3]


def init_state(
    params: ParamsLike,
    tx: optax.GradientTransformation,
    *,
    buffers: Buffers | None = None,
    generator: Generator | None = None,
) -> TrainState:
    """The state before the first step.

    Arrays are copied: a step takes over the memory of the state it is given, and what the caller holds stays whole.

    Args:
        params: from ``func.extract``.
        tx: an optimizer, or any optax transformation.
        buffers: from ``func.extract``.
        generator: for a loss function that draws random numbers.

    Raises:
        RuntimeError: a parameter is not floating point or complex.

    >>> from jaxgrad import optim
    >>> state = init_state({"w": jnp.ones(2)}, optim.SGD(0.1))
    >>> list(state.params), optim.get_lr(state.opt_state)
    (['w'], [0.1])
    """
    check_differentiable(dict(params))
    own, remembered, stream = jax.tree.map(
        lambda leaf: jnp.array(leaf, copy=True), (dict(params), dict(buffers or {}), generator)
    )
    return TrainState(own, tx.init(own), remembered, stream)
