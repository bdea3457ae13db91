r"""Initial values, after ``torch.nn.init``: pure functions of a generator and a shape.

Where torch fills a tensor in place, ``fn_(tensor, ...)``, here the shape takes the tensor's place and the values come
back: ``value, generator = fn(generator, shape, ...)`` for what is random, ``value = fn(shape, ...)`` for what is
not. The numbers are torch's own, bit for bit, for the same state of the generator; :func:`orthogonal` alone depends
on the linear algebra library behind it.

Fans are those of a weight in torch's layout, (out, in, \*receptive field).
"""

import math
import warnings
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxgrad import random
from jaxgrad._core.dtypes import keep_dtype
from jaxgrad._core.errors import explain
from jaxgrad._core.types import Array
from jaxgrad.random import Generator, host
from jaxgrad.random.checks import Shape, as_shape, check_std
from jaxgrad.random.dispatch import draw
from jaxgrad.random.dtypes import FLOATS, check_dtype

Drawn = tuple[Array, Generator]

_LINEAR = ("linear", *(f"conv{t}{n}d" for t in ("", "_transpose") for n in (1, 2, 3)), "sigmoid")
_GAINS = {name: 1.0 for name in _LINEAR} | {"tanh": 5.0 / 3, "relu": math.sqrt(2.0), "selu": 3.0 / 4}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    r"""The recommended gain of a nonlinearity: ``torch.nn.init.calculate_gain``.

    1 for linear, convolutional and sigmoid, 5/3 for tanh, :math:`\sqrt 2` for relu,
    :math:`\sqrt{2 / (1 + \mathrm{slope}^2)}` for leaky_relu (``param`` is the slope, 0.01 by default), 3/4 for selu.

    Raises:
        ValueError: ``Unsupported nonlinearity ...`` or ``negative_slope ... not a valid number``.

    >>> calculate_gain("leaky_relu", 1.0)
    1.0
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, int | float):
            raise ValueError(f"negative_slope {param} not a valid number")
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        raise ValueError(
            explain(f"Unsupported nonlinearity {nonlinearity}", expected=", ".join([*_GAINS, "leaky_relu"]))
        )
    return _GAINS[nonlinearity]


def _calculate_fan_in_and_fan_out(shape: Shape) -> tuple[int, int]:
    """``(fan_in, fan_out)`` of a weight of this shape, under the name that ports look for.

    >>> _calculate_fan_in_and_fan_out((8, 3, 5, 5))
    (75, 200)
    """
    shape = as_shape(shape)
    if len(shape) < 2:
        raise ValueError(
            explain("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions", got=shape)
        )
    receptive_field = math.prod(shape[2:])
    return shape[1] * receptive_field, shape[0] * receptive_field


def uniform(generator: Generator, shape: Shape, a: float = 0.0, b: float = 1.0, *, dtype: Any = jnp.float32) -> Drawn:
    """U(a, b): ``torch.nn.init.uniform_``.

    >>> value, generator = uniform(random.manual_seed(0), (2, 3))
    """
    return random.uniform(generator, shape, a, b, dtype=dtype)


def normal(
    generator: Generator, shape: Shape, mean: float = 0.0, std: float = 1.0, *, dtype: Any = jnp.float32
) -> Drawn:
    """N(mean, std^2): ``torch.nn.init.normal_``.

    >>> value, generator = normal(random.manual_seed(0), (2, 3))
    """
    return random.normal(generator, shape, mean, std, dtype=dtype)


def trunc_normal(
    generator: Generator,
    shape: Shape,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    *,
    dtype: Any = jnp.float32,
) -> Drawn:
    """N(mean, std^2) restricted to [a, b]: ``torch.nn.init.trunc_normal_``, as of torch 2.13.

    If more than 0.3 of the mass lies inside, whole tensors are drawn until every place has had a value inside.
    Otherwise uniforms on [a, b] are accepted with the density's probability. Older versions of torch inverted the
    distribution function and give other numbers.

    Warns:
        UserWarning: the mean lies more than two standard deviations outside [a, b].

    >>> value, generator = trunc_normal(random.manual_seed(0), (4, 4), std=3.0)
    >>> bool((abs(value) <= 2).all())
    True
    """
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
            "The distribution of values may be incorrect.",
            stacklevel=2,
        )
    shape, dtype = as_shape(shape), keep_dtype(check_dtype(dtype, FLOATS, "normal_kernel_cpu"))
    inside = _mass_below((b - mean) / std) - _mass_below((a - mean) / std)
    sample = host.redrawn_normal if inside > 0.3 else host.accepted_normal
    fill = partial(sample, shape=shape, mean=float(mean), std=float(std), low=float(a), high=float(b), dtype=dtype)
    return draw(generator, fill, shape=shape, dtype=dtype)


def _mass_below(x: float) -> float:
    return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0


def constant(shape: Shape, val: float, *, dtype: Any = jnp.float32) -> Array:
    """``val`` everywhere: ``torch.nn.init.constant_``.

    >>> print(constant(2, 0.5))
    [0.5 0.5]
    """
    return jnp.full(as_shape(shape), val, keep_dtype(dtype))


def ones(shape: Shape, *, dtype: Any = jnp.float32) -> Array:
    """1 everywhere: ``torch.nn.init.ones_``.

    >>> print(ones(2))
    [1. 1.]
    """
    return constant(shape, 1, dtype=dtype)


def zeros(shape: Shape, *, dtype: Any = jnp.float32) -> Array:
    """0 everywhere: ``torch.nn.init.zeros_``.

    >>> print(zeros(2))
    [0. 0.]
    """
    return constant(shape, 0, dtype=dtype)


def eye(shape: Shape, *, dtype: Any = jnp.float32) -> Array:
    """The identity, as far as the matrix reaches: ``torch.nn.init.eye_``.

    Raises:
        ValueError: ``Only tensors with 2 dimensions are supported``.

    >>> print(eye((2, 3)))
    [[1. 0. 0.]
     [0. 1. 0.]]
    """
    shape = as_shape(shape)
    if len(shape) != 2:
        raise ValueError(explain("Only tensors with 2 dimensions are supported", got=shape))
    return jnp.eye(*shape, dtype=keep_dtype(dtype))


def dirac(shape: Shape, groups: int = 1, *, dtype: Any = jnp.float32) -> Array:
    """The kernel that passes as many input channels on as possible: ``torch.nn.init.dirac_``.

    Args:
        shape: (out, in, *receptive field) with 1 to 3 spatial axes.
        groups: of the convolution; each group passes its own channels on.
        dtype: of the values.

    Raises:
        ValueError: ``Only tensors with 3, 4, or 5 dimensions are supported`` or
            ``dim 0 must be divisible by groups``.

    >>> print(dirac((2, 2, 3))[:, :, 1])
    [[1. 0.]
     [0. 1.]]
    """
    shape = as_shape(shape)
    if len(shape) not in (3, 4, 5):
        raise ValueError(explain("Only tensors with 3, 4, or 5 dimensions are supported", got=shape))
    if shape[0] % groups:
        raise ValueError(explain("dim 0 must be divisible by groups", got=f"{shape[0]} and {groups}"))
    outputs = shape[0] // groups
    channel = np.arange(min(outputs, shape[1]))
    centre = tuple(size // 2 for size in shape[2:])
    value = np.zeros(shape, keep_dtype(dtype))
    for group in range(groups):
        place: tuple[Any, ...] = (group * outputs + channel, channel, *centre)
        value[place] = 1
    return jnp.asarray(value)


def xavier_uniform(generator: Generator, shape: Shape, gain: float = 1.0, *, dtype: Any = jnp.float32) -> Drawn:
    r"""U(-a, a) with :math:`a = \sqrt 3 \, \mathrm{gain} \sqrt{2 / (\mathrm{fan_{in}} + \mathrm{fan_{out}})}`.

    Mirrors ``torch.nn.init.xavier_uniform_``.

    Raises:
        ValueError: ``Fan in and fan out can not be computed for tensor with fewer than 2 dimensions``.

    >>> value, generator = xavier_uniform(random.manual_seed(0), (2, 4))

    Source: Glorot and Bengio, 2010.
    """
    bound = math.sqrt(3.0) * _xavier_std(shape, gain)
    return random.uniform(generator, shape, -bound, bound, dtype=dtype)


def xavier_normal(generator: Generator, shape: Shape, gain: float = 1.0, *, dtype: Any = jnp.float32) -> Drawn:
    r"""N(0, std^2) with :math:`\mathrm{std} = \mathrm{gain} \sqrt{2 / (\mathrm{fan_{in}} + \mathrm{fan_{out}})}`.

    Mirrors ``torch.nn.init.xavier_normal_``.

    >>> value, generator = xavier_normal(random.manual_seed(0), (2, 4))

    Source: Glorot and Bengio, 2010.
    """
    return random.normal(generator, shape, 0.0, _xavier_std(shape, gain), dtype=dtype)


def _xavier_std(shape: Shape, gain: float) -> float:
    return gain * math.sqrt(2.0 / float(sum(_calculate_fan_in_and_fan_out(shape))))


def kaiming_uniform(
    generator: Generator,
    shape: Shape,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    dtype: Any = jnp.float32,
) -> Drawn:
    r"""U(-bound, bound) with :math:`\mathrm{bound} = \sqrt 3 \, \mathrm{gain} / \sqrt{\mathrm{fan}}`.

    Mirrors ``torch.nn.init.kaiming_uniform_``; with a = sqrt(5) the default weight of linear and convolutional layers.

    Args:
        generator: where the stream stands.
        shape: of the weight, in torch's layout.
        a: the negative slope of the rectifier, for leaky_relu.
        mode: ``fan_in`` keeps the variance of the forward pass, ``fan_out`` that of the backward pass.
        nonlinearity: what :func:`calculate_gain` knows.
        dtype: float32, float64, bfloat16 or float16.

    Raises:
        ValueError: ``Mode ... not supported, please use one of ['fan_in', 'fan_out']``, or the fans do not exist.

    Warns:
        UserWarning: ``Initializing zero-element tensors is a no-op``.

    >>> value, generator = kaiming_uniform(random.manual_seed(0), (2, 4), a=math.sqrt(5))
    >>> bool((abs(value) <= 0.5).all())
    True

    Source: He et al., 2015.
    """
    shape = as_shape(shape)
    if 0 in shape:
        return _nothing(generator, shape, dtype)
    bound = math.sqrt(3.0) * _kaiming_std(shape, a, mode, nonlinearity)
    return random.uniform(generator, shape, -bound, bound, dtype=dtype)


def kaiming_normal(
    generator: Generator,
    shape: Shape,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    dtype: Any = jnp.float32,
) -> Drawn:
    r"""N(0, std^2) with :math:`\mathrm{std} = \mathrm{gain} / \sqrt{\mathrm{fan}}`.

    Mirrors ``torch.nn.init.kaiming_normal_``; arguments as :func:`kaiming_uniform`.

    >>> value, generator = kaiming_normal(random.manual_seed(0), (2, 4), nonlinearity="relu")

    Source: He et al., 2015.
    """
    shape = as_shape(shape)
    if 0 in shape:
        return _nothing(generator, shape, dtype)
    return random.normal(generator, shape, 0.0, _kaiming_std(shape, a, mode, nonlinearity), dtype=dtype)


def _kaiming_std(shape: Shape, a: float, mode: str, nonlinearity: str) -> float:
    modes = ["fan_in", "fan_out"]
    if mode.lower() not in modes:
        raise ValueError(f"Mode {mode.lower()} not supported, please use one of {modes}")
    fan = _calculate_fan_in_and_fan_out(shape)[modes.index(mode.lower())]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def _nothing(generator: Generator, shape: Shape, dtype: Any) -> Drawn:
    warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
    return jnp.zeros(shape, keep_dtype(dtype)), generator


def orthogonal(generator: Generator, shape: Shape, gain: float = 1, *, dtype: Any = jnp.float32) -> Drawn:
    """A (semi-)orthogonal matrix times ``gain``: ``torch.nn.init.orthogonal_``.

    The QR factorisation of a normal matrix with the signs of R's diagonal. The normals and the generator are torch's
    bit for bit; the factorisation is the installed linear algebra library's, 1e-6 (float32) or 2e-15 (float64) away
    from torch's, which itself moves by 1e-7 with its number of threads.

    Args:
        generator: where the stream stands.
        shape: at least 2 axes; those after the first are flattened.
        gain: scale of the result.
        dtype: float32 or float64.

    Raises:
        ValueError: ``Only tensors with 2 or more dimensions are supported``.

    >>> value, generator = orthogonal(random.manual_seed(0), (3, 2))
    >>> bool(jnp.allclose(value.T @ value, jnp.eye(2), atol=1e-6))
    True

    Source: Saxe et al., 2013; Mezzadri, 2006, for the signs.
    """
    shape = as_shape(shape)
    if len(shape) < 2:
        raise ValueError(explain("Only tensors with 2 or more dimensions are supported", got=shape))
    dtype = keep_dtype(check_dtype(dtype, ("float32", "float64"), "geqrf_cpu"))
    if 0 in shape:
        return jnp.zeros(shape, dtype), generator
    rows, columns = shape[0], math.prod(shape[1:])
    flat, generator = random.normal(generator, (rows, columns), dtype=dtype)
    q, r = jnp.linalg.qr(flat if rows >= columns else flat.T)
    q = q * jnp.sign(jnp.diagonal(r))[None, :]
    q = q if rows >= columns else q.T
    return q.reshape(shape) * jnp.asarray(gain, dtype), generator


def sparse(
    generator: Generator, shape: Shape, sparsity: float, std: float = 0.01, *, dtype: Any = jnp.float32
) -> Drawn:
    """N(0, std^2) with a share ``sparsity`` of every column set to 0: ``torch.nn.init.sparse_``.

    One generator draws the normals and then the places of the zeros, as torch's default generator does when none is
    given (with one given, torch still takes the places from the default generator).

    Raises:
        ValueError: ``Only tensors with 2 dimensions are supported``.

    >>> value, generator = sparse(random.manual_seed(0), (10, 3), sparsity=0.25)
    >>> (value == 0).sum(axis=0).tolist()
    [3, 3, 3]

    Source: Martens, 2010.
    """
    shape = as_shape(shape)
    if len(shape) != 2:
        raise ValueError(explain("Only tensors with 2 dimensions are supported", got=shape))
    dtype = keep_dtype(check_dtype(dtype, FLOATS, "normal_kernel_cpu"))
    check_std(std)
    zeros = math.ceil(sparsity * shape[0])
    fill = partial(host.sparse_columns, shape=shape, zeros=zeros, std=float(std), dtype=dtype)
    return draw(generator, fill, shape=shape, dtype=dtype)
