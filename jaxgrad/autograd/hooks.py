"""Hooks as explicit functions: a gradient is changed where the value that it belongs to is written down.

In torch a hook is registered on a tensor and stays until its handle is removed. Here ``register_hook(x, hook)`` returns
the same value with the hook in its derivative; what is computed from the returned value sends its gradient through
the hook, what is computed from ``x`` does not, and not to apply it is to remove it. A hook is a pure function of JAX
arrays; it is traced, it may close over other values, and it is differentiated in turn by second derivatives.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Inexact

from jaxgrad._core.selection import UnknownName, select
from jaxgrad._core.trees import is_none, key_order, path_name, with_key_order
from jaxgrad._core.types import Array, InexactTree, PyTree
from jaxgrad._jaxpr.hooked import NO_GRADIENT, hooking
from jaxgrad._jaxpr.unstable import ClosedJaxpr, Jaxpr, jaxpr_as_fun
from jaxgrad.autograd._tape.cotangent import conjugated

GradHook: TypeAlias = Callable[[Array], Array | None]
"""``hook(grad) -> grad``; None leaves the gradient as it is."""

PostAccumulateHook: TypeAlias = Callable[[Array, Array], tuple[Array, Array | None]]
"""``hook(param, grad) -> (param, grad)``."""


def register_hook(tensor: Inexact[Array, "*shape"], *hooks: GradHook) -> Inexact[Array, "*shape"]:
    """Mirror of ``torch.Tensor.register_hook``: the value, whose gradient goes through ``hooks`` in this order.

    The gradient is the sum over all uses of the returned value, as in torch. Differs from torch: a hook called for
    its side effect alone has none here (``jax.debug.print`` prints); reverse mode only, as ``jax.custom_vjp``; hooks
    registered in one call run in their order, and one registered on what an earlier call returned runs before it.

    Args:
        tensor: an array, an intermediate value or a parameter.
        hooks: each takes the gradient and returns a new one, or None.

    Returns:
        The array to go on with.

    Raises:
        RuntimeError: a hook returns another shape or dtype; ``tensor`` cannot have a gradient. That it does not
            require one (it stems from constants, frozen leaves, ``no_grad``) is known to the functions of this
            package, ``backward`` and its relatives, which then raise torch's sentence; ``jax.grad`` does not know.
        TypeError: a hook returns what is not an array.

    >>> from jaxgrad import autograd
    >>> def loss(x):
    ...     return (register_hook(x**2, lambda grad: 10 * grad) * 3).sum()
    >>> autograd.backward(loss, jnp.array([1.0, 2.0]))[1]
    Array([ 60., 120.], dtype=...)
    """
    tensor = jnp.asarray(tensor)
    if not jnp.issubdtype(tensor.dtype, jnp.inexact):
        raise RuntimeError(NO_GRADIENT)

    def run(cotangent: Array) -> Array:
        grad = conjugated(cotangent)  # torch's gradient of a complex value
        for hook in hooks:
            grad = checked(getattr(hook, "__name__", type(hook).__name__), grad, hook(grad))
        return conjugated(grad)

    rule = jax.make_jaxpr(run)(jax.ShapeDtypeStruct(tensor.shape, tensor.dtype))
    return _hooked(rule.jaxpr, rule.consts, tensor)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
@hooking
def _hooked(rule: Jaxpr, closed_over: list[Array], tensor: Array) -> Array:
    del rule, closed_over
    return tensor


def _hooked_fwd(rule: Jaxpr, closed_over: list[Array], tensor: Array) -> tuple[Array, list[Array]]:
    return _hooked(rule, closed_over, tensor), closed_over  # a second derivative meets the hook again, as in torch


def _hooked_bwd(rule: Jaxpr, closed_over: list[Array], cotangent: Array) -> tuple[None, Array]:
    (changed,) = jaxpr_as_fun(ClosedJaxpr(rule, closed_over))(cotangent)
    return None, changed


_hooked.defvjp(_hooked_fwd, _hooked_bwd)


def checked(name: str, grad: Array, returned: Any) -> Array:
    """What the hook of that name returned in place of ``grad``, after torch's checks; ``grad`` where it was None."""
    if returned is None:
        return grad
    if not isinstance(returned, (jax.Array, np.ndarray)):
        raise TypeError(f"expected Variable, but hook returned '{type(returned).__name__}'")
    if returned.shape != grad.shape:
        raise RuntimeError(f"hook '{name}' has changed the size of value")
    if returned.dtype != grad.dtype:
        was, got = _TENSOR_TYPES[grad.dtype.name], _TENSOR_TYPES.get(returned.dtype.name, returned.dtype.name)
        raise RuntimeError(f"hook '{name}' has changed the type of value (was {was} got {got})")
    return jnp.asarray(returned)


_TENSOR_TYPES = {
    "bfloat16": "torch.BFloat16Tensor",
    "float16": "torch.HalfTensor",
    "float32": "torch.FloatTensor",
    "float64": "torch.DoubleTensor",
    "complex64": "torch.ComplexFloatTensor",
    "complex128": "torch.ComplexDoubleTensor",
    "int32": "torch.IntTensor",
    "int64": "torch.LongTensor",
}


def post_accumulate_grad(
    params: PyTree, grads: InexactTree, hooks: Mapping[str, PostAccumulateHook | Sequence[PostAccumulateHook]]
) -> tuple[PyTree, InexactTree]:
    """``torch.Tensor.register_post_accumulate_grad_hook``: what runs on a leaf once its gradient has been added up.

    A torch hook of this kind reads ``param.grad`` and changes the parameter or its gradient in place, an optimizer
    step within the backward pass for instance; here it returns both. Call it on what ``backward`` returned.

    Args:
        params: the parameters.
        grads: a tree with the same names; a leaf whose gradient is None has no hook called.
        hooks: from dotted names or patterns ("*.bias") to a hook, or to several that run in order; what several
            patterns match has all of their hooks.

    Returns:
        ``(params, grads)`` after the hooks.

    Raises:
        RuntimeError: a name is no leaf.

    >>> params, grads = {"w": jnp.ones(2), "b": jnp.ones(1)}, {"w": jnp.ones(2), "b": None}
    >>> step = lambda param, grad: (param - 0.5 * grad, None)
    >>> post_accumulate_grad(params, grads, {"w": step, "b": step})
    ({'w': Array([0.5, 0.5], dtype=...), 'b': Array([1.], dtype=...)}, {'w': None, 'b': None})
    """
    chains: dict[str, list[PostAccumulateHook]] = {}
    for where, given in hooks.items():
        for name in _leaves_of(params, where):
            chains.setdefault(name, []).extend((given,) if callable(given) else given)
    paths, tree = jax.tree.flatten_with_path(params, is_leaf=is_none)
    pairs = []
    for (path, param), grad in zip(paths, jax.tree.leaves(grads, is_leaf=is_none), strict=True):
        for hook in chains.get(path_name(path), ()):
            param, grad = (param, grad) if grad is None else hook(param, grad)
        pairs.append((param, grad))
    order = key_order(params)
    after = [with_key_order(order, jax.tree.unflatten(tree, leaves)) for leaves in zip(*pairs, strict=True)]
    return after[0], after[1]


def _leaves_of(params: PyTree, where: str) -> list[str]:
    try:
        return select(params, where)
    except UnknownName as error:
        sentence = "post accumulate grad hooks cannot be registered on non-leaf tensors"
        raise RuntimeError(f"{sentence}\n{error}") from None
