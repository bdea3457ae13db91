"""Which arrays of a layer written by hand are trained?

A linear layer with its own ``nn.Parameter`` of shape (7, 5), for x of (3, 7): y = x W + b of (3, 5). Three layers
differ in what W is: a Parameter is trained and listed, a Buffer is remembered and not trained, a plain array is
neither, a constant of the module. Each takes ten steps of SGD on the same data; what moved is what ``func.extract``
lists among the parameters.

    python -m experiments run custom_layer              # about 5 s
    expected: only the Parameter moves; the plain array is in no list
"""

from typing import Any

import jax.numpy as jnp
import numpy as np

from experiments.common.experiment import Experiment, Record, Settings
from jaxgrad import autograd, func, nn, optim, random
from jaxgrad.nn import functional as F
from jaxgrad.parity.claim import Exact

KINDS = ("Parameter", "Buffer", "plain array")
LR = 0.1


def _steps(settings: Settings) -> int:
    return 5 if settings.quick else 10  # of fewer losses, one run of torch's does not tell its rounding


class Linear(nn.Module):
    """y = x W + b, where W is a Parameter, a Buffer, or a plain array."""

    def __init__(self, weight: Any, kind: str):
        wrap: Any = {"Parameter": nn.Parameter, "Buffer": nn.Buffer, "plain array": jnp.asarray}[kind]
        self.weight = wrap(weight)
        self.bias = nn.Parameter(jnp.zeros(weight.shape[1]))

    def forward(self, x: Any) -> Any:
        return F.linear(x, jnp.asarray(self.weight).T, jnp.asarray(self.bias))


def ours(settings: Settings) -> Record:
    generator = random.manual_seed(settings.seed)
    x, generator = random.randn(generator, (3, 7))
    y, generator = random.randn(generator, (3, 5))
    weight, generator = random.randn(generator, (7, 5))
    record: Record = {}
    for kind in KINDS:
        model = Linear(weight, kind)
        params, buffers = func.extract(model)
        record[f"{kind}: parameters"] = ", ".join(sorted(params))
        record[f"{kind}: buffers"] = ", ".join(buffers) or "none"
        record[f"{kind}: shape of the output"] = str(func.functional_call(model, (params, buffers), x).shape)

        def loss_fn(params: Any, model: Any = model, buffers: Any = buffers) -> Any:
            return F.mse_loss(func.functional_call(model, (params, buffers), x), y)

        tx = optim.SGD(LR)
        state, losses = tx.init(params), []
        for _ in range(_steps(settings)):
            loss, grads = autograd.backward(loss_fn, params)
            params, state = optim.step(tx, params, grads, state)
            losses.append(loss)
        end = params.get("weight", weight)
        record |= _end(kind, losses, end, params["bias"], weight)
    return record


def reference(settings: Settings, dtype: str) -> Record:
    import torch

    wide = getattr(torch, dtype)

    class Layer(torch.nn.Module):
        def __init__(self, weight: torch.Tensor, kind: str):
            super().__init__()
            if kind == "Parameter":
                self.weight = torch.nn.Parameter(weight)
            elif kind == "Buffer":
                self.register_buffer("weight", weight)
            else:
                self.weight = weight
            self.bias = torch.nn.Parameter(torch.zeros(weight.shape[1], dtype=wide))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x @ self.weight + self.bias

    torch.manual_seed(settings.seed)
    x, y, weight = (torch.randn(shape).to(wide) for shape in ((3, 7), (3, 5), (7, 5)))
    record: Record = {}
    for kind in KINDS:
        model = Layer(weight.clone(), kind)
        record[f"{kind}: parameters"] = ", ".join(sorted(name for name, _ in model.named_parameters()))
        record[f"{kind}: buffers"] = ", ".join(name for name, _ in model.named_buffers()) or "none"
        record[f"{kind}: shape of the output"] = str(tuple(model(x).shape))
        optimizer, losses = torch.optim.SGD(model.parameters(), LR), []
        for _ in range(_steps(settings)):
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        record |= _end(kind, losses, model.weight.detach(), model.bias.detach(), weight)
    return record


def _end(kind: str, losses: Any, weight: Any, bias: Any, start: Any) -> Record:
    moved = not np.array_equal(np.asarray(weight), np.asarray(start))
    return {
        f"{kind}: the weight moved": moved,
        f"{kind}: losses": np.asarray(losses),
        f"{kind}: weight after training": np.asarray(weight),
        f"{kind}: bias after training": np.asarray(bias),
    }


def figure(figure: Any, results: Any) -> None:
    panel = figure.subplots()
    for kind in KINDS:
        losses = results.ours[f"{kind}: losses"]
        panel.plot(np.arange(len(losses)), losses, label=f"W is a {kind}")
        if results.reference is not None:
            theirs = results.reference[f"{kind}: losses"]
            panel.plot(np.arange(len(theirs)), theirs, "kx", markersize=4)
    panel.set(xlabel="step", ylabel="loss", yscale="log", title="Only a Parameter is trained (crosses: torch)")
    panel.legend()


EXPERIMENT = Experiment(
    name="custom_layer",
    number=9,
    question="Which arrays of a layer written by hand are trained?",
    ours=ours,
    reference=reference,
    figure=figure,
    claims={
        "*: parameters": Exact(),
        "*: buffers": Exact(),
        "*: shape of the output": Exact(),
        "*: the weight moved": Exact(),
    },
    answer="With W as a Parameter {Parameter: parameters} are trained, as a Buffer {Buffer: parameters} alone, "
    "with {Buffer: buffers} kept; as a plain array {plain array: parameters} alone, and W is not listed.",
    expected="A Parameter is listed and trained, a Buffer is listed and kept, a plain array is neither.",
)
