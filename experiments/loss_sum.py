"""Is the backward of a sum of losses the sum of their backwards, and what of the mean over a batch?

Backward is linear in what flows in, so ``(loss1 + loss2).backward()`` leaves what ``loss1.backward()`` and
``loss2.backward()`` leave together: with trees, ``accumulate(grads1, grads2)``. The same holds for the pieces of a
batch, for a loss that is a sum over the examples. It does not for a mean: each piece is divided by its own size, so the
sum of K pieces is K times too large, and dividing by K is right only if the pieces are equally large. 22 rows in
pieces of 8 leave 6: the examples of that last piece count a third more than the others. The remedy is to divide every
piece's sum by the size of the whole batch.

Seed 5; 22 random rows; Linear(10, 10), ReLU, Linear(10, 3); cross-entropy, and an L2 penalty as the second loss.

    python -m experiments run loss_sum           # about 8 s
    expected: sums agree to rounding; means over the pieces, divided by their number, are off by 15 %
"""

from typing import Any

import jax
import numpy as np

from experiments.common.experiment import Experiment, Record, Settings
from jaxgrad import autograd, func, nn, random
from jaxgrad.nn import functional as F
from jaxgrad.parity.claim import Info, Relative

ROWS, PIECE = 22, 8
PIECES = [slice(start, min(start + PIECE, ROWS)) for start in range(0, ROWS, PIECE)]
DECAY = 0.05
WEIGHT = "0.weight"


def ours(settings: Settings) -> Record:
    generator = random.manual_seed(settings.seed)
    x, generator = random.randn(generator, (ROWS, 10))
    y, generator = random.randint(generator, 0, 3, (ROWS,))
    rngs = nn.Rngs(generator)
    model = nn.Sequential(nn.Linear(10, 10, rngs=rngs), nn.ReLU(), nn.Linear(10, 3, rngs=rngs))
    params, _ = func.extract(model)

    def loss_fn(params: Any, x: Any, y: Any, reduction: str = "mean") -> Any:
        return F.cross_entropy(func.functional_call(model, params, x), y, reduction=reduction)

    def penalty(params: Any) -> Any:
        return DECAY * sum((leaf**2).sum() for leaf in jax.tree.leaves(params))

    _, by_first = autograd.backward(loss_fn, params, x, y)
    _, added = autograd.backward(penalty, params, grads=by_first)
    _, of_sum = autograd.backward(lambda params: loss_fn(params, x, y) + penalty(params), params)
    _, graph = autograd.forward(lambda params: (loss_fn(params, x, y), penalty(params)), params)
    first = graph[0].backward(retain_graph=True)
    on_one_graph = graph[1].backward(grads=first)

    record = _rows("loss1 + loss2", of_sum) | _rows("loss1, then loss2", added)
    record |= _rows("loss1, then loss2, on one graph", on_one_graph)
    record["largest difference, loss1 + loss2"] = _off(added, of_sum)

    def over_pieces(reduction: str, scale: float) -> Any:
        grads = None
        for piece in PIECES:
            _, more = autograd.backward(lambda p, i=piece: scale * loss_fn(p, x[i], y[i], reduction), params)
            grads = autograd.accumulate(grads, more)
        return grads

    _, whole_sum = autograd.backward(loss_fn, params, x, y, "sum")
    ways = {
        "sum over pieces": (over_pieces("sum", 1.0), whole_sum),
        "mean over pieces, added": (over_pieces("mean", 1.0), by_first),
        "mean over pieces, added / 3": (over_pieces("mean", 1 / len(PIECES)), by_first),
        "sum over pieces / 22": (over_pieces("sum", 1 / ROWS), by_first),
    }
    for way, (grads, whole) in ways.items():
        record |= _rows(way, grads)
        record[f"{way}: off by"] = _off(grads, whole)
    return record


def reference(settings: Settings, dtype: str) -> Record:
    import torch

    wide = getattr(torch, dtype)
    torch.manual_seed(settings.seed)
    x, y = torch.randn(ROWS, 10), torch.LongTensor(ROWS).random_(3)
    model = torch.nn.Sequential(torch.nn.Linear(10, 10), torch.nn.ReLU(), torch.nn.Linear(10, 3)).to(wide)
    x = x.to(wide)
    criterion = torch.nn.functional.cross_entropy

    def penalty() -> Any:
        return DECAY * sum((leaf**2).sum() for leaf in model.parameters())

    def grads(*losses: Any) -> dict[str, Any]:
        model.zero_grad()
        for loss in losses:
            loss.backward(retain_graph=True)
        return {name: leaf.grad.clone().numpy() for name, leaf in model.named_parameters()}

    of_sum = grads(criterion(model(x), y) + penalty())
    added = grads(criterion(model(x), y), penalty())
    record = _rows("loss1 + loss2", of_sum) | _rows("loss1, then loss2", added)
    record |= _rows("loss1, then loss2, on one graph", added)
    record["largest difference, loss1 + loss2"] = _off(added, of_sum)

    def over_pieces(reduction: str, scale: float) -> Any:
        return grads(*(scale * criterion(model(x[i]), y[i], reduction=reduction) for i in PIECES))

    whole, whole_sum = grads(criterion(model(x), y)), grads(criterion(model(x), y, reduction="sum"))
    ways = {
        "sum over pieces": (over_pieces("sum", 1.0), whole_sum),
        "mean over pieces, added": (over_pieces("mean", 1.0), whole),
        "mean over pieces, added / 3": (over_pieces("mean", 1 / len(PIECES)), whole),
        "sum over pieces / 22": (over_pieces("sum", 1 / ROWS), whole),
    }
    for way, (found, expected) in ways.items():
        record |= _rows(way, found)
        record[f"{way}: off by"] = _off(found, expected)
    return record


def _rows(way: str, grads: Any) -> Record:
    return {f"{way}, first weight": np.asarray(grads[WEIGHT])}


def _off(found: Any, expected: Any) -> Any:
    """Distance relative to the norm, over all parameters at once."""
    pairs = [(np.asarray(found[name], np.float64), np.asarray(expected[name], np.float64)) for name in expected]
    gap = np.sqrt(sum(((a - b) ** 2).sum() for a, b in pairs))
    return np.float64(gap / np.sqrt(sum((b**2).sum() for _, b in pairs)))


def figure(figure: Any, results: Any) -> None:
    left, right = figure.subplots(1, 2, width_ratios=(2, 3))
    figure.suptitle("Sums of losses, and means over pieces of a batch")
    first, second = (results.ours[f"{way}, first weight"].ravel() for way in ("loss1 + loss2", "loss1, then loss2"))
    left.plot(first, second, ".", label="jaxgrad")
    if results.reference is not None:
        left.plot(
            first, results.reference["loss1, then loss2, first weight"].ravel(), "kx", markersize=3, label="torch"
        )
    left.axline((0, 0), slope=1, color="0.7", linewidth=0.8)
    left.set(xlabel="(loss1 + loss2).backward()", ylabel="loss1.backward(); loss2.backward()", title="first weight")
    left.legend(fontsize=8)
    ways = [name.removesuffix(": off by") for name in results.ours if name.endswith(": off by")]
    at = np.arange(len(ways))
    right.barh(at, [max(float(results.ours[f"{way}: off by"]), 1e-9) for way in ways], label="jaxgrad")
    if results.reference is not None:
        right.plot([max(float(results.reference[f"{way}: off by"]), 1e-9) for way in ways], at, "kx", label="torch")
    right.set(xscale="log", yticks=at, yticklabels=ways, xlabel="relative distance from the whole")
    right.set_title(f"{ROWS} rows in pieces of {PIECE}")
    right.invert_yaxis()
    right.legend(fontsize=8)


EXPERIMENT = Experiment(
    name="loss_sum",
    number=5,
    seconds=8,
    question="Is the backward of a sum of losses the sum of their backwards, and what of the mean over a batch?",
    ours=ours,
    reference=reference,
    figure=figure,
    seed=5,
    claims={
        "sum over pieces*: off by": Info(),
        "largest difference*": Info(),
        "mean over pieces*: off by": Relative(1e-5),
    },
    answer="A sum over pieces is off by {sum over pieces: off by} of the gradient of the whole; a third of the "
    "means over unequal pieces by {mean over pieces, added / 3: off by}.",
    expected="The sum of losses and the sums over pieces agree to rounding. Means over pieces of different size do "
    "not add up to the mean, even after division by their number.",
)
