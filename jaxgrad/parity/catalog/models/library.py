"""The names that a model of the catalogue is written with, from torch or from here."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from jaxgrad import nn, random
from jaxgrad.nn import functional as F
from jaxgrad.nn.utils import rnn
from jaxgrad.parity.torch_side import torch


@dataclass(frozen=True)
class Library:
    """One side.

    Attributes:
        nn: modules.
        F: functions.
        rnn: packed sequences.
        attend: ``(module, q, k, v, p)``: causal attention, with dropout while the module trains.
        noise: ``(module, like)``: standard normal numbers of that shape, drawn from the module's stream.
        rngs: what a constructor that draws takes besides torch's arguments.

    >>> jaxgrad_library(seed=0).nn.ReLU()
    ReLU()
    """

    nn: Any
    F: Any
    rnn: Any
    attend: Callable[..., Any]
    noise: Callable[[Any, Any], Any]
    rngs: dict[str, Any] = field(default_factory=dict)


def torch_library() -> Library:
    """PyTorch, whose constructors draw from its global stream.

    Returns:
        The library.

    Raises:
        ImportError: torch is not installed.

    >>> torch_library().nn.Linear(2, 3)
    Linear(in_features=2, out_features=3, bias=True)
    """
    functional = torch().nn.functional

    def attend(module: Any, q: Any, k: Any, v: Any, p: float) -> Any:
        return functional.scaled_dot_product_attention(q, k, v, dropout_p=p * module.training, is_causal=True)

    return Library(
        nn=torch().nn,
        F=functional,
        rnn=torch().nn.utils.rnn,
        attend=attend,
        noise=lambda module, like: torch().randn_like(like),
    )


def jaxgrad_library(seed: int = 0) -> Library:
    """This library, whose constructors draw from one stream.

    Args:
        seed: of the stream, as ``torch.manual_seed``'s.

    Returns:
        The library; the stream goes on with every model that is built.

    >>> library = jaxgrad_library(0)
    >>> library.nn.Linear(2, 3, **library.rngs)
    Linear(in_features=2, out_features=3, bias=True)
    """

    def attend(module: Any, q: Any, k: Any, v: Any, p: float) -> Any:
        if not module.training or p == 0.0:
            return F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return module.draw(F.scaled_dot_product_attention, q, k, v, None, p, True)

    def noise(module: Any, like: Any) -> Any:
        return module.draw(lambda generator: random.randn(generator, like.shape, dtype=like.dtype))

    return Library(nn=nn, F=F, rnn=rnn, attend=attend, noise=noise, rngs={"rngs": nn.Rngs(random.manual_seed(seed))})
