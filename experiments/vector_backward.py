"""What does ``backward`` do for an output that is not a scalar?

a = [2, 3], b = [6, 4], Q = 3 a^3 - b^2. The Jacobians are diagonal: dQ/da = 9 a^2, dQ/db = -2 b. ``backward`` takes the
vector v of the product J^T v: ``Q.backward(gradient=v)``. With v = ones it is the backward of the sum; element by
element on one retained graph the gradients add up to the same. Without a vector there is nothing to start from, and
torch raises; so does ``autograd.backward``. With the rows of the identity as vectors, all at once
(``is_grads_batched``), the Jacobian itself comes out.

    python -m experiments run vector_backward           # about 5 s
    expected: a.grad = 36, 81 and b.grad = -12, -8 in all three ways
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from experiments.common.experiment import Experiment, Record, Settings
from jaxgrad import autograd
from jaxgrad.parity.claim import Exact

A, B = (2.0, 3.0), (6.0, 4.0)
VECTORS = {"ones": (1.0, 1.0), "the first element": (1.0, 0.0), "a mixture": (0.5, -2.0)}


def q(params: Any) -> Any:
    return 3 * params["a"] ** 3 - params["b"] ** 2


def ours(settings: Settings) -> Record:
    del settings
    params = {"a": jnp.array(A), "b": jnp.array(B)}
    record: Record = {"Q": np.asarray(q(params))}
    for name, vector in VECTORS.items():
        _, grads = autograd.backward(q, params, gradient=jnp.array(vector))
        record |= _rows(f"gradient = {name}", grads)

    _, grads = autograd.backward(lambda p: q(p).sum(), params)
    record |= _rows("Q.sum()", grads)

    _, graph = autograd.forward(lambda p: tuple(q(p)), params)
    grads = graph[0].backward(retain_graph=True)
    record |= _rows("Q[0], then Q[1]", graph[1].backward(grads=grads))

    batched = autograd.grad(q, params, grad_outputs=jnp.eye(2), is_grads_batched=True)
    record |= {"Jacobian by a": np.asarray(batched["a"]), "Jacobian by b": np.asarray(batched["b"])}
    record["no gradient given"] = _error(lambda: autograd.backward(q, params))
    record["a gradient of three"] = _error(lambda: autograd.backward(q, params, gradient=jnp.ones(3)))
    return record


def reference(settings: Settings, dtype: str) -> Record:
    del settings
    import torch

    wide = getattr(torch, dtype)
    a, b = (torch.tensor(values, dtype=wide, requires_grad=True) for values in (A, B))

    def output() -> Any:
        a.grad = b.grad = None
        return q({"a": a, "b": b})

    def grads() -> dict[str, Any]:
        return {"a": a.grad.clone().numpy(), "b": b.grad.clone().numpy()}

    record: Record = {"Q": output().detach().numpy()}
    for name, vector in VECTORS.items():
        output().backward(gradient=torch.tensor(vector, dtype=wide))
        record |= _rows(f"gradient = {name}", grads())

    output().sum().backward()
    record |= _rows("Q.sum()", grads())

    both = output()
    both[0].backward(retain_graph=True)
    both[1].backward()
    record |= _rows("Q[0], then Q[1]", grads())

    by_a, by_b = torch.autograd.grad(output(), (a, b), torch.eye(2, dtype=wide), is_grads_batched=True)
    record |= {"Jacobian by a": by_a.numpy(), "Jacobian by b": by_b.numpy()}
    record["no gradient given"] = _error(output().backward)
    record["a gradient of three"] = _error(lambda: output().backward(gradient=torch.ones(3, dtype=wide)))
    return record


def _rows(way: str, grads: Any) -> Record:
    return {f"a.grad, {way}": np.asarray(grads["a"]), f"b.grad, {way}": np.asarray(grads["b"])}


def _error(call: Callable[[], Any]) -> str:
    try:
        call()
    except RuntimeError as error:
        return f"RuntimeError: {str(error).splitlines()[0]}"
    return "no error"


def figure(figure: Any, results: Any) -> None:
    left, right = figure.subplots(1, 2, width_ratios=(2, 3))
    figure.suptitle("J^T v: what backward(gradient=v) computes for Q = 3a^3 - b^2")
    jacobian = np.concatenate([results.ours["Jacobian by a"], results.ours["Jacobian by b"]], axis=1)
    limit = np.abs(jacobian).max()
    left.imshow(jacobian, cmap="RdBu_r", vmin=-limit, vmax=limit)
    for (row, column), value in np.ndenumerate(jacobian):
        shade = "white" if abs(value) > limit / 2 else "black"
        left.text(column, row, f"{value:g}", ha="center", va="center", color=shade)
    left.set(
        xticks=range(4),
        xticklabels=["a[0]", "a[1]", "b[0]", "b[1]"],
        yticks=range(2),
        yticklabels=["Q[0]", "Q[1]"],
        title="the Jacobian, row by row",
    )
    ways = [name.removeprefix("a.grad, ") for name in results.ours if name.startswith("a.grad")]
    for k, way in enumerate(ways):
        at = np.arange(4) + 0.16 * (k - (len(ways) - 1) / 2)
        right.bar(at, np.concatenate([results.ours[f"{leaf}.grad, {way}"] for leaf in "ab"]), width=0.16, label=way)
        if results.reference is not None:
            theirs = np.concatenate([results.reference[f"{leaf}.grad, {way}"] for leaf in "ab"])
            right.plot(at, theirs, "kx", markersize=4)
    right.axhline(0, color="black", linewidth=0.5)
    right.set(
        xticks=range(4),
        xticklabels=["a[0]", "a[1]", "b[0]", "b[1]"],
        ylabel="gradient",
        title="bars: jaxgrad, crosses: torch",
    )
    right.legend(fontsize=8)


EXPERIMENT = Experiment(
    name="vector_backward",
    number=4,
    question="What does backward do for an output that is not a scalar?",
    ours=ours,
    reference=reference,
    figure=figure,
    claims={"*": Exact()},
    answer="For Q = {Q} a vector of ones gives a.grad = {a.grad, gradient = ones} and b.grad = {b.grad, gradient = "
    "ones}, and so do the sum and one element after the other.",
    expected="Three ways to the same gradients: a vector of ones, the sum, one element after the other on one graph.",
)
