"""A custom function with torch's ``backward`` and ``jvp`` at once, as a primitive of its own.

JAX's decorators know one direction each. ``jax.experimental.hijax`` lets a primitive answer every transformation:
what it computes, its residuals and cotangents, its tangents, its batches.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.errors import explain
from jaxgrad._jaxpr.unstable import HiPrimitive, Zero, instantiate_zeros
from jaxgrad.autograd._function.call import Call


class _Batchable(HiPrimitive):
    """A primitive whose batch is made by ``jax.vmap`` of its rules (torch's ``generate_vmap_rule``)."""

    def batch(self, axis_data: Any, args: Sequence[Any], dims: Sequence[int | None]) -> tuple[Any, Any]:
        if all(dim is None for dim in dims):
            return self(*args), tuple(None for _ in self.out_aval)
        return _Batch(self, axis_data.size, dims)(*args), tuple(0 for _ in self.out_aval)

    def lin(self, nzs_in: Sequence[bool], *primals: Any) -> tuple[Any, Any]:
        del nzs_in
        return self(*primals), primals

    def linearized(self, residuals: Any, *tangents: Any) -> Any:
        return self.jvp(residuals, tangents)[1]

    def transpose(self, out_ct: Any, *maybe_accums: Any) -> Any:
        del out_ct, maybe_accums
        raise NotImplementedError(
            explain(
                "jax.checkpoint transposes the jvp of a Function, and this jvp calls a Function again",
                remedy="write jvp in JAX's operations, leave it out, or keep the function outside of jax.checkpoint",
            )
        )


class BothModes(_Batchable):
    """The primitive of one call."""

    call: Call
    primal: Callable[..., Sequence[Any]]
    has_vmap: bool

    def __init__(self, call: Call, primal: Callable[..., Any], has_vmap: bool, in_avals: Any, out_avals: Any) -> None:
        self.in_avals = in_avals
        self.out_aval = out_avals
        self.params = dict(call=call, primal=primal, has_vmap=has_vmap)
        super().__init__()

    @property
    def makes_zeros(self) -> bool:
        """Whether the rule is given zeros for a gradient that is None."""
        return self.call.makes_zeros

    @classmethod
    def of(cls, call: Call, primal: Callable[..., Any], has_vmap: bool) -> Callable[..., list[Any]]:
        """``primal`` with the rules of ``call``."""

        def lifted(*tensors: Any) -> list[Any]:
            tensors = tuple(jnp.asarray(tensor) for tensor in tensors)
            out = jax.eval_shape(primal, *tensors)
            in_avals = tuple(jax.typeof(tensor) for tensor in tensors)
            out_avals = tuple(jax.typeof(jax.ShapeDtypeStruct(each.shape, each.dtype)) for each in out)
            return list(cls(call, primal, has_vmap, in_avals, out_avals)(*tensors))

        return lifted

    def expand(self, *tensors: Any) -> tuple[Any, ...]:
        """What it computes."""
        return tuple(self.primal(*tensors))

    def vjp_fwd(self, nzs_in: Sequence[bool], /, *tensors: Any) -> tuple[Any, Any]:
        """Output and context, for reverse mode."""
        return self._forward(tensors, nzs_in)

    def _forward(self, tensors: Sequence[Any], needed: Sequence[bool]) -> tuple[Any, Any]:
        out = self(*tensors)
        if self.call.separate_setup:
            return out, self.call.context(tensors, needed, out)
        raw, ctx = self.call.forward(tensors, needed)
        return out, ctx.replaced(raw, out)

    def vjp_bwd_retval(self, residuals: Any, cotangents: Sequence[Any], /) -> tuple[Any, ...]:
        """Cotangents of the arguments."""
        given = [None if isinstance(ct, Zero) or ct.dtype == jax.dtypes.float0 else ct for ct in cotangents]
        grad_outputs = self.call.grad_outputs(residuals, given, self.out_aval)
        grads = self.call.backward(residuals, grad_outputs, self.in_avals)
        return tuple(
            Zero(aval.to_ct_aval()) if grad is None else grad for grad, aval in zip(grads, self.in_avals, strict=True)
        )

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """Output and its tangents."""
        out, ctx = self._forward(primals, [not isinstance(t, Zero) for t in tangents])
        given = [self._given(ctx, t, aval) for t, aval in zip(tangents, self.in_avals, strict=True)]
        found = self.call.jvp(ctx, given, self.out_aval)
        out_tangents = [
            Zero(aval.to_tangent_aval()) if t is None else t for t, aval in zip(found, self.out_aval, strict=True)
        ]
        return out, tuple(out_tangents)

    def _given(self, ctx: Any, tangent: Any, aval: Any) -> Any:
        if not jnp.issubdtype(aval.dtype, jnp.inexact):
            return None
        if isinstance(tangent, Zero):
            return instantiate_zeros(tangent) if ctx.materialize_grads else None
        return tangent

    def batch(self, axis_data: Any, args: Sequence[Any], dims: Sequence[int | None]) -> tuple[Any, Any]:
        """The user's batching rule where there is one."""
        if not self.has_vmap or all(dim is None for dim in dims):
            return super().batch(axis_data, args, dims)
        marks = self.call.layout.non_differentiable
        out = self.call.batched(axis_data.size, args, dims)
        self.call.layout.non_differentiable = marks
        return tuple(out), tuple(0 for _ in out)


class _Batch(_Batchable):
    """``jax.vmap`` of a primitive, rule by rule; every output has its batch in front."""

    prim: BothModes
    size: int
    dims: tuple[int | None, ...]

    @property
    def makes_zeros(self) -> bool:
        """As the primitive that is batched."""
        return self.prim.makes_zeros

    def __init__(self, prim: _Batchable, size: int, dims: Sequence[int | None]) -> None:
        def stacked(aval: Any, dim: int | None) -> Any:
            if dim is None:
                return aval
            shape = (*aval.shape[:dim], size, *aval.shape[dim:])
            return jax.typeof(jax.ShapeDtypeStruct(shape, aval.dtype))

        self.in_avals = tuple(stacked(aval, dim) for aval, dim in zip(prim.in_avals, dims, strict=True))
        self.out_aval = tuple(stacked(aval, 0) for aval in prim.out_aval)
        self.params = dict(prim=prim, size=size, dims=tuple(dims))
        super().__init__()

    def _vmap(self, fn: Callable[..., Any], in_axes: Any) -> Callable[..., Any]:
        return jax.vmap(fn, in_axes=in_axes, axis_size=self.size)

    def expand(self, *args: Any) -> Any:
        return self._vmap(self.prim.expand, self.dims)(*args)

    def vjp_fwd(self, nzs_in: Sequence[bool], /, *args: Any) -> tuple[Any, Any]:
        found: tuple[Any, Any] = self._vmap(lambda *args: self.prim.vjp_fwd(nzs_in, *args), self.dims)(*args)
        return found

    def vjp_bwd_retval(self, residuals: Any, cotangents: Sequence[Any], /) -> tuple[Any, ...]:
        zero = [isinstance(ct, Zero) or ct.dtype == jax.dtypes.float0 for ct in cotangents]
        cut = [Zero(aval.to_ct_aval()) for aval in self.prim.out_aval]

        def one(residuals: Any, cotangents: Sequence[Any]) -> tuple[Any, ...]:
            rest = iter(cotangents)
            grads = self.prim.vjp_bwd_retval(
                residuals, tuple(c if z else next(rest) for z, c in zip(zero, cut, strict=True))
            )
            return tuple(None if isinstance(grad, Zero) else grad for grad in grads)

        grads = self._vmap(one, 0)(residuals, tuple(ct for ct, z in zip(cotangents, zero, strict=True) if not z))
        return tuple(
            Zero(aval.to_ct_aval()) if grad is None else grad.sum(0) if dim is None else jnp.moveaxis(grad, 0, dim)
            for grad, dim, aval in zip(grads, self.dims, self.in_avals, strict=True)
        )

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        zero = [isinstance(t, Zero) for t in tangents]
        cut = [Zero(aval.to_tangent_aval()) for aval in self.prim.in_avals]
        axes = tuple(dim for dim, z in zip(self.dims, zero, strict=True) if not z)

        def one(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
            rest = iter(tangents)
            out, dot = self.prim.jvp(primals, tuple(c if z else next(rest) for z, c in zip(zero, cut, strict=True)))
            return out, tuple(None if isinstance(t, Zero) else t for t in dot)

        given = tuple(t for t, z in zip(tangents, zero, strict=True) if not z)
        out, dot = self._vmap(one, (self.dims, axes))(tuple(primals), given)
        avals = zip(dot, self.out_aval, strict=True)
        return out, tuple(Zero(aval.to_tangent_aval()) if t is None else t for t, aval in avals)
