"""What does ``zero_grad()`` do, and what happens without it?

Seed 42; two batches of 32 random rows; Linear(10, 10), ReLU, Linear(10, 3); cross-entropy; Adam with its defaults.
The first gradient from ``autograd.grad`` equals what ``backward()`` leaves in ``.grad``. Without ``zero_grad`` the
second ``backward()`` leaves the sum of both. Here the sum is written down: ``backward(..., grads=grads)``.

What that does to training is measured on one fixed batch, where nothing but the accumulation can change: gradients that
are never cleared act like momentum without friction, and the same number of batches summed on purpose, with one
step after them, like one large batch.

    python -m experiments run zero_grad            # about 5 s
    expected: loss 1 = 1.1118, loss 2 = 1.1516, grad 1 begins -1.3665e-02, -1.8583e-02, 8.0944e-03
"""

import numpy as np

from experiments.common.experiment import Experiment, Record, Settings
from jaxgrad import autograd, func, nn, optim, random
from jaxgrad.nn import functional as F
from jaxgrad.parity.claim import Exact, Noise

WEIGHT = "0.weight"


def ours(settings: Settings) -> Record:
    generator = random.manual_seed(settings.seed)
    x1, generator = random.randn(generator, (32, 10))
    y1, generator = random.randint(generator, 0, 3, (32,))
    rngs = nn.Rngs(generator)
    model = nn.Sequential(nn.Linear(10, 10, rngs=rngs), nn.ReLU(), nn.Linear(10, 3, rngs=rngs))
    x2, generator = random.randn(rngs.generator, (32, 10))
    y2, generator = random.randint(generator, 0, 3, (32,))
    params, _ = func.extract(model)

    def loss_fn(params, x, y):
        return F.cross_entropy(func.functional_call(model, params, x), y)

    tx = optim.Adam()
    opt_state = tx.init(params)

    loss1, grads1 = autograd.backward(loss_fn, params, x1, y1)
    again = autograd.grad(loss_fn, params, x1, y1)
    params, opt_state = optim.step(tx, params, grads1, opt_state)

    loss2, grads2 = autograd.backward(loss_fn, params, x2, y2)
    _, accumulated = autograd.backward(loss_fn, params, x2, y2, grads=grads1)

    return {
        "loss 1": loss1,
        "loss 2": loss2,
        "grad 1, first row": np.asarray(grads1[WEIGHT][0]),
        "grad 1": np.asarray(grads1[WEIGHT]),
        "grad() equals backward()": _equal(again[WEIGHT], grads1[WEIGHT]),
        "accumulated, first row": np.asarray(accumulated[WEIGHT][0]),
        "accumulated": np.asarray(accumulated[WEIGHT]),
        "accumulated equals grad 1 + grad 2": _equal(accumulated[WEIGHT], grads1[WEIGHT] + grads2[WEIGHT]),
    }


def reference(settings: Settings, dtype: str) -> Record:
    import torch

    wide = getattr(torch, dtype)
    torch.manual_seed(settings.seed)
    x1, y1 = torch.randn(32, 10), torch.LongTensor(32).random_(3)
    model = torch.nn.Sequential(torch.nn.Linear(10, 10), torch.nn.ReLU(), torch.nn.Linear(10, 3))
    x2, y2 = torch.randn(32, 10), torch.LongTensor(32).random_(3)
    model, x1, x2 = model.to(wide), x1.to(wide), x2.to(wide)
    criterion = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters())
    weight = model[0].weight

    loss1 = criterion(model(x1), y1)
    (again,) = torch.autograd.grad(loss1, weight, retain_graph=True)
    loss1.backward()
    grad1 = weight.grad.clone()
    optimizer.step()

    loss2 = criterion(model(x2), y2)
    (grad2,) = torch.autograd.grad(loss2, weight, retain_graph=True)
    loss2.backward()

    return {
        "loss 1": loss1.detach().numpy(),
        "loss 2": loss2.detach().numpy(),
        "grad 1, first row": grad1[0].numpy(),
        "grad 1": grad1.numpy(),
        "grad() equals backward()": _equal(again.numpy(), grad1.numpy()),
        "accumulated, first row": weight.grad[0].numpy(),
        "accumulated": weight.grad.numpy(),
        "accumulated equals grad 1 + grad 2": _equal(weight.grad.numpy(), (grad1 + grad2).numpy()),
    }


def _equal(a, b) -> str:
    return "yes" if np.array_equal(np.asarray(a), np.asarray(b)) else "no"


def figure(figure, results) -> None:
    raise NotImplementedError


EXPERIMENT = Experiment(
    name="zero_grad",
    number=1,
    question="What does zero_grad() do, and what happens without it?",
    ours=ours,
    reference=reference,
    figure=figure,
    seed=42,
    claims={"* equals *": Exact(), "*": Noise()},
)
