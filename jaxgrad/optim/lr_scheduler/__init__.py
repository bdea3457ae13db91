"""``torch.optim.lr_scheduler`` as immutable values with pure functions; see ``scheduler`` for the idea.

schedule = StepLR(0.1, step_size=30)        # the base lr stands where torch has the optimizer
state = schedule.init()
state = schedule.step(state)                # schedule.step(state, metric) for ReduceLROnPlateau
lr = schedule.get_last_lr(state)            # torch's double; schedule.value_at(count) inside jit
"""

from jaxgrad.optim.lr_scheduler.compose import ChainedScheduler, SequentialLR
from jaxgrad.optim.lr_scheduler.cosine import CosineAnnealingLR, CosineAnnealingWarmRestarts
from jaxgrad.optim.lr_scheduler.cyclic import CyclicLR
from jaxgrad.optim.lr_scheduler.multiplicative import (
    ConstantLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from jaxgrad.optim.lr_scheduler.one_cycle import OneCycleLR
from jaxgrad.optim.lr_scheduler.plateau import ReduceLROnPlateau
from jaxgrad.optim.lr_scheduler.scheduler import LRScheduler, TabulatedLR
from jaxgrad.optim.lr_scheduler.state import State

__all__ = [
    "LRScheduler",
    "State",
    "LambdaLR",
    "MultiplicativeLR",
    "StepLR",
    "MultiStepLR",
    "ConstantLR",
    "LinearLR",
    "ExponentialLR",
    "PolynomialLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "OneCycleLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "ChainedScheduler",
    "TabulatedLR",
]
