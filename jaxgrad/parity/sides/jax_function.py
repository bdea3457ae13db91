"""Any ``(state, batch) -> (state, record)`` as a side of a comparison: optax and flax, equinox, or written by hand."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.dtypes import x64_enabled
from jaxgrad._core.trees import path_name
from jaxgrad.parity.record.model import OPTIMIZER_STATE, PHASES, STATE, StepRecord, Tensors
from jaxgrad.parity.sides.batches import as_arrays, recorded
from jaxgrad.parity.sides.jax_state import generator_of
from jaxgrad.parity.sides.perturb import one_ulp
from jaxgrad.parity.sides.purity import ARRAYS, narrow_parts
from jaxgrad.random import Generator


@dataclass(frozen=True)
class JaxFunction:
    """What ``from_jax`` makes of a function.

    >>> import jax.numpy as jnp
    >>> from jaxgrad import parity
    >>> side = parity.from_jax(lambda state, x: ({"w": state["w"] - x}, {"loss": x.sum()}), {"w": jnp.ones(2)})
    >>> side.start().step(jnp.ones(2))["state"]["w"].tolist()
    [0.0, 0.0]
    """

    fn: Callable[[Any, Any], Any]
    state: Any = field(repr=False)
    names: Any = None
    set_state: Callable[[Any, Mapping[str, Tensors]], Any] | None = None

    def start(self, *, float64: bool = False, perturbed: int | None = None) -> "JaxFunctionRun":
        """A run of its own from the start; see ``Side``."""
        run = JaxFunctionRun(self, float64=float64)
        if perturbed is not None:
            run.perturb(perturbed)
        return run


class JaxFunctionRun:
    """One run of a ``JaxFunction``."""

    def __init__(self, side: JaxFunction, *, float64: bool = False):
        self.fn, self.set_state, self.float64 = side.fn, side.set_state, float64
        with self._precision():
            self.state = _mapped(_wide if float64 else _copy, side.state)
        self._narrow: str | None = None
        self._batch: Any = None
        floats = [leaf.dtype for _, leaf in _arrays(self.state) if jnp.issubdtype(leaf.dtype, jnp.floating)]
        self.dtype = floats[0] if floats else np.dtype(np.float32)
        self.meta: dict[str, Any] = {
            "library": "jax",
            "versions": {"jax": jax.__version__, "numpy": np.__version__},
            "device": jax.default_backend(),
            "dtype": str(self.dtype),
            "accumulate": None,
        }
        self._step = 0

    def initial(self) -> dict[str, Tensors]:
        """The arrays of the state by path, and the stream if there is one of torch's kind."""
        return {**self._pools(), **self._stream()}

    def step(self, batch: Any) -> StepRecord:
        """A step, and what happened in it."""
        with self._precision():
            batch = as_arrays(batch, np.float64 if self.float64 else self.dtype)
            self._batch = batch
            self.state, told = self.fn(self.state, batch)
            record = told if isinstance(told, Mapping) else {"loss": told}
            phases: dict[str, Tensors] = {"inputs": recorded(batch), **self._pools(), **self._stream()}
            for phase in PHASES:
                if phase in record and record[phase] is not None:
                    value = record[phase]
                    phases[phase] = generator_of(value) if isinstance(value, Generator) else by_path(value, phase)
            if "lr" not in phases and (lr := _lr(phases[OPTIMIZER_STATE])) is not None:
                phases["lr"] = {"lr": lr}
        made = StepRecord(self._step, {name: value for name, value in phases.items() if value})
        self._step += 1
        return made

    def restore(self, values: Mapping[str, Tensors], perturbed: int | None = None) -> None:
        """Begin the next step from these values: the reference's with ``set_state``, else arrays by path."""
        with self._precision():
            if self.set_state is not None:
                self.state = self.set_state(self.state, values)
            else:
                self.state = _with(self.state, {**values.get(STATE, {}), **values.get(OPTIMIZER_STATE, {})})
        if perturbed is not None:
            self.perturb(perturbed)

    def perturb(self, seed: int) -> None:
        """Move every floating array by one unit in the last place at most."""
        rng = np.random.default_rng([seed, 77])
        with self._precision():
            pool = {path: array for path, array in self._pools()[STATE].items() if array.ndim}
            self.state = _with(self.state, {path: one_ulp(array, rng) for path, array in pool.items()})

    def settings(self) -> Any:
        """A copy of the state."""
        return _mapped(_copy, self.state)

    def set_settings(self, settings: Any) -> None:
        """Go on from such a copy."""
        with self._precision():
            self.state = _mapped(_wide if self.float64 else _copy, settings)

    def narrow(self) -> str:
        """What the function, given float64, computes in less; the worst where that cannot be seen."""
        if self._narrow is None:
            with self._precision():
                try:
                    self._narrow = narrow_parts(jax.make_jaxpr(self.fn)(self.state, self._batch).jaxpr)
                except Exception:  # a function that is no program, or whose state holds more than arrays
                    self._narrow = ARRAYS
        return self._narrow

    def _pools(self) -> dict[str, Tensors]:
        """The arrays of the state, those of optax's states apart."""
        nodes = jax.tree_util.tree_leaves_with_path(self.state, is_leaf=_is_optax)
        roots = tuple(path_name(path) for path, node in nodes if _is_optax(node))
        pools: dict[str, dict[str, np.ndarray]] = {STATE: {}, OPTIMIZER_STATE: {}}
        for path, leaf in _arrays(self.state):
            inside = any(path == root or path.startswith(root + ".") or not root for root in roots)
            pools[OPTIMIZER_STATE if inside else STATE][path] = np.array(leaf)
        return dict(pools)

    def _stream(self) -> dict[str, Tensors]:
        nodes = jax.tree.leaves(self.state, is_leaf=lambda node: isinstance(node, Generator))
        found = [node for node in nodes if isinstance(node, Generator)]
        return {"generator": generator_of(found[0])} if len(found) == 1 else {}

    def _precision(self) -> AbstractContextManager[Any]:
        return jax.enable_x64(self.float64 or x64_enabled())


def by_path(value: Any, phase: str) -> dict[str, np.ndarray]:
    """What a record says of a phase, by path; a single value has the phase's name."""
    leaves = {path: np.array(leaf) for path, leaf in _arrays(value)}
    if set(leaves) == {""}:
        return {phase: leaves[""]}
    return leaves


def _is_optax(node: Any) -> bool:
    return isinstance(node, tuple) and hasattr(node, "_fields") and type(node).__module__.startswith("optax")


def _arrays(tree: Any) -> list[tuple[str, Any]]:
    """The arrays of a tree by dotted path; keys of random streams and what is no array are left out."""
    leaves = jax.tree_util.tree_leaves_with_path(tree, is_leaf=lambda node: isinstance(node, Generator))
    return [(path_name(path), leaf) for path, leaf in leaves if _is_array(leaf)]


def _is_array(leaf: Any) -> bool:
    return hasattr(leaf, "dtype") and not jnp.issubdtype(leaf.dtype, jax.dtypes.extended)


def _mapped(fn: Callable[[str, Any], Any], tree: Any) -> Any:
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: fn(path_name(path), leaf) if _is_array(leaf) else leaf, tree
    )


def _copy(path: str, leaf: Any) -> Any:
    return jnp.array(leaf, copy=True)


def _wide(path: str, leaf: Any) -> Any:
    """A floating leaf in float64. A hyper-parameter is the number that was written down: 0.1, not its float32."""
    if not jnp.issubdtype(leaf.dtype, jnp.floating):
        return _copy(path, leaf)
    if leaf.ndim == 0 and "hyperparams" in path and leaf.dtype == jnp.float32:
        return jnp.float64(float(str(np.float32(leaf))))
    return jnp.asarray(leaf).astype(jnp.float64)


def _with(tree: Any, values: Mapping[str, np.ndarray]) -> Any:
    def new(path: str, leaf: Any) -> Any:
        value = values.get(path)
        return leaf if value is None else jnp.asarray(np.asarray(value).astype(leaf.dtype)).reshape(leaf.shape)

    return _mapped(new, tree)


def _lr(pool: Tensors) -> np.ndarray | None:
    """The learning rate that ``optax.inject_hyperparams`` keeps, of the step that was made."""
    found = [array for path, array in pool.items() if path.endswith("hyperparams.learning_rate")]
    return found[0] if len(found) == 1 else None
