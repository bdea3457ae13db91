"""Every public constructor and function with a usual argument in each place, and what to put there instead.

What a call needs is looked up by the name of the parameter, here for all and there for one; a name that stands nowhere
fails the test, so that what is new is tried as well.
"""

import inspect

import jax.numpy as jnp
import numpy as np
import torch

from jaxgrad import nn, optim, random
from jaxgrad.nn import functional as F
from jaxgrad.nn import init
from jaxgrad.optim import lr_scheduler, swa_utils

G = random.manual_seed(0)
ANYTHING = [
    *(None, "a", "", 2.5, -1, 0, 1j, True, (), [], (2, -1), [1.5], {}, {"a": 1}, np.nan, np.inf, -np.inf, 10**30),
    *(np.ones(2), jnp.ones((2, 3)), np.array("a"), np.float32(2), np.int64(2), [[1], [2, 3]], (None,), ("a", "b")),
    *(object(), int, len, b"a", {1}, range(3), torch.Generator(), torch.ones(2), G, np.array([None]), jnp.float32),
]

NUMBERS = dict.fromkeys("in_features out_features in_channels embed_dim num_heads input_size hidden_size".split(), 2)
USUAL = NUMBERS | {
    "rngs": lambda: nn.Rngs(G),
    "generator": G,
    "shape": (2, 3),
    "out_channels": 2,
    "in1_features": 2,
    "in2_features": 2,
    "n_classes": 6,
    "num_classes": 3,
    "cutoffs": [2, 4],
    "kernel_size": 2,
    "num_features": 2,
    "num_channels": 2,
    "num_groups": 1,
    "groups": 1,
    "normalized_shape": 2,
    "num_embeddings": 3,
    "embedding_dim": 2,
    "d_model": 2,
    "nhead": 1,
    "num_layers": 1,
    "encoder_layer": lambda: nn.TransformerEncoderLayer(2, 1, 2, rngs=nn.Rngs(G)),
    "decoder_layer": lambda: nn.TransformerDecoderLayer(2, 1, 2, rngs=nn.Rngs(G)),
    "output_size": 2,
    "padding": 1,
    "upscale_factor": 2,
    "downscale_factor": 2,
    "size": 2,
    "dim": 1,
    "unflattened_size": (1, 2),
    "norm_type": 2,
    "threshold": 0.1,
    "value": 1.0,
    "lr": 0.1,
    "swa_lr": 0.01,
    "lr_lambda": lambda: lambda epoch: 0.9,
    "step_size": 2,
    "milestones": [2, 4],
    "gamma": 0.5,
    "T_max": 3,
    "T_0": 3,
    "base_lr": 0.01,
    "max_lr": 0.2,
    "schedulers": lambda: [lr_scheduler.StepLR(0.1, 2)],
    "val": 0.5,
    "sparsity": 0.5,
    "nonlinearity": "relu",
    "p": 0.5,
    "high": 3,
    "n": 3,
    "num_samples": 2,
    "mode": "RNN_TANH",
    "bias": True,
    "start_dim": 1,
}
SMALL = {"d_model": 2, "nhead": 1, "rngs": lambda: nn.Rngs(G)}
OF_ONE = {
    "OneCycleLR": {"max_lr": 0.2, "total_steps": 5},
    "SequentialLR": {"schedulers": lambda: [lr_scheduler.StepLR(0.1, 2)] * 2, "milestones": [2]},
    "FractionalMaxPool2d": {"output_size": 2},
    "FractionalMaxPool3d": {"output_size": 2},
    "CircularPad1d": {"padding": 1},
    "multinomial": {"generator": G, "num_samples": 2, "input": np.ones(3)},
    "poisson": {"generator": G, "input": np.ones(3)},
    "geometric": {"generator": G, "shape": 2, "p": 0.5},
    "randperm": {"n": 3},
    "eye": {"shape": (2, 2)},
    "dirac": {"shape": (2, 2, 3)},
    "CyclicLR": {"lr": 0.1, "base_lr": 0.01, "max_lr": 0.2},
    "Embedding": {"num_embeddings": 3, "embedding_dim": 2, "rngs": lambda: nn.Rngs(G)},
    "EmbeddingBag": {"num_embeddings": 3, "embedding_dim": 2, "rngs": lambda: nn.Rngs(G)},
    (init, "normal"): {},
    "normal": {"generator": G, "shape": (2,)},
    "bernoulli": {"generator": G, "shape": (2,)},
    "randint": {"generator": G, "high": 3, "shape": (2,)},
    "Transformer": SMALL | {"num_encoder_layers": 1, "num_decoder_layers": 1, "dim_feedforward": 2},
    "TransformerEncoderLayer": SMALL | {"dim_feedforward": 2},
    "TransformerDecoderLayer": SMALL | {"dim_feedforward": 2},
    "Fold": {"output_size": (3, 3)},
    "Upsample": {"scale_factor": 2},
}
NO_CONSTRUCTORS = {"Module", "RNNBase", "RNNCellBase", "Parameter", "Buffer", "Rngs", "Optimizer", "OptimizerState"}


def classes(ours, theirs):
    """The classes that both have, and that are made by a call."""
    names = [name for name in ours.__all__ if name[0].isupper() and hasattr(theirs, name)]
    return [name for name in names if name not in NO_CONSTRUCTORS]


COUNTS = {"num_layers", "num_encoder_layers", "num_decoder_layers"}
"""As many modules are made as these say: not to be tried with 10**30, with torch neither."""

PLACES = {
    optim: classes(optim, torch.optim),
    lr_scheduler: classes(lr_scheduler, torch.optim.lr_scheduler),
    swa_utils: ["SWALR"],
    nn: classes(nn, torch.nn),
    init: list(init.__all__),
    random: [name for name in random.__all__ if name.islower() and name not in ("from_state", "manual_seed", "seed")],
    F: [name for name in F.__all__ if "loss" in name or "entropy" in name or name in ("kl_div", "pairwise_distance")],
}


def parameters_of(fn):
    """The parameters of a function, or of the constructor of a class."""
    of = fn.__init__ if inspect.isclass(fn) and issubclass(fn, nn.Module) else fn
    found = inspect.signature(of).parameters.values()
    return [p for p in found if p.name != "self" and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


def calls():
    """``(address, function, the parameters to try, its usual arguments)`` of everything."""
    for place, names in PLACES.items():
        for name in names:
            fn = getattr(place, name)
            parameters = parameters_of(fn)
            special = (
                losses(name) if place is F else OF_ONE.get(name, {}) if place is not init or name == "dirac" else {}
            )
            usual = {p.name: USUAL[p.name] for p in parameters if p.default is p.empty and p.name not in special}
            yield f"{place.__name__}.{name}", fn, [p.name for p in parameters], usual | special


def losses(name):
    """Arguments of a loss function."""
    x, y = np.full((2, 3), 0.25, np.float32), np.full((2, 3), 0.5, np.float32)
    classes, signs = np.array([0, 1]), np.array([1.0, -1.0], np.float32)
    return {
        "cross_entropy": {"input": x, "target": classes},
        "nll_loss": {"input": x, "target": classes},
        "multi_margin_loss": {"input": x, "target": classes},
        "multilabel_margin_loss": {"input": x, "target": np.array([[0, -1, 0], [1, -1, 0]])},
        "linear_cross_entropy": {"input": x, "linear_weight": np.ones((4, 3), np.float32), "target": classes},
        "ctc_loss": {
            "log_probs": np.zeros((4, 2, 3), np.float32),
            "targets": np.ones((2, 2), int),
            "input_lengths": (4, 4),
            "target_lengths": (2, 2),
        },
        "gaussian_nll_loss": {"input": x, "target": y, "var": y},
        "cosine_embedding_loss": {"input1": x, "input2": y, "target": signs},
        "margin_ranking_loss": {"input1": x, "input2": y, "target": y},
        "triplet_margin_loss": {"anchor": x, "positive": y, "negative": y},
        "triplet_margin_with_distance_loss": {"anchor": x, "positive": y, "negative": y},
        "pairwise_distance": {"x1": x, "x2": y},
    }.get(name, {"input": x, "target": y})


def given(usual):
    """The arguments of one call; what is made anew for each is."""
    return {
        name: value() if callable(value) and getattr(value, "__name__", "") == "<lambda>" else value
        for name, value in usual.items()
    }
