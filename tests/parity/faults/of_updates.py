"""Schedules and optimizers done wrong."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import optax

from tests.parity.faults.fault import Fault
from tests.parity.faults.port import Parts, right_tx, scale_by_adam

# the schedule

LRS = {"lrs": (0.02, 0.02, 0.01, 0.005)}

SCHEDULES = [
    Fault("lr late", "lr", "schedule_late", Parts(lr=lambda lrs, t: lrs[max(t - 1, 0)]), "lr", 2, setting=LRS),
    Fault("lr early", "lr", "schedule_early", Parts(lr=lambda lrs, t: lrs[min(t + 1, 3)]), "lr", 1, setting=LRS),
    Fault(
        "no schedule",
        "lr",
        "schedule_missing",
        Parts(lr=lambda lrs, t: lrs[0]),
        "lr",
        1,
        setting={"lrs": (0.02, 0.01, 0.005, 0.0025)},
    ),
    Fault("a first lr of 0", "lr", "schedule_starts_at_zero", Parts(lr=lambda lrs, t: lrs[t] * (t > 0)), "lr"),
    Fault("another lr", "lr", "lr_factor", Parts(lr=lambda lrs, t: 3 * lrs[t]), "lr"),
    Fault(
        "lr late, unseen",
        "params",
        "schedule_late",
        Parts(lr=lambda lrs, t: lrs[max(t - 1, 0)], records=("loss", "grads", "params")),
        step=2,
        setting=LRS,
    ),
    Fault(
        "another lr, unseen",
        "params",
        "another_lr",
        Parts(lr=lambda lrs, t: 1.01 * lrs[t], records=("loss", "grads", "params")),
    ),
]


# the optimizer

ADAM = {"optimizer": "Adam", "options": {"lr": 1e-2, "eps": 1e-4}}
ADAMW = {"optimizer": "AdamW", "options": {"lr": 1e-2, "weight_decay": 0.1}}
L2 = {"optimizer": "Adam", "options": {"lr": 1e-2, "weight_decay": 0.1}}
SGD = {"optimizer": "SGD", "options": {"lr": 1e-2, "momentum": 0.9}}
DECAYED = {"optimizer": "SGD", "options": {"lr": 1e-1, "weight_decay": 0.1}}
RMSPROP = {"optimizer": "RMSprop", "options": {"lr": 1e-2, "eps": 1e-4}}
MOMENTUM = {"optimizer": "RMSprop", "options": {"lr": 1e-2, "momentum": 0.9}, **LRS}
BLIND = ("loss", "grads", "lr", "params")
"""What a port writes down whose optimizer state nobody looks at."""


def with_options(**options: Any) -> Callable[[str, Mapping[str, Any]], Any]:
    return lambda name, right: right_tx(name, {**right, **options})


def scheduled(name: str, options: Mapping[str, Any]) -> Any:
    """The lr in front of the momentum (and out of the step: 1 is what the step multiplies by)."""
    table = np.array(LRS["lrs"])
    rms = optax.scale_by_rms(options.get("alpha", 0.99), 1e-8, eps_in_sqrt=False)
    return optax.chain(rms, optax.scale_by_schedule(lambda t: table[np.asarray(t)]), optax.trace(options["momentum"]))


def decay_of_matrices(name: str, options: Mapping[str, Any]) -> Any:
    decay = optax.add_decayed_weights(0.1, mask=lambda params: {n: p.ndim > 1 for n, p in params.items()})
    return optax.chain(scale_by_adam(0.9, 0.999, 1e-8), decay)


OPTIMIZERS = [
    Fault(
        "eps inside Adam's root",
        "params",
        "eps_inside_root",
        Parts(tx=lambda n, o: scale_by_adam(0.9, 0.999, 1e-4, inside=True), records=BLIND),
        setting=ADAM,
    ),
    Fault(
        "eps inside RMSprop's root",
        "params",
        "eps_inside_root",
        Parts(tx=lambda n, o: optax.chain(optax.scale_by_rms(0.99, 1e-4)), records=BLIND),
        setting=RMSPROP,
    ),
    Fault("eps 1e-3", "params", "another_eps", Parts(tx=with_options(eps=1e-3), records=BLIND), setting=ADAM),
    Fault(
        "no bias correction",
        "params",
        "bias_correction_missing",
        Parts(tx=lambda n, o: optax.chain(scale_by_adam(0.9, 0.999, 1e-4, corrected=False)), records=BLIND),
        setting=ADAM,
    ),
    Fault(
        "L2 for decoupled decay",
        "optimizer",
        "l2_for_decoupled_decay",
        Parts(tx=lambda n, o: right_tx("Adam", o)),
        setting=ADAMW,
    ),
    Fault(
        "decoupled decay for L2",
        "optimizer",
        "decay_missing",
        Parts(tx=lambda n, o: right_tx("AdamW", o)),
        setting=L2,
    ),
    Fault(
        "decoupled decay for L2, unseen",
        "params",
        "decoupled_for_l2_decay",
        Parts(tx=lambda n, o: right_tx("AdamW", o), records=BLIND),
        setting=L2,
    ),
    Fault("no decay", "params", "decay_missing", Parts(tx=with_options(weight_decay=0.0)), setting=ADAMW),
    Fault(
        "decay of 0.03",
        "params",
        "another_weight_decay",
        Parts(tx=with_options(weight_decay=0.03)),
        setting=ADAMW,
    ),
    Fault("decay of matrices only", "params", "decay_of_some", Parts(tx=decay_of_matrices), setting=ADAMW),
    Fault(
        "beta1 0.8",
        "optimizer",
        "another_beta1",
        Parts(tx=with_options(betas=(0.8, 0.999))),
        "exp_avg.*",
        setting=ADAM,
    ),
    Fault(
        "beta2 0.99",
        "optimizer",
        "another_beta2",
        Parts(tx=with_options(betas=(0.9, 0.99))),
        "exp_avg_sq.*",
        setting=ADAM,
    ),
    Fault(
        "beta2 0.99, unseen",
        "params",
        "another_beta2",
        Parts(tx=with_options(betas=(0.9, 0.99)), records=BLIND),
        step=1,
        setting=ADAM,
    ),
    Fault("alpha 0.9", "params", "another_alpha", Parts(tx=with_options(alpha=0.9), records=BLIND), setting=RMSPROP),
    Fault(
        "momentum 0.8",
        "params",
        "another_momentum",
        Parts(tx=with_options(momentum=0.8), records=BLIND),
        step=1,
        setting=SGD,
    ),
    Fault("Nesterov", "params", "nesterov", Parts(tx=with_options(nesterov=True), records=BLIND), setting=SGD),
    Fault(
        "momentum as an average",
        "params",
        "momentum_average",
        Parts(tx=lambda n, o: optax.ema(0.9, debias=False), records=BLIND),
        setting=SGD,
    ),
    Fault(
        "lr inside the momentum",
        "params",
        "lr_inside_momentum",
        Parts(tx=scheduled, lr=lambda lrs, t: 1.0, records=("loss", "grads", "params")),
        step=2,
        setting=MOMENTUM,
    ),
    Fault(
        "AMSGrad behind the correction",
        "params",
        "amsgrad_order",
        Parts(tx=lambda n, o: optax.scale_by_amsgrad(), records=BLIND),
        step=1,
        setting={"optimizer": "Adam", "options": {"lr": 1e-2, "amsgrad": True}},
    ),
    Fault(
        "SGD's decay missing",
        "params",
        "decay_missing",
        Parts(tx=with_options(weight_decay=0.0), records=BLIND),
        setting=DECAYED,
    ),
]
