"""``loss.backward()`` as a function: loss and gradients together, and the sum with earlier ones made explicit."""

from collections.abc import Callable
from typing import Any

from jaxgrad._core.selection import Where
from jaxgrad._core.types import InexactTree, PyTree
from jaxgrad.autograd.forward import forward


def backward(
    loss_fn: Callable[..., Any],
    params: PyTree,
    *args: Any,
    gradient: InexactTree | None = None,
    grads: InexactTree | None = None,
    has_aux: bool = False,
    inputs: Where = None,
) -> tuple[Any, InexactTree]:
    """``loss = loss_fn(...); loss.backward(gradient, inputs=inputs)``: the loss, and what stands in every ``.grad``.

    ``grads_k = (d loss / d params_k)^T gradient (+ grads_k)``

    Without ``grads`` it is ``zero_grad()`` followed by ``backward()``; with them it is ``backward()`` alone, which adds
    up. ``jax.value_and_grad`` differs in this: a parameter that is not connected to the loss gets zeros there and
    None here (found while tracing, at no cost when the program runs), any output may be pulled back, and the
    gradient of a complex parameter is the conjugate one. A ``cond`` connects what any of its branches uses, since
    which one runs is not known while tracing; torch knows the one that ran.

    Args:
        loss_fn: ``loss_fn(params, *args) -> loss``; it is called once. Several losses, as a tuple, are summed.
        params: any tree of floating point or complex arrays; a flat dict from names to arrays in general.
        args: passed on as they are, and not differentiated.
        gradient: the vector of the vector-Jacobian product where the loss is not a scalar, in its shape.
        grads: gradients so far, a tree like ``params`` with None where there is none.
        has_aux: ``loss_fn`` returns ``(loss, aux)``.
        inputs: the leaves to differentiate: dotted names, a predicate of name and leaf, or a mask over the tree; the
            others have gradient None, or keep what ``grads`` has for them.

    Returns:
        ``(loss, grads)``, or ``((loss, aux), grads)`` with ``has_aux``. ``grads`` has the structure of ``params``,
        and its order of keys (what ``jit`` returns is sorted, as all its dicts).

    Raises:
        RuntimeError: "grad can be implicitly created only for scalar outputs"; "Mismatch in shape: grad_output[0]
            has a shape of ..."; "element 0 of tensors does not require grad and does not have a grad_fn"; "Only
            Tensors of floating point and complex dtype can require gradients". As in torch.

    >>> import jax.numpy as jnp
    >>> params = {"weight": jnp.array([1.0, 2.0]), "bias": jnp.array(0.5), "unused": jnp.ones(3)}
    >>> loss_fn = lambda p, x: ((p["weight"] * x).sum() + p["bias"]) ** 2
    >>> loss, grads = backward(loss_fn, params, jnp.array([3.0, 1.0]))
    >>> grads
    {'weight': Array([33., 11.], dtype=...), 'bias': Array(11., dtype=...), 'unused': None}
    >>> loss, grads = backward(loss_fn, params, jnp.array([3.0, 1.0]), grads=grads)
    >>> grads["weight"]
    Array([66., 22.], dtype=...)
    """
    loss, graph = forward(loss_fn, params, *args, has_aux=has_aux, inputs=inputs)
    return loss, graph.backward(gradient, grads=grads)
