"""What stands in ``.grad`` over ten iterations on one sample: cleared, not cleared, and without a step?

Sample 1012 of FashionMNIST's training file, seed 1, the perceptron 784-512-512-10, SGD(1e-4). After each iteration the
first six gradients of the second layer's bias (``list(model.parameters())[3].grad[0:6]``), in four loops:

- with ``zero_grad()``: nearly the same gradient each time, since one step of 1e-4 changes little;
- without ``zero_grad()``: each backward adds to what is there, and the steps grow with it;
- with ``zero_grad()``, without ``step()``: the same gradient each time;
- without both: exactly k times the first gradient, up to rounding.

In JAX there is no buffer: the loop passes the tree on to the next ``backward`` or it does not.

    python -m experiments run fashion_mnist_buffers        # about 5 s
    expected: cleared, iteration 0: 0.0000, 0.0000, 0.0023, 0.0173, 0.0000, 0.0447
              not cleared, iteration 1: 0.0000, 0.0000, 0.0045, 0.0345, 0.0000, 0.0894
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.experiment import Experiment, Record, Settings
from experiments.common.fashion import load_images, perceptron, pixels
from jaxgrad import autograd, func, nn, optim, random
from jaxgrad.nn import functional as F
from jaxgrad.parity.claim import Exact, Info
from jaxgrad.parity.jax_training import build

SAMPLE = 1012
ITERATIONS = 10
BIAS = "3.bias"
LR = 1e-4


@dataclass(frozen=True)
class Loop:
    """One way to write the loop."""

    name: str
    zero_grad: bool
    step: bool


LOOPS = (
    Loop("zero_grad, step", True, True),
    Loop("no zero_grad, step", False, True),
    Loop("zero_grad, no step", True, False),
    Loop("no zero_grad, no step", False, False),
)


def sample(settings: Settings) -> tuple[np.ndarray, np.ndarray, str]:
    data = load_images(settings)
    return pixels(data.images[SAMPLE : SAMPLE + 1]), data.labels[SAMPLE : SAMPLE + 1], data.source


def ours(settings: Settings) -> Record:
    x, y, source = sample(settings)
    rngs = nn.Rngs(random.manual_seed(settings.seed))
    model = nn.Sequential(*(build(kind, args, rngs) for kind, *args in perceptron(x).layers))
    initial, _ = func.extract(model)
    labels = jnp.asarray(y)
    tx = optim.SGD(LR)

    @jax.jit
    def backward(params: Any, grads: Any) -> Any:
        return autograd.backward(
            lambda params: F.cross_entropy(func.functional_call(model, params, x), labels), params, grads=grads
        )

    step = jax.jit(lambda params, grads, state: optim.step(tx, params, grads, state))
    record: Record = {"data": source, "label": int(y[0])}
    for loop in LOOPS:
        params, opt_state = initial, tx.init(initial)
        grads: Any = None
        biases, losses = [], []
        for _ in range(ITERATIONS):
            loss, grads = backward(params, None if loop.zero_grad else grads)
            if loop.step:
                params, opt_state = step(params, grads, opt_state)
            biases.append(np.asarray(grads[BIAS]))
            losses.append(np.asarray(loss))
        record |= _rows(loop, np.stack(biases), np.stack(losses))
    return record


def reference(settings: Settings, dtype: str) -> Record:
    import torch

    x, y, source = sample(settings)
    inputs, labels = torch.from_numpy(x).to(getattr(torch, dtype)), torch.from_numpy(y)
    record: Record = {"data": source, "label": int(y[0])}
    for loop in LOOPS:
        torch.manual_seed(settings.seed)
        layers = (getattr(torch.nn, kind)(*args) for kind, *args in perceptron(x).layers)
        model = torch.nn.Sequential(*layers).to(inputs.dtype)
        optimizer = torch.optim.SGD(model.parameters(), lr=LR)
        biases, losses = [], []
        for _ in range(ITERATIONS):
            if loop.zero_grad:
                optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(inputs), labels)
            loss.backward()
            if loop.step:
                optimizer.step()
            biases.append(list(model.parameters())[3].grad.numpy().copy())
            losses.append(loss.detach().numpy())
        record |= _rows(loop, np.stack(biases), np.stack(losses))
    return record


def _rows(loop: Loop, biases: np.ndarray, losses: np.ndarray) -> Record:
    first = {f"{loop.name}: iteration {i}": bias[:6] for i, bias in enumerate(biases)}
    return first | {f"{loop.name}: all gradients": biases, f"{loop.name}: losses": losses}


def figure(figure: Any, results: Any) -> None:
    growth, losses = figure.subplots(1, 2)
    figure.suptitle("One sample, ten iterations: what the loop passes on")
    for loop in LOOPS:
        style = "-o" if loop.step else "--s"
        for record, marks in ((results.ours, style), (results.reference, "kx")):
            if record is not None:
                label = loop.name if record is results.ours else None
                norms = np.linalg.norm(record[f"{loop.name}: all gradients"], axis=1)
                growth.plot(norms, marks, markersize=4, label=label)
                losses.plot(record[f"{loop.name}: losses"], marks, markersize=4, label=label)
    growth.set(xlabel="iteration", ylabel="norm of the bias gradient", title="lines: jaxgrad, crosses: torch")
    losses.set(xlabel="iteration", ylabel="loss", title="loss before the step")
    growth.legend(fontsize=8)


EXPERIMENT = Experiment(
    name="fashion_mnist_buffers",
    number=3,
    question="What stands in .grad over ten iterations on one sample?",
    ours=ours,
    reference=reference,
    figure=figure,
    seed=1,
    claims={"data": Exact(), "label": Exact(), "*: iteration *": Info(measured=True)},
    answer="Without zero_grad and without steps six entries of the gradients are {no zero_grad, no step: iteration 0} "
    "at first and {no zero_grad, no step: iteration 9} in the tenth iteration: ten times as much.",
    expected="With zero_grad the gradient stays what it is; without, iteration k holds the sum of k + 1 gradients and "
    "every step is larger than the one before.",
)
