"""Dropout as modules: the mode and the random stream are those of the call that the module is part of."""

from collections.abc import Callable
from typing import Any, ClassVar

import jax.numpy as jnp

from jaxgrad._core.arguments import refuse_inplace
from jaxgrad._core.types import Array
from jaxgrad.nn import functional as F
from jaxgrad.nn.modules.module import Module


class _Dropout(Module):
    _function: ClassVar[Callable[..., Any]]
    _elementwise: ClassVar[bool] = False

    def __init__(self, p: float = 0.5, inplace: bool = False):
        if p < 0 or p > 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        refuse_inplace(inplace)
        self.p = p
        self.inplace = inplace

    def forward(self, input: Array) -> Array:
        """Any shape that the function of the same name takes."""
        if self.training and 0 < self.p < 1:
            output: Array = self._drawn(input)
        else:
            output = type(self)._function(input, self.p, self.training)
        return output

    def _drawn(self, input: Array) -> Array:
        """The mask is filled in the order in which torch keeps the input in memory."""
        order = None if self._call is None or not self._elementwise else self._call.arrangement(input)
        if self._call is None or order is None:
            return self.draw(type(self)._function, input, self.p, True)
        output = self.draw(type(self)._function, jnp.transpose(input, order), self.p, True)
        back = sorted(range(len(order)), key=order.__getitem__)
        return self._call.arrange(jnp.transpose(output, back), order)

    def extra_repr(self) -> str:
        """Torch's."""
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    r"""Mirror of ``torch.nn.Dropout``: in training, each element is 0 with probability ``p``, else divided by 1 - p.

    Outside of a call that says ``training=`` it raises, for the result depends on it.

    Args:
        p: probability of a zero.
        inplace: must be False, since arrays are values.

    Raises:
        ValueError: ``dropout probability has to be between 0 and 1, but got ...``, or ``inplace=True``.
        RuntimeError: called, and the call does not say ``training=``.
        TypeError: called in training, and the call has no generator.

    >>> import jax.numpy as jnp
    >>> from jaxgrad import func, nn, random
    >>> generator = random.manual_seed(0)
    >>> call = dict(training=True, generator=generator, has_aux=True)
    >>> out, aux = func.functional_call(nn.Dropout(0.5), {}, jnp.ones(6), **call)
    >>> sorted(set(out.tolist()))
    [0.0, 2.0]
    >>> func.functional_call(nn.Dropout(0.5), {}, jnp.ones(2), training=False).tolist()
    [1.0, 1.0]

    Source: torch/nn/modules/dropout.py; Srivastava et al., 2014.
    """

    _function = staticmethod(F.dropout)
    _elementwise = True


class Dropout1d(_Dropout):
    """Mirror of ``torch.nn.Dropout1d``: drops whole channels of (N, C, L) or (C, L). Arguments as :class:`Dropout`.

    >>> Dropout1d(0.2)
    Dropout1d(p=0.2, inplace=False)
    """

    _function = staticmethod(F.dropout1d)


class Dropout2d(_Dropout):
    """Mirror of ``torch.nn.Dropout2d``: drops whole channels of (N, C, H, W). Arguments as :class:`Dropout`.

    >>> Dropout2d(0.2)
    Dropout2d(p=0.2, inplace=False)
    """

    _function = staticmethod(F.dropout2d)


class Dropout3d(_Dropout):
    """Mirror of ``torch.nn.Dropout3d``: drops whole channels of (N, C, D, H, W). Arguments as :class:`Dropout`.

    >>> Dropout3d(0.2)
    Dropout3d(p=0.2, inplace=False)
    """

    _function = staticmethod(F.dropout3d)


class AlphaDropout(_Dropout):
    """Mirror of ``torch.nn.AlphaDropout``: keeps SELU's mean 0 and variance 1. Arguments as :class:`Dropout`.

    >>> AlphaDropout(0.2)
    AlphaDropout(p=0.2, inplace=False)

    Source: Klambauer et al., 2017.
    """

    _function = staticmethod(F.alpha_dropout)
    _elementwise = True


class FeatureAlphaDropout(_Dropout):
    """Mirror of ``torch.nn.FeatureAlphaDropout``: :class:`AlphaDropout` of whole channels (N, C, ...).

    >>> FeatureAlphaDropout(0.2)
    FeatureAlphaDropout(p=0.2, inplace=False)
    """

    _function = staticmethod(F.feature_alpha_dropout)
