"""How much a nonlinearity shrinks what passes through it, and by what weights make up for that."""

import math

from jaxgrad._core.errors import explain

_LINEAR = ("linear", *(f"conv{t}{n}d" for t in ("", "_transpose") for n in (1, 2, 3)), "sigmoid")
_GAINS = {name: 1.0 for name in _LINEAR} | {"tanh": 5.0 / 3, "relu": math.sqrt(2.0), "selu": 3.0 / 4}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    r"""The recommended gain of a nonlinearity: ``torch.nn.init.calculate_gain``.

    1 for linear, convolutional and sigmoid, 5/3 for tanh, :math:`\sqrt 2` for relu,
    :math:`\sqrt{2 / (1 + \mathrm{slope}^2)}` for leaky_relu (``param`` is the slope, 0.01 by default), 3/4 for selu.

    Args:
        nonlinearity: its name in ``torch.nn.functional``.
        param: the negative slope of leaky_relu.

    Returns:
        The factor by which weights are scaled.

    Raises:
        ValueError: ``Unsupported nonlinearity ...`` or ``negative_slope ... not a valid number``.

    >>> calculate_gain("leaky_relu", 1.0)
    1.0
    """
    known = (*_GAINS, "leaky_relu")
    if not isinstance(nonlinearity, str) or nonlinearity not in known:
        raise ValueError(explain(f"Unsupported nonlinearity {nonlinearity}", expected=", ".join(known)))
    if nonlinearity in _GAINS:
        return _GAINS[nonlinearity]
    slope = 0.01 if param is None else param
    if isinstance(slope, bool) or not isinstance(slope, int | float):
        raise ValueError(f"negative_slope {param} not a valid number")
    return math.sqrt(2.0 / (1 + slope**2))
