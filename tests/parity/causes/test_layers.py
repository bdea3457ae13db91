"""Modules computed once more are torch's; and what only a changed call of torch's tells."""

from functools import partial

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from jaxgrad import parity
from jaxgrad.parity.causes import layers
from jaxgrad.parity.causes.layers import FORMULAS, Layer

nn = torch.nn
IMAGE, ROWS, WORDS = (3, 4, 6, 6), (5, 8), (3, 7)
MODULES = [
    (nn.Linear(8, 3), ROWS),
    (nn.Conv1d(4, 6, 3, stride=2, padding=1, groups=2), (2, 4, 9)),
    (nn.Conv2d(4, 3, 3, padding="same", dilation=2), IMAGE),
    (nn.BatchNorm2d(4), IMAGE),
    (nn.LayerNorm((6, 6)), IMAGE),
    (nn.RMSNorm(8), ROWS),
    (nn.GroupNorm(2, 4), IMAGE),
    (nn.AvgPool2d(3, 2, 1, ceil_mode=True), IMAGE),
    (nn.Upsample(scale_factor=2, mode="bilinear"), IMAGE),
    (nn.Upsample(size=(4, 5)), IMAGE),
    (nn.LSTM(8, 5, num_layers=2), (4, 3, 8)),
    (nn.GRU(8, 5, batch_first=True), (4, 3, 8)),
    (nn.Softmax(1), ROWS),
    *((getattr(nn, name)(), ROWS) for name in layers.ACTIVATIONS),
]


@pytest.mark.parametrize("module, shape", MODULES, ids=lambda value: type(value).__name__)
def test_a_module_again(module, shape):
    torch.manual_seed(0)
    module = module.double()
    x = torch.randn(shape, dtype=torch.float64)
    state = {name: value.detach().numpy().copy() for name, value in module.state_dict().items()}
    out = module(x)
    out = (out[0] if isinstance(out, tuple) else out).detach().numpy()
    options = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    again = Layer(type(module).__name__, options, state, x.numpy(), out, out).out()
    np.testing.assert_allclose(again, out, rtol=1e-10, atol=1e-12)


def test_every_formula_is_tried():
    assert {type(module).__name__ for module, _ in MODULES} >= {
        name for name in FORMULAS if not name.startswith(("Dropout", "Conv3", "AvgPool", "BatchNorm", "Embed", "LogS"))
    }


class Attention(nn.Module):
    """A block that calls functions, so that nobody sees what is between them."""

    def __init__(self, **wrong):
        super().__init__()
        self.qkv, self.out, self.wrong = nn.Linear(8, 24), nn.Linear(8, 3), wrong

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, -1)
        options = {"is_causal": True, **{key: each for key, each in self.wrong.items() if key != "gelu"}}
        x = F.scaled_dot_product_attention(q, k, v, **options)
        return self.out(F.gelu(x, approximate=self.wrong.get("gelu", "none"))).mean(1)


class BeforeGRU(nn.GRU):
    """The reset gate in front of the product."""

    def forward(self, x):
        h, outs = torch.zeros(x.shape[0], self.hidden_size, dtype=x.dtype), []
        w, u, b, c = self.weight_ih_l0, self.weight_hh_l0, self.bias_ih_l0, self.bias_hh_l0
        n = self.hidden_size
        for now in x.unbind(1):
            r, z = torch.sigmoid(now @ w[: 2 * n].T + b[: 2 * n] + h @ u[: 2 * n].T + c[: 2 * n]).chunk(2, -1)
            new = torch.tanh(now @ w[2 * n :].T + b[2 * n :] + (r * h) @ u[2 * n :].T + c[2 * n :])
            h = (1 - z) * new + z * h
            outs.append(h)
        return torch.stack(outs, 1), h[None]


class ForgetLSTM(nn.LSTM):
    """One added to the forget gate."""

    def forward(self, x):
        h = c = torch.zeros(x.shape[0], self.hidden_size, dtype=x.dtype)
        outs = []
        for now in x.unbind(1):
            gates = F.linear(now, self.weight_ih_l0, self.bias_ih_l0) + F.linear(h, self.weight_hh_l0, self.bias_hh_l0)
            i, f, g, o = gates.chunk(4, -1)
            c = torch.sigmoid(f + 1) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            outs.append(h)
        return torch.stack(outs, 1), (h[None], c[None])


class UnbiasedNorm(nn.LayerNorm):
    """By the unbiased variance."""

    def forward(self, x):
        centred = x - x.mean(-1, keepdim=True)
        return centred / torch.sqrt(x.var(-1, keepdim=True) + self.eps) * self.weight + self.bias


class SameConv(nn.Conv2d):
    """Padded behind only."""

    def forward(self, x):
        return F.conv2d(F.pad(x, (0, 1, 0, 1)), self.weight, self.bias, self.stride)


class Around(nn.Module):
    """One module and a linear layer."""

    def __init__(self, kind=None, of=None):
        super().__init__()
        cls, args, options, size = BODIES[of]
        self.body = (kind or cls)(*args, **options)
        self.out = nn.Linear(size, 3)

    def forward(self, x):
        y = self.body(x.reshape(x.shape[0], 1, 5, 8)[..., :4, :] if isinstance(self.body, nn.Conv2d) else x)
        return self.out((y[0] if isinstance(y, tuple) else y).flatten(1))


BODIES = {
    "gru": (nn.GRU, (8, 3), {"batch_first": True}, 15),
    "lstm": (nn.LSTM, (8, 3), {"batch_first": True}, 15),
    "norm": (nn.LayerNorm, (8,), {}, 40),
    "conv": (nn.Conv2d, (1, 2, 3), {"stride": 2, "padding": 1}, 16),
}

WEIGHT = torch.tensor([0.2, 1.0, 3.0])


def weighted(out, y):
    return F.cross_entropy(out, y, WEIGHT.to(out.dtype))


def over_examples(out, y):
    return F.cross_entropy(out, y, WEIGHT.to(out.dtype), reduction="none").mean()


def some_ignored(out, y):
    return F.cross_entropy(out, y, ignore_index=0)


def all_counted(out, y):
    return F.cross_entropy(out, y, ignore_index=0, reduction="sum") / len(y)


PAIRS = [
    (Attention, {"scale": 1.0}, F.cross_entropy, F.cross_entropy, "attention_scale_missing"),
    (Attention, {"is_causal": False}, F.cross_entropy, F.cross_entropy, "attention_mask_missing"),
    (Attention, {"gelu": "tanh"}, F.cross_entropy, F.cross_entropy, "gelu_tanh"),
    (Attention, {}, weighted, F.cross_entropy, "class_weights"),
    (Attention, {}, weighted, over_examples, "class_weights"),
    (Attention, {}, F.cross_entropy, F.cross_entropy, None),
    (partial(Around, of="gru"), {"kind": BeforeGRU}, F.cross_entropy, F.cross_entropy, "reset_before_product"),
    (partial(Around, of="lstm"), {"kind": ForgetLSTM}, F.cross_entropy, F.cross_entropy, "forget_bias"),
    (partial(Around, of="norm"), {"kind": UnbiasedNorm}, F.cross_entropy, F.cross_entropy, "norm_variance"),
    (partial(Around, of="conv"), {"kind": SameConv}, F.cross_entropy, F.cross_entropy, "padding_same"),
    (partial(Around, of="gru"), {}, some_ignored, all_counted, "ignored_targets_counted"),
    (partial(Around, of="gru"), {}, F.cross_entropy, F.cross_entropy, None),
]


@pytest.mark.parametrize(
    "make, wrong, loss, wrong_loss, cause", PAIRS, ids=lambda value: getattr(value, "__name__", str(value))
)
def test_a_function_called_otherwise(make, wrong, loss, wrong_loss, cause):
    rng = np.random.default_rng(0)
    batches = [(rng.normal(size=(4, 5, 8)).astype(np.float32), rng.integers(0, 3, 4)) for _ in range(2)]
    sides = []
    for options, criterion in (({}, loss), (wrong, wrong_loss)):
        torch.manual_seed(0)
        model = make(**options)
        sides.append(parity.from_torch(model, criterion, torch.optim.SGD(model.parameters(), lr=0.1)))
    report = parity.compare(*sides, batches)
    assert report.noise["explaining_failed"] == ""
    assert (None if report.cause is None else report.cause.name) == cause, report.first
    assert report.ok == (cause is None)
