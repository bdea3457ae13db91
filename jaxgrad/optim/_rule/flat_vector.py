"""All parameters as one vector, in JAX's order or in torch's."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.types import Array, PyTree


def flat(tree: PyTree) -> Array:
    """All leaves as one vector, complex numbers as pairs of reals."""
    leaves = [jnp.stack([a.real, a.imag], -1) if jnp.iscomplexobj(a) else a for a in jax.tree.leaves(tree)]
    return jnp.concatenate([jnp.ravel(leaf) for leaf in leaves]) if leaves else jnp.zeros(0)


def unflattener(params: PyTree) -> Callable[[Array], PyTree]:
    leaves, treedef = jax.tree.flatten(params)

    def restore(x: Array) -> PyTree:
        parts, at = [], 0
        for leaf in leaves:
            pairs = jnp.iscomplexobj(leaf)
            size = leaf.size * (2 if pairs else 1)
            part = x[at : at + size].reshape(leaf.shape + ((2,) if pairs else ()))
            parts.append((jax.lax.complex(part[..., 0], part[..., 1]) if pairs else part).astype(leaf.dtype))
            at += size
        return jax.tree.unflatten(treedef, parts)

    return restore


def torch_places(params: PyTree, numbers: Array) -> np.ndarray:
    """Where each number of torch's vector stands in ours, from torch's number of each parameter in JAX's order."""
    sizes = [leaf.size * (2 if jnp.iscomplexobj(leaf) else 1) for leaf in jax.tree.leaves(params)]
    parts = np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
    return np.concatenate([parts[i] for i in np.argsort(np.asarray(numbers))])
