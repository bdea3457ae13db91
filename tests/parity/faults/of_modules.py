"""Modules done wrong."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad.nn import functional as F
from tests.parity.faults.fault import Fault
from tests.parity.faults.port import Parts, with_nn

# modules


def scaled_embedding(nn: Any) -> Any:
    class Embedding(nn.Embedding):
        def forward(self, x: Any) -> Any:
            return super().forward(x) * self.weight.shape[1] ** 0.5

    return Embedding


def stopped_embedding(nn: Any) -> Any:
    class Embedding(nn.Embedding):
        def forward(self, x: Any) -> Any:
            return jax.lax.stop_gradient(super().forward(x))

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
        "no gradient through the embedding",
        "grads",
        "untied",
        Parts(library=with_nn(Embedding=stopped_embedding)),
        r"words\.weight",
        models=("gpt",),
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
