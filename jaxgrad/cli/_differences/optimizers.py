"""Optimizers, clipping, accumulation: optax against ``torch.optim``.

Distances are relative to the distance moved, after 20 to 30 float64 steps on the same gradients unless they say
otherwise.
"""

from jaxgrad.cli._differences.difference import Default, Difference, Same, When

_WITH_FLOAT32_CORRECTION = ("optax.adam", "optax.adamw", "optax.amsgrad", "optax.nadam", "optax.nadamw", "optax.radam")

DIFFERENCES = (
    Difference(
        "adamw-decay",
        "torch.optim.AdamW",
        ("optax.adamw",),
        "decays with 1e-4 by default, torch with 1e-2",
        "4 % of the distance moved after 20 steps",
        "weight_decay=1e-2, or jaxgrad.optim.AdamW",
        (When("absent", "weight_decay"),),
        default=Default("weight_decay", 1e-4, "weight_decay", 1e-2),
    ),
    Difference(
        "adam-l2",
        "torch.optim.Adam",
        ("optax.adamw",),
        "decouples the decay; torch's Adam(weight_decay=) adds it to the gradient, before the moments",
        "128 % of the distance moved",
        "optax.chain(optax.add_decayed_weights(decay), optax.adam(lr)), or jaxgrad.optim.Adam(weight_decay=)",
        None,
    ),
    Difference(
        "adam-float32",
        "torch.optim.Adam",
        _WITH_FLOAT32_CORRECTION,
        "computes 1 - beta**t in float32, torch in double on the host",
        "14 % of the distance moved after 100 float32 steps of a perceptron, where torch's own rounding is 3e-6",
        "jaxgrad.optim.Adam (also an optax transformation), or float64",
        trap=False,
    ),
    Difference(
        "amsgrad-order",
        "torch.optim.Adam",
        ("optax.amsgrad",),
        "takes the maximum after the bias correction, torch's amsgrad=True before it; no setting gives torch's",
        "22 % of the distance moved",
        "jaxgrad.optim.Adam(amsgrad=True)",
    ),
    Difference(
        "rmsprop-decay",
        "torch.optim.RMSprop",
        ("optax.rmsprop",),
        "averages with decay 0.9 by default, torch with alpha 0.99",
        "66 % of the distance moved, together with rmsprop-eps",
        "decay=0.99, or jaxgrad.optim.RMSprop",
        (When("absent", "decay"),),
        default=Default("decay", 0.9, "alpha", 0.99),
    ),
    Difference(
        "rmsprop-eps",
        "torch.optim.RMSprop",
        ("optax.rmsprop",),
        "has eps inside the root by default, torch outside",
        "66 % of the distance moved, together with rmsprop-decay",
        "eps_in_sqrt=False, or jaxgrad.optim.RMSprop",
        (When("absent", "eps_in_sqrt", (True,)),),
    ),
    Difference(
        "rmsprop-momentum-lr",
        "torch.optim.RMSprop",
        ("optax.rmsprop",),
        "keeps the learning rate inside the momentum, torch outside: they part when it changes",
        "47 % of the distance moved under a schedule, everything else matched",
        "jaxgrad.optim.RMSprop",
        (When("given", "momentum"), When("varies", "learning_rate")),
    ),
    Difference(
        "adagrad",
        "torch.optim.Adagrad",
        ("optax.adagrad",),
        "starts its sums at 0.1 (torch: 0), has eps inside the root (torch: outside) and no lr_decay",
        "97 % of the distance moved by default, 10 % with initial_accumulator_value=0",
        "jaxgrad.optim.Adagrad",
        default=Default("initial_accumulator_value", 0.1, "initial_accumulator_value", 0),
    ),
    Difference(
        "nadam",
        "torch.optim.NAdam",
        ("optax.nadam", "optax.nadamw"),
        "has no momentum schedule (torch's momentum_decay); no setting gives torch's",
        "39 to 43 % of the distance moved",
        "jaxgrad.optim.NAdam",
    ),
    Difference(
        "radam-eps",
        "torch.optim.RAdam",
        ("optax.radam",),
        "adds eps at another place",
        "4e-6 of the distance moved at eps 1e-8, 4 % at eps 0.1",
        "jaxgrad.optim.RAdam",
        None,
    ),
    Difference(
        "rprop-late",
        "torch.optim.Rprop",
        ("optax.rprop",),
        "applies every update one step late: the first does nothing",
        "35 % of the distance moved",
        "jaxgrad.optim.Rprop",
    ),
    Difference(
        "muon",
        "torch.optim.Muon",
        ("optax.contrib.muon",),
        "scales and orthogonalises otherwise, and takes other parameters by default",
        "39 % of the distance moved by default, 1 % tuned",
        "jaxgrad.optim.Muon",
    ),
    Difference(
        "adafactor-factoring",
        "torch.optim.Adafactor",
        ("optax.adafactor",),
        "factors only matrices of at least 128 rows and columns by default, torch all",
        "46 % of the distance moved after 10 float32 steps of a perceptron, torch's own rounding being 7 %",
        "min_dim_size_to_factor=1, or jaxgrad.optim.Adafactor",
        (When("absent", "min_dim_size_to_factor"),),
    ),
    Difference(
        "sgd-dampening",
        "torch.optim.SGD",
        ("optax.sgd",),
        "has no dampening; torch's does not dampen the first step",
        "69 % of the distance moved with dampening 0.5",
        "jaxgrad.optim.SGD(dampening=)",
        None,
    ),
    Difference(
        "lbfgs",
        "torch.optim.LBFGS",
        ("optax.lbfgs",),
        "is another algorithm with another line search; torch's takes a closure and evaluates it as often as it likes",
        "not comparable step by step",
        "jaxgrad.optim.LBFGS with optim.step_with_closure",
        None,
    ),
    Difference(
        "clip-eps",
        "torch.nn.utils.clip_grad_norm_",
        ("optax.clip_by_global_norm",),
        "scales by max_norm / norm, torch by max_norm / (norm + 1e-6)",
        "2e-7 of the gradient at ordinary norms, 9.6 % where the norm is 1e-6",
        "jaxgrad.nn.utils.clip_by_norm in the chain, or jaxgrad.nn.utils.clip_grad_norm",
        trap=False,
    ),
    Difference(
        "global-norm-zero",
        "torch.nn.utils.get_total_norm",
        ("optax.global_norm",),
        "has the gradient nan at zero, torch's norm has 0",
        "nan in every parameter once all is zero",
        "jaxgrad.linalg.vector_norm",
        trap=False,
        differentiated=True,
    ),
    Difference(
        "multisteps-mean",
        "torch.Tensor.backward",
        ("optax.MultiSteps",),
        "averages the gradients of its steps, torch's .grad adds them up",
        "a factor of the number of micro-batches, unless the torch script divides its loss by it",
        "use_grad_mean=False where the torch script does not divide the loss",
        (When("absent", "use_grad_mean"),),
        trap=False,
    ),
)

SAME = (
    Same("torch.optim.SGD", ("optax.sgd",), "without dampening, to 1e-15 of the distance moved"),
    Same("torch.optim.Adam", ("optax.adam",), "in float64 and without amsgrad, to 1e-15 of the distance moved"),
    Same("torch.optim.Adamax", ("optax.adamax",), "to 1e-15 of the distance moved"),
    Same("torch.optim.Adadelta", ("optax.adadelta",), "to 1e-15 of the distance moved"),
    Same("torch.nn.utils.clip_grad_value_", ("optax.clip",), "exactly"),
)

NOWHERE_ELSE = ("torch.optim.ASGD", "torch.optim.SparseAdam")
"""Names of torch that are here and that optax, JAX and flax do not have."""

ORDER = {
    "optax.adamw": ("learning_rate", "b1", "b2", "eps", "eps_root", "mu_dtype", "weight_decay", "mask"),
    "optax.rmsprop": ("learning_rate", "decay", "eps", "initial_scale", "eps_in_sqrt", "centered", "momentum"),
    "optax.adafactor": ("learning_rate", "min_dim_size_to_factor"),
    "optax.MultiSteps": ("opt", "every_k_schedule", "use_grad_mean"),
}
"""Arguments by position, where a condition asks for one."""
