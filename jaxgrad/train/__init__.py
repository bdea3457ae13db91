"""One jitted step that carries all the state of training: no torch address, since torch keeps it in objects."""

from jaxgrad.func import Aux
from jaxgrad.train.evaluate import make_eval_step
from jaxgrad.train.loop import make_epoch
from jaxgrad.train.state import TrainState, init_state
from jaxgrad.train.step import TrainStep, make_train_step
from jaxgrad.train.step_schedule import step_schedule
from jaxgrad.train.supervised import supervised

__all__ = [
    "Aux",
    "TrainState",
    "TrainStep",
    "init_state",
    "make_epoch",
    "make_eval_step",
    "make_train_step",
    "step_schedule",
    "supervised",
]
