"""Group normalisation: every group of channels of a sample by its mean and variance."""

import jax.numpy as jnp
from jaxtyping import Float

from jaxgrad._core.castable import castable
from jaxgrad._core.errors import explain
from jaxgrad._core.operations import operation
from jaxgrad._core.shapes import along
from jaxgrad._core.types import Array
from jaxgrad.nn.functional.normalization.batch_norm import check_more_than_one_value
from jaxgrad.nn.functional.normalization.standardize import affine, check_dtypes, standardize, widen


@castable("group_norm")
@operation("NativeGroupNormBackward0")
def group_norm(
    input: Float[Array, "batch channels *size"],
    num_groups: int,
    weight: Float[Array, " channels"] | None = None,
    bias: Float[Array, " channels"] | None = None,
    eps: float = 1e-5,
) -> Float[Array, "batch channels *size"]:
    r"""Mirror of ``torch.nn.functional.group_norm``.

    .. math:: y = (x - \mu_g) / \sqrt{\sigma_g^2 + \epsilon}\; \gamma_c + \beta_c

    Mean and variance belong to one sample and one group of C / num_groups neighbouring channels.

    Args:
        input: (N, C, \*), floating.
        num_groups: how many groups, a divisor of C.
        weight: (C,), or None for ones.
        bias: (C,), or None for zeros.
        eps: added to the (biased) variance.

    Returns:
        The input's shape and dtype.

    Raises:
        RuntimeError: shapes that do not fit, in torch's words.
        ValueError: ``Expected more than 1 value per channel when training, got input size ...``.

    >>> group_norm(jnp.array([[1.0, 3.0, 5.0, 9.0]]), 2).round(3).tolist()
    [[-1.0, 1.0, -1.0, 1.0]]

    Source: Wu and He, 2018; torch/nn/functional.py, ``group_norm``.
    """
    input = jnp.asarray(input)
    weight, bias = (None if each is None else jnp.asarray(each) for each in (weight, bias))
    _check(input, num_groups, weight, bias)
    check_dtypes(input, "GroupNormKernelImpl", weight, bias)
    n, c = input.shape[:2]
    laid = [None if each is None else along(each, 1, input.ndim) for each in (weight, bias)]
    x, weight, bias = widen(input, *laid)
    grouped = x.reshape(n, num_groups, c // num_groups, *input.shape[2:])
    y, _, _ = standardize(grouped, tuple(range(2, grouped.ndim)), eps)
    return affine(y.reshape(input.shape), weight, bias).astype(input.dtype)


def _check(input: Array, num_groups: int, weight: Array | None, bias: Array | None) -> None:
    shape = list(input.shape)
    if input.ndim < 2:
        raise RuntimeError(
            explain(
                f"Expected at least 2 dimensions for input tensor but received {input.ndim}",
                got=f"input {input.shape}",
                expected="input (N, C, ...)",
            )
        )
    n, c = shape[:2]
    values = (n * c // num_groups, num_groups, *shape[2:])
    check_more_than_one_value(values, shown=str(list(values)))
    if c % num_groups:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of shape "
            f"{shape} and num_groups={num_groups}"
        )
    for name, value in (("weight", weight), ("bias", bias)):
        if value is not None and value.shape != (c,):
            shown = list(value.shape) if name == "weight" or weight is None else list(weight.shape)
            shown = [0] if weight is None else list(weight.shape)  # torch's sentence shows the weight for the bias too
            raise RuntimeError(
                f"Expected {name} to be a vector of size equal to the number of channels in input, but got {name} of "
                f"shape {shown} and input of shape {shape}"
            )
