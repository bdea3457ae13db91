r"""The dropout family, with torch's masks or with JAX's.

Dropout needs randomness, and here that is a value like any other: whoever passes one gets the next one back.

    output, generator = F.dropout(input, 0.1, generator=generator)

The one keyword takes either of two sources, and the return is ``(output, source)`` for both, also where nothing is
drawn (``training=False``, p = 0 or 1), so that a train step carries one visible value whatever its mode:

- a ``jaxgrad.random.Generator`` gives torch's masks bit for bit, two words of its stream an element. The twister is
  serial from block to block: a jitted dropout of a million elements took 12 ns an element on a busy 2-core CPU, where
  torch's took 12 too (``benchmarks/random_streams.py``);
- a JAX key (``jax.random.key(seed)``) gives other masks of the same distribution, drawn in parallel on any device: 8 ns
  an element there. It is the fast choice where no comparison with torch is wanted, above all on accelerators. The
  key that comes back is new.

Without a source the result is the output alone; it is an error if something has to be drawn.

What is drawn are the noise's ones with probability 1 - p; the noise is divided by 1 - p, rounded to the input's dtype,
and multiplied in: gradients pass where the noise does, scaled alike, as in torch.
"""

import math
import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Shaped

from jaxgrad import random
from jaxgrad._core.arguments import refuse_inplace
from jaxgrad._core.caller import users_level
from jaxgrad._core.diagnosis import diagnosed
from jaxgrad._core.errors import explain
from jaxgrad._core.types import Array, Shape

_ALPHA = 1.7580993408473766  # -scale * alpha of SELU: what a dropped unit is set to


@diagnosed
def dropout(
    input: Shaped[Array, "*shape"],
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    generator: Any = None,
) -> Any:
    r"""Mirror of ``torch.nn.functional.dropout``: :math:`y = x \cdot m / (1 - p)` with m of ones and zeros.

    Args:
        input: any shape, floating.
        p: probability of a zero.
        training: whether to drop at all.
        inplace: must be False, since arrays are values.
        generator: a ``jaxgrad.random.Generator`` for torch's masks, a JAX key for JAX's.

    Returns:
        ``(output, generator)`` if a generator was passed, else the output.

    Raises:
        ValueError: ``dropout probability has to be between 0 and 1, but got ...``, or ``inplace=True``.
        TypeError: something has to be drawn and no generator was passed.
        RuntimeError: ``result type Float can't be cast to the desired output type Long``.

    >>> from jaxgrad import random
    >>> output, generator = dropout(jnp.ones(6), 0.5, generator=random.manual_seed(0))
    >>> sorted(set(output.tolist()))
    [0.0, 2.0]
    >>> dropout(jnp.ones(2), training=False).tolist()
    [1.0, 1.0]

    Source: Srivastava et al., 2014.
    """
    input = _checked(input, p, inplace)
    return _drop(input, p, training, generator, input.shape)


@diagnosed
def alpha_dropout(
    input: Shaped[Array, "*shape"],
    p: float = 0.5,
    training: bool = False,
    inplace: bool = False,
    *,
    generator: Any = None,
) -> Any:
    r"""Mirror of ``torch.nn.functional.alpha_dropout``: keeps SELU's mean 0 and variance 1.

    Dropped elements are set to :math:`-\alpha' = -1.758` instead of 0, then all are mapped by :math:`a x + b` with
    :math:`a = ((1 - p)(1 + p \alpha'^2))^{-1/2}`, :math:`b = a p \alpha'`. As in torch, ``training`` is False by
    default. Arguments and result as :func:`dropout`.

    >>> from jaxgrad import random
    >>> output, generator = alpha_dropout(jnp.zeros(8), 0.5, True, generator=random.manual_seed(0))
    >>> len(set(output.tolist()))
    2

    Source: Klambauer et al., 2017.
    """
    input = _checked(input, p, inplace)
    return _drop(input, p, training, generator, input.shape, alpha=True)


@diagnosed
def dropout1d(
    input: Shaped[Array, "*shape"],
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    generator: Any = None,
) -> Any:
    """Mirror of ``torch.nn.functional.dropout1d``: drops whole channels of (N, C, L) or (C, L).

    Arguments and result as :func:`dropout`.

    Raises:
        RuntimeError: ``dropout1d: Expected 2D or 3D input, but received a ...``.

    >>> from jaxgrad import random
    >>> output, generator = dropout1d(jnp.ones((2, 4, 3)), generator=random.manual_seed(0))
    >>> bool((output == output[:, :, :1]).all())
    True
    """
    input = _checked(input, p, inplace)
    if input.ndim not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {input.ndim}D input. "
            "Note that dropout1d exists to provide channel-wise dropout on inputs with 1 "
            "spatial dimension, a channel dimension, and an optional batch dimension "
            "(i.e. 2D or 3D inputs)."
        )
    return _drop(input, p, training, generator, _channels(input, batched=input.ndim == 3))


@diagnosed
def dropout2d(
    input: Shaped[Array, "*shape"],
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    generator: Any = None,
) -> Any:
    """Mirror of ``torch.nn.functional.dropout2d``: drops whole channels of (N, C, H, W).

    Three dimensions are taken for (N, C, L), with torch's warning that this will change. Arguments and result as
    :func:`dropout`.

    >>> from jaxgrad import random
    >>> output, generator = dropout2d(jnp.ones((2, 4, 3, 3)), generator=random.manual_seed(0))
    >>> bool((output == output[:, :, :1, :1]).all())
    True
    """
    input = _checked(input, p, inplace)
    if input.ndim not in (3, 4):
        _warn_of_rank("dropout2d", input.ndim, 2)
    if input.ndim == 3:
        warnings.warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise "
            "1D dropout behavior is desired - input is interpreted as shape (N, C, L), where C "
            "is the channel dim. This behavior will change in a future release to interpret the "
            "input as one without a batch dimension, i.e. shape (C, H, W). To maintain the 1D "
            "channel-wise dropout behavior, please switch to using dropout1d instead.",
            stacklevel=users_level(),
        )
    return _drop(input, p, training, generator, _channels(input))


@diagnosed
def dropout3d(
    input: Shaped[Array, "*shape"],
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    generator: Any = None,
) -> Any:
    """Mirror of ``torch.nn.functional.dropout3d``: drops whole channels of (N, C, D, H, W) or (C, D, H, W).

    Arguments and result as :func:`dropout`.

    >>> from jaxgrad import random
    >>> output, generator = dropout3d(jnp.ones((4, 2, 2, 2)), generator=random.manual_seed(0))
    >>> bool((output == output[:, :1, :1, :1]).all())
    True
    """
    input = _checked(input, p, inplace)
    if input.ndim not in (4, 5):
        _warn_of_rank("dropout3d", input.ndim, 3)
    return _drop(input, p, training, generator, _channels(input, batched=input.ndim == 5))


@diagnosed
def feature_alpha_dropout(
    input: Shaped[Array, "*shape"],
    p: float = 0.5,
    training: bool = False,
    inplace: bool = False,
    *,
    generator: Any = None,
) -> Any:
    """Mirror of ``torch.nn.functional.feature_alpha_dropout``: :func:`alpha_dropout` of whole channels (N, C, ...).

    >>> from jaxgrad import random
    >>> output, generator = feature_alpha_dropout(jnp.ones((2, 4, 3)), 0.5, True, generator=random.manual_seed(0))
    >>> bool((output == output[:, :, :1]).all())
    True
    """
    input = _checked(input, p, inplace)
    return _drop(input, p, training, generator, _channels(input), alpha=True)


def _checked(input: Any, p: float, inplace: bool) -> Array:
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    refuse_inplace(inplace)
    return jnp.asarray(input)


def _channels(input: Array, *, batched: bool = True) -> Shape | None:
    """The shape of a noise that has one value a channel; None if the input has no channels."""
    axes = 2 if batched else 1
    return input.shape[:axes] + (1,) * (input.ndim - axes) if input.ndim >= axes else None


def _drop(
    input: Array, p: float, training: bool, generator: Any, noise_shape: Shape | None, *, alpha: bool = False
) -> Any:
    output = input
    if training and p > 0 and input.size:
        if p == 1:
            output = input * jnp.zeros((), input.dtype)
        else:
            if noise_shape is None:
                raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
            kept, generator = _kept(generator, noise_shape, 1 - p, input.dtype)
            output = _alpha(input, kept, p) if alpha else input * jnp.where(kept, *_values(input.dtype, 1 - p))
    return output if generator is None else (output, generator)


def _kept(generator: Any, shape: Shape, p: float, dtype: Any) -> tuple[Array, Any]:
    """True with probability ``p``, and the source after it."""
    if not jnp.issubdtype(dtype, jnp.floating):
        raise RuntimeError(explain("result type Float can't be cast to the desired output type Long", got=dtype))
    if isinstance(generator, random.Generator):
        return random.bernoulli(generator, shape, p, dtype=bool)
    if generator is None:
        raise TypeError(
            explain(
                "dropout in training mode draws a mask, and nothing was given to draw it from",
                expected="generator=random.manual_seed(seed) or generator=jax.random.key(seed)",
                remedy="output, generator = F.dropout(input, p, generator=generator); or training=False",
            )
        )
    after, now = jax.random.split(generator)
    return jax.random.bernoulli(now, p, shape), after


def _values(dtype: Any, keep: float) -> tuple[Array, Array]:
    """What the noise multiplies with where it keeps and where it drops: 1 / (1 - p) in the dtype, and 0."""
    compute = np.float64 if dtype == np.float64 else np.float32
    return jnp.asarray(compute(1) / compute(keep)).astype(dtype), jnp.zeros((), dtype)


def _alpha(input: Array, kept: Array, p: float) -> Array:
    """``input * (noise * a) + ((noise - 1) * alpha * a + alpha * a * p)``, rounded after every step."""
    dtype = input.dtype
    a = 1.0 / math.sqrt((_ALPHA**2 * p + 1) * (1 - p))

    def rounded(value: Any) -> np.ndarray:
        return np.asarray(np.asarray(value, np.float64 if dtype == np.float64 else np.float32).astype(dtype))

    shift = rounded(_ALPHA * a * p)
    dropped = rounded(rounded(-_ALPHA * a).astype(np.float64) + shift.astype(np.float64))
    scale = jnp.where(kept, jnp.asarray(rounded(a)), jnp.zeros((), dtype))
    offset = jnp.where(kept, jnp.asarray(shift), jnp.asarray(dropped))
    return _product(input, scale) + offset


@jax.custom_jvp
def _product(x: Array, scale: Array) -> Array:
    """``x * scale`` for scale >= 0, rounded before anything is added to it, as torch rounds it.

    A bare product would be fused into the addition that follows and rounded only once.
    """
    return jnp.copysign(jnp.abs(x * scale), x)


@_product.defjvp
def _product_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (x, scale), (x_dot, _) = primals, tangents  # the scale is noise: nothing differentiates it
    return _product(x, scale), x_dot * scale


def _warn_of_rank(name: str, rank: int, spatial: int) -> None:
    warnings.warn(
        f"{name}: Received a {rank}-D input to {name}, which is deprecated "
        "and will result in an error in a future release. To retain the behavior "
        "and silence this warning, please use dropout instead. Note that "
        f"{name} exists to provide channel-wise dropout on inputs with {spatial} spatial dimensions, "
        f"a channel dimension, and an optional batch dimension (i.e. {spatial + 1}D or {spatial + 2}D inputs).",
        stacklevel=users_level(),
    )
