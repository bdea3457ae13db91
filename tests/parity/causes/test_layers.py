"""Modules computed once more are torch's; and what only a changed call of torch's tells."""

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


class Gates(nn.Module):
    """The last output of a GRU."""

    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(8, 3, batch_first=True)

    def forward(self, x):
        return self.gru(x)[0][:, -1]


WEIGHT = torch.tensor([0.2, 1.0, 3.0])


def weighted(out, y):
    return F.cross_entropy(out, y, WEIGHT.to(out.dtype))


def over_examples(out, y):
    return F.cross_entropy(out, y, WEIGHT.to(out.dtype), reduction="none").mean()


PAIRS = [
    (Attention, {"scale": 1.0}, F.cross_entropy, F.cross_entropy, "attention_scale_missing"),
    (Attention, {"is_causal": False}, F.cross_entropy, F.cross_entropy, "attention_mask_missing"),
    (Attention, {"gelu": "tanh"}, F.cross_entropy, F.cross_entropy, "gelu_tanh"),
    (Attention, {}, weighted, F.cross_entropy, "class_weights"),
    (Attention, {}, weighted, over_examples, "class_weights"),
    (Attention, {}, F.cross_entropy, F.cross_entropy, None),
    (Gates, {}, F.cross_entropy, F.cross_entropy, None),
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
