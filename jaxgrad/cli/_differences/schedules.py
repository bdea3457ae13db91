"""Learning-rate schedules: optax against ``torch.optim.lr_scheduler``."""

from jaxgrad.cli._differences.difference import Difference, Same, When

_ZERO = (0, 0.0)

DIFFERENCES = (
    Difference(
        "onecycle",
        "torch.optim.lr_scheduler.OneCycleLR",
        ("optax.cosine_onecycle_schedule", "optax.linear_onecycle_schedule"),
        "ends its phases at other steps than torch's pct_start * total_steps - 1",
        "0.04 to 0.16 of the learning rate at some steps",
        "jaxgrad.optim.lr_scheduler.OneCycleLR",
    ),
    Difference(
        "plateau-patience",
        "torch.optim.lr_scheduler.ReduceLROnPlateau",
        ("optax.contrib.reduce_on_plateau",),
        "has a patience one longer than torch's; cooldown, nan metrics and absolute thresholds differ too",
        "every reduction one step late",
        "patience one less, or jaxgrad.optim.lr_scheduler.ReduceLROnPlateau",
    ),
    Difference(
        "cosine-end",
        "torch.optim.lr_scheduler.CosineAnnealingLR",
        ("optax.cosine_decay_schedule",),
        "stays at the end of the cosine, torch's goes up again past T_max",
        "equal to rounding up to T_max",
        "stop at T_max, or jaxgrad.optim.lr_scheduler.CosineAnnealingLR",
        None,
    ),
    Difference(
        "warmup-zero",
        "torch.optim.lr_scheduler.LinearLR",
        ("optax.linear_schedule", "optax.warmup_cosine_decay_schedule", "optax.warmup_exponential_decay_schedule"),
        "begins at 0 here, so the first step moves nothing; torch's LinearLR begins at a third",
        "every step of the warm-up is one late against a warm-up by (step + 1) / n",
        "begin at peak / n, or jaxgrad.optim.lr_scheduler.LinearLR",
        (When("is", "init_value", _ZERO),),
        trap=False,
    ),
    Difference(
        "schedule-off-by-one",
        "torch.optim.lr_scheduler.LRScheduler",
        (
            "optax.cosine_decay_schedule",
            "optax.linear_schedule",
            "optax.polynomial_schedule",
            "optax.exponential_decay",
            "optax.warmup_cosine_decay_schedule",
        ),
        "counts its length in updates, the first at 0; a length of one less, or of epochs, is another schedule",
        "the learning rate is off at every step: by 1/length of its range for one step, by all of it for epochs",
        "give the number of updates: epochs * steps_per_epoch",
        None,
    ),
    Difference(
        "schedule-shifted",
        "torch.optim.lr_scheduler.LRScheduler",
        (),
        "is read at count + 1 or count - 1: every step takes the learning rate of the next, or of the one before",
        "one step of the schedule, at every step",
        "schedule(count): torch's optimizer steps first, then its scheduler",
        None,
    ),
)

SAME = (
    Same("torch.optim.lr_scheduler.StepLR", ("optax.exponential_decay",), "with staircase=True, to rounding"),
    Same("torch.optim.lr_scheduler.ExponentialLR", ("optax.exponential_decay",), "to rounding"),
    Same(
        "torch.optim.lr_scheduler.MultiStepLR",
        ("optax.piecewise_constant_schedule",),
        "to rounding; torch multiplies again for a repeated milestone",
    ),
    Same("torch.optim.lr_scheduler.PolynomialLR", ("optax.polynomial_schedule",), "to rounding"),
    Same("torch.optim.lr_scheduler.CosineAnnealingLR", ("optax.cosine_decay_schedule",), "up to T_max, to rounding"),
    Same("torch.optim.lr_scheduler.CosineAnnealingWarmRestarts", ("optax.sgdr_schedule",), "to rounding"),
    Same("torch.optim.lr_scheduler.SequentialLR", ("optax.join_schedules",), "to rounding"),
)

NOWHERE_ELSE = (
    "torch.optim.lr_scheduler.CyclicLR",
    "torch.optim.lr_scheduler.ChainedScheduler",
    "torch.optim.lr_scheduler.MultiplicativeLR",
    "torch.optim.swa_utils.SWALR",
)

ORDER = {
    "optax.linear_schedule": ("init_value", "end_value", "transition_steps"),
    "optax.cosine_decay_schedule": ("init_value", "decay_steps"),
    "optax.polynomial_schedule": ("init_value", "end_value", "power", "transition_steps"),
    "optax.exponential_decay": ("init_value", "transition_steps"),
    "optax.warmup_cosine_decay_schedule": ("init_value", "peak_value", "warmup_steps", "decay_steps"),
    "optax.warmup_exponential_decay_schedule": ("init_value", "peak_value", "warmup_steps", "transition_steps"),
}

LENGTHS = ("decay_steps", "transition_steps")
"""The arguments that count updates."""
