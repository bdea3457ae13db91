"""One call of a custom function: which arguments are arrays, what its rules returned, torch's checks on both.

``Call`` is the bridge between torch's conventions (arguments of any kind, one output or a tuple, ``None`` for no
gradient) and JAX's (flat arrays in, flat arrays out).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.ad_checkpoint import checkpoint_name

from jaxgrad._core.errors import explain
from jaxgrad._core.trees import is_tensor
from jaxgrad._jaxpr.unstable import JaxprEqn
from jaxgrad.autograd._function.ctx import FunctionCtx


class VmapInfo(NamedTuple):
    """What ``Function.vmap`` is told, after ``torch._functorch.autograd_function.VmapInfo``."""

    batch_size: int
    randomness: str


@dataclass
class Layout:
    """How the flat arrays of an output become what ``forward`` returned; filled while ``forward`` runs."""

    is_tuple: bool = False
    is_array: list[bool] = field(default_factory=list)
    """For each output whether it is an array."""
    others: list[Any] = field(default_factory=list)
    """Outputs that are no arrays, None in the places of the others."""
    non_differentiable: tuple[bool, ...] = ()
    """For each array whether it was marked."""

    def read(self, output: Any) -> list[Any]:
        """Take note of an output of ``forward`` and return its arrays.

        Raises:
            TypeError: arrays inside another container than a tuple, which torch would not track.
        """
        self.is_tuple = isinstance(output, tuple)
        values = list(output) if self.is_tuple else [output]
        for i, value in enumerate(values):
            if not is_tensor(value) and any(map(is_tensor, jax.tree.leaves(value))):
                raise TypeError(
                    explain(
                        f"expected Tensor or tuple of Tensor (got {type(value).__name__}) for return value {i}",
                        remedy="return the arrays themselves, several of them as a tuple: others have no gradient",
                    )
                )
        self.is_array = [is_tensor(value) for value in values]
        self.others = [None if is_tensor(value) else value for value in values]
        return [value for value in values if is_tensor(value)]

    def write(self, arrays: Sequence[Any]) -> Any:
        """The output with ``arrays`` in their places."""
        rest = iter(arrays)
        values = [next(rest) if here else value for here, value in zip(self.is_array, self.others, strict=True)]
        return tuple(values) if self.is_tuple else values[0]


class Call:
    """``cls.apply(*args)`` as functions of the arrays among ``args``."""

    def __init__(self, cls: Any, args: Sequence[Any], *, separate_setup: bool) -> None:
        self.cls, self.args, self.separate_setup = cls, tuple(args), separate_setup
        self.positions = [i for i, arg in enumerate(args) if is_tensor(arg)]
        self.tensors = [args[i] for i in self.positions]
        self.layout = Layout()
        self.makes_zeros = True
        """Whether ``backward`` wants zeros for outputs that nothing depends on; known once the forward ran."""

    def inputs(self, tensors: Sequence[Any], otherwise: Any = ...) -> tuple[Any, ...]:
        """All arguments, with ``tensors`` in the places of the arrays (and ``otherwise`` in all others)."""
        inputs = list(self.args) if otherwise is ... else [otherwise] * len(self.args)
        for i, tensor in zip(self.positions, tensors, strict=True):
            inputs[i] = tensor
        return tuple(inputs)

    def forward(self, tensors: Sequence[Any], needed: Sequence[bool]) -> tuple[list[Any], FunctionCtx]:
        """Run ``forward`` (and ``setup_context``): the arrays of the output, and the context."""
        if self.separate_setup:
            out = self.layout.read(self.plain(*tensors))
            return out, self.context(tensors, needed, out)
        ctx = FunctionCtx(self.inputs(needed, otherwise=False))
        out = self.layout.read(self.cls.forward(ctx, *self.inputs(tensors)))
        self._mark(ctx, out)
        return [jnp.asarray(each) for each in out], ctx.replaced(out, [jnp.asarray(each) for each in out])

    def plain(self, *tensors: Any) -> Any:
        """``forward`` without a context; only where ``setup_context`` is separate."""
        return self.cls.forward(*self.inputs(tensors))

    def context(self, tensors: Sequence[Any], needed: Sequence[bool], out: Sequence[Any]) -> FunctionCtx:
        """The context that ``setup_context`` makes of inputs and outputs."""
        ctx = FunctionCtx(self.inputs(needed, otherwise=False))
        self.cls.setup_context(ctx, self.inputs(tensors), self.layout.write(out))
        self._mark(ctx, out)
        return ctx

    def _mark(self, ctx: FunctionCtx, out: Sequence[Any]) -> None:
        marked = {id(each) for each in ctx.non_differentiable}
        self.layout.non_differentiable = tuple(id(each) in marked for each in out)
        self.makes_zeros = ctx.materialize_grads

    def output(self, arrays: Sequence[Any]) -> Any:
        """What ``apply`` returns: the output, its non-differentiable parts cut off."""
        marked = zip(arrays, self.layout.non_differentiable, strict=True)
        return self.layout.write([jax.lax.stop_gradient(a) if cut else a for a, cut in marked])

    def grad_outputs(self, ctx: FunctionCtx, cotangents: Sequence[Any], out_avals: Sequence[Any]) -> tuple[Any, ...]:
        """The arguments of ``backward``: one for each output, zeros or None where nothing depends on it."""
        filled = [
            (jnp.zeros(aval.shape, aval.dtype) if ctx.materialize_grads else None) if ct is None else ct
            for ct, aval in zip(cotangents, out_avals, strict=True)
        ]
        rest = iter(filled)
        return tuple(next(rest) if here else None for here in self.layout.is_array)

    def backward(self, ctx: FunctionCtx, grad_outputs: Sequence[Any], tensor_avals: Sequence[Any]) -> list[Any]:
        """Run ``backward`` and check its gradients: one for each array, None for no gradient.

        Raises:
            RuntimeError: torch's sentences for a wrong number, place, type or shape.
        """
        name = f"{self.cls.__name__}Backward"
        backward: Callable[..., Any] = self.cls._user_backward()
        result = backward(ctx, *grad_outputs)
        grads = list(result) if isinstance(result, (tuple, list)) else [result]
        n_inputs = len(self.args)
        if len(grads) < n_inputs or any(grad is not None for grad in grads[n_inputs:]):
            raise RuntimeError(
                explain(
                    f"function {name} returned an incorrect number of gradients "
                    f"(expected {n_inputs}, got {len(grads)})",
                    remedy="return one value for each argument of forward, None where there is no gradient",
                )
            )
        for i, grad in enumerate(grads[:n_inputs]):
            if grad is not None and not is_tensor(grad):
                raise RuntimeError(f"expected Variable or None (got {type(grad).__name__})")
            if grad is not None and i not in self.positions:
                raise RuntimeError(
                    f"function {name} returned a gradient different than None at position {i + 1}, "
                    "but the corresponding forward input was not a Variable"
                )
        fitted = [_fitted(name, i, grads[i], aval) for i, aval in zip(self.positions, tensor_avals, strict=True)]
        return [each if each is None else checkpoint_name(each, f"{_OUTPUT}{i}") for i, each in enumerate(fitted)]

    def jvp(self, ctx: FunctionCtx, tangents: Sequence[Any], out_avals: Sequence[Any]) -> list[Any]:
        """Run ``jvp``: one tangent for each array of the output, zeros for None.

        Raises:
            RuntimeError: a wrong number of tangents, or one of another shape.
        """
        result = self.cls.jvp(ctx.for_forward(), *self.inputs(tangents, otherwise=None))
        out = list(result) if isinstance(result, tuple) else [result]
        if len(out) != len(self.layout.is_array):
            raise RuntimeError(
                f"{self.cls.__name__}'s jvp returned an incorrect number of tangents "
                f"(expected {len(self.layout.is_array)}, got {len(out)})"
            )
        found = [each for each, here in zip(out, self.layout.is_array, strict=True) if here]
        return [
            _tangent(self.cls.__name__, i, t, aval) for i, (t, aval) in enumerate(zip(found, out_avals, strict=True))
        ]

    def batched(self, size: int, tensors: Sequence[Any], dims: Sequence[int | None]) -> list[Any]:
        """Run ``vmap``: the arrays of the output, each with the batch in front."""
        info = VmapInfo(size, "error")
        result = self.cls.vmap(info, self.inputs(dims, otherwise=None), *self.inputs(tensors))
        if not (isinstance(result, tuple) and len(result) == 2):
            raise RuntimeError(
                explain(
                    f"Expected the vmap staticmethod of {self.cls.__name__} to return (output, out_dims)",
                    got=f"{type(result).__name__}",
                )
            )
        output, out_dims = result
        arrays = self.layout.read(output)
        if not isinstance(out_dims, tuple):
            out_dims = (out_dims,) * len(self.layout.is_array)
        found = [dim for dim, here in zip(out_dims, self.layout.is_array, strict=True) if here]
        self.layout.non_differentiable = (False,) * len(arrays)
        return [
            jnp.broadcast_to(jnp.asarray(a)[None], (size, *np.shape(a))) if dim is None else jnp.moveaxis(a, dim, 0)
            for a, dim in zip(arrays, found, strict=True)
        ]


_OUTPUT = "output of a rule: "


def output_of_rule(eqn: JaxprEqn) -> int | None:
    """Which output of a rule's backward an equation hands out, as torch counts them; None if it is another one."""
    name = eqn.params.get("name") if eqn.primitive.name == "name" else None
    return int(name.removeprefix(_OUTPUT)) if isinstance(name, str) and name.startswith(_OUTPUT) else None


def _fitted(name: str, i: int, grad: Any, aval: Any) -> Any:
    """A gradient in the shape and dtype of its input: torch sums what was expanded and casts."""
    if grad is None or not jnp.issubdtype(aval.dtype, jnp.inexact):
        return None
    grad = jnp.asarray(grad)
    extra = grad.ndim - len(aval.shape)
    fits = extra >= 0 and all(n in (1, m) for n, m in zip(aval.shape, grad.shape[extra:], strict=True))
    if not fits:
        raise RuntimeError(
            f"Function {name} returned an invalid gradient at index {i} - got {list(grad.shape)} "
            f"but expected shape compatible with {list(aval.shape)}"
        )
    summed = grad.sum(tuple(range(extra)))
    stretched = tuple(k for k, (n, m) in enumerate(zip(aval.shape, summed.shape, strict=True)) if n != m)
    summed = summed.sum(stretched, keepdims=True)
    if jnp.iscomplexobj(summed) and not jnp.issubdtype(aval.dtype, jnp.complexfloating):
        summed = summed.real
    return summed.astype(aval.dtype)


def _tangent(name: str, i: int, tangent: Any, aval: Any) -> Any:
    if not jnp.issubdtype(aval.dtype, jnp.inexact):
        return None
    if tangent is None:
        return jnp.zeros(aval.shape, aval.dtype)
    tangent = jnp.asarray(tangent)
    if tangent.shape != aval.shape:
        raise RuntimeError(
            f"{name}'s jvp returned an invalid tangent at index {i} - got {list(tangent.shape)} "
            f"but expected shape {list(aval.shape)}"
        )
    return tangent.astype(aval.dtype)
