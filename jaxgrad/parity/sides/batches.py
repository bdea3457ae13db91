"""Batches, whatever library they come from."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.trees import named_leaves


def as_numpy(leaf: Any) -> Any:
    """A tensor or array as a numpy array; anything else as it is."""
    if hasattr(leaf, "detach"):
        from jaxgrad.parity.torch_side import to_numpy

        return to_numpy(leaf)
    return np.asarray(leaf) if hasattr(leaf, "dtype") or hasattr(leaf, "__array__") else leaf


def as_arrays(batch: Any, dtype: Any = None) -> Any:
    """A batch as JAX arrays; floating ones in ``dtype``, integers in JAX's default."""

    def convert(leaf: Any) -> Any:
        leaf = as_numpy(leaf)
        if isinstance(leaf, np.ndarray) and dtype is not None and jnp.issubdtype(leaf.dtype, jnp.floating):
            leaf = leaf.astype(dtype)
        return jnp.asarray(leaf) if isinstance(leaf, np.ndarray) else leaf

    return jax.tree.map(convert, batch)


def recorded(batch: Any) -> dict[str, np.ndarray]:
    """The arrays of a batch as the phase ``inputs``."""
    batch = batch if isinstance(batch, dict | tuple | list) else (batch,)
    return {name: np.asarray(leaf) for name, leaf in named_leaves(batch).items() if hasattr(leaf, "dtype")}
