"""A tree that is updated, or kept as it was: a step that is skipped."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxgrad._core.types import PyTree
from jaxgrad._jaxpr.unstable import jaxpr_as_fun


def kept_if(condition: Any, tree: PyTree, update: Callable[[PyTree], PyTree]) -> PyTree:
    """``tree`` where a condition holds that may be traced, else ``update(tree)``.

    On CPUs a loop of no or one turn: choosing entry by entry needs old and new at once, and XLA then copies what it
    could overwrite. Elsewhere a choice of entries, since an accelerator would have to tell the host how many turns.
    What ``update`` hands on unchanged is not chosen: it comes out as it went in, the same object.

    >>> float(kept_if(False, {"w": jnp.ones(())}, lambda tree: {"w": tree["w"] * 2})["w"])
    2.0
    """
    leaves, structure = jax.tree.flatten(tree)
    program, shapes = jax.make_jaxpr(update, return_shape=True)(tree)
    after_update: Any = jax.tree.structure(shapes)
    if after_update != structure:
        raise TypeError(f"an update changed the structure of a tree: {structure} to {after_update}")
    through = zip(program.jaxpr.invars, program.jaxpr.outvars, strict=True)
    changed = [i for i, (old, new) in enumerate(through) if old is not new]
    before = [leaves[i] for i in changed]

    def updated(before: list[Any]) -> list[Any]:
        given = dict(enumerate(leaves)) | dict(zip(changed, before, strict=True))
        after = jaxpr_as_fun(program)(*given.values())
        return [lax.convert_element_type(after[i], jnp.result_type(leaves[i])) for i in changed]

    def loop(condition: Any, before: list[Any]) -> list[Any]:
        return lax.fori_loop(0, jnp.where(condition, 0, 1), lambda _, before: updated(before), before)

    def choice(condition: Any, before: list[Any]) -> list[Any]:
        return [jnp.where(condition, old, new) for old, new in zip(before, updated(before), strict=True)]

    after = lax.platform_dependent(jnp.asarray(condition), before, cpu=loop, default=choice)
    return jax.tree.unflatten(structure, (dict(enumerate(leaves)) | dict(zip(changed, after, strict=True))).values())
