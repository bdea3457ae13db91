"""BatchNorm taken into the layer before it, after ``torch.nn.utils.fusion``: one layer where evaluation had two."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from jaxgrad._core.errors import explain
from jaxgrad._core.modules import clone
from jaxgrad._core.types import Array
from jaxgrad.nn.parameter import Parameter


def fuse_conv_bn_eval(conv: Any, bn: Any, transpose: bool = False) -> Any:
    """Mirror of ``torch.nn.utils.fuse_conv_bn_eval``: a convolution that computes ``bn(conv(x))`` of evaluation.

    Differs from torch: there is no mode to check, since it belongs to the call; the running statistics that ``bn``
    holds are taken, so bind trained ones first (``func.bind``).

    Args:
        conv: a convolution of ``nn``.
        bn: the BatchNorm behind it.
        transpose: whether the weight has its outputs on the second axis, as transposed convolutions have.

    Returns:
        A copy of ``conv`` with another weight and a bias.

    Raises:
        AssertionError: ``bn.running_mean and bn.running_var must not be None``.

    >>> from jaxgrad import func, nn, random
    >>> conv = nn.Conv1d(1, 2, 3, bias=False, rngs=nn.Rngs(random.manual_seed(0)))
    >>> fused = fuse_conv_bn_eval(conv, nn.BatchNorm1d(2, eps=3.0))
    >>> (fused.weight[...] / conv.weight[...]).ravel()[:2].tolist(), fused.bias[...].tolist()
    ([0.5, 0.5], [0.0, 0.0])

    Source: torch/nn/utils/fusion.py.
    """
    weight, bias, mean, var, eps, scale, shift = _values(conv, bn)
    return _fused(conv, fuse_conv_bn_weights(weight, bias, mean, var, eps, scale, shift, transpose))


def fuse_linear_bn_eval(linear: Any, bn: Any) -> Any:
    """Mirror of ``torch.nn.utils.fuse_linear_bn_eval``: a linear layer that computes ``bn(linear(x))`` of evaluation.

    Differs from torch as :func:`fuse_conv_bn_eval` does.

    Args:
        linear: an ``nn.Linear``.
        bn: the BatchNorm behind it.

    Returns:
        A copy of ``linear`` with another weight and a bias.

    Raises:
        AssertionError: ``To fuse, linear.out_features == bn.num_features or bn.num_features == 1, got ...``;
            ``bn.running_mean and bn.running_var must not be None``.

    >>> from jaxgrad import nn, random
    >>> linear = nn.Linear(3, 2, rngs=nn.Rngs(random.manual_seed(0)))
    >>> fused = fuse_linear_bn_eval(linear, nn.BatchNorm1d(2, eps=3.0))
    >>> (fused.bias[...] / linear.bias[...]).tolist()
    [0.5, 0.5]

    Source: torch/nn/utils/fusion.py.
    """
    if linear.out_features != bn.num_features and bn.num_features != 1:
        raise AssertionError(
            "To fuse, linear.out_features == bn.num_features or bn.num_features == 1, "
            f"got linear.out_features={linear.out_features} and bn.num_features={bn.num_features}"
        )
    weight, bias, mean, var, eps, scale, shift = _values(linear, bn)
    if scale is None or shift is None:
        raise TypeError(
            explain(
                "fuse_linear_bn_eval needs the weight and the bias of BatchNorm, as torch does",
                got=f"BatchNorm with affine={bn.affine}",
                remedy="BatchNorm with weight 1 and bias 0, or fuse_linear_bn_weights",
            )
        )
    return _fused(linear, fuse_linear_bn_weights(weight, bias, mean, var, eps, scale, shift))


def fuse_conv_bn_weights(
    conv_w: Float[Array, "out in *kernel"],
    conv_b: Float[Array, " features"] | None,
    bn_rm: Float[Array, " features"],
    bn_rv: Float[Array, " features"],
    bn_eps: float,
    bn_w: Float[Array, " features"] | None,
    bn_b: Float[Array, " features"] | None,
    transpose: bool = False,
) -> tuple[Float[Array, "out in *kernel"], Float[Array, " features"]]:
    r"""Mirror of ``torch.nn.utils.fuse_conv_bn_weights``: :math:`w s` and :math:`(b - \mu) s + \beta`.

    Here :math:`s = \gamma / \sqrt{\sigma^2 + \epsilon}`. Differs from torch: arrays come back, not parameters.

    Args:
        conv_w: weight of the convolution (out, in / groups, ...), or (in, out / groups, ...) with ``transpose``.
        conv_b: its bias (out,), or None for zeros.
        bn_rm: running mean (out,).
        bn_rv: running variance.
        bn_eps: added to it.
        bn_w: weight of BatchNorm, or None for ones.
        bn_b: its bias, or None for zeros.
        transpose: whether outputs lie on the second axis.

    Returns:
        ``(weight, bias)``, of the dtypes of the convolution's.

    >>> weight, bias = fuse_conv_bn_weights(
    ...     jnp.ones((1, 1, 2)), None, jnp.ones(1), jnp.full(1, 3.0), 1.0, jnp.full(1, 4.0), None
    ... )
    >>> weight.tolist(), bias.tolist()
    ([[[2.0, 2.0]]], [-2.0])

    Source: torch/nn/utils/fusion.py.
    """
    conv_w, bn_rm, bn_rv = (jnp.asarray(each) for each in (conv_w, bn_rm, bn_rv))
    bias = jnp.zeros_like(bn_rm) if conv_b is None else jnp.asarray(conv_b)
    gamma = jnp.ones_like(bn_rm) if bn_w is None else jnp.asarray(bn_w)
    beta = jnp.zeros_like(bn_rm) if bn_b is None else jnp.asarray(bn_b)
    inverse = jax.lax.rsqrt(bn_rv + bn_eps)
    shape = [1, 1] + [1] * (conv_w.ndim - 2)
    shape[1 if transpose else 0] = -1
    weight = conv_w * (gamma * inverse).reshape(shape)
    shift = (bias - bn_rm) * inverse * gamma + beta
    return weight.astype(conv_w.dtype), shift.astype(conv_w.dtype if conv_b is None else bias.dtype)


def fuse_linear_bn_weights(
    linear_w: Float[Array, "out in"],
    linear_b: Float[Array, " out"] | None,
    bn_rm: Float[Array, " features"],
    bn_rv: Float[Array, " features"],
    bn_eps: float,
    bn_w: Float[Array, " features"],
    bn_b: Float[Array, " features"],
) -> tuple[Float[Array, "out in"], Float[Array, " out"]]:
    r"""Mirror of ``torch.nn.utils.fuse_linear_bn_weights``: :math:`w s` and :math:`(b - \mu) s + \beta`.

    Here :math:`s = \gamma / \sqrt{\sigma^2 + \epsilon}`. Differs from torch: arrays come back, not parameters.

    Args:
        linear_w: weight (out, in).
        linear_b: bias (out,), or None for zeros.
        bn_rm: running mean (out,) or (1,).
        bn_rv: running variance.
        bn_eps: added to it.
        bn_w: weight of BatchNorm.
        bn_b: its bias.

    Returns:
        ``(weight, bias)``, of the dtypes of the layer's.

    >>> weight, bias = fuse_linear_bn_weights(
    ...     jnp.ones((1, 2)), None, jnp.ones(1), jnp.full(1, 3.0), 1.0, jnp.full(1, 4.0), jnp.zeros(1)
    ... )
    >>> weight.tolist(), bias.tolist()
    ([[2.0, 2.0]], [-2.0])

    Source: torch/nn/utils/fusion.py.
    """
    linear_w, bn_rm, bn_rv, bn_w, bn_b = (jnp.asarray(each) for each in (linear_w, bn_rm, bn_rv, bn_w, bn_b))
    bias = jnp.zeros_like(bn_rm) if linear_b is None else jnp.asarray(linear_b)
    scale = bn_w * jax.lax.rsqrt(bn_rv + bn_eps)
    shift = (bias - bn_rm) * scale + bn_b
    return linear_w * scale[:, None].astype(linear_w.dtype), shift.astype(
        linear_w.dtype if linear_b is None else bias.dtype
    )


def _values(layer: Any, bn: Any) -> tuple[Any, ...]:
    """Weight and bias of a layer, then what BatchNorm holds, in the order of the functions' arguments."""
    mean, var = _value(bn, "running_mean"), _value(bn, "running_var")
    if mean is None or var is None:
        raise AssertionError("bn.running_mean and bn.running_var must not be None")
    return _value(layer, "weight"), _value(layer, "bias"), mean, var, bn.eps, _value(bn, "weight"), _value(bn, "bias")


def _value(module: Any, name: str) -> Any:
    held = getattr(module, name)
    return held.get_value() if isinstance(held, nnx.Variable) else held


def _fused(layer: Any, values: tuple[Array, Array]) -> Any:
    made = clone(layer)
    made.weight, made.bias = map(Parameter, values)
    return made
