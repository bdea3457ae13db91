"""What a schedule carries from step to step."""

from typing import Any, NamedTuple

from jaxgrad.optim.lr_scheduler.arguments import Taken
from jaxgrad.optim.lr_scheduler.groups import Number


class State(NamedTuple):
    """What a schedule has written into the parameter groups, and what it remembers beside them.

    >>> from jaxgrad.optim.lr_scheduler import StepLR
    >>> state = StepLR(0.1, step_size=1).init()
    >>> state.lr, state._replace(lr=(0.5,)).lr
    ((0.1,), (0.5,))
    """

    lr: tuple[Number, ...]  # param_groups[i]["lr"]; replace it to change the lr from outside, as in torch
    initial_lr: tuple[Number, ...]  # param_groups[i]["initial_lr"]
    momentum: tuple[Number, ...]  # param_groups[i]["momentum"] or ["betas"][0]; empty where nothing cycles it
    memory: Any  # the attributes of torch's scheduler: last_epoch and its like
    taken: Taken | None = None  # the schedule that was saved, where load_state_dict found other arguments than its own


class Memory(NamedTuple):
    """torch's attributes ``last_epoch``, ``_step_count`` and ``base_lrs``."""

    last_epoch: Any
    step_count: Any
    base_lrs: tuple[Number, ...]
