"""What does ``zero_grad()`` do, and what happens without it?

Seed 42; two batches of 32 random rows; Linear(10, 10), ReLU, Linear(10, 3); cross-entropy; Adam with its defaults.
The first gradient from ``autograd.grad`` equals what ``backward()`` leaves in ``.grad``. Without ``zero_grad`` the
second ``backward()`` leaves the sum of both. Here the sum is written down: ``backward(..., grads=grads)``.

What that does to training is measured on 128 fixed rows, four batches of 32, with SGD, so that nothing but the sum can
change the result:

- *cleared*: a step after every batch;
- *summed on purpose*: a quarter of each of the four losses is pulled back, then one step: the gradients add up to that
  of the large batch, which is what summing is for when 128 rows do not fit;
- *the large batch*: all 128 rows at once, for comparison;
- *never cleared*: a step after every batch with all gradients so far, which is momentum 1: faster at first, but nothing
  ever slows it down, so it overshoots, and at a learning rate that is good for the others it diverges.

    python -m experiments run zero_grad            # about 5 s
    expected: loss 1 = 1.1118, loss 2 = 1.1516, grad 1 begins -1.3665e-02, -1.8583e-02, 8.0944e-03
"""

from typing import Any

import jax
import numpy as np

from experiments.common.experiment import Experiment, Record, Settings
from jaxgrad import autograd, func, nn, optim, random
from jaxgrad.nn import functional as F
from jaxgrad.parity.claim import Exact, Info

WEIGHT = "0.weight"
LR = 0.5
MICRO_BATCHES = 4
UPDATES = {"cleared": 64, "summed on purpose": 16, "the large batch": 16, "never cleared": 64}
"""How many optimizer steps each way makes; all of them see every row sixteen times."""


def ours(settings: Settings) -> Record:
    generator = random.manual_seed(settings.seed)
    x1, generator = random.randn(generator, (32, 10))
    y1, generator = random.randint(generator, 0, 3, (32,))
    rngs = nn.Rngs(generator)
    model = nn.Sequential(nn.Linear(10, 10, rngs=rngs), nn.ReLU(), nn.Linear(10, 3, rngs=rngs))
    x2, generator = random.randn(rngs.generator, (32, 10))
    y2, generator = random.randint(generator, 0, 3, (32,))
    params, _ = func.extract(model)

    def loss_fn(params: Any, x: Any, y: Any) -> Any:
        return F.cross_entropy(func.functional_call(model, params, x), y)

    tx = optim.Adam()
    opt_state = tx.init(params)

    @jax.jit
    def backward(params: Any, x: Any, y: Any, grads: Any = None) -> Any:
        return autograd.backward(loss_fn, params, x, y, grads=grads)

    loss1, grads1 = backward(params, x1, y1)
    again = jax.jit(autograd.grad, static_argnums=0)(loss_fn, params, x1, y1)
    params, opt_state = jax.jit(optim.step, static_argnums=0)(tx, params, grads1, opt_state)

    loss2, grads2 = backward(params, x2, y2)
    _, accumulated = backward(params, x2, y2, grads1)

    return {
        "loss 1": loss1,
        "loss 2": loss2,
        "grad 1, first row": np.asarray(grads1[WEIGHT][0]),
        "grad 1": np.asarray(grads1[WEIGHT]),
        "grad() equals backward()": _equal(again[WEIGHT], grads1[WEIGHT]),
        "accumulated, first row": np.asarray(accumulated[WEIGHT][0]),
        "accumulated": np.asarray(accumulated[WEIGHT]),
        "accumulated equals grad 1 + grad 2": _equal(accumulated[WEIGHT], grads1[WEIGHT] + grads2[WEIGHT]),
    } | _our_trainings(loss_fn, func.extract(model)[0], generator)


def _our_trainings(loss_fn: Any, initial: Any, generator: random.Generator) -> Record:
    x, generator = random.randn(generator, (MICRO_BATCHES, 32, 10))
    y, generator = random.randint(generator, 0, 3, (MICRO_BATCHES, 32))
    rows, labels = x.reshape(-1, 10), y.reshape(-1)
    tx = optim.SGD(LR)

    def scaled(params: Any, x: Any, y: Any) -> Any:
        return loss_fn(params, x, y) / MICRO_BATCHES

    backward = jax.jit(lambda params, x, y, grads: autograd.backward(loss_fn, params, x, y, grads=grads)[1])
    backward_scaled = jax.jit(lambda params, x, y, grads: autograd.backward(scaled, params, x, y, grads=grads)[1])
    step = jax.jit(lambda params, grads, state: optim.step(tx, params, grads, state))
    whole_loss = jax.jit(lambda params: loss_fn(params, rows, labels))

    record: Record = {}
    for way, updates in UPDATES.items():
        params, state, grads, losses = initial, tx.init(initial), None, [whole_loss(initial)]
        for update in range(updates):
            i = update % MICRO_BATCHES
            if way == "summed on purpose":
                grads = None
                for k in range(MICRO_BATCHES):
                    grads = backward_scaled(params, x[k], y[k], grads)
            elif way == "the large batch":
                grads = backward(params, rows, labels, None)
            else:
                grads = backward(params, x[i], y[i], grads if way == "never cleared" else None)
            params, state = step(params, grads, state)
            losses.append(whole_loss(params))
        record |= _training_rows(way, np.stack(losses))
    return record


def _training_rows(way: str, losses: np.ndarray) -> Record:
    return {f"{way}, last loss": losses[-1], f"{way}, losses": losses}


def reference(settings: Settings, dtype: str) -> Record:
    import copy

    import torch

    wide = getattr(torch, dtype)
    torch.manual_seed(settings.seed)
    x1, y1 = torch.randn(32, 10), torch.LongTensor(32).random_(3)
    model = torch.nn.Sequential(torch.nn.Linear(10, 10), torch.nn.ReLU(), torch.nn.Linear(10, 3))
    x2, y2 = torch.randn(32, 10), torch.LongTensor(32).random_(3)
    model, x1, x2 = model.to(wide), x1.to(wide), x2.to(wide)
    initial = copy.deepcopy(model)
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
    } | _torch_trainings(initial, criterion, wide)


def _torch_trainings(initial: Any, criterion: Any, dtype: Any) -> Record:
    import copy

    import torch

    x = torch.randn(MICRO_BATCHES, 32, 10).to(dtype)
    y = torch.LongTensor(MICRO_BATCHES, 32).random_(3)
    rows, labels = x.reshape(-1, 10), y.reshape(-1)

    record: Record = {}
    for way, updates in UPDATES.items():
        model = copy.deepcopy(initial)
        optimizer = torch.optim.SGD(model.parameters(), lr=LR)

        def whole_loss(model: Any = model) -> Any:
            with torch.no_grad():
                return criterion(model(rows), labels).numpy()

        losses = [whole_loss()]
        for update in range(updates):
            i = update % MICRO_BATCHES
            if way != "never cleared":
                optimizer.zero_grad()
            if way == "summed on purpose":
                for k in range(MICRO_BATCHES):
                    (criterion(model(x[k]), y[k]) / MICRO_BATCHES).backward()
            elif way == "the large batch":
                criterion(model(rows), labels).backward()
            else:
                criterion(model(x[i]), y[i]).backward()
            optimizer.step()
            losses.append(whole_loss())
        record |= _training_rows(way, np.stack(losses))
    return record


def _equal(a: Any, b: Any) -> str:
    return "yes" if np.array_equal(np.asarray(a), np.asarray(b)) else "no"


def figure(figure: Any, results: Any) -> None:
    left, right = figure.subplots(1, 2, width_ratios=(2, 3))
    figure.suptitle("zero_grad: what is passed on, and what that does")
    rows = {"grad 1": "grad 1, first row", "without zero_grad": "accumulated, first row"}
    for k, (label, name) in enumerate(rows.items()):
        left.bar(np.arange(10) + 0.4 * (k - 0.5), results.ours[name], width=0.4, label=label)
        if results.reference is not None:
            left.plot(np.arange(10) + 0.4 * (k - 0.5), results.reference[name], "kx", markersize=4)
    left.set(xlabel="weight", title="first row of the first weight's gradient\n(bars: jaxgrad, crosses: torch)")
    left.legend(fontsize=8)
    for way, updates in UPDATES.items():
        passes = np.arange(updates + 1) * 16 / updates
        style = "--" if way == "the large batch" else "-"
        right.plot(passes, results.ours[f"{way}, losses"], style, label=way)
        if results.reference is not None:
            right.plot(passes[::4], results.reference[f"{way}, losses"][::4], "kx", markersize=4)
    right.set(xlabel="passes over the 128 rows", ylabel="loss on all rows", title=f"SGD, lr {LR}")
    right.legend(fontsize=8)


EXPERIMENT = Experiment(
    name="zero_grad",
    number=1,
    question="What does zero_grad() do, and what happens without it?",
    ours=ours,
    reference=reference,
    figure=figure,
    seed=42,
    claims={"* equals *": Exact(), "*last loss": Info(measured=True), "*first row": Info(measured=True)},
    answer="After two batches of one run the loss is {loss 1}, then {loss 2}; trained on, it ends at {cleared, "
    "last loss} with zero_grad and at {never cleared, last loss} without. Four quarters summed on purpose "
    "end at {summed on purpose, last loss}, the large batch at {the large batch, last loss}.",
    expected="Without zero_grad the second backward leaves the sum of both gradients. Summed on purpose it is the "
    "large batch; never cleared, the sum of all past gradients drives each step: faster at first, then it "
    "diverges.",
)
