"""The hyper-parameters of a group as they are kept in the state, each with a double's accuracy."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.errors import explain
from jaxgrad._core.types import Array
from jaxgrad.optim._rule.precision import pack, pack_all, unpack, widen


def packed(hyperparams: Mapping[str, Any]) -> dict[str, Any]:
    """A dict of numbers, or of tuples of numbers, as arrays.

    >>> unpacked(packed({"lr": 0.1, "betas": (0.9, 0.999)}))
    {'betas': (0.9, 0.999), 'lr': 0.1}
    """
    return {name: jax.tree.map(pack, value) for name, value in hyperparams.items()}


def widened(kept: Mapping[str, Any]) -> dict[str, Any]:
    """The dict of float64 scalars; call it inside ``double_precision``."""
    return {name: jax.tree.map(widen, value) for name, value in kept.items()}


def unpacked(kept: Mapping[str, Any]) -> dict[str, Any]:
    """The dict of Python floats (of arrays for an ensemble), sorted by name as ``jit`` would."""
    return {name: jax.tree.map(unpack, kept[name]) for name in sorted(kept)}


def replaced(kept: Mapping[str, Any], name: str, value: Any) -> dict[str, Any]:
    """Another value under one name, for every member of an ensemble.

    Raises:
        ValueError: the value has another form, such as None or several for a number.
    """
    form: Any = jax.tree.structure(kept[name])
    if form != jax.tree.structure(value):
        raise ValueError(
            explain(
                f"{name} keeps its form in a running state: a number cannot become None, nor None a number",
                got=repr(value),
            )
        )
    return {**kept, name: jax.tree.map(lambda old, new: _like(name, old, new), kept[name], value)}


def injected(hyperparams: Mapping[str, Any]) -> dict[str, Any]:
    """The hyper-parameters that were given as arrays, packed: a wrapper may give others at the next step."""
    given = {name: jax.tree.map(lambda v: pack(v) if _is_array(v) else None, v) for name, v in hyperparams.items()}
    return {name: value for name, value in given.items() if jax.tree.leaves(value)}


def renewed(
    kept: dict[str, Any], seen: dict[str, Any], hyperparams: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The kept numbers and what was seen, after a look at the hyper-parameters that are arrays now.

    A value other than the one seen last replaces the kept one; the same value leaves it alone, so that
    ``set_hyperparams`` lasts. Of what was never seen the value of now counts.
    """
    now = injected(hyperparams)
    if not now:
        return kept, seen
    is_none = lambda leaf: leaf is None  # noqa: E731
    chosen = dict(kept)
    for name, value in now.items():
        before = seen.get(name, jax.tree.map(lambda _: None, value))
        chosen[name] = jax.tree.map(_newer, kept[name], before, value, is_leaf=is_none)
    return chosen, {name: now.get(name, value) for name, value in seen.items()}


def _newer(kept: Any, seen: Any, now: Any) -> Any:
    if now is None:
        return kept
    if seen is None:
        return now
    return jnp.where(jnp.any(now != seen), now, kept)


def _like(name: str, old: Array, value: Any) -> Array:
    several = jnp.ndim(value) > 0
    new = pack_all(list(value)) if jnp.ndim(value) == 1 else None if several else pack(value)
    if new is None or (several and new.shape != jnp.shape(old)):
        raise ValueError(
            explain(
                f"{name} is one number, or one for each member of an ensemble",
                got=f"an array of shape {jnp.shape(value)}",
            )
        )
    leading = jnp.ndim(old) - new.ndim
    return jnp.broadcast_to(new, (*jnp.shape(old)[: max(leading, 0)], *new.shape))


def _is_array(value: Any) -> bool:
    return isinstance(value, jax.Array)
