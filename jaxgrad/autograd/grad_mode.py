"""``no_grad`` and its relatives as transforms of functions: which operations leave a trace in the graph.

In torch the mode is a switch of the thread. Here it is a property of a piece of program: every operation that runs
inside of ``no_grad(fn)`` gives a result without a gradient, except those inside of an ``enable_grad`` within. As in
torch an argument that is handed through keeps its gradient, since no operation made it. Nothing is computed
differently; what is detached has no saved tensors and no backward.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name

from jaxgrad._core.errors import explain
from jaxgrad._core.types import PyTree
from jaxgrad._jaxpr.bodies import Kind, inner_jaxprs, kind_of
from jaxgrad._jaxpr.evaluate import ENTERED, Into, alone
from jaxgrad._jaxpr.unstable import Jaxpr, JaxprEqn
from jaxgrad.autograd._tape.flat_function import evaluated

F = TypeVar("F", bound=Callable[..., Any])

_BEGIN, _END = "enable_grad", "end of enable_grad"


def detach(tree: PyTree) -> PyTree:
    """Mirror of ``torch.Tensor.detach``: the same values without their history (``jax.lax.stop_gradient``).

    Args:
        tree: an array, or a tree of arrays.

    Returns:
        The same tree; nothing that is computed from it sends a gradient back.

    Raises:
        TypeError: a leaf that is no array (JAX's own sentence).

    >>> jax.grad(lambda x: x * detach(x))(3.0)
    Array(3., dtype=...)
    """
    return jax.tree.map(jax.lax.stop_gradient, tree)


def no_grad(orig_func: F) -> F:
    """Mirror of ``torch.no_grad`` as a decorator: operations inside give results that need no gradient.

    Inside of ``enable_grad`` within the function they do again. There is no context manager, which would need a switch
    that the whole program shares; a lambda serves: ``no_grad(lambda: teacher(x))()``.

    Args:
        orig_func: any function of trees of arrays; it is traced.

    Returns:
        The function with the same values.

    Raises:
        NotImplementedError: an ``enable_grad`` inside of ``shard_map``, inside of this.

    >>> jax.grad(lambda x: x**2 + no_grad(lambda: x**3)())(2.0)
    Array(4., dtype=...)
    """
    return _transformed(orig_func, enabled_within=True)


def inference_mode(mode: F) -> F:
    """Mirror of ``torch.inference_mode`` as a decorator: ``no_grad`` in which ``enable_grad`` changes nothing.

    Differs from torch: what comes out may be used in a computation that is differentiated, as a constant; torch raises
    when it would be saved for backward.

    Args:
        mode: the function, as torch's argument is called; it is traced.

    Returns:
        The function with the same values.

    Raises:
        TypeError: a boolean was given: there is no mode to switch.

    >>> jax.grad(lambda x: x**2 + inference_mode(enable_grad(lambda: x**3))())(2.0)
    Array(4., dtype=...)
    """
    if isinstance(mode, bool):
        raise TypeError("inference_mode takes the function that is to run in it: there is no mode to switch here")
    return _transformed(mode, enabled_within=False)


def enable_grad(orig_func: F) -> F:
    """Mirror of ``torch.enable_grad`` as a decorator: inside of ``no_grad`` its operations count again.

    What was computed outside of it, under ``no_grad``, stays detached, as in torch. Elsewhere it changes nothing.

    Args:
        orig_func: any function.

    Returns:
        The function with the same values.

    Raises:
        ValueError: in reverse mode, a ``lax.while_loop`` around it (JAX's own sentence; a ``scan`` has a backward).

    >>> def fn(x):
    ...     return no_grad(lambda: enable_grad(lambda: 5 * x)() * 1.0)(), no_grad(enable_grad(lambda: 5 * x))()
    >>> jax.jacrev(fn)(2.0)
    (Array(0., dtype=...), Array(5., dtype=...))
    """

    @functools.wraps(orig_func)
    def enabled(*args: Any, **kwargs: Any) -> Any:
        _mark(_BEGIN)
        try:
            return orig_func(*args, **kwargs)
        finally:
            _mark(_END)

    return enabled  # type: ignore[return-value]


def set_grad_enabled(mode: bool) -> Callable[[F], F]:
    """Mirror of ``torch.set_grad_enabled`` as a decorator: ``enable_grad`` or ``no_grad``.

    Args:
        mode: whether operations count; a Python value.

    Returns:
        The one or the other.

    Raises:
        jax.errors.TracerBoolConversionError: ``mode`` is traced; which operations count is known beforehand.

    >>> jax.grad(lambda x: x**2 + set_grad_enabled(False)(lambda: x**3)())(2.0)
    Array(4., dtype=...)
    """
    return enable_grad if mode else no_grad


def _mark(word: str) -> None:
    """A line in the program being traced that says where an ``enable_grad`` begins or ends; it computes nothing."""
    checkpoint_name(jnp.zeros((), bool), word)


def _mark_of(eqn: JaxprEqn) -> str | None:
    name = eqn.params.get("name") if eqn.primitive.name == "name" else None
    return name if name in (_BEGIN, _END) else None


def _transformed(fn: F, enabled_within: bool) -> F:
    @functools.wraps(fn)
    def without_grad(*args: Any, **kwargs: Any) -> Any:
        return evaluated(fn, _Detaching(enabled_within), args, kwargs)

    return without_grad  # type: ignore[return-value]


class _Detaching:
    """The visit that detaches the results of every operation outside of an ``enable_grad``."""

    def __init__(self, enabled_within: bool) -> None:
        self.enabled_within, self.depth = enabled_within, 0

    def __call__(self, eqn: JaxprEqn, operands: list[Any], extra: PyTree) -> list[Any] | Into:
        del extra
        mark = _mark_of(eqn)
        if mark is not None and self.enabled_within:
            self.depth += 1 if mark == _BEGIN else -1
        if self.depth or mark is not None:
            return list(alone(eqn, operands))
        if self.enabled_within and kind_of(eqn) is not Kind.RULE and any(map(_holds_a_mark, inner_jaxprs(eqn))):
            if kind_of(eqn) not in ENTERED:
                raise NotImplementedError(
                    explain(
                        f"enable_grad inside of {eqn.primitive.name}, and that inside of no_grad",
                        remedy="apply no_grad within, to what is not to be differentiated",
                    )
                )
            return Into()
        return [jax.lax.stop_gradient(result) for result in alone(eqn, operands)]


def _holds_a_mark(jaxpr: Jaxpr) -> bool:
    return any(_mark_of(eqn) or any(map(_holds_a_mark, inner_jaxprs(eqn))) for eqn in jaxpr.eqns)
