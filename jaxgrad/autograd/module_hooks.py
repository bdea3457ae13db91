"""Hooks on modules, by dotted name: every registration returns a new model and leaves the old one as it is.

In torch a module carries its hooks and a handle removes them. Here the model without the hook is still there: use it.
The new model has the same parameters under the same names, so ``func.extract`` and ``func.functional_call`` see no
difference. Any flax NNX module will do.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxgrad._core.errors import explain
from jaxgrad._core.modules import clone
from jaxgrad._core.types import Array
from jaxgrad._jaxpr.rules import making_zeros
from jaxgrad._jaxpr.unstable import ClosedJaxpr, Jaxpr, jaxpr_as_fun
from jaxgrad.autograd._tape.cotangent import conjugated
from jaxgrad.autograd.hooks import checked


def register_forward_pre_hook(
    model: nnx.Module, name: str, hook: Callable[..., Any], *, with_kwargs: bool = False
) -> Any:
    """Mirror of ``torch.nn.Module.register_forward_pre_hook`` on the sub-module ``name``; "" is the model itself.

    Args:
        model: any NNX module; it is not changed.
        name: dotted name of a sub-module, as in ``named_modules()``.
        hook: ``hook(module, args)``, or ``hook(module, args, kwargs)`` with ``with_kwargs``; returns new arguments,
            or None to keep them.
        with_kwargs: whether the hook sees the keyword arguments; then it returns ``(args, kwargs)``.

    Returns:
        The model with the hook.

    Raises:
        AttributeError: "... has no attribute `...`", "`...` is not an nn.Module".
        RuntimeError: with ``with_kwargs``, the hook returns something else than None or two values.

    >>> class Double(nnx.Module):
    ...     def __call__(self, x):
    ...         return 2 * x
    >>> register_forward_pre_hook(Double(), "", lambda module, args: (args[0] + 1,))(jnp.array(1.0))
    Array(4., dtype=...)
    """
    return _registered(model, name, forward_pre=(hook, with_kwargs))


def register_forward_hook(model: nnx.Module, name: str, hook: Callable[..., Any], *, with_kwargs: bool = False) -> Any:
    """Mirror of ``torch.nn.Module.register_forward_hook``: the hook may replace what the sub-module returns.

    Args:
        model: any NNX module; it is not changed.
        name: dotted name of a sub-module; "" is the model itself.
        hook: ``hook(module, args, output)``, or ``hook(module, args, kwargs, output)`` with ``with_kwargs``; returns a
            new output, or None to keep it.
        with_kwargs: whether the hook sees the keyword arguments.

    Returns:
        The model with the hook.

    Raises:
        AttributeError: as for ``register_forward_pre_hook``.

    >>> class Double(nnx.Module):
    ...     def __call__(self, x):
    ...         return 2 * x
    >>> register_forward_hook(Double(), "", lambda module, args, output: output + args[0])(jnp.array(1.0))
    Array(3., dtype=...)
    """
    return _registered(model, name, forward=(hook, with_kwargs))


def register_full_backward_pre_hook(model: nnx.Module, name: str, hook: Callable[..., Any]) -> Any:
    """Mirror of ``torch.nn.Module.register_full_backward_pre_hook``: ``hook(module, grad_output) -> grad_output``.

    Args:
        model: any NNX module; it is not changed.
        name: dotted name of a sub-module; "" is the model itself.
        hook: gets the gradients of the outputs, a tuple, before the backward of the sub-module; returns new ones, or
            None to keep them.

    Returns:
        The model with the hook.

    Raises:
        RuntimeError: the hook returns another number of gradients, another shape or dtype.
        AttributeError: as for ``register_forward_pre_hook``.

    >>> class Double(nnx.Module):
    ...     def __call__(self, x):
    ...         return 2 * x
    >>> model = register_full_backward_pre_hook(Double(), "", lambda module, grad_output: (10 * grad_output[0],))
    >>> jax.grad(model)(1.0)
    Array(20., dtype=...)
    """
    return _registered(model, name, backward_pre=hook)


def register_full_backward_hook(model: nnx.Module, name: str, hook: Callable[..., Any]) -> Any:
    """Mirror of ``torch.nn.Module.register_full_backward_hook``: ``hook(module, grad_input, grad_output)``.

    It runs when the gradients of the inputs of the sub-module are known, and may replace them; those of its
    parameters are not touched. Where no input needs a gradient (the first layer) there is nothing to replace and it
    is not called; torch calls it with None there, and lets it return nothing else.

    Args:
        model: any NNX module; it is not changed.
        name: dotted name of a sub-module; "" is the model itself.
        hook: gets two tuples, one entry for each positional argument and one for each output, None where that is not
            a floating point array; returns new gradients of the inputs, or None to keep them. A pure function, as
            for ``register_hook``; None in the tuple is no gradient, and leaves what is upstream without one.

    Returns:
        The model with the hook.

    Raises:
        RuntimeError: the hook returns another number of gradients, another shape or dtype.
        AttributeError: as for ``register_forward_pre_hook``.

    >>> class Double(nnx.Module):
    ...     def __call__(self, x):
    ...         return 2 * x
    >>> model = register_full_backward_hook(Double(), "", lambda module, grad_input, grad_output: grad_output)
    >>> jax.grad(model)(1.0)
    Array(1., dtype=...)
    """
    return _registered(model, name, backward=hook)


@dataclass(frozen=True)
class ModuleHooks:
    """The hooks of one module, each kind in the order of registration."""

    forward_pre: tuple[Any, ...] = ()
    forward: tuple[Any, ...] = ()
    backward_pre: tuple[Any, ...] = ()
    backward: tuple[Any, ...] = ()


def _registered(model: nnx.Module, name: str, **hook: Any) -> Any:
    """A model whose sub-module has one more hook: an object of a class of its own, with the same state."""
    model = clone(model)
    module: Any = _submodule(model, name)
    cls = type(module)
    before: ModuleHooks = getattr(cls, "registered_hooks", ModuleHooks())
    plain = getattr(cls, "hooked_class", cls)
    ((kind, one),) = hook.items()
    module.__class__ = _hooked_class(plain, replace(before, **{kind: (*getattr(before, kind), one)}))
    return model


def _hooked_class(plain: Any, hooks: ModuleHooks) -> Any:
    """The class of modules that are ``plain`` with these hooks; the same for the same, so that nothing is retraced."""
    try:
        hash(hooks)
    except TypeError:  # a callable object without a hash is only itself
        return _new_class(plain, hooks)
    return _known_class(plain, hooks)


def _new_class(plain: Any, hooks: ModuleHooks) -> Any:
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return _call(self, partial(plain.__call__, self), hooks, args, kwargs)

    def reduce(self: Any, protocol: Any) -> Any:
        """Pickle by the plain class and the hooks: the class itself is at no address."""
        _, _, *rest = plain.__reduce_ex__(self, protocol)
        return (_unpickled, (plain, hooks), *rest)

    body = {
        "__call__": call,
        "__doc__": plain.__doc__,
        "__module__": plain.__module__,
        "__reduce_ex__": reduce,
        "hooked_class": plain,
        "registered_hooks": hooks,
    }
    metaclass: Any = type(plain)
    return metaclass(plain.__name__, (plain,), body)


_known_class = functools.cache(_new_class)


def _unpickled(plain: Any, hooks: ModuleHooks) -> Any:
    cls = _hooked_class(plain, hooks)
    return cls.__new__(cls)


def _submodule(model: Any, name: str) -> Any:
    module = model
    for step in name.split(".") if name else ():
        if step.isdigit() and isinstance(module, (nnx.List, list, tuple)):
            module = module[int(step)]
        elif isinstance(module, dict):
            module = module[step]
        elif hasattr(module, step):
            module = getattr(module, step)
        else:
            raise AttributeError(explain(f"{type(module).__name__} has no attribute `{step}`", got=name))
        if not isinstance(module, (nnx.Module, nnx.List, nnx.Dict, list, tuple, dict)):
            raise AttributeError(explain(f"`{step}` is not an nn.Module", got=name))
    return module


def _call(module: Any, plain: partial[Any], hooks: ModuleHooks, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Torch's order: forward pre-hooks, the module, forward hooks, and around both of these the backward hooks."""
    for hook, with_kwargs in hooks.forward_pre:
        args, kwargs = _new_arguments(
            hook(module, args, kwargs) if with_kwargs else hook(module, args), args, kwargs, with_kwargs
        )

    def forward(run: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        output = run(*args, **kwargs)
        for hook, with_kwargs in hooks.forward:
            returned = hook(module, args, kwargs, output) if with_kwargs else hook(module, args, output)
            output = output if returned is None else returned
        return output

    if not hooks.backward_pre and not hooks.backward:
        return forward(plain, args)
    return _between_identities(module, hooks, forward, plain, args)


def _between_identities(
    module: Any, hooks: ModuleHooks, forward: Callable[..., Any], plain: partial[Any], args: tuple[Any, ...]
) -> Any:
    """The call between two identities: the later one sees ``grad_output``, the earlier one ``grad_input``.

    The earlier one must be told of ``grad_output`` too. It gives out zeros in the shape of the output, which the
    later one takes in; their gradient brings it back.
    """
    # the first run is for the shapes alone; a clone takes what it writes into the state of the module
    shapes = jax.eval_shape(lambda: _tensors(_as_tuple(forward(partial(plain.func, clone(module)), args))))
    inputs = _tensors(args)
    before = _Rule.of(partial(_grad_outputs, module, hooks.backward_pre), shapes)
    after = _Rule.of(partial(_grad_inputs, module, hooks.backward, len(args)), inputs, shapes)
    zeros = {i: jnp.zeros(shape.shape, shape.dtype) for i, shape in shapes.items()}

    inputs, channel = _entrance(after.rule, after.closed_over, inputs, zeros)
    output = forward(plain, tuple(inputs.get(i, arg) for i, arg in enumerate(args)))
    outputs = _as_tuple(output)
    watched = _exit(before.rule, before.closed_over, _tensors(outputs), channel)
    replaced = tuple(watched.get(i, out) for i, out in enumerate(outputs))
    return replaced if isinstance(output, tuple) else replaced[0]


Tensors = dict[int, Any]
"""The floating point and complex arrays among arguments or results, by position."""


def _tensors(values: Sequence[Any]) -> Tensors:
    return {
        i: jnp.asarray(value)
        for i, value in enumerate(values)
        if isinstance(value, (jax.Array, np.ndarray)) and jnp.issubdtype(value.dtype, jnp.inexact)
    }


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


class _Hooks(NamedTuple):
    """Traced hooks: from cotangents to gradients, of which those that a hook made None are left out."""

    jaxpr: Jaxpr
    is_none: tuple[bool, ...]

    def __call__(self, closed_over: list[Array], cotangents: Any, like: Tensors) -> dict[int, Array | None]:
        """The gradients that the hooks return, for the places of ``like``."""
        found = iter(jaxpr_as_fun(ClosedJaxpr(self.jaxpr, closed_over))(*jax.tree.leaves(cotangents)))
        return {i: None if none else next(found) for i, none in zip(like, self.is_none, strict=True)}


class _Rule(NamedTuple):
    rule: _Hooks
    closed_over: list[Array]

    @classmethod
    def of(cls, hooks: Callable[..., list[Array | None]], *like: Tensors) -> "_Rule":
        is_none: list[bool] = []

        def arrays(*cotangents: Tensors) -> list[Array]:
            grads = hooks(*cotangents)
            is_none[:] = [grad is None for grad in grads]
            return [grad for grad in grads if grad is not None]

        traced = jax.make_jaxpr(arrays)(*like)
        return cls(_Hooks(traced.jaxpr, tuple(is_none)), traced.consts)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
@making_zeros
def _entrance(rule: _Hooks, closed_over: list[Array], inputs: Tensors, zeros: Tensors) -> tuple[Tensors, Tensors]:
    del rule, closed_over
    return inputs, zeros


def _entrance_fwd(rule: _Hooks, closed_over: list[Array], inputs: Tensors, zeros: Tensors) -> tuple[Any, list[Array]]:
    return _entrance(rule, closed_over, inputs, zeros), closed_over


def _entrance_bwd(rule: _Hooks, closed_over: list[Array], cotangents: tuple[Tensors, Tensors]) -> tuple[Any, ...]:
    return None, rule(closed_over, cotangents, cotangents[0]), None


@partial(jax.custom_vjp, nondiff_argnums=(0,))
@making_zeros
def _exit(rule: _Hooks, closed_over: list[Array], outputs: Tensors, channel: Tensors) -> Tensors:
    del rule, closed_over, channel
    return outputs


def _exit_fwd(
    rule: _Hooks, closed_over: list[Array], outputs: Tensors, channel: Tensors
) -> tuple[Tensors, list[Array]]:
    return _exit(rule, closed_over, outputs, channel), closed_over


def _exit_bwd(rule: _Hooks, closed_over: list[Array], cotangents: Tensors) -> tuple[Any, ...]:
    grad_outputs = rule(closed_over, cotangents, cotangents)
    return None, grad_outputs, grad_outputs


_entrance.defvjp(_entrance_fwd, _entrance_bwd)
_exit.defvjp(_exit_fwd, _exit_bwd)


def _grad_outputs(module: Any, hooks: Sequence[Callable[..., Any]], cotangents: Tensors) -> list[Array | None]:
    grads = _with_none(cotangents, 1 + max(cotangents, default=-1))
    for hook in hooks:
        grads = _replaced("Backward pre hook returned an invalid number of grad_output", hook(module, grads), grads)
    return [grads[i] if grads[i] is None else conjugated(grads[i]) for i in cotangents]


def _grad_inputs(
    module: Any, hooks: Sequence[Callable[..., Any]], size: int, inputs: Tensors, outputs: Tensors
) -> list[Array | None]:
    grads, grad_outputs = _with_none(inputs, size), _with_none(outputs, 1 + max(outputs, default=-1))
    for hook in hooks:
        returned = hook(module, grads, grad_outputs)
        grads = _replaced("Backward hook returned an invalid number of grad_input", returned, grads)
    return [grads[i] if grads[i] is None else conjugated(grads[i]) for i in inputs]


def _with_none(cotangents: Tensors, size: int) -> tuple[Any, ...]:
    """Torch's tuple of gradients, conjugated as torch's are; None at the places that have none."""
    return tuple(conjugated(cotangents[i]) if i in cotangents else None for i in range(size))


def _replaced(sentence: str, returned: Any, grads: tuple[Any, ...]) -> tuple[Any, ...]:
    if returned is None:
        return grads
    if len(returned) != len(grads):
        raise RuntimeError(f"{sentence}, got {len(returned)}, but expected {len(grads)}")
    return tuple(
        None if grad is None or new is None else checked("hook", grad, new)
        for new, grad in zip(returned, grads, strict=True)
    )


def _new_arguments(returned: Any, args: tuple[Any, ...], kwargs: dict[str, Any], with_kwargs: bool) -> Any:
    if returned is None:
        return args, kwargs
    if not with_kwargs:
        return (returned if isinstance(returned, tuple) else (returned,)), kwargs
    if isinstance(returned, tuple) and len(returned) == 2:
        return returned
    raise RuntimeError(f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {returned}.")
