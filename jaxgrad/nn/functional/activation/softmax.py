"""What sums to 1 along an axis, and its logarithm."""

import warnings
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Float, Inexact, Shaped

from jaxgrad import random
from jaxgrad._core.arguments import as_integer
from jaxgrad._core.caller import users_level
from jaxgrad._core.castable import castable
from jaxgrad._core.diagnosis import diagnosed
from jaxgrad._core.dtype_names import torch_name
from jaxgrad._core.dtypes import keep_dtype
from jaxgrad._core.elementwise import check_kernel
from jaxgrad._core.errors import explain
from jaxgrad._core.operations import operation
from jaxgrad._core.shapes import axis_of
from jaxgrad._core.types import Array


@castable("softmax")
@operation("SoftmaxBackward0")
def softmax(
    input: Shaped[Array, "*shape"], dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Inexact[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.softmax``: :math:`e^{x_i} / \sum_j e^{x_j}` along ``dim``.

    Args:
        input: (...), floating point.
        dim: the axis that sums to 1; None picks torch's, with torch's warning.
        dtype: computes and returns in this dtype.

    Returns:
        The shape of the input, in ``dtype`` or the input's.

    Raises:
        IndexError: an axis out of range.
        NotImplementedError: ``"softmax_lastdim_kernel_impl" not implemented for 'Long'``; pass ``dtype``.

    >>> softmax(jnp.zeros((1, 2)), dim=1).tolist()
    [[0.5, 0.5]]

    Source: torch/nn/functional.py, ``softmax``.
    """
    return _normalized(jax.nn.softmax, "softmax", jnp.asarray(input), dim, _stacklevel, dtype)


@diagnosed
def softmin(
    input: Shaped[Array, "*shape"], dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Inexact[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.softmin``: ``softmax(-x)``. Arguments and errors as :func:`softmax`.

    >>> softmin(jnp.zeros((1, 2)), dim=1).tolist()
    [[0.5, 0.5]]

    Source: torch/nn/functional.py, ``softmin``.
    """
    input = jnp.asarray(input)
    if input.dtype == jnp.bool_:
        raise RuntimeError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a mask, "
            "use the `~` or `logical_not()` operator instead."
        )
    dim = _implicit_dim("softmin", input.ndim, _stacklevel) if dim is None else dim
    return softmax(-input, dim, _stacklevel, dtype)


@castable("log_softmax")
@operation("LogSoftmaxBackward0")
def log_softmax(
    input: Shaped[Array, "*shape"], dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Inexact[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.log_softmax``: :math:`x - \log\sum_j e^{x_j}` along ``dim``.

    Arguments and errors as :func:`softmax`.

    >>> log_softmax(jnp.zeros((1, 2)), dim=1).round(4).tolist()
    [[-0.6930999755859375, -0.6930999755859375]]

    Source: torch/nn/functional.py, ``log_softmax``.
    """
    return _normalized(jax.nn.log_softmax, "log_softmax", jnp.asarray(input), dim, _stacklevel, dtype)


@diagnosed
def gumbel_softmax(
    logits: Float[Array, "*shape"],
    tau: float = 1,
    hard: bool = False,
    eps: float = 1e-10,
    dim: int = -1,
    *,
    generator: Any = None,
) -> tuple[Float[Array, "*shape"], Any]:
    r"""Mirror of ``torch.nn.functional.gumbel_softmax``: :math:`\mathrm{softmax}((x + G) / \tau)`, G Gumbel noise.

    :math:`G = -\log E` with E exponentially distributed. With ``hard`` the value is the unit vector of the greatest
    entry and the derivative that of the soft value (straight through).

    Args:
        logits: (...), floating point, log-probabilities up to a constant.
        tau: temperature.
        hard: whether the value is a unit vector.
        eps: without effect, with torch's warning if it is given.
        dim: the axis that sums to 1.
        generator: a ``jaxgrad.random.Generator`` for torch's noise, a JAX key for JAX's.

    Returns:
        ``(output, generator)``.

    Raises:
        TypeError: no generator was passed.
        RuntimeError: ``Exponential distribution is a continuous probability distribution. ...``.

    >>> output, generator = gumbel_softmax(jnp.zeros(3), hard=True, generator=random.manual_seed(0))
    >>> output.tolist()
    [0.0, 0.0, 1.0]

    Source: torch/nn/functional.py, ``gumbel_softmax``; Jang et al., 2017; Maddison et al., 2017.
    """
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", UserWarning, stacklevel=users_level())
    logits = jnp.asarray(logits)
    if not jnp.issubdtype(logits.dtype, jnp.floating):
        raise RuntimeError(
            "Exponential distribution is a continuous probability distribution. "
            f"dtype must be a floating point but you specified {torch_name(logits.dtype)}"
        )
    exponentials, generator = _exponentials(generator, logits)
    soft = softmax((logits - jnp.log(exponentials)) / tau, dim)
    if not hard:
        return soft, generator
    axis = axis_of(dim, soft.ndim)
    unit = jnp.ones_like(soft)
    if soft.ndim:
        unit = jax.nn.one_hot(jnp.argmax(soft, axis), soft.shape[axis], dtype=soft.dtype, axis=axis)
    return unit - jax.lax.stop_gradient(soft) + soft, generator


def _exponentials(generator: Any, logits: Array) -> tuple[Array, Any]:
    if isinstance(generator, random.Generator):
        return random.exponential(generator, logits.shape, dtype=logits.dtype)
    if generator is None:
        raise TypeError(
            explain(
                "gumbel_softmax draws noise, and nothing was given to draw it from",
                expected="generator=random.manual_seed(seed) or generator=jax.random.key(seed)",
                remedy="output, generator = F.gumbel_softmax(logits, generator=generator)",
            )
        )
    after, now = jax.random.split(generator)
    return jax.random.exponential(now, logits.shape, logits.dtype), after


def _normalized(fn: Any, name: str, x: Array, dim: int | None, _stacklevel: int, dtype: Any) -> Array:
    dim = _implicit_dim(name, x.ndim, _stacklevel) if dim is None else as_integer(dim, "dim", name)
    axis = axis_of(dim, x.ndim)
    if dtype is not None:
        x = x.astype(keep_dtype(dtype))
    check_kernel(f"{name}{'_lastdim' if axis == max(x.ndim, 1) - 1 else ''}_kernel_impl", x)
    wide = x.astype(jnp.float32) if x.dtype in (jnp.float16, jnp.bfloat16) else x
    if x.ndim == 0:
        return fn(wide[None], axis=0)[0].astype(x.dtype)
    return fn(wide, axis=axis).astype(x.dtype)


def _implicit_dim(name: str, ndim: int, _stacklevel: int) -> int:
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument.",
        UserWarning,
        stacklevel=users_level() + _stacklevel - 3,
    )
    return 0 if ndim in (0, 1, 3) else 1
