"""What people do wrong in a port, as data: the part that is replaced, and what the harness has to say to it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax

from jaxgrad import random
from jaxgrad.nn import functional as F
from tests.parity.faults.port import Parts, right_tx, scale_by_adam, with_nn

ALL = ("mlp", "cnn", "lstm", "gpt")


@dataclass(frozen=True)
class Fault:
    """One thing wrong.

    Attributes:
        name: what it is.
        phase, step: where it shows first.
        tensor: what the first tensor's name must match, for all models or for each.
        cause: the name of the rule that explains it; None if none is claimed to.
        parts: what is done wrong.
        models: where it can be planted.
        setting: what both sides train otherwise than usual.
    """

    name: str
    phase: str
    cause: str | None
    parts: Parts
    tensor: str | Mapping[str, str] = ".*"
    step: int = 0
    models: tuple[str, ...] = ALL
    setting: Mapping[str, Any] = field(default_factory=dict)

    def tensor_of(self, model: str) -> str:
        return self.tensor if isinstance(self.tensor, str) else self.tensor[model]


# the batch


def next_batch(batch: Any, step: int, batches: Any) -> Any:
    return batches[(step + 1) % len(batches)]


def turned_rows(batch: Any, step: int, batches: Any) -> Any:
    return tuple(np.roll(each, 1, axis=0) for each in batch)


def not_divided(batch: Any, step: int, batches: Any) -> Any:
    return np.float32(255) * batch[0], batch[1]


def other_labels(batch: Any, step: int, batches: Any) -> Any:
    return batch[0], (batch[1] + 1) % 3


BATCH = [
    Fault("the batches one ahead", "inputs", "another_batch", Parts(batch=next_batch), "0"),
    Fault("rows in another order", "inputs", "rows_in_another_order", Parts(batch=turned_rows), "0"),
    Fault(
        "inputs not divided by 255",
        "inputs",
        "inputs_in_other_units",
        Parts(batch=not_divided),
        "0",
        models=("mlp", "cnn"),
    ),
    Fault("labels counted from 1", "inputs", None, Parts(batch=other_labels), "1"),
]

# the stream and dropout

DROPS = {"mlp": "3", "cnn": "5", "gpt": "drop"}


def one_ahead(generator: Any, step: int) -> Any:
    return random.rand(generator, 3)[1] if step == 1 else generator


def other_seed(generator: Any, step: int) -> Any:
    return random.manual_seed(99) if step == 0 else generator


def unscaled_dropout(nn: Any) -> Any:
    class Dropout(nn.Dropout):
        def forward(self, x: Any) -> Any:
            return super().forward(x) * (1 - self.p)

    return Dropout


def no_dropout(nn: Any) -> Any:
    return lambda p: nn.Dropout(0.0)


MASKS = [
    Fault(
        "one draw ahead at step 1", "forward", "another_mask", Parts(stream=one_ahead), DROPS, 1, ("mlp", "cnn", "gpt")
    ),
    Fault("another seed", "forward", "another_mask", Parts(stream=other_seed), DROPS, models=("mlp", "cnn", "gpt")),
    Fault(
        "dropout without its scale",
        "forward",
        "dropout_scale",
        Parts(library=with_nn(Dropout=unscaled_dropout)),
        DROPS,
        models=("mlp", "cnn", "gpt"),
    ),
    Fault(
        "no dropout",
        "forward",
        "dropout_off",
        Parts(library=with_nn(Dropout=no_dropout)),
        DROPS,
        models=("mlp", "cnn", "gpt"),
    ),
]

# modules


def scaled_embedding(nn: Any) -> Any:
    class Embedding(nn.Embedding):
        def forward(self, x: Any) -> Any:
            return super().forward(x) * self.weight.shape[1] ** 0.5

    return Embedding


def rounded_linear(nn: Any) -> Any:
    class Linear(nn.Linear):
        def forward(self, x: Any) -> Any:
            def short(each: Any) -> Any:
                return each.astype(jnp.bfloat16).astype(each.dtype)

            return F.linear(short(x), short(self.weight), self.bias)

    return Linear


def by_running_statistics(nn: Any) -> Any:
    class BatchNorm2d(nn.BatchNorm2d):
        def forward(self, x: Any) -> Any:
            out = super().forward(x)
            start = jnp.zeros(4, x.dtype), jnp.ones(4, x.dtype)
            return 0.0 * out + F.batch_norm(x, *start, self.weight, self.bias, False)

    return BatchNorm2d


def with_weight(name: str, change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def weights(params: Any) -> Any:
        return {**params, name: change(params[name])}

    return weights


def gates(order: tuple[int, ...]) -> Callable[[Any], Any]:
    def weights(params: Any) -> Any:
        def moved(value: Any) -> Any:
            return jnp.concatenate([jnp.split(value, 4)[each] for each in order])

        return {name: moved(value) if name.startswith("lstm.") else value for name, value in params.items()}

    return weights


def without(which: str) -> Callable[[Any], Any]:
    return with_weight(which, lambda value: 0.0 * value)


GELUS = {"mlp": "1", "cnn": "2", "gpt": r"blocks\.0\.mlp\.1"}

MODULES = [
    Fault(
        "gelu by tanh",
        "forward",
        "gelu_tanh",
        Parts(library=with_nn(GELU=lambda nn: partial(nn.GELU, approximate="tanh"))),
        GELUS,
        models=("mlp", "cnn", "gpt"),
    ),
    Fault(
        "silu for gelu",
        "forward",
        "another_activation",
        Parts(library=with_nn(GELU=lambda nn: nn.SiLU)),
        GELUS,
        models=("mlp", "cnn", "gpt"),
    ),
    Fault(
        "eps of LayerNorm 1e-6",
        "forward",
        "norm_eps",
        Parts(library=with_nn(LayerNorm=lambda nn: partial(nn.LayerNorm, eps=1e-6))),
        {"mlp": "2", "gpt": r"blocks\.0\.norm1"},
        models=("mlp", "gpt"),
    ),
    Fault(
        "eps of BatchNorm 1e-3",
        "forward",
        "norm_eps",
        Parts(library=with_nn(BatchNorm2d=lambda nn: partial(nn.BatchNorm2d, eps=1e-3))),
        "1",
        models=("cnn",),
    ),
    Fault(
        "BatchNorm by its running statistics",
        "forward",
        "norm_by_running_statistics",
        Parts(library=with_nn(BatchNorm2d=by_running_statistics)),
        "1",
        models=("cnn",),
    ),
    Fault(
        "slope 0.2",
        "forward",
        "another_slope",
        Parts(library=with_nn(LeakyReLU=lambda nn: partial(nn.LeakyReLU, 0.2))),
        "5",
        models=("mlp",),
    ),
    Fault(
        "padding not counted",
        "forward",
        "count_include_pad",
        Parts(library=with_nn(AvgPool2d=lambda nn: partial(nn.AvgPool2d, count_include_pad=False))),
        "3",
        models=("cnn",),
    ),
    Fault(
        "align_corners",
        "forward",
        "align_corners",
        Parts(library=with_nn(Upsample=lambda nn: partial(nn.Upsample, align_corners=True))),
        "4",
        models=("cnn",),
    ),
    Fault(
        "an untransposed matrix",
        "forward",
        "untransposed_kernel",
        Parts(weights=with_weight("4.weight", jnp.transpose)),
        "4",
        models=("mlp",),
    ),
    Fault(
        "height and width exchanged",
        "forward",
        "untransposed_kernel",
        Parts(weights=with_weight("0.weight", lambda w: jnp.swapaxes(w, 2, 3))),
        "0",
        models=("cnn",),
    ),
    Fault(
        "a flipped kernel",
        "forward",
        "flipped_kernel",
        Parts(weights=with_weight("0.weight", lambda w: jnp.flip(w, (2, 3)))),
        "0",
        models=("cnn",),
    ),
    *(
        Fault("a bias left out", "forward", "bias_missing", Parts(weights=without(bias)), module, models=(model,))
        for model, bias, module in (
            ("mlp", "0.bias", "0"),
            ("cnn", "0.bias", "0"),
            ("lstm", "out.bias", "out"),
            ("gpt", "blocks.0.attention.qkv.bias", r"blocks\.0\.attention\.qkv"),
        )
    ),
    Fault("gates i g f o", "forward", "gate_order", Parts(weights=gates((0, 2, 1, 3))), r"lstm#0", models=("lstm",)),
    Fault(
        "one bias in the LSTM",
        "forward",
        "second_bias_missing",
        Parts(weights=without("lstm.bias_hh_l0")),
        r"lstm#0",
        models=("lstm",),
    ),
    Fault(
        "embeddings times a root",
        "forward",
        "output_factor",
        Parts(library=with_nn(Embedding=scaled_embedding)),
        {"lstm": "embed", "gpt": "words"},
        models=("lstm", "gpt"),
    ),
    Fault(
        "products in bfloat16",
        "forward",
        "low_precision",
        Parts(library=with_nn(Linear=rounded_linear)),
        {"mlp": "0", "cnn": "7", "lstm": "out", "gpt": r"blocks\.0\.attention\.qkv"},
    ),
    *(
        Fault(
            "one weight 0.1 % off",
            "forward",
            None,
            Parts(weights=with_weight(name, lambda w: w * (1 + 1e-3 * (jnp.arange(w.size) == 5).reshape(w.shape)))),
            module,
            models=(model,),
        )
        for model, name, module in (
            ("mlp", "0.weight", "0"),
            ("cnn", "0.weight", "0"),
            ("lstm", "lstm.weight_ih_l0", "lstm#0"),
            ("gpt", "blocks.0.mlp.0.weight", r"blocks\.0\.mlp\.0"),
        )
    ),
]

# the loss


def loss(F: Any, **options: Any) -> Callable[[Any, Any], Any]:
    return lambda out, y: F.cross_entropy(out.reshape(-1, out.shape[-1]), y.reshape(-1), **options)


LOSSES = [
    Fault("a sum", "loss", "loss_reduction", Parts(criterion=partial(loss, reduction="sum")), "loss"),
    Fault("smoothed labels", "loss", "label_smoothing", Parts(criterion=partial(loss, label_smoothing=0.1)), "loss"),
    Fault(
        "half of it", "loss", "half_the_square", Parts(criterion=lambda F: lambda out, y: 0.5 * loss(F)(out, y)), "loss"
    ),
]

# gradients

ONE = {"mlp": "4.weight", "cnn": "0.weight", "lstm": "lstm.weight_ih_l0", "gpt": "blocks.0.attention.proj.weight"}
"""A parameter of each model."""


def exactly(names: Mapping[str, str]) -> dict[str, str]:
    return {model: name.replace(".", r"\.") for model, name in names.items()}


def chosen(grads: Any) -> str:
    return next(name for name in ONE.values() if name in grads and grads[name].ndim > 1)


def element_off(grads: Any, memory: Any, params: Any) -> Any:
    name = chosen(grads)
    found = np.array(grads[name])
    found.flat[np.argmax(np.abs(found))] *= found.dtype.type(1.001)
    return {**grads, name: found}


def times(factor: float) -> Callable[[Any, Any, Any], Any]:
    return lambda grads, memory, params: {name: g * g.dtype.type(factor) for name, g in grads.items()}


def never_zeroed(grads: Any, memory: Any, params: Any) -> Any:
    for name, g in grads.items():
        memory[name] = memory.get(name, 0) + g
    return {name: memory[name] for name in grads}


def with_penalty(grads: Any, memory: Any, params: Any) -> Any:
    return {name: g + g.dtype.type(0.02) * params[name] for name, g in grads.items()}


def stopped(grads: Any, memory: Any, params: Any) -> Any:
    return {**grads, chosen(grads): np.zeros_like(grads[chosen(grads)])}


def gone(grads: Any, memory: Any, params: Any) -> Any:
    return {name: g for name, g in grads.items() if name != chosen(grads)}


def late(grads: Any, memory: Any, params: Any) -> Any:
    before = memory.get("last", {name: np.zeros_like(g) for name, g in grads.items()})
    memory["last"] = grads
    return before


GRADIENTS = [
    Fault("one element of a gradient 0.1 % off", "grads", None, Parts(grads=element_off), exactly(ONE)),
    Fault("gradients times 3.7", "grads", "constant_factor", Parts(grads=times(3.7))),
    Fault(
        "gradients times the batch", "grads", "loss_reduction", Parts(grads=times(10.0)), models=("mlp", "cnn", "lstm")
    ),
    Fault("the other sign", "grads", "sign", Parts(grads=times(-1.0))),
    Fault("a loss scale left in", "grads", "loss_scale_left", Parts(grads=times(1024.0))),
    Fault("never zeroed", "grads", "zero_grad_missing", Parts(grads=never_zeroed), step=1),
    Fault("a penalty in the loss", "grads", "penalty_in_loss", Parts(grads=with_penalty)),
    Fault("a stopped gradient", "grads", "parameter_does_not_move", Parts(grads=stopped), exactly(ONE)),
    Fault("a gradient that is not there", "grads", "parameter_does_not_move", Parts(grads=gone), exactly(ONE)),
    Fault("one step late", "grads", "one_step_late", Parts(grads=late)),
]

# clipping

CLIP = {"clip": 0.05}


def clip_none(grads: Any, limit: float) -> Any:
    return grads


def clip_exactly(grads: Any, limit: float) -> Any:
    total = np.sqrt(sum(np.sum(np.square(np.float64(g))) for g in grads.values()))
    return {name: g * g.dtype.type(min(1.0, limit / total)) for name, g in grads.items()}


def clip_values(grads: Any, limit: float) -> Any:
    return {name: np.clip(g, -limit, limit) for name, g in grads.items()}


def clip_each(grads: Any, limit: float) -> Any:
    return {n: g * g.dtype.type(min(1.0, limit / (np.linalg.norm(np.float64(g)) + 1e-6))) for n, g in grads.items()}


def clip_largest(grads: Any, limit: float) -> Any:
    total = max(np.max(np.abs(np.float64(g))) for g in grads.values())
    return {name: g * g.dtype.type(min(1.0, limit / (total + 1e-6))) for name, g in grads.items()}


def clip_twice_as_far(grads: Any, limit: float) -> Any:
    return clip_exactly(grads, 2 * limit * (1 - 1e-7))


CLIPS = [
    Fault("no clip", "clipped", "clip_missing", Parts(clip=clip_none), setting=CLIP),
    Fault("clip without 1e-6", "clipped", "clip_without_eps", Parts(clip=clip_exactly), setting=CLIP),
    Fault("clip by value", "clipped", "clip_by_value_or_norm", Parts(clip=clip_values), setting=CLIP),
    Fault("clip of each tensor", "clipped", "clip_each_tensor", Parts(clip=clip_each), setting=CLIP),
    Fault("clip by the largest", "clipped", "clip_another_norm", Parts(clip=clip_largest), setting=CLIP),
    Fault("clip at twice the norm", "clipped", "clip_another_limit", Parts(clip=clip_twice_as_far), setting=CLIP),
]

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

# parameters


def one_stays(before: Any, after: Any) -> Any:
    return {**after, chosen(after): before[chosen(after)]}


def frozen_moves(before: Any, after: Any) -> Any:
    name = chosen(after)
    return {**after, name: after[name] + after[name].dtype.type(1e-2)}


def frozen_decays(before: Any, after: Any) -> Any:
    name = chosen(after)
    return {**after, name: after[name] * after[name].dtype.type(1 - 1e-3)}


PARAMS = [
    Fault("a parameter that stays", "params", "parameter_does_not_move", Parts(params=one_stays), exactly(ONE)),
    *(
        Fault(
            "a frozen parameter that moves",
            "params",
            "frozen_parameter_moves",
            Parts(params=frozen_moves),
            exactly(ONE),
            models=(model,),
            setting={"frozen": (name,)},
        )
        for model, name in ONE.items()
    ),
    *(
        Fault(
            "a frozen parameter that decays",
            "params",
            "zero_for_none",
            Parts(params=frozen_decays),
            exactly(ONE),
            models=(model,),
            setting={"frozen": (name,), **ADAMW},
        )
        for model, name in ONE.items()
    ),
]

# buffers


def buffers(change: Callable[[str, Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda before, after: {
        name: change(name, np.asarray(before[name]), value).astype(value.dtype) for name, value in after.items()
    }


def biased(name: str, before: Any, after: Any) -> Any:
    n = 10 * 16
    return 0.9 * before + (after - 0.9 * before) * (n - 1) / n if name.endswith("running_var") else after


def other_way(momentum: float) -> Callable[[str, Any, Any], Any]:
    def change(name: str, before: Any, after: Any) -> Any:
        if name.endswith("num_batches_tracked"):
            return after
        return (1 - momentum) * before + momentum * (after - 0.9 * before) / 0.1

    return change


BUFFERS = [
    Fault(
        "biased running variance",
        "buffers",
        "biased_running_variance",
        Parts(buffers=buffers(biased)),
        r"1\.running_var",
        models=("cnn",),
    ),
    Fault(
        "momentum 0.9",
        "buffers",
        "running_momentum_convention",
        Parts(buffers=buffers(other_way(0.9))),
        models=("cnn",),
    ),
    Fault(
        "momentum 0.01", "buffers", "another_running_momentum", Parts(buffers=buffers(other_way(0.01))), models=("cnn",)
    ),
    Fault(
        "buffers that stay",
        "buffers",
        "stale_buffer",
        Parts(buffers=lambda before, after: before),
        models=("cnn",),
    ),
]

FAULTS = [*BATCH, *MASKS, *MODULES, *LOSSES, *GRADIENTS, *CLIPS, *SCHEDULES, *OPTIMIZERS, *PARAMS, *BUFFERS]
PLANTED = [(fault, model) for fault in FAULTS for model in fault.models]
"""Every fault in every model that it fits."""
