"""Can a line be fitted with gradients that one writes oneself?

y = 3 x + 4 with noise, 100 points; the loss is the mean squared error, so its gradients are sums over the data divided
by n: dw = (2/n) sum (w x + b - y) x, db = (2/n) sum (w x + b - y). The loop is one ``lax.scan``: the state goes in, the
state comes out, nothing is updated in place. ``autograd.backward`` gives the same two numbers at every step, and a sum
instead of a mean is the same run with a learning rate n times smaller.

    python -m experiments run linear_regression         # about 5 s
    expected: w near 3, b near 4; by hand, by autodiff and in torch the same curve
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.experiment import Experiment, Record, Settings
from jaxgrad import autograd, random
from jaxgrad.nn import functional as F

POINTS = 100
SLOPE, INTERCEPT, SPREAD = 3.0, 4.0, 0.5
LR = 0.1


def _steps(settings: Settings) -> int:
    return 50 if settings.quick else 200


def by_hand(theta: Any, x: Any, y: Any) -> Any:
    """The gradients of the mean squared error, as sums divided by n."""
    error = theta["w"] * x + theta["b"] - y
    return {"w": 2 * (error * x).sum() / len(x), "b": 2 * error.sum() / len(x)}


def by_autodiff(theta: Any, x: Any, y: Any) -> Any:
    """The same by ``autograd.backward``."""
    return autograd.backward(lambda theta: F.mse_loss(theta["w"] * x + theta["b"], y), theta)[1]


def by_sum(theta: Any, x: Any, y: Any) -> Any:
    """The gradient of the sum of squares, n times as large, taken by a learning rate n times smaller."""
    loss = lambda theta: F.mse_loss(theta["w"] * x + theta["b"], y, reduction="sum")  # noqa: E731
    return jax.tree.map(lambda g: g / len(x), autograd.backward(loss, theta)[1])


WAYS: dict[str, Callable[..., Any]] = {"by hand": by_hand, "by autodiff": by_autodiff, "by the sum": by_sum}


def ours(settings: Settings) -> Record:
    generator = random.manual_seed(settings.seed)
    x, generator = random.randn(generator, (POINTS,))
    noise, generator = random.randn(generator, (POINTS,))
    y = SLOPE * x + INTERCEPT + SPREAD * noise
    record: Record = {}
    for way, gradient in WAYS.items():

        def step(theta: Any, _: Any, gradient: Any = gradient) -> tuple[Any, Any]:
            loss = ((theta["w"] * x + theta["b"] - y) ** 2).mean()
            return jax.tree.map(lambda t, g: t - LR * g, theta, gradient(theta, x, y)), loss

        start = {"w": jnp.zeros(()), "b": jnp.zeros(())}
        end, losses = jax.jit(lambda theta, step=step: jax.lax.scan(step, theta, None, length=_steps(settings)))(start)
        record |= _rows(way, losses, end["w"], end["b"])
    return record


def reference(settings: Settings, dtype: str) -> Record:
    import torch

    torch.manual_seed(settings.seed)
    x, noise = torch.randn(POINTS), torch.randn(POINTS)
    y = (SLOPE * x + INTERCEPT + SPREAD * noise).to(getattr(torch, dtype))
    x = x.to(y.dtype)
    record: Record = {}
    for way in WAYS:
        w, b = (torch.zeros((), dtype=y.dtype, requires_grad=True) for _ in "wb")
        optimizer = torch.optim.SGD([w, b], LR if way != "by the sum" else LR / POINTS)
        losses = []
        for _ in range(_steps(settings)):
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(w * x + b, y)
            if way == "by hand":
                with torch.no_grad():
                    error = w * x + b - y
                    w.grad, b.grad = 2 * (error * x).sum() / POINTS, 2 * error.sum() / POINTS
            elif way == "by the sum":
                torch.nn.functional.mse_loss(w * x + b, y, reduction="sum").backward()
            else:
                loss.backward()
            optimizer.step()
            losses.append(loss.item())
        record |= _rows(way, losses, w.detach(), b.detach())
    return record


def _rows(way: str, losses: Any, w: Any, b: Any) -> Record:
    return {f"loss, {way}": np.asarray(losses), f"w and b, {way}": np.asarray([w, b])}


def figure(figure: Any, results: Any) -> None:
    left, right = figure.subplots(1, 2)
    figure.suptitle(f"y = {SLOPE:g} x + {INTERCEPT:g} with noise of {SPREAD:g}: the error falls to that of the noise")
    for way, style in zip(WAYS, ("-", "--", ":"), strict=True):
        losses = results.ours[f"loss, {way}"]
        left.plot(losses, style, label=way)
    if results.reference is not None:
        theirs = results.reference["loss, by autodiff"]
        left.plot(np.arange(0, len(theirs), 10), theirs[::10], "kx", markersize=4, label="torch")
    left.axhline(SPREAD**2, color="black", linewidth=0.5)
    left.set(xlabel="step", ylabel="mean squared error", yscale="log")
    left.legend()
    for k, way in enumerate(WAYS):
        right.plot(*results.ours[f"w and b, {way}"], "o", markersize=12 - 4 * k, label=way)
    right.plot(SLOPE, INTERCEPT, "k+", markersize=12, label="without noise")
    right.set(xlabel="w", ylabel="b", title="where the three runs end")
    right.legend()


EXPERIMENT = Experiment(
    name="linear_regression",
    number=11,
    question="Can a line be fitted with gradients that one writes oneself?",
    ours=ours,
    reference=reference,
    figure=figure,
    answer="w and b come out as {w and b, by hand} by hand and as {w and b, by autodiff} by autodiff.",
    expected="w near 3 and b near 4; by hand, by autodiff and as a sum with a smaller step it is the same run.",
)
