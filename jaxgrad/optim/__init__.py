"""Torch's optimizers, exactly, as optax transformations.

``optim.SGD(lr=0.1, momentum=0.9)`` is torch's call without its first argument; what it returns works alone
(``init``, ``step``) and inside ``optax.chain``. What torch keeps in ``optimizer.state`` and ``param_groups`` is the
value that ``step`` takes and returns.

``foreach`` and ``fused`` choose between kernels of the same formula, ``capturable`` allows CUDA graphs and
``differentiable`` keeps autograd on during a step. Here XLA fuses every step, every step can be captured, and every
step is a pure function that can be differentiated; so these arguments are checked as torch checks them and choose no
number.
"""

from jaxgrad.optim import lr_scheduler
from jaxgrad.optim._rule.optimizer import Optimizer
from jaxgrad.optim._rule.state import OptimizerState, ParamGroup
from jaxgrad.optim.adadelta import Adadelta
from jaxgrad.optim.adafactor import Adafactor
from jaxgrad.optim.adagrad import Adagrad
from jaxgrad.optim.adam import Adam, AdamW
from jaxgrad.optim.adamax import Adamax
from jaxgrad.optim.asgd import ASGD
from jaxgrad.optim.default_dtype import with_default_dtype
from jaxgrad.optim.groups import param_groups
from jaxgrad.optim.hyperparams import get_hyperparams, get_lr, set_hyperparams
from jaxgrad.optim.lbfgs import LBFGS, step_with_closure
from jaxgrad.optim.muon import Muon
from jaxgrad.optim.nadam import NAdam
from jaxgrad.optim.radam import RAdam
from jaxgrad.optim.records import add_param_group, state_by_parameter, state_from_parameters
from jaxgrad.optim.rmsprop import RMSprop
from jaxgrad.optim.rprop import Rprop
from jaxgrad.optim.sgd import SGD
from jaxgrad.optim.sparse_adam import SparseAdam
from jaxgrad.optim.state_dict import load_state_dict, state_dict
from jaxgrad.optim.step import apply_updates, step

__all__ = [
    "ASGD",
    "LBFGS",
    "SGD",
    "SparseAdam",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Muon",
    "NAdam",
    "Optimizer",
    "OptimizerState",
    "ParamGroup",
    "RAdam",
    "RMSprop",
    "Rprop",
    "lr_scheduler",
    "add_param_group",
    "apply_updates",
    "get_hyperparams",
    "get_lr",
    "load_state_dict",
    "param_groups",
    "set_hyperparams",
    "state_by_parameter",
    "state_dict",
    "state_from_parameters",
    "step",
    "step_with_closure",
    "with_default_dtype",
]
