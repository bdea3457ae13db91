"""``Function``: an operation whose forward and derivatives are written by hand, after ``torch.autograd.Function``.

The rules keep torch's form (static methods, a context, one gradient for each argument, None for none) and become
JAX's: ``backward`` alone is a ``jax.custom_vjp``, with ``jvp`` beside it forward mode works as well. Everything holds
under ``jit``, ``vmap``, ``scan`` and for derivatives of any order; a forward that leaves JAX (numpy) works as long as
nothing traces it, otherwise through ``jax.pure_callback``.
"""

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import jax

from jaxgrad._core.errors import explain
from jaxgrad._core.trees import is_tensor
from jaxgrad.autograd._function.call import Call, VmapInfo
from jaxgrad.autograd._function.ctx import FunctionCtx
from jaxgrad.autograd._function.rules import with_rules

__all__ = ["Function", "FunctionCtx", "VmapInfo", "once_differentiable"]


class Function:
    """Mirror of ``torch.autograd.Function``: subclass it, write the rules, call ``apply``.

    Two forms, as in torch: ``forward(ctx, *args)``, or ``forward(*args)`` with
    ``setup_context(ctx, inputs, output)``. Arrays among the direct arguments are what is differentiated; arrays inside
    containers are not, as in torch.

    Differs from torch: ``vmap`` needs no rule, JAX batches every function; a ``vmap`` rule is used where it is given,
    and ``generate_vmap_rule`` says what happens anyway. ``mark_dirty`` raises, since nothing is modified in place.
    Intermediates that a ``forward(ctx, ...)`` saves carry no rule of their own, as in torch: save inputs and outputs
    where second derivatives are wanted. Forward mode without ``jvp`` raises JAX's own TypeError. Inside
    ``jax.checkpoint`` a function with both rules is differentiated by transposing its ``jvp``, which has to be written
    in JAX's operations then. Where a rule returns None for what a ``jax.lax.scan`` stacked, and a gradient arrives at
    what it carried, JAX raises a ValueError ("Expected cotangent type ..."); zeros in place of None serve there.

    >>> import jax.numpy as jnp
    >>> class Square(Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x
    ...
    ...     @staticmethod
    ...     def backward(ctx, grad_output):
    ...         (x,) = ctx.saved_tensors
    ...         return 2 * x * grad_output
    >>> float(jax.grad(Square.apply)(3.0 * jnp.ones(())))
    6.0
    """

    generate_vmap_rule = False

    def __init__(self) -> None:
        raise RuntimeError(
            explain(
                f"{type(self)} should not be instantiated. Methods on autograd functions are all static, "
                "so you should invoke them on the class itself.",
                remedy=f"{type(self).__name__}.apply(...)",
            )
        )

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """The operation: one array, or a tuple of arrays and other values."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def setup_context(ctx: FunctionCtx, inputs: tuple[Any, ...], output: Any) -> None:
        """What the backward needs, where ``forward`` takes no context."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: FunctionCtx, *grad_outputs: Any) -> Any:
        """The gradient of every argument, given that of every output; also called ``vjp``."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function to use it with "
            "backward mode AD."
        )

    vjp = backward

    @staticmethod
    def jvp(ctx: FunctionCtx, *grad_inputs: Any) -> Any:
        """The tangent of every output, given that of every argument (None for what is no array)."""
        raise NotImplementedError(
            "You must implement the jvp function for custom autograd.Function to use it with forward mode AD."
        )

    @staticmethod
    def vmap(info: VmapInfo, in_dims: tuple[int | None, ...], *args: Any) -> Any:
        """The operation on a batch: ``(output, out_dims)``."""
        raise NotImplementedError(
            "To use autograd.Function with vmap, you must either override the vmap staticmethod or set "
            "generate_vmap_rule=True."
        )

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Call the function: ``forward`` now, the rules when it is differentiated or batched.

        Raises:
            RuntimeError: torch's sentences, for rules that contradict each other and for what they return.
        """
        separate_setup = cls.setup_context is not Function.setup_context
        if separate_setup:
            bound = inspect.signature(cls.forward).bind(*args, **kwargs)
            bound.apply_defaults()
            args = bound.args
        elif kwargs:
            raise TypeError("apply() takes no keyword arguments")
        has_vmap = cls.vmap is not Function.vmap
        if has_vmap and cls.generate_vmap_rule:
            raise RuntimeError(
                f"You tried to vmap over {cls.__name__}, but it has both generate_vmap_rule=True and an overridden "
                "vmap staticmethod. Please set generate_vmap_rule=False or delete the overridden vmap staticmethod "
                "to avoid ambiguity."
            )
        if has_vmap and not separate_setup:
            raise RuntimeError(
                "In order to use an autograd.Function with functorch transforms (vmap, grad, jvp, jacrev, ...), "
                "it must override the setup_context staticmethod. For more details, please see "
                "https://pytorch.org/docs/main/notes/extending.func.html"
            )
        call = Call(cls, args, separate_setup=separate_setup)
        lifted = with_rules(call, has_jvp=cls.jvp is not Function.jvp, has_vmap=has_vmap)
        with jax.named_scope(f"{cls.__name__}Backward"):  # its node in the graph, as torch names it
            return call.output(lifted(*call.tensors))

    @classmethod
    def _user_backward(cls) -> Callable[..., Any]:
        has_backward, has_vjp = cls.backward is not Function.backward, cls.vjp is not Function.vjp
        if has_backward and has_vjp:
            raise RuntimeError(
                "Implementing both 'backward' and 'vjp' for a custom Function is not allowed. "
                "You should only implement one of them."
            )
        return cls.vjp if has_vjp else cls.backward


def once_differentiable(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Mirror of ``torch.autograd.function.once_differentiable``: a ``backward`` that may not be differentiated.

    Args:
        fn: the ``backward`` of a ``Function``.

    Returns:
        The same with gradients that refuse to be differentiated.

    Raises:
        RuntimeError: when they are: "trying to differentiate twice a function that was marked with
            @once_differentiable".

    >>> import jax.numpy as jnp
    >>> class Double(Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         return 2 * x
    ...
    ...     @staticmethod
    ...     @once_differentiable
    ...     def backward(ctx, grad_output):
    ...         return 2 * grad_output
    >>> float(jax.grad(Double.apply)(jnp.ones(())))
    2.0
    """

    @functools.wraps(fn)
    def backward(ctx: FunctionCtx, *grad_outputs: Any) -> Any:
        grads = fn(ctx, *grad_outputs)
        if isinstance(grads, tuple):
            return tuple(_once(grad) if is_tensor(grad) else grad for grad in grads)
        return _once(grads) if is_tensor(grads) else grads

    return backward


@jax.custom_jvp
def _once(grad: Any) -> Any:
    return grad


@_once.defjvp
def _twice(primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    del primals, tangents
    raise RuntimeError("trying to differentiate twice a function that was marked with @once_differentiable")
