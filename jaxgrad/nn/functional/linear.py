"""The affine map ``y = x A^T + b`` in torch's layout: the weight is (out, in)."""

import jax
import jax.numpy as jnp
from jaxtyping import Num

from jaxgrad._core.castable import castable
from jaxgrad._core.dtype_names import c_name, torch_name
from jaxgrad._core.errors import explain
from jaxgrad._core.operations import operation
from jaxgrad._core.shapes import along
from jaxgrad._core.types import Array


@castable("linear")
@operation("AddmmBackward0")
def linear(
    input: Num[Array, "*batch in_features"],
    weight: Num[Array, "out_features in_features"] | Num[Array, " in_features"],
    bias: Num[Array, "*#out"] | None = None,
) -> Num[Array, "*batch out_features"] | Num[Array, "*batch"]:
    r"""Mirror of ``torch.nn.functional.linear``: :math:`y = x A^T + b`.

    Differs from JAX: dtypes are not promoted, they must agree. On accelerators the product has JAX's default
    precision (``jax.default_matmul_precision``), as torch's has its own.

    Args:
        input: (\*, in_features).
        weight: (out_features, in_features), or (in_features,) for one output without its axis.
        bias: (out_features,), or None.

    Returns:
        (\*, out_features).

    Raises:
        RuntimeError: shapes or dtypes that do not fit, in torch's words.

    >>> linear(jnp.ones((2, 3)), jnp.ones((4, 3)), jnp.zeros(4)).shape
    (2, 4)
    >>> linear(jnp.ones((2, 3)), jnp.ones((4, 5)))
    Traceback (most recent call last):
        ...
    RuntimeError: mat1 and mat2 shapes cannot be multiplied (2x3 and 5x4)
      got:      input (2, 3), weight (4, 5)
      expected: input (..., 5)

    Source: torch/nn/functional.py, ``linear``.
    """
    input, weight = jnp.asarray(input), jnp.asarray(weight)
    bias = None if bias is None else jnp.asarray(bias)
    _check(input, weight, bias)
    product = jax.lax.dot_general(input, weight, (((input.ndim - 1,), (weight.ndim - 1,)), ((), ())))
    if bias is None:
        return product
    return product + (bias if bias.ndim == product.ndim else along(bias, -1, product.ndim))


@castable("bilinear")
@operation("BilinearBackward0")
def bilinear(
    input1: Num[Array, "*batch in1_features"],
    input2: Num[Array, "*batch in2_features"],
    weight: Num[Array, "out_features in1_features in2_features"],
    bias: Num[Array, " out_features"] | None = None,
) -> Num[Array, "*batch out_features"]:
    r"""Mirror of ``torch.nn.functional.bilinear``: :math:`y_k = x_1^T A_k x_2 + b_k`.

    Args:
        input1: (\*, in1_features).
        input2: (\*, in2_features), the same axes before the last.
        weight: (out_features, in1_features, in2_features).
        bias: (out_features,), or None.

    Returns:
        (\*, out_features).

    Raises:
        RuntimeError: ``bilinear(): ...``, shapes that do not fit, in torch's words.

    >>> bilinear(jnp.ones((2, 3)), jnp.ones((2, 4)), jnp.ones((5, 3, 4)), jnp.ones(5))[0, 0].item()
    13.0

    Source: torch/nn/functional.py, ``bilinear``.
    """
    input1, input2, weight = jnp.asarray(input1), jnp.asarray(input2), jnp.asarray(weight)
    bias = None if bias is None else jnp.asarray(bias)
    _check_bilinear(input1, input2, weight, bias)
    y = jnp.einsum("...i,kij,...j->...k", input1, weight, input2)
    return y if bias is None else y + along(bias, -1, y.ndim)


def _check_bilinear(input1: Array, input2: Array, weight: Array, bias: Array | None) -> None:
    if input1.ndim != input2.ndim:
        raise RuntimeError(f"bilinear(): input dimensions do not match: got {input1.ndim} and {input2.ndim}")
    for axis, (one, other) in enumerate(zip(input1.shape[:-1], input2.shape[:-1], strict=True)):
        if one != other:
            raise RuntimeError(f"bilinear(): input batch dimensions do not match at dim {axis}: got {one} and {other}")
    if weight.ndim != 3:
        raise RuntimeError(explain("bilinear(): weight has three axes", got=weight.shape, expected="(out, in1, in2)"))
    for i, each in enumerate((input1, input2), 1):
        if each.shape[-1] != weight.shape[i]:
            raise RuntimeError(
                f"bilinear(): input{i} size does not match weight size: "
                f"got {each.shape[-1]} but expected {weight.shape[i]}"
            )
    if bias is not None and bias.shape[0] != weight.shape[0]:
        raise RuntimeError(
            f"bilinear(): bias size does not match weight size: got {bias.shape[0]} but expected {weight.shape[0]}"
        )


def _check(input: Array, weight: Array, bias: Array | None) -> None:
    if input.ndim == 0 or weight.ndim == 0:
        raise RuntimeError(
            f"both arguments to linear need to be at least 1D, but they are {input.ndim}D and {weight.ndim}D"
        )
    if weight.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {weight.ndim}D")
    if weight.ndim == 1 and bias is not None:
        raise RuntimeError("mat2 must be a matrix, got 1-D tensor")
    if input.shape[-1] != weight.shape[-1]:
        rows = input.size // max(input.shape[-1], 1)
        theirs = "x".join(str(n) for n in weight.shape[::-1])
        raise RuntimeError(
            explain(
                f"mat1 and mat2 shapes cannot be multiplied ({rows}x{input.shape[-1]} and {theirs})",
                got=f"input {input.shape}, weight {weight.shape}",
                expected=f"input (..., {weight.shape[-1]})",
            )
        )
    for name, other in (("weight", weight), ("bias", bias)):
        if other is not None and other.dtype != input.dtype:
            raise RuntimeError(
                explain(
                    _dtype_sentence(input, other, with_bias=bias is not None),
                    got=f"input {input.dtype}, {name} {other.dtype}",
                    remedy=f"input.astype({other.dtype})",
                )
            )
    if bias is not None:
        out = input.shape[:-1] + (weight.shape[0],)
        fits = bias.ndim <= len(out) and all(n in (1, m) for n, m in zip(bias.shape[::-1], out[::-1], strict=False))
        if not fits or (bias.ndim > 1 and bias.ndim != len(out)):
            raise RuntimeError(
                explain(
                    f"The expanded size of the tensor ({weight.shape[0]}) must match the existing size "
                    f"({bias.shape[-1] if bias.ndim else 1}) at non-singleton dimension {len(out) - 1}.  "
                    f"Target sizes: {list(out)}.  Tensor sizes: {list(bias.shape)}",
                    got=f"bias {bias.shape}",
                    expected=f"bias ({weight.shape[0]},)",
                )
            )


def _dtype_sentence(input: Array, other: Array, *, with_bias: bool) -> str:
    """Torch speaks of two kernels: with a bias the fused one."""
    if with_bias:
        return (
            f"mat1 and mat2 must have the same dtype, but got {torch_name(input.dtype)} and {torch_name(other.dtype)}"
        )
    names = (c_name(each.dtype) for each in (input, other))
    return f"expected m1 and m2 to have the same dtype, but got: {' != '.join(names)}"
