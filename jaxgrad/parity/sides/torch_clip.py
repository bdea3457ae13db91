"""What ``clip=`` of a torch reference does to its gradients."""

from collections.abc import Mapping
from typing import Any

import torch


def clip_gradients(parameters: list[Any], clip: Any) -> Any:
    """Clip in place; the norm before, or what a user's own function returns.

    Args:
        parameters: with their gradients.
        clip: a norm, ``{"norm": 1.0, "norm_type": 2.0}``, ``{"value": 0.5}``, or a function of the parameters.

    >>> weight = torch.nn.Parameter(torch.zeros(2))
    >>> weight.grad = torch.tensor([3.0, 4.0])
    >>> float(clip_gradients([weight], {"norm": 10.0, "value": 2.0})), weight.grad.tolist()
    (5.0, [2.0, 2.0])
    """
    if callable(clip):
        return clip(parameters)
    wanted = clip if isinstance(clip, Mapping) else {"norm": clip}
    total = None
    if "norm" in wanted:
        rest = {key: value for key, value in wanted.items() if key not in ("norm", "value")}
        total = torch.nn.utils.clip_grad_norm_(parameters, wanted["norm"], **rest)
    if "value" in wanted:
        torch.nn.utils.clip_grad_value_(parameters, wanted["value"])
    return total
