"""Everything a training step remembers, as one value."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxgrad._core.errors import check_differentiable
from jaxgrad._core.trees import path_name
from jaxgrad._core.types import Buffers, Metrics, Params, ParamsLike, PyTree
from jaxgrad.random import Generator

_FIELDS = ("params", "opt_state", "buffers", "generator")


@jax.tree_util.register_pytree_with_keys_class
class TrainState:
    """What torch keeps in the model, the optimizer and the global generator; it does not change.

    As a pytree it is flat: its leaves stand side by side, and the dicts are put together when they are looked at. Every
    call of a compiled step takes its arguments apart and puts its results together, which for a small model would
    otherwise cost as much as the step itself.

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

    __slots__ = ("_leaves", "_structure")

    def __init__(
        self, params: Params, opt_state: PyTree, buffers: Buffers | None = None, generator: Generator | None = None
    ):
        leaves, self._structure = jax.tree.flatten((params, opt_state, {} if buffers is None else buffers, generator))
        self._leaves = tuple(leaves)

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

    def replace(self, **changes: Any) -> "TrainState":
        """A state with some fields changed."""
        return TrainState(**{**dict(zip(_FIELDS, self._parts(), strict=True)), **changes})

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={part!r}" for name, part in zip(_FIELDS, self._parts(), strict=True))
        return f"TrainState({fields})"

    def _parts(self) -> tuple[Any, Any, Any, Any]:
        return jax.tree.unflatten(self._structure, self._leaves)

    def tree_flatten(self) -> tuple[tuple[Any, ...], Any]:
        """The leaves, and what they were."""
        return self._leaves, self._structure

    def tree_flatten_with_keys(self) -> tuple[tuple[tuple[Any, Any], ...], Any]:
        """The leaves with their dotted names."""
        paths, _ = jax.tree_util.tree_flatten_with_path(dict(zip(_FIELDS, self._parts(), strict=True)))
        by_name = {path_name(path): leaf for path, leaf in paths}
        of_field = [name for field in _FIELDS for name in by_name if name == field or name.startswith(f"{field}.")]
        keys = (jax.tree_util.GetAttrKey(name) for name in of_field)
        return tuple(zip(keys, self._leaves, strict=True)), self._structure

    @classmethod
    def tree_unflatten(cls, structure: Any, leaves: Any) -> "TrainState":
        """The state of these leaves."""
        state = object.__new__(cls)
        state._leaves, state._structure = tuple(leaves), structure
        return state


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Aux:
    """What a loss function returns beside the loss: ``return loss, Aux(...)``.

    Attributes:
        buffers: the buffers after the forward pass; None leaves those of the state.
        generator: the stream after the forward pass; None leaves that of the state.
        metrics: further numbers to report.
    """

    buffers: Buffers | None = None
    generator: Generator | None = None
    metrics: Metrics | None = None


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
