"""Recurrent layers over whole sequences."""

from typing import Any

import jax

from jaxgrad.nn.modules.rnn_base import RNNBase
from jaxgrad.nn.rngs import Rngs


class RNN(RNNBase):
    r"""Mirror of ``torch.nn.RNN``: :math:`h_t = \phi(W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh})`.

    Args:
        input_size: F.
        hidden_size: H.
        num_layers: how many layers, each running over the outputs of the one before.
        nonlinearity: 'tanh' or 'relu'.
        bias: whether to have the two biases.
        batch_first: whether sequences with a batch are (N, T, F) instead of (T, N, F).
        dropout: probability of a zero in the outputs of all layers but the last, in training.
        bidirectional: whether every layer also runs backwards; outputs are joined.
        device: a JAX device to put the parameters on.
        dtype: of the parameters, float32 by default.
        rngs: where initial values are drawn from.

    >>> from jaxgrad import nn, random
    >>> rnn = nn.RNN(3, 4, num_layers=2, rngs=nn.Rngs(random.manual_seed(0)))
    >>> output, h = rnn(jax.numpy.ones((5, 2, 3)))
    >>> output.shape, h.shape
    ((5, 2, 4), (2, 2, 4))

    Source: torch/nn/modules/rnn.py; Elman, 1990.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: jax.Device | None = None,
        dtype: Any = None,
        *,
        rngs: Rngs,
    ):
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        self.nonlinearity = nonlinearity
        form = (num_layers, bias, batch_first, dropout, bidirectional)
        super().__init__(
            f"RNN_{nonlinearity.upper()}", input_size, hidden_size, *form, device=device, dtype=dtype, rngs=rngs
        )


class LSTM(RNNBase):
    r"""Mirror of ``torch.nn.LSTM``; the step is in ``nn.functional.recurrent``.

    The gates lie in the order i, f, g, o. Arguments as those of :class:`RNN`, without ``nonlinearity``, and:

    Args:
        proj_size: size that the hidden state is projected to; 0 for no projection.

    Returns (when called):
        Outputs, and the pair (h, c) after the last step.

    >>> from jaxgrad import nn, random
    >>> lstm = nn.LSTM(3, 4, batch_first=True, bidirectional=True, rngs=nn.Rngs(random.manual_seed(0)))
    >>> output, (h, c) = lstm(jax.numpy.ones((2, 5, 3)))
    >>> output.shape, h.shape, c.shape
    ((2, 5, 8), (2, 2, 4), (2, 2, 4))

    Source: torch/nn/modules/rnn.py; Hochreiter and Schmidhuber, 1997; Sak et al., 2014, for the projection.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: jax.Device | None = None,
        dtype: Any = None,
        *,
        rngs: Rngs,
    ):
        form = (num_layers, bias, batch_first, dropout, bidirectional, proj_size, device, dtype)
        super().__init__("LSTM", input_size, hidden_size, *form, rngs=rngs)


class GRU(RNNBase):
    r"""Mirror of ``torch.nn.GRU``; the step is in ``nn.functional.recurrent``.

    The gates lie in the order r, z, n. Arguments as those of :class:`RNN`, without ``nonlinearity``.

    >>> from jaxgrad import nn, random
    >>> output, h = nn.GRU(3, 4, rngs=nn.Rngs(random.manual_seed(0)))(jax.numpy.ones((5, 2, 3)))
    >>> output.shape, h.shape
    ((5, 2, 4), (1, 2, 4))

    Source: torch/nn/modules/rnn.py; Cho et al., 2014.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: jax.Device | None = None,
        dtype: Any = None,
        *,
        rngs: Rngs,
    ):
        form = (num_layers, bias, batch_first, dropout, bidirectional)
        super().__init__("GRU", input_size, hidden_size, *form, device=device, dtype=dtype, rngs=rngs)
