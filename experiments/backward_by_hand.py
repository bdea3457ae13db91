"""What does ``backward()`` compute, if one writes it down oneself?

Logistic regression on 200 random rows of 5 numbers, seed 10: the forward is ``h = sigmoid(x w + b)``, the loss the
binary cross-entropy. The chain rule leaves one line for the backward, ``grad_j = (1/m) sum (h - y) x_j``, and the
optimizer is ``theta -= lr grad``. The same gradient is computed three times:

- *by hand*: that line;
- *by autodiff*: ``autograd.backward`` of the loss;
- *by a Function*: forward and that line as the two halves of an ``autograd.Function``, differentiated through.

Each trains for 100 steps. Then ``gradcheck`` judges the Function, as it is and with gradients that are wrong by a
hundredth and by a thousandth: at torch's tolerance (rtol 1e-3) a thousandth passes, at rtol 1e-4 it does not.

    python -m experiments run backward_by_hand            # about 5 s
    expected: all three gradients agree to rounding; gradcheck refuses 1 %, and 0.1 % where it is asked to be strict
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.experiment import Experiment, Record, Settings
from jaxgrad import autograd, random
from jaxgrad.autograd._gradcheck.jacobian import by_rows, numerical, of_differentiable
from jaxgrad.nn import functional as F
from jaxgrad.parity.claim import Exact, Info

ROWS, FEATURES = 200, 5
LR = 1.0
FACTORS = (1.0, 1.001, 1.01)
"""What the Function's gradient is multiplied by before gradcheck sees it."""
TOLERANCES = (1e-3, 1e-4)


def _steps(settings: Settings) -> int:
    return 20 if settings.quick else 100


def forward(theta: Any, x: Any) -> Any:
    """Probabilities: sigmoid(x w + b)."""
    return jax.nn.sigmoid(x @ theta["w"] + theta["b"])


def backward(theta: Any, x: Any, y: Any) -> Any:
    """The gradient by hand: (1/m) sum (h - y) x_j, where the bias has x_j = 1."""
    error = forward(theta, x) - y
    return {"w": error @ x / len(y), "b": error.mean()}


def optimize(theta: Any, grads: Any) -> Any:
    """theta -= lr grad."""
    return jax.tree.map(lambda t, g: t - LR * g, theta, grads)


def loss_fn(theta: Any, x: Any, y: Any) -> Any:
    """The loss that the hand-written line is the gradient of."""
    return F.binary_cross_entropy_with_logits(x @ theta["w"] + theta["b"], y)


def logistic_loss(factor: float = 1.0) -> type[autograd.Function]:
    """Loss and gradient as an autograd.Function; ``factor`` other than 1 plants an error into the gradient."""

    class LogisticLoss(autograd.Function):
        @staticmethod
        def forward(ctx: Any, w: Any, b: Any, x: Any, y: Any) -> Any:
            h = forward({"w": w, "b": b}, x)
            ctx.save_for_backward(h, x, y)
            return -(y * jnp.log(h) + (1 - y) * jnp.log1p(-h)).mean()

        @staticmethod
        def backward(ctx: Any, grad_output: Any) -> Any:
            h, x, y = ctx.saved_tensors
            error = factor * grad_output * (h - y) / len(y)
            return error @ x, error.sum(), None, None

    return LogisticLoss


def ours(settings: Settings) -> Record:
    generator = random.manual_seed(settings.seed)
    x, generator = random.randn(generator, (ROWS, FEATURES))
    hidden, generator = random.randn(generator, (FEATURES,))
    noise, generator = random.randn(generator, (ROWS,))
    y = (x @ hidden + noise > 0).astype(x.dtype)
    start = {"w": jnp.zeros(FEATURES), "b": jnp.zeros(())}

    def by_function(theta: Any, x: Any, y: Any) -> Any:
        return logistic_loss().apply(theta["w"], theta["b"], x, y)

    ways: dict[str, Any] = {
        "by hand": backward,
        "by autodiff": lambda theta, x, y: autograd.backward(loss_fn, theta, x, y)[1],
        "by a Function": lambda theta, x, y: autograd.backward(by_function, theta, x, y)[1],
    }
    record: Record = {}
    for way, gradient in ways.items():
        first, losses, end = _train(gradient, start, x, y, _steps(settings))
        record |= _rows(way, first, losses, end)
    return record | _our_checks(x, y)


def _train(gradient: Any, theta: Any, x: Any, y: Any, steps: int) -> tuple[Any, Any, Any]:
    def step(theta: Any, _: Any) -> Any:
        return optimize(theta, gradient(theta, x, y)), loss_fn(theta, x, y)

    first = jax.jit(gradient)(theta, x, y)
    end, losses = jax.jit(lambda theta: jax.lax.scan(step, theta, None, length=steps))(theta)
    return first, losses, end


def _rows(way: str, first: Any, losses: Any, end: Any) -> Record:
    return {
        f"first gradient of w {way}": np.asarray(first["w"]),
        f"first gradient of b {way}": np.asarray(first["b"]),
        f"last loss {way}": np.asarray(losses)[-1],
        f"w after training {way}": np.asarray(end["w"]),
        f"losses {way}": np.asarray(losses),
    }


def _our_checks(x: Any, y: Any) -> Record:
    """gradcheck in float64, on the first rows."""
    record: Record = {}
    with jax.enable_x64(True):
        rows, labels = (jnp.asarray(np.asarray(each[:20], np.float64)) for each in (x, y))
        point = (jnp.linspace(-0.5, 0.5, FEATURES), jnp.asarray(0.1))
        for factor in FACTORS:
            cls = logistic_loss(factor)

            def fn(w: Any, b: Any, cls: Any = cls) -> Any:
                return cls.apply(w, b, rows, labels)

            for rtol in TOLERANCES:
                found = autograd.gradcheck(fn, point, rtol=rtol, atol=1e-8, raise_exception=False)
                record[_verdict(factor, rtol)] = "passes" if found else "fails"
            record[f"distance seen, gradient x {factor:g}"] = _distance(fn, point)
    return record


def _verdict(factor: float, rtol: float) -> str:
    return f"gradcheck of gradient x {factor:g} at rtol {rtol:g}"


def _distance(fn: Any, point: Any) -> float:
    """The largest relative difference between the Function's Jacobian and finite differences."""
    f, _ = of_differentiable(fn, point)
    analytical, numeric = (np.concatenate([block[0] for block in of(f)]) for of in (by_rows, _differences))
    return float(np.max(np.abs(analytical - numeric) / np.abs(numeric)))


def _differences(f: Any) -> Any:
    return numerical(f, 1e-6)


def reference(settings: Settings, dtype: str) -> Record:
    import torch

    wide = getattr(torch, dtype)
    torch.manual_seed(settings.seed)
    x = torch.randn(ROWS, FEATURES)
    hidden = torch.randn(FEATURES)
    noise = torch.randn(ROWS)
    y = (x @ hidden + noise > 0).to(wide)
    x = x.to(wide)

    def forward(w: Any, b: Any, x: Any) -> Any:
        return torch.sigmoid(x @ w + b)

    def loss_of(w: Any, b: Any) -> Any:
        return torch.nn.functional.binary_cross_entropy_with_logits(x @ w + b, y)

    def logistic_loss(factor: float) -> Any:
        class LogisticLoss(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, w: Any, b: Any, x: Any, y: Any) -> Any:
                h = forward(w, b, x)
                ctx.save_for_backward(h, x, y)
                return -(y * torch.log(h) + (1 - y) * torch.log1p(-h)).mean()

            @staticmethod
            def backward(ctx: Any, grad_output: Any) -> Any:
                h, x, y = ctx.saved_tensors
                error = factor * grad_output * (h - y) / len(y)
                return error @ x, error.sum(), None, None

        return LogisticLoss

    def by_hand(w: Any, b: Any) -> Any:
        error = forward(w, b, x).detach() - y
        return error @ x / len(y), error.mean()

    ways: dict[str, Any] = {
        "by hand": by_hand,
        "by autodiff": lambda w, b: torch.autograd.grad(loss_of(w, b), (w, b)),
        "by a Function": lambda w, b: torch.autograd.grad(logistic_loss(1.0).apply(w, b, x, y), (w, b)),
    }
    record: Record = {}
    for way, gradient in ways.items():
        w = torch.zeros(FEATURES, dtype=wide, requires_grad=True)
        b = torch.zeros((), dtype=wide, requires_grad=True)
        first = gradient(w, b)
        losses = []
        for _ in range(_steps(settings)):
            losses.append(loss_of(w, b).item())
            grads = gradient(w, b)
            with torch.no_grad():
                w -= LR * grads[0]
                b -= LR * grads[1]
        first_named = {"w": first[0].detach().numpy(), "b": first[1].detach().numpy()}
        record |= _rows(way, first_named, np.asarray(losses, dtype), {"w": w.detach().numpy()})
    rows, labels = x[:20].double(), y[:20].double()
    for factor in FACTORS:
        function = logistic_loss(factor)
        for rtol in TOLERANCES:
            point = (torch.linspace(-0.5, 0.5, FEATURES).double().requires_grad_(), torch.tensor(0.1).double())
            point[1].requires_grad_()
            found = torch.autograd.gradcheck(
                lambda w, b, function=function: function.apply(w, b, rows, labels),
                point,
                rtol=rtol,
                atol=1e-8,
                raise_exception=False,
            )
            record[_verdict(factor, rtol)] = "passes" if found else "fails"
    return record


def figure(figure: Any, results: Any) -> None:
    left, right = figure.subplots(1, 2)
    figure.suptitle("backward by hand")
    for way, style in (("by hand", "-"), ("by autodiff", "--"), ("by a Function", ":")):
        left.plot(results.ours[f"losses {way}"], style, label=way)
    if results.reference is not None:
        losses = results.reference["losses by autodiff"]
        left.plot(np.arange(len(losses))[::5], losses[::5], "kx", markersize=4, label="torch")
    left.set(xlabel="step", ylabel="loss", title=f"gradient descent, lr {LR:g}")
    left.legend(fontsize=8)
    seen = [results.ours[f"distance seen, gradient x {factor:g}"] for factor in FACTORS]
    right.bar(range(len(FACTORS)), seen)
    for rtol, style in zip(TOLERANCES, ("k--", "k:"), strict=True):
        right.plot([-0.5, len(FACTORS) - 0.5], [rtol, rtol], style, label=f"rtol {rtol:g}")
    right.set_xticks(range(len(FACTORS)), ["right", "0.1 % off", "1 % off"])
    right.set(yscale="log", ylabel="largest relative difference", title="what gradcheck sees")
    right.legend(fontsize=8)


EXPERIMENT = Experiment(
    name="backward_by_hand",
    number=10,
    question="What does backward() compute, if one writes it down oneself?",
    ours=ours,
    reference=reference,
    figure=figure,
    seed=10,
    claims={"gradcheck *": Exact(), "losses *": Info(measured=True), "distance seen*": Info()},
    answer="The first gradient of w is {first gradient of w by hand} by hand and {first gradient of w by autodiff} "
    "by autodiff; one that is a thousandth too large is seen at {distance seen, gradient x 1.001}.",
    expected="The line by hand, autodiff and the Function give one gradient, and torch's. gradcheck refuses a gradient "
    "that is wrong by 1 %, and at rtol 1e-4 one that is wrong by 0.1 %.",
)
