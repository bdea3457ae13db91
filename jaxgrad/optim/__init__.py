"""Torch's optimizers, exactly, as optax transformations.

``optim.SGD(lr=0.1, momentum=0.9)`` is torch's call without its first argument; what it returns works alone
(``init``, ``step``) and inside ``optax.chain``. What torch keeps in ``optimizer.state`` and ``param_groups`` is the
value that ``step`` takes and returns.
"""

from jaxgrad.optim.adam import Adam, AdamW
from jaxgrad.optim.groups import param_groups
from jaxgrad.optim.hyperparams import get_hyperparams, get_lr, set_hyperparams
from jaxgrad.optim.optimizer import Optimizer, OptimizerState, ParamGroup, apply_updates, step
from jaxgrad.optim.sgd import SGD

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Optimizer",
    "OptimizerState",
    "ParamGroup",
    "apply_updates",
    "get_hyperparams",
    "get_lr",
    "param_groups",
    "set_hyperparams",
    "step",
]
