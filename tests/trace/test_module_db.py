"""PyTorch's database of modules, traced: loss and every gradient beside eager torch, float64, training mode."""

import warnings

import jax.numpy as jnp
import pytest

pytest.importorskip("torch", reason="the reference is not installed")
pytest.importorskip("expecttest", reason="torch's databases need it")

import torch

from jaxgrad import autograd, random, trace
from jaxgrad.parity import distance
from jaxgrad.parity.torch_side import to_numpy

LEFT_OUT = {
    **dict.fromkeys([f"Lazy{kind}{n}d" for kind in ("Conv", "ConvTranspose") for n in (1, 2, 3)], "no shapes yet"),
    "CTCLoss": "its lengths are tensors in the database; with lists it is traced (test_from_torch)",
    "FractionalMaxPool2d": "its draw is an argument of the operation that torch makes outside of the graph's reach",
    "FractionalMaxPool3d": "as FractionalMaxPool2d",
}


WITH_GRADIENT = {"SoftMarginLoss": 1}
"""How many of the arguments have a derivative in torch, where not all do."""


def database():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_modules import module_db
    return {info.module_cls.__name__: info for info in module_db}


class Summed(torch.nn.Module):
    """A module of the database with its inputs as parameters, so that every input has a gradient."""

    def __init__(self, module, args, kwargs, last=None):
        super().__init__()
        self.module, self.kwargs = module, kwargs
        floating = [isinstance(each, torch.Tensor) and each.is_floating_point() for each in args[:last]]
        self.places = [place for place, each in enumerate(floating) if each]
        self.own = torch.nn.ParameterList([args[i].detach().clone() for i in self.places])
        self.args = args

    def forward(self, _):
        args = list(self.args)
        for place, value in zip(self.places, self.own, strict=True):
            args[place] = value
        out = self.module(*args, **self.kwargs)
        leaves = [leaf for leaf in torch.utils._pytree.tree_leaves(out) if isinstance(leaf, torch.Tensor)]
        return sum(
            (leaf * (1 + torch.arange(leaf.numel(), dtype=leaf.dtype).reshape(leaf.shape)).sin()).sum()
            for leaf in leaves
            if leaf.is_floating_point()
        )


def samples(info, limit):
    torch.manual_seed(0)
    found = info.module_inputs_func(info, device="cpu", dtype=torch.float64, requires_grad=False, training=True)
    return list(found)[:limit]


def check(name, limit):
    info = database()[name]
    for number, sample in enumerate(samples(info, limit)):
        built = sample.constructor_input
        torch.manual_seed(1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # nested tensors, which torch would rather have
            module = info.module_cls(*built.args, **built.kwargs).double().train()
        given = sample.forward_input
        whole = Summed(module, given.args, given.kwargs, WITH_GRADIENT.get(name))
        if not list(whole.parameters()):
            continue
        one = torch.zeros(1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            traced = trace.from_torch(whole, lambda out: out, (one,))
            (loss, aux), grads = autograd.backward(
                lambda p, x, traced=traced: traced.loss_fn(p, x, generator=random.manual_seed(5)),
                traced.params,
                jnp.zeros(1),
                has_aux=True,
            )
            torch.manual_seed(5)
            theirs = whole(one)
            theirs.backward()
        assert distance(loss, to_numpy(theirs)).relative < 1e-10, (name, number)
        for key, value in whole.named_parameters():
            mine = 0 * traced.params[key] if grads[key] is None else grads[key]
            yours = torch.zeros_like(value) if value.grad is None else value.grad
            measured = distance(mine, to_numpy(yours))
            assert measured.relative < 1e-10 or measured.absolute < 1e-13, (name, number, key, measured)
        for key, value in whole.named_buffers():
            assert distance(aux.buffers[key], to_numpy(value)).relative < 1e-10, (name, number, key)


NAMES = [name for name in database() if name not in LEFT_OUT]


@pytest.mark.parametrize("name", ["Hardswish", "GRU", "GroupNorm", "MaxPool2d", "MultiheadAttention", "HuberLoss"])
def test_some(name, x64):
    check(name, 1)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", NAMES)
def test_all(name, x64):
    check(name, 2)
