"""Ports as people write them, in flax, equinox and optax, each with its library's defaults unless told otherwise."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch
from flax import linen

from jaxgrad import parity

MLP_BATCHES = [
    (rng.normal(size=(10, 6)).astype(np.float32), rng.integers(0, 3, 10))
    for rng in (np.random.default_rng(seed) for seed in range(4))
]
IMAGES = [
    (rng.normal(size=(10, 2, 6, 6)).astype(np.float32), rng.integers(0, 3, 10))
    for rng in (np.random.default_rng(seed) for seed in range(4))
]


def torch_mlp(optimizer: Any, clip: Any = None) -> Any:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.GELU(), torch.nn.LayerNorm(8), torch.nn.Linear(8, 3))
    return model, parity.from_torch(model, torch.nn.functional.cross_entropy, optimizer(model.parameters()), clip=clip)


def torch_cnn(optimizer: Any) -> Any:
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(2, 4, 3, padding=1),
        torch.nn.BatchNorm2d(4),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(144, 3),
    )
    return model, parity.from_torch(model, torch.nn.functional.cross_entropy, optimizer(model.parameters()))


def numbers(model: Any) -> dict[str, Any]:
    return {name: jnp.asarray(value.detach().numpy()) for name, value in model.state_dict().items()}


def cross_entropy(logits: Any, y: Any) -> Any:
    return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()


def flax_mlp(model: Any, tx: Any, *, approximate: bool = False, epsilon: float = 1e-5) -> Any:
    """flax's linen."""

    class Net(linen.Module):
        @linen.compact
        def __call__(self, x: Any) -> Any:
            x = linen.gelu(linen.Dense(8, name="fc1")(x), approximate=approximate)
            return linen.Dense(3, name="fc2")(linen.LayerNorm(epsilon=epsilon, name="norm")(x))

    held, net = numbers(model), Net()
    params = {
        "fc1": {"kernel": held["0.weight"].T, "bias": held["0.bias"]},
        "norm": {"scale": held["2.weight"], "bias": held["2.bias"]},
        "fc2": {"kernel": held["3.weight"].T, "bias": held["3.bias"]},
    }

    @jax.jit
    def step(state: Any, batch: Any) -> Any:
        params, opt_state = state
        loss, grads = jax.value_and_grad(lambda p: cross_entropy(net.apply({"params": p}, batch[0]), batch[1]))(params)
        updates, opt_state = tx.update(grads, opt_state, params)
        return (optax.apply_updates(params, updates), opt_state), {"loss": loss, "grads": grads}

    return parity.from_jax(step, (params, tx.init(params)))


def flax_cnn(model: Any, tx: Any, *, momentum: float = 0.9, epsilon: float = 1e-5, unbiased: bool = True) -> Any:
    """flax's linen with batch statistics, images turned to its layout."""

    class Net(linen.Module):
        @linen.compact
        def __call__(self, x: Any) -> Any:
            x = linen.Conv(4, (3, 3), padding=1, name="conv")(jnp.transpose(x, (0, 2, 3, 1)))
            x = linen.BatchNorm(False, momentum=momentum, epsilon=epsilon, use_fast_variance=False, name="norm")(x)
            x = jnp.transpose(linen.relu(x), (0, 3, 1, 2))
            return linen.Dense(3, name="fc")(x.reshape(len(x), -1))

    held, net = numbers(model), Net()
    params = {
        "conv": {"kernel": jnp.transpose(held["0.weight"], (2, 3, 1, 0)), "bias": held["0.bias"]},
        "norm": {"scale": held["1.weight"], "bias": held["1.bias"]},
        "fc": {"kernel": held["4.weight"].T, "bias": held["4.bias"]},
    }
    stats = {"norm": {"mean": held["1.running_mean"], "var": held["1.running_var"]}}

    @jax.jit
    def step(state: Any, batch: Any) -> Any:
        params, stats, opt_state = state

        def loss_fn(params: Any) -> Any:
            variables = {"params": params, "batch_stats": stats}
            out, new = net.apply(variables, batch[0], mutable=["batch_stats"])
            return cross_entropy(out, batch[1]), new["batch_stats"]

        (loss, new), grads = jax.value_and_grad(loss_fn, has_aux=True)(params)
        if unbiased:
            old, var = stats["norm"]["var"], new["norm"]["var"]
            new = {"norm": {**new["norm"], "var": old * momentum + (var - momentum * old) * 360 / 359}}
        updates, opt_state = tx.update(grads, opt_state, params)
        state = optax.apply_updates(params, updates), new, opt_state
        return state, {"loss": loss, "grads": grads}

    return parity.from_jax(step, (params, stats, tx.init(params)))


def equinox_mlp(model: Any, tx: Any, *, approximate: bool = False, tells: tuple[str, ...] = ("loss", "grads")) -> Any:
    """equinox."""

    class Net(eqx.Module):
        fc1: eqx.nn.Linear
        norm: eqx.nn.LayerNorm
        fc2: eqx.nn.Linear

        def __call__(self, x: Any) -> Any:
            return self.fc2(self.norm(jax.nn.gelu(self.fc1(x), approximate=approximate)))

    keys, held = jax.random.split(jax.random.key(0)), numbers(model)
    net = Net(eqx.nn.Linear(6, 8, key=keys[0]), eqx.nn.LayerNorm(8), eqx.nn.Linear(8, 3, key=keys[1]))
    names = ("0.weight", "0.bias", "2.weight", "2.bias", "3.weight", "3.bias")

    def leaves(net: Any) -> Any:
        return net.fc1.weight, net.fc1.bias, net.norm.weight, net.norm.bias, net.fc2.weight, net.fc2.bias

    net = eqx.tree_at(leaves, net, tuple(held[name] for name in names))

    @eqx.filter_jit
    def step(state: Any, batch: Any) -> Any:
        net, opt_state = state
        loss_fn = eqx.filter_value_and_grad(lambda net: cross_entropy(jax.vmap(net)(batch[0]), batch[1]))
        loss, grads = loss_fn(net)
        updates, opt_state = tx.update(grads, opt_state, net)
        told = {"loss": loss, "grads": grads}
        return (eqx.apply_updates(net, updates), opt_state), {name: told[name] for name in tells}

    return parity.from_jax(step, (net, tx.init(eqx.filter(net, eqx.is_array))))
