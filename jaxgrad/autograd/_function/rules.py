"""A custom function as a JAX function with its own derivative rules.

Reverse mode alone is ``jax.custom_vjp``; a function that also brings torch's ``jvp`` is a primitive of its own
(``jax.experimental.hijax``), since JAX has no decorator for both directions at once. The primal that a rule hands on
is the custom function itself again, so that every further derivative goes through the custom rules too, as in torch.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.custom_batching import custom_vmap
from jax.custom_derivatives import SymbolicZero

from jaxgrad._core.errors import is_traced
from jaxgrad._jaxpr.rules import keep_none, making_zeros
from jaxgrad.autograd._function.both_modes import BothModes
from jaxgrad.autograd._function.call import Call


def with_rules(call: Call, *, has_jvp: bool, has_vmap: bool) -> Callable[..., list[Any]]:
    """The arrays of the output as a function of the arrays among the arguments."""
    primal = _with_vmap(call) if has_vmap else lambda *tensors: call.forward(tensors, [False] * len(tensors))[0]
    if has_jvp:
        return BothModes.of(call, primal, has_vmap)
    return _reverse_mode(call, primal)


def _with_vmap(call: Call) -> Callable[..., list[Any]]:
    """The forward under the user's own batching rule."""

    def forward(*tensors: Any) -> list[Any]:
        return call.forward(tensors, [False] * len(tensors))[0]

    batchable = custom_vmap(forward)

    @batchable.def_vmap
    def _(size: int, batched: Sequence[bool], *tensors: Any) -> tuple[list[Any], list[bool]]:
        marks = call.layout.non_differentiable
        out = call.batched(size, tensors, [0 if each else None for each in batched])
        call.layout.non_differentiable = marks
        return out, [True] * len(out)

    return lambda *tensors: batchable(*tensors) if is_traced(tensors) else forward(*tensors)


def _reverse_mode(call: Call, primal: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    @jax.custom_vjp
    @making_zeros
    def lifted(*tensors: Any) -> list[Any]:
        out = primal(*tensors)
        if not call.makes_zeros:
            keep_none()
        return out

    def fwd(*inputs: Any) -> tuple[list[Any], Any]:
        tensors, needed = [each.value for each in inputs], [each.perturbed for each in inputs]
        out, ctx = _forward_again(call, lifted, tensors, needed)
        return out, (ctx, _Avals.of(out), _Avals.of(tensors))

    def bwd(residuals: Any, cotangents: Sequence[Any]) -> tuple[Any, ...]:
        ctx, avals, tensor_avals = residuals
        given = [None if isinstance(ct, SymbolicZero) or _is_float0(ct) else ct for ct in cotangents]
        grads = call.backward(ctx, call.grad_outputs(ctx, given, avals), tensor_avals)
        return tuple(grads)

    lifted.defvjp(fwd, bwd, symbolic_zeros=True)
    return lifted


def _forward_again(call: Call, lifted: Callable[..., Any], tensors: Sequence[Any], needed: Sequence[bool]) -> Any:
    """Outputs that carry the custom rule once more, for higher derivatives, and the context that refers to them."""
    if call.separate_setup:
        out = lifted(*tensors)
        return out, call.context(tensors, needed, out)
    out, ctx = call.forward(tensors, needed)
    if is_traced(tensors):
        connected = lifted(*tensors)
        return connected, ctx.replaced(out, connected)
    return out, ctx


@jax.tree_util.register_static
class _Avals(tuple[Any, ...]):
    """Shapes and dtypes of arrays, carried in the structure of the residuals."""

    @classmethod
    def of(cls, arrays: Sequence[Any]) -> "_Avals":
        return cls(jax.typeof(array) for array in arrays)


def _is_float0(ct: Any) -> bool:
    return getattr(ct, "dtype", None) == jax.dtypes.float0
