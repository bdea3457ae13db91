"""Everything a training step remembers, as one value."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxgrad._core.errors import check_differentiable, explain
from jaxgrad._core.flat import Flat
from jaxgrad._core.types import Buffers, Params, ParamsLike, PyTree
from jaxgrad.amp import GradScaler, GradScalerState
from jaxgrad.optim.lr_scheduler import LRScheduler
from jaxgrad.optim.swa_utils import AveragedModel
from jaxgrad.train.schedule import start_schedule


class TrainState(Flat):
    """What torch keeps in the model, the optimizer, the scheduler and the global generator; it does not change.

    As a pytree it is one node: its leaves stand side by side, and the dicts are put together when they are looked at,
    in the order that they were given in (torch's), also after ``jit``, which sorts them. ``state.replace(params=...)``
    is a state with some parts changed.

    Attributes:
        params: what is trained.
        opt_state: what the optimizer remembers (``optimizer.state`` and ``param_groups`` in torch).
        buffers: what the model remembers without training it.
        generator: the random stream that the loss function draws from, or None.
        schedule: what the schedule remembers, or None; ``state.schedule.numbers()`` has Python's numbers.
        average: the running average of the parameters, an ``optim.swa_utils.AveragedModel``, or None.
        scaler: what the gradient scaler remembers, an ``amp.GradScalerState``, or None.

    >>> state = TrainState({"weight": jnp.ones(2), "bias": jnp.ones(1)}, (), {"mean": jnp.zeros(3)})
    >>> list(jax.jit(lambda state: state)(state).params), state.generator
    (['weight', 'bias'], None)
    >>> list(jax.tree_util.tree_leaves_with_path(state)[0][0])
    [GetAttrKey(name='params.bias')]
    >>> state.replace(buffers={}).buffers
    {}
    """

    __slots__ = ("taken_by",)
    _fields = ("params", "opt_state", "buffers", "generator", "schedule", "average", "scaler")

    taken_by: str
    """Which step has taken over the memory of this state; unset while none has."""

    def __init__(
        self,
        params: Params,
        opt_state: PyTree,
        buffers: Buffers | None = None,
        generator: Any = None,
        schedule: Any = None,
        average: AveragedModel | None = None,
        scaler: GradScalerState | None = None,
    ) -> None:
        super().__init__(params, opt_state, {} if buffers is None else buffers, generator, schedule, average, scaler)

    @property
    def params(self) -> Params:
        """What is trained."""
        params: Params = self._parts()[0]
        return params

    @property
    def opt_state(self) -> PyTree:
        """What the optimizer remembers."""
        return self._parts()[1]

    @property
    def buffers(self) -> Buffers:
        """What the model remembers."""
        buffers: Buffers = self._parts()[2]
        return buffers

    @property
    def generator(self) -> Any:
        """The random stream, a ``random.Generator`` or a JAX key."""
        return self._parts()[3]

    @property
    def schedule(self) -> Any:
        """What the schedule remembers."""
        return self._parts()[4]

    @property
    def average(self) -> AveragedModel | None:
        """The running average."""
        average: AveragedModel | None = self._parts()[5]
        return average

    @property
    def scaler(self) -> GradScalerState | None:
        """What the gradient scaler remembers."""
        scaler: GradScalerState | None = self._parts()[6]
        return scaler


def init_state(
    params: ParamsLike,
    tx: optax.GradientTransformation,
    *,
    buffers: Buffers | None = None,
    generator: Any = None,
    schedule: LRScheduler | None = None,
    average: AveragedModel | None = None,
    scaler: GradScaler | None = None,
) -> TrainState:
    """The state before the first step.

    Arrays are copied: a step takes over the memory of the state it is given, and what the caller holds stays whole.

    Args:
        params: from ``func.extract``.
        tx: an optimizer, or any optax transformation.
        buffers: from ``func.extract``.
        generator: for a loss function that draws random numbers, a ``random.Generator`` or a JAX key.
        schedule: of ``optim.lr_scheduler``; as in torch, the optimizer begins with the schedule's first lr.
        average: an ``optim.swa_utils.AveragedModel`` of these parameters (and buffers).
        scaler: an ``amp.GradScaler``, for gradients that float16 would round to zero.

    Returns:
        The state that ``make_train_step``'s function takes.

    Raises:
        RuntimeError: a parameter is not floating point or complex.
        TypeError: ``params`` is a model, ``tx`` is not an optimizer, or ``scaler`` not a ``GradScaler``.

    >>> from jaxgrad import optim
    >>> state = init_state({"w": jnp.ones(2)}, optim.SGD(0.1))
    >>> list(state.params), optim.get_lr(state.opt_state)
    (['w'], [0.1])
    """
    _check_arguments(params, tx)
    check_differentiable(dict(params))
    own = _copied(params)
    opt_state, kept = tx.init(own), None
    if schedule is not None:
        kept, opt_state = start_schedule(schedule, opt_state)
    stream, averaged = jax.tree.map(lambda leaf: jnp.array(leaf, copy=True), (generator, average))
    scale = None if scaler is None else check_scaler(scaler).init()
    return TrainState(own, opt_state, _copied(buffers or {}), stream, kept, averaged, scale)


def check_scaler(scaler: Any) -> GradScaler:
    """Raise unless this is a ``GradScaler``."""
    if isinstance(scaler, GradScaler):
        return scaler
    raise TypeError(explain("a scaler is a GradScaler", got=type(scaler).__name__, remedy="scaler = amp.GradScaler()"))


def check_not_taken(state: Any) -> None:
    """Raise if a step has taken over the memory of a state, and say which.

    Raises:
        RuntimeError: it has.
    """
    leaves = [leaf for leaf in jax.tree.leaves(state) if isinstance(leaf, jax.Array)]
    if any(not isinstance(leaf, jax.core.Tracer) and leaf.is_deleted() for leaf in leaves):
        by = getattr(state, "taken_by", "another step")
        raise RuntimeError(
            explain(
                f"this state cannot be used again: the {by} has taken over its memory",
                remedy="go on with the state that the step returned; or make_train_step(..., donate=False)",
            )
        )


def _copied(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: jnp.array(value, copy=True) for name, value in values.items()}


def _check_arguments(params: Any, tx: Any) -> None:
    if not hasattr(params, "items"):
        raise TypeError(
            explain(
                "init_state takes the parameters, a dict of arrays",
                got=type(params).__name__,
                remedy="params, buffers = func.extract(model); train.init_state(params, tx, buffers=buffers)",
            )
        )
    if not hasattr(tx, "init"):
        raise TypeError(
            explain(
                "init_state takes an optimizer", got=type(tx).__name__, remedy="train.init_state(params, optim.Adam())"
            )
        )
