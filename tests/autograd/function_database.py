"""PyTorch's ``autograd_function_db``, its fourteen functions written for jaxgrad, rule for rule.

The ones that leave torch for numpy leave JAX through ``jax.pure_callback``. ``NumpyExp_`` is not here: its forward
overwrites its input and marks it dirty, which has no meaning for values (a test holds that ``mark_dirty`` raises).
``NumpyCubeNotComposable`` reads the numbers of its input, so it runs where nothing is traced.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad.autograd import Function, once_differentiable


def outside(fn, like, *args):
    return jax.pure_callback(fn, like, *args, vmap_method="sequential")


def times(x, y):
    """The product with broadcasting said aloud."""
    ndim = max(x.ndim, y.ndim)
    return x.reshape((1,) * (ndim - x.ndim) + x.shape) * y.reshape((1,) * (ndim - y.ndim) + y.shape)


class NumpyCube(Function):
    @staticmethod
    def forward(input):
        like = jax.ShapeDtypeStruct(input.shape, input.dtype)
        return outside(lambda x: (x**3, 3 * x**2), (like, like), input)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0], output[1])
        ctx.save_for_forward(inputs[0], output[1])

    @staticmethod
    def backward(ctx, grad_output, grad_saved):
        input, dinput = ctx.saved_tensors
        return NumpyMul.apply(grad_output, dinput) + 6 * NumpyMul.apply(grad_saved, input)

    @staticmethod
    def vmap(info, in_dims, input):
        result = NumpyCube.apply(input)
        return result, (in_dims[0], in_dims[0])

    @staticmethod
    def jvp(ctx, input_tangent):
        input, dinput = ctx.saved_tensors
        return NumpyMul.apply(input_tangent, dinput), 6 * NumpyMul.apply(input_tangent, input)


class CubeGenVmap(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x**3, 3 * x**2

    setup_context = NumpyCube.setup_context

    @staticmethod
    def backward(ctx, grad_output, grad_saved):
        _input, dinput = ctx.saved_tensors
        return grad_output * dinput + 6 * dinput

    @staticmethod
    def jvp(ctx, input_tangent):
        input, dinput = ctx.saved_tensors
        return MulGenVmap.apply(input_tangent, dinput), 6 * NumpyMul.apply(input_tangent, input)


class NumpyCubeNotComposable(Function):
    @staticmethod
    def forward(input):
        input_np = np.asarray(input)
        return jnp.asarray(input_np**3), input_np.tolist()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.input_np = np.array(output[1])

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output, grad_saved):
        return jnp.asarray(3 * (ctx.input_np**2))


class NumpyMul(Function):
    @staticmethod
    def forward(x, y):
        shape = jnp.broadcast_shapes(x.shape, y.shape)
        return outside(lambda x, y: np.asarray(x) * np.asarray(y), jax.ShapeDtypeStruct(shape, x.dtype), x, y)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx, grad_output):
        x, y = ctx.saved_tensors
        gx = NumpyMul.apply(grad_output, y) if ctx.needs_input_grad[0] else None
        gy = NumpyMul.apply(grad_output, x) if ctx.needs_input_grad[1] else None
        return gx, gy

    @staticmethod
    def vmap(info, in_dims, x, y):
        x_bdim, y_bdim = in_dims
        x = jnp.moveaxis(x, x_bdim, -1) if x_bdim is not None else x[..., None]
        y = jnp.moveaxis(y, y_bdim, -1) if y_bdim is not None else y[..., None]
        return NumpyMul.apply(x, y), -1

    @staticmethod
    def jvp(ctx, x_tangent, y_tangent):
        x, y = ctx.saved_tensors
        return times(x_tangent, y) + times(y_tangent, x)


class MulGenVmap(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x, y):
        return times(x, y)

    setup_context = NumpyMul.setup_context

    @staticmethod
    def backward(ctx, grad_output):
        x, y = ctx.saved_tensors
        gx = MulGenVmap.apply(grad_output, y) if ctx.needs_input_grad[0] else None
        gy = MulGenVmap.apply(grad_output, x) if ctx.needs_input_grad[1] else None
        return gx, gy

    jvp = NumpyMul.jvp


class NumpySort(Function):
    @staticmethod
    def forward(x, dim):
        like, order = jax.ShapeDtypeStruct(x.shape, x.dtype), jax.ShapeDtypeStruct(x.shape, jnp.int64)

        def sort(x):
            ind = np.argsort(x, axis=dim)
            return np.asarray(x), ind, np.argsort(ind, axis=dim)

        return outside(sort, (like, order, order), x)

    @staticmethod
    def setup_context(ctx, inputs, output):
        _x, dim = inputs
        _, ind, ind_inv = output
        ctx.mark_non_differentiable(ind, ind_inv)
        ctx.save_for_backward(ind, ind_inv)
        ctx.save_for_forward(ind, ind_inv)
        ctx.dim = dim

    @staticmethod
    def backward(ctx, grad_output, _0, _1):
        ind, ind_inv = ctx.saved_tensors
        return NumpyTake.apply(grad_output, ind_inv, ind, ctx.dim), None

    @staticmethod
    def vmap(info, in_dims, x, dim):
        x = jnp.moveaxis(x, in_dims[0], 0)
        dim = dim if dim >= 0 else dim + x.ndim - 1
        return NumpySort.apply(x, dim + 1), (0, 0, 0)

    @staticmethod
    def jvp(ctx, x_tangent, _):
        ind, ind_inv = ctx.saved_tensors
        return NumpyTake.apply(x_tangent, ind, ind_inv, ctx.dim), None, None


class SortGenVmap(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x, dim):
        ind = jnp.argsort(x, axis=dim)
        return jnp.take_along_axis(x, ind, dim), ind, jnp.argsort(ind, axis=dim)

    setup_context = NumpySort.setup_context

    @staticmethod
    def backward(ctx, grad_output, _0, _1):
        ind, ind_inv = ctx.saved_tensors
        return TakeGenVmap.apply(grad_output, ind_inv, ind, ctx.dim), None

    @staticmethod
    def jvp(ctx, x_tangent, _):
        ind, ind_inv = ctx.saved_tensors
        return TakeGenVmap.apply(x_tangent, ind, ind_inv, ctx.dim), None, None


class NumpyTake(Function):
    @staticmethod
    def forward(x, ind, ind_inv, dim):
        like = jax.ShapeDtypeStruct(ind.shape, x.dtype)
        return outside(lambda x, ind: np.take_along_axis(np.asarray(x), np.asarray(ind), dim), like, x, ind)

    @staticmethod
    def setup_context(ctx, inputs, output):
        _x, ind, ind_inv, dim = inputs
        ctx.save_for_backward(ind, ind_inv)
        ctx.save_for_forward(ind, ind_inv)
        ctx.dim = dim

    @staticmethod
    def backward(ctx, grad_output):
        ind, ind_inv = ctx.saved_tensors
        return NumpyTake.apply(grad_output, ind_inv, ind, ctx.dim), None, None, None

    @staticmethod
    def vmap(info, in_dims, x, ind, ind_inv, dim):
        logical = x.ndim if in_dims[0] is None else x.ndim - 1
        dim = dim if dim >= 0 else dim + logical

        def expand(a, bdim):
            return jnp.broadcast_to(a[None], (info.batch_size, *a.shape)) if bdim is None else jnp.moveaxis(a, bdim, 0)

        x, ind, ind_inv = (expand(a, d) for a, d in zip((x, ind, ind_inv), in_dims, strict=False))
        return NumpyTake.apply(x, ind, ind_inv, dim + 1), 0

    @staticmethod
    def jvp(ctx, x_tangent, ind_tangent, ind_inv_tangent, _):
        assert ind_tangent is None
        assert ind_inv_tangent is None
        ind, ind_inv = ctx.saved_tensors
        return NumpyTake.apply(x_tangent, ind, ind_inv, ctx.dim)


class TakeGenVmap(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x, ind, ind_inv, dim):
        return jnp.take_along_axis(x, ind, dim)

    setup_context = NumpyTake.setup_context

    @staticmethod
    def backward(ctx, grad_output):
        ind, ind_inv = ctx.saved_tensors
        return TakeGenVmap.apply(grad_output, ind_inv, ind, ctx.dim), None, None, None

    @staticmethod
    def jvp(ctx, x_tangent, ind_tangent, ind_inv_tangent, _):
        ind, ind_inv = ctx.saved_tensors
        return TakeGenVmap.apply(x_tangent, ind, ind_inv, ctx.dim)


class Select(Function):
    @staticmethod
    def forward(x, idx):
        return x[idx]

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, idx = inputs
        ctx.x_shape = x.shape
        ctx.idx = idx

    @staticmethod
    def backward(ctx, grad_output):
        return jnp.zeros(ctx.x_shape, grad_output.dtype).at[ctx.idx].set(grad_output), None

    @staticmethod
    def vmap(info, in_dims, x, idx):
        return Select.apply(jnp.moveaxis(x, in_dims[0], 1), idx), 0

    @staticmethod
    def jvp(ctx, x_tangent, _):
        return Select.apply(x_tangent, ctx.idx)


class SelectGenVmap(Function):
    generate_vmap_rule = True
    forward, setup_context, backward = Select.forward, Select.setup_context, Select.backward

    @staticmethod
    def jvp(ctx, x_tangent, _):
        return SelectGenVmap.apply(x_tangent, ctx.idx)


class ScaleGradGenVmap(Function):
    generate_vmap_rule = True
    scale = 3.14

    @staticmethod
    def forward(x):
        return x

    @staticmethod
    def setup_context(ctx, inputs, outputs):
        pass

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output * ScaleGradGenVmap.scale

    @staticmethod
    def jvp(ctx, x_tangent):
        return x_tangent * ScaleGradGenVmap.scale


class ZeroGradientsGenVmap(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x, y):
        return x, y

    @staticmethod
    def setup_context(ctx, inputs, outputs):
        pass

    @staticmethod
    def backward(ctx, gx, gy):
        return jnp.zeros((3, 4, *gx.shape), gx.dtype), jnp.zeros(gy.shape, gy.dtype)

    @staticmethod
    def jvp(ctx, gx, gy):
        return jnp.zeros(gx.shape, gx.dtype), jnp.zeros(gy.shape, gy.dtype)


class ForwardHasDefaultArgs(Function):
    @staticmethod
    def forward(x, idx=(2,)):
        return x[idx]

    setup_context, backward = Select.setup_context, Select.backward

    @staticmethod
    def vmap(info, in_dims, x, idx):
        return ForwardHasDefaultArgs.apply(jnp.moveaxis(x, in_dims[0], 1), idx), 0

    @staticmethod
    def jvp(ctx, x_tangent, _):
        return ForwardHasDefaultArgs.apply(x_tangent, ctx.idx)


FUNCTIONS = {
    cls.__name__: cls
    for cls in (
        NumpyCube,
        CubeGenVmap,
        NumpyCubeNotComposable,
        NumpyMul,
        MulGenVmap,
        NumpySort,
        SortGenVmap,
        NumpyTake,
        TakeGenVmap,
        Select,
        SelectGenVmap,
        ScaleGradGenVmap,
        ZeroGradientsGenVmap,
        ForwardHasDefaultArgs,
    )
}
