"""Averages of the weights along the way, after ``torch.optim.swa_utils``.

torch keeps a second module and writes into it. Here the average is a value: a pytree that goes through ``jit`` and
``scan`` beside the parameters.

    averaged = swa_utils.AveragedModel(func.extract(model), avg_fn=swa_utils.get_ema_avg_fn(0.99))
    averaged = averaged.update_parameters((params, buffers))         # after optim.step
    out = func.functional_call(model, (averaged.module, averaged.buffers), x)
    buffers = swa_utils.update_bn(loader, model, params=averaged.module)
"""

from jaxgrad.optim.swa_utils.averaged_model import AveragedModel
from jaxgrad.optim.swa_utils.averages import (
    get_ema_avg_fn,
    get_ema_multi_avg_fn,
    get_swa_avg_fn,
    get_swa_multi_avg_fn,
)
from jaxgrad.optim.swa_utils.swalr import SWALR
from jaxgrad.optim.swa_utils.update_bn import update_bn

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]
