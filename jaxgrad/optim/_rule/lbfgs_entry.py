"""L-BFGS's memory as torch keeps it: lists of vectors and Python numbers, under the first parameter."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxgrad._core.types import Array
from jaxgrad.optim._rule.descent import LBFGSState
from jaxgrad.optim._rule.entries import as_array

_VECTORS = ("d", "prev_flat_grad")
_ROWS = ("old_dirs", "old_stps")


def torch_entry(memory: LBFGSState, places: np.ndarray[Any, Any]) -> dict[str, Any]:
    """``optimizer.state[first parameter]``; nothing before the first step, counts alone before the first iteration."""
    counts = {"func_evals": int(memory.func_evals), "n_iter": int(memory.n_iter)}
    if counts["n_iter"] == 0:
        return counts if counts["func_evals"] else {}
    held = int(memory.num_old)
    return {
        **counts,
        **{name: np.array(getattr(memory, name))[places] for name in _VECTORS},
        **{name: [row[places] for row in np.array(getattr(memory, name))[:held]] for name in _ROWS},
        "ro": [np.array(each) for each in np.array(memory.ro)[:held]],
        "al": [None] * memory.ro.shape[0],
        "t": float(memory.t),
        "H_diag": np.array(memory.H_diag),
        "prev_loss": float(memory.prev_loss),
    }


def from_torch_entry(empty: LBFGSState, entry: Mapping[str, Any], places: np.ndarray[Any, Any]) -> LBFGSState:
    """The memory that an entry describes.

    Raises:
        ValueError: more vectors are remembered than there is room for.
    """
    counts = {name: jnp.int32(int(entry.get(name, 0))) for name in ("func_evals", "n_iter")}
    if entry.get("d") is None:
        return empty._replace(**counts)
    dtype = empty.d.dtype

    def ours(vector: Any) -> np.ndarray[Any, Any]:
        moved = np.empty(places.size)
        moved[places] = as_array(vector)
        return moved

    def filled(rows: Array, given: list[Any]) -> Array:
        return rows.at[: len(given)].set(jnp.asarray(np.array(given), dtype)) if given else rows

    held = len(entry["ro"])
    if held > empty.ro.shape[0]:
        raise ValueError(f"the state remembers {held} changes, and history_size is {empty.ro.shape[0]}")
    return empty._replace(
        **counts,
        **{name: jnp.asarray(ours(entry[name]), dtype) for name in _VECTORS},
        **{name: filled(getattr(empty, name), [ours(row) for row in entry[name]]) for name in _ROWS},
        ro=filled(empty.ro, [as_array(each) for each in entry["ro"]]),
        num_old=jnp.int32(held),
        **{name: jnp.asarray(as_array(entry[name]), dtype) for name in ("t", "H_diag", "prev_loss")},
    )
