"""What is the graph behind ``loss.grad_fn``, and what does one backward do to it?

Seed 1; x = ones(5), y = zeros(3), w = randn(5, 3), b = randn(3); z = x @ w + b; binary cross-entropy with logits. The
forward pass leaves a graph: here it is the second result of ``autograd.forward``, a value that holds the saved tensors.

One backward leaves the gradients of the leaves and frees the graph; a second one raises. Retained, the second adds
up to exactly twice the first. Two losses may share a graph (a model with two tasks): one backward for each, and their
sum is the backward of the sum. Only leaves get a gradient; ``no_grad`` and ``detach`` give values that have no graph.

    python -m experiments run linear_autograd           # about 5 s
    expected: b.grad = 0.1083, 0.0369, 0.0726, retained and twice 0.2166, 0.0739, 0.1452; each row of w.grad the same
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.experiment import Experiment, Record, Settings
from jaxgrad import autograd, random
from jaxgrad.autograd.graph import computational_graph
from jaxgrad.nn import functional as F
from jaxgrad.parity.claim import Exact, Info, Noise


def logits(params: Any, x: Any) -> Any:
    return x @ params["w"] + params["b"]


def loss_fn(params: Any, x: Any, y: Any) -> Any:
    return F.binary_cross_entropy_with_logits(logits(params, x), y)


def two_losses(params: Any, x: Any, y: Any) -> Any:
    z = logits(params, x)
    return {"cross-entropy": F.binary_cross_entropy_with_logits(z, y), "size": (z**2).mean()}


def ours(settings: Settings) -> Record:
    generator = random.manual_seed(settings.seed)
    x, y = jnp.ones(5), jnp.zeros(3)
    w, generator = random.randn(generator, (5, 3))
    b, generator = random.randn(generator, (3,))
    params = {"w": w, "b": b}

    loss, graph = autograd.forward(loss_fn, params, x, y)
    held = sum(leaf.nbytes for leaf in jax.tree.leaves(graph))
    once = graph.backward(retain_graph=True)
    twice = graph.backward(grads=once)
    left = sum(leaf.nbytes for leaf in jax.tree.leaves(graph))

    losses, shared = autograd.forward(two_losses, params, x, y)
    first = shared["cross-entropy"].backward(retain_graph=True)
    both = shared["size"].backward(grads=first)
    _, of_sum = autograd.backward(lambda *args: sum(two_losses(*args).values()), params, x, y)

    def under_no_grad(params: Any) -> Any:
        return autograd.no_grad(logits)(params, x)

    def detached(params: Any) -> Any:
        return autograd.detach(logits(params, x))

    _, _, retained = autograd.backward_retaining(
        lambda params: F.binary_cross_entropy_with_logits(autograd.retain_grad(logits(params, x), "z"), y), params
    )
    return {
        "loss": loss,
        "b.grad, one backward": np.asarray(once["b"]),
        "w.grad, one backward": np.asarray(once["w"]),
        "each row of w.grad is b.grad": _yes(np.array_equal(once["w"], np.tile(once["b"], (5, 1)))),
        "b.grad, two backwards, retained": np.asarray(twice["b"]),
        "two backwards are exactly twice one": _yes(all(np.array_equal(twice[k], 2 * once[k]) for k in params)),
        "a second backward, not retained": _error(graph.backward),
        "the graph of z": _walk(computational_graph(logits, params, x).grad_fn),
        "the graph of the loss": _walk(computational_graph(loss_fn, params, x, y).grad_fn),
        "z.requires_grad": _requires_grad(lambda params: logits(params, x), params),
        "z.requires_grad under no_grad": _requires_grad(under_no_grad, params),
        "z.detach().requires_grad": _requires_grad(detached, params),
        "x.grad": _text(autograd.backward(lambda p: loss_fn(p, p["x"], y), params | {"x": x}, inputs=["w"])[1]["x"]),
        "z.grad, with retain_grad": np.asarray(retained["z"]),
        "loss 2, on the same graph": losses["size"],
        "b.grad, one backward for each loss": np.asarray(both["b"]),
        "b.grad, backward of the sum": np.asarray(of_sum["b"]),
        "bytes saved, before and after": f"{held}, {left}",
    }


def reference(settings: Settings, dtype: str) -> Record:
    import torch

    wide = getattr(torch, dtype)
    torch.manual_seed(settings.seed)
    x, y = torch.ones(5, dtype=wide), torch.zeros(3, dtype=wide)
    w, b = torch.randn(5, 3).to(wide).requires_grad_(), torch.randn(3).to(wide).requires_grad_()
    criterion = torch.nn.functional.binary_cross_entropy_with_logits

    def backward(*losses: Callable[[Any], Any], **keywords: Any) -> tuple[Any, list[Any], Any]:
        w.grad = b.grad = None
        z = x @ w + b
        z.retain_grad()
        results = [loss(z) for loss in losses]
        for k, result in enumerate(results):
            result.backward(retain_graph=k + 1 < len(results) or keywords.get("retain_graph", False))
        return results, [w.grad.clone(), b.grad.clone()], z

    def cross_entropy(z: Any) -> Any:
        return criterion(z, y)

    def size(z: Any) -> Any:
        return (z**2).mean()

    (loss,), (w_once, b_once), z = backward(cross_entropy)
    z_grad = z.grad.clone()
    second = _error(loss.backward)
    (loss,), _, _ = backward(cross_entropy, retain_graph=True)
    loss.backward()
    w_twice, b_twice = w.grad.clone(), b.grad.clone()
    (_, other), (_, b_both), z = backward(cross_entropy, size)
    _, (_, b_of_sum), _ = backward(lambda z: cross_entropy(z) + size(z))
    with torch.no_grad():
        under_no_grad = (x @ w + b).requires_grad
    return {
        "loss": loss.detach().numpy(),
        "b.grad, one backward": b_once.numpy(),
        "w.grad, one backward": w_once.numpy(),
        "each row of w.grad is b.grad": _yes(bool((w_once == b_once).all())),
        "b.grad, two backwards, retained": b_twice.numpy(),
        "two backwards are exactly twice one": _yes(
            torch.equal(b_twice, 2 * b_once) and torch.equal(w_twice, 2 * w_once)
        ),
        "a second backward, not retained": second,
        "the graph of z": _walk((x @ w + b).grad_fn),
        "the graph of the loss": _walk(cross_entropy(x @ w + b).grad_fn),
        "z.requires_grad": str(z.requires_grad),
        "z.requires_grad under no_grad": str(under_no_grad),
        "z.detach().requires_grad": str(z.detach().requires_grad),
        "x.grad": _text(x.grad),
        "z.grad, with retain_grad": z_grad.numpy(),
        "loss 2, on the same graph": other.detach().numpy(),
        "b.grad, one backward for each loss": b_both.numpy(),
        "b.grad, backward of the sum": b_of_sum.numpy(),
    }


def _yes(holds: bool) -> str:
    return "yes" if holds else "no"


def _text(value: Any) -> str:
    return "None" if value is None else "a gradient"


def _error(call: Callable[[], Any]) -> str:
    try:
        call()
    except RuntimeError as error:
        return f"RuntimeError: {error}"
    return "no error"


def _requires_grad(fn: Callable[[Any], Any], params: Any) -> str:
    return str(computational_graph(fn, params).grad_fn is not None)


def _walk(node: Any) -> str:
    """The names on the way from a node to the leaves, the same walk over torch's nodes and over ours."""
    name = node.name() if callable(node.name) else node.name
    following = [_walk(after) for after, _ in node.next_functions if after is not None]
    name = name.removeprefix("struct ").removeprefix("torch::autograd::")
    return name if not following else f"{name}({', '.join(following)})"


def figure(figure: Any, results: Any) -> None:
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    figure.suptitle("The graph of two losses, and what its backwards leave")
    _draw(left)
    names = ("b.grad, one backward", "b.grad, two backwards, retained", "b.grad, one backward for each loss")
    for k, name in enumerate(names):
        right.bar(np.arange(3) + 0.27 * (k - 1), results.ours[name], width=0.27, label=name.removeprefix("b.grad, "))
        if results.reference is not None:
            right.plot(np.arange(3) + 0.27 * (k - 1), results.reference[name], "kx", markersize=5)
    right.set(xticks=range(3), xlabel="element of b", title="b.grad\n(bars: jaxgrad, crosses: torch)")
    right.legend(fontsize=8)


def _draw(axes: Any) -> None:
    """The graph from the losses at the top down to the leaves, from its nodes."""
    shapes = {"w": jnp.ones((5, 3)), "b": jnp.ones(3)}
    graph = computational_graph(two_losses, shapes, jnp.ones(5), jnp.zeros(3))
    depth: dict[int, int] = {}
    for node in graph.nodes:  # outputs first
        for after, _ in node.next_functions:
            if after is not None:
                depth[id(after)] = max(depth.get(id(after), 0), depth.get(id(node), 0) + 1)
    rows: dict[int, list[Any]] = {}
    for node in graph.nodes:
        rows.setdefault(depth.get(id(node), 0), []).append(node)
    place = {id(node): ((k + 1) / (len(row) + 1), -level) for level, row in rows.items() for k, node in enumerate(row)}
    for node in graph.nodes:
        for after, _ in node.next_functions:
            if after is not None:
                axes.annotate("", place[id(after)], place[id(node)], arrowprops={"arrowstyle": "->", "color": "0.5"})
        leaf = node.name == "AccumulateGrad"
        axes.text(
            *place[id(node)],
            f"{node.name}\n{node.variable}" if leaf else node.name.replace("WithLogits", "\nWithLogits"),
            ha="center",
            va="center",
            fontsize=7,
            bbox={"boxstyle": "round", "facecolor": "lightsteelblue" if leaf else "white", "edgecolor": "0.4"},
        )
    axes.set(xlim=(0, 1), ylim=(-max(rows) - 0.5, 0.5))
    axes.axis("off")


EXPERIMENT = Experiment(
    name="linear_autograd",
    number=2,
    question="What is the graph behind loss.grad_fn, and what does one backward do to it?",
    ours=ours,
    reference=reference,
    figure=figure,
    seed=1,
    claims={
        "loss*": Noise(),
        "*requires_grad*": Exact(),
        "*graph of*": Exact(),
        "*second backward*": Exact(),
        "*exactly*": Exact(),
        "each row*": Exact(),
        "x.grad": Exact(),
        "bytes saved*": Info(),
    },
    answer="One backward leaves b.grad = {b.grad, one backward}, a second on the retained graph {b.grad, two "
    "backwards, retained}; the bytes that the graph holds, before and after: {bytes saved, before and after}.",
    expected="One backward frees the graph, a second raises torch's sentence; retained it adds up to exactly twice. "
    "Two losses on one graph: the sum of their backwards is the backward of their sum.",
)
