"""Clipping of gradients, after ``torch/nn/utils/clip_grad.py``.

``clip_grad_norm`` scales by ``max_norm / (total_norm + 1e-6)``, clamped to 1. ``optax.clip_by_global_norm`` has
neither the 1e-6 nor the norm as a result: the two differ by 1e-6 relative at norm 1, by 10 % at norm 1e-5, and by
everything where the norm is not finite. A gradient that is None takes no part and stays None.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Num

from jaxgrad._core.dtypes import promoted, wider_dtype
from jaxgrad._core.errors import describe, explain, is_traced
from jaxgrad._core.selection import Where
from jaxgrad._core.trees import map_keeping_none, named_leaves
from jaxgrad._core.types import Array, InexactTree
from jaxgrad._jaxpr.experimental import checkify
from jaxgrad.autograd.freeze import freeze, merge


def clip_grad_norm(
    grads: InexactTree,
    max_norm: float | Num[Array, ""],
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
    *,
    names: Where = None,
) -> tuple[InexactTree, Float[Array, ""]]:
    """Mirror of ``torch.nn.utils.clip_grad_norm_``: the clipped gradients, and the norm that they had.

    ``grads * min(1, max_norm / (total_norm + 1e-6))``

    Args:
        grads: tree of gradients; None leaves stay None.
        max_norm: the norm to stay below; may be a traced scalar.
        norm_type: see ``get_total_norm``.
        error_if_nonfinite: see ``get_total_norm``.
        foreach: accepted as in torch; it chooses a kernel and cannot change a number here.
        names: torch's ``parameters`` where they are not all: names, patterns ("head.*"), a predicate of name and
            gradient, or a mask. The others take no part and stay as they are.

    Returns:
        The clipped gradients in their dtypes, and the total norm before clipping.

    Raises:
        RuntimeError: the norm is not finite and ``error_if_nonfinite``.
        KeyError: a name or pattern matches no gradient.

    >>> grads, norm = clip_grad_norm({"w": jnp.array([3.0, 0.0]), "b": jnp.array([4.0]), "frozen": None}, 1.0)
    >>> float(norm), grads["frozen"]
    (5.0, None)
    >>> print(grads["b"], get_total_norm(grads))
    [0.7999...] 0.99999...
    """
    if names is not None:
        others, chosen = freeze(grads, names)
        clipped, total_norm = clip_grad_norm(chosen, max_norm, norm_type, error_if_nonfinite, foreach)
        return merge(others, clipped), total_norm
    total_norm = get_total_norm(grads, norm_type, error_if_nonfinite, foreach)
    return clip_grads_with_norm(grads, max_norm, total_norm, foreach), total_norm


def get_total_norm(
    tensors: InexactTree,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Float[Array, ""]:
    """Mirror of ``torch.nn.utils.get_total_norm``: the norm of all entries together, as the norm of the norms.

    As in torch the norms of the single tensors are rounded to their dtype before the norm is taken of them, and the
    ``norm_type`` 0 counts the tensors that are not all zero, not the entries.

    Args:
        tensors: tree of arrays, None leaves are left out.
        norm_type: any p: 2, 1, ``inf`` (largest magnitude), ``-inf`` (smallest), 0, or another number or its text.
        error_if_nonfinite: raise if the result is nan or infinite. Inside jit nothing can raise on data: there it is a
            ``checkify.check``, so that the function must be wrapped in ``jax.experimental.checkify.checkify`` (jax
            refuses to compile it otherwise).
        foreach: accepted as in torch; it chooses a kernel and cannot change a number here.

    Returns:
        A scalar in the promoted dtype of the tensors (real for complex ones); float32 zero without any.

    Raises:
        RuntimeError: ``The total norm of order ... for gradients from `parameters` is non-finite, so it cannot be
            clipped. ...``; a tensor of integers; the infinity norm of an empty tensor.

    >>> float(get_total_norm([jnp.array([3.0, 0.0]), jnp.array([4.0])]))
    5.0
    >>> float(get_total_norm([jnp.array([3.0, 0.0]), jnp.array([-4.0])], float("inf")))
    4.0
    """
    _check_foreach(foreach)
    norm_type = float(norm_type)
    leaves = {name: leaf for name, leaf in named_leaves(tensors).items() if leaf is not None}
    if not leaves:
        return jnp.zeros((), jnp.float32)
    norms = [_vector_norm(leaf, norm_type, name) for name, leaf in leaves.items()]
    total_norm = _vector_norm(jnp.stack(promoted(*norms)), norm_type, "the norms")
    if error_if_nonfinite:
        _check_finite(total_norm, norm_type)
    return total_norm


def clip_grads_with_norm(
    grads: InexactTree, max_norm: float | Num[Array, ""], total_norm: Float[Array, ""], foreach: bool | None = None
) -> InexactTree:
    """Mirror of ``torch.nn.utils.clip_grads_with_norm_``: scale by a norm that is known already.

    ``grads * min(1, max_norm / (total_norm + 1e-6))``

    Args:
        grads: tree of gradients; None leaves stay None.
        max_norm: the norm to stay below.
        total_norm: from ``get_total_norm``, of these gradients or of more (other devices, other groups).
        foreach: accepted as in torch; it chooses a kernel and cannot change a number here.

    Returns:
        The clipped gradients in their dtypes.

    >>> clip_grads_with_norm({"w": jnp.array([2.5, 5.0])}, 1.0, jnp.array(10.0))
    {'w': Array([0.2499..., 0.4999...], dtype=float32)}
    """
    _check_foreach(foreach)
    coefficient = jnp.minimum(max_norm / (jnp.asarray(total_norm) + 1e-6), 1.0)

    def clipped(grad: Array) -> Array:
        wide, factor = promoted(grad, coefficient)
        return (wide * factor).astype(grad.dtype)

    return map_keeping_none(clipped, grads)


def clip_grad_value(
    grads: InexactTree, clip_value: float | Num[Array, ""], foreach: bool | None = None, *, names: Where = None
) -> InexactTree:
    """Mirror of ``torch.nn.utils.clip_grad_value_``: every entry into ``[-clip_value, clip_value]``; nan stays nan.

    Args:
        grads: tree of gradients; None leaves stay None.
        clip_value: the largest magnitude.
        foreach: accepted as in torch; it chooses a kernel and cannot change a number here.
        names: as in ``clip_grad_norm``.

    Returns:
        The clipped gradients in their dtypes.

    >>> clip_grad_value({"w": jnp.array([-3.0, 0.25, 2.0]), "frozen": None}, 0.5)
    {'frozen': None, 'w': Array([-0.5 ,  0.25,  0.5 ], dtype=float32)}
    """
    _check_foreach(foreach)
    if names is not None:
        others, chosen = freeze(grads, names)
        return merge(others, clip_grad_value(chosen, clip_value, foreach))
    return map_keeping_none(lambda g: jnp.minimum(jnp.maximum(g, _like(-clip_value, g)), _like(clip_value, g)), grads)


def _vector_norm(x: Any, p: float, name: str) -> Array:
    """``torch.linalg.vector_norm`` over all entries."""
    x = jnp.asarray(x)
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        raise RuntimeError(
            explain(
                "linalg.vector_norm: Expected a floating point or complex tensor as input.",
                got=f'"{name}": {describe(x)}',
            )
        )
    if x.size == 0 and (np.isinf(p) or p < 0):
        raise RuntimeError(
            explain(
                f"linalg.vector_norm cannot compute the {p:g} norm on an empty tensor "
                "because the operation does not have an identity",
                got=f'"{name}": {describe(x)}',
            )
        )
    magnitude = jnp.abs(x)
    # Sums of half-precision entries are formed in float32, as torch forms them.
    wide = wider_dtype(magnitude.dtype, jnp.float32)
    if p == np.inf:
        return jnp.max(magnitude)
    if p == -np.inf:
        return jnp.min(magnitude)
    if p == 0:
        return jnp.sum(magnitude != 0).astype(magnitude.dtype)
    entries = magnitude.astype(wide)
    if p == 1:
        norm = jnp.sum(entries)
    elif p == 2:
        norm = jnp.sqrt(jnp.sum(entries * entries))
    else:
        norm = jnp.sum(entries**p) ** (1.0 / p)
    return norm.astype(magnitude.dtype)


def _check_finite(total_norm: Array, norm_type: float) -> None:
    sentence = (
        f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it cannot be clipped. "
        "To disable this error and scale the gradients by the non-finite norm anyway, set `error_if_nonfinite=False`"
    )
    if is_traced(total_norm):
        checkify.check(jnp.isfinite(total_norm), sentence)
    elif not bool(jnp.isfinite(total_norm)):
        raise RuntimeError(explain(sentence, got=total_norm))


def _check_foreach(foreach: Any) -> None:
    if foreach is not None and not isinstance(foreach, bool):
        raise TypeError(explain("foreach must be a bool or None", got=foreach))


def _like(value: Any, g: Array) -> Array:
    return jnp.asarray(value, g.dtype)
