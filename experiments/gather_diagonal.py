"""How does ``gather`` take the diagonal of every matrix, and what is its gradient?

``torch.gather(x, 2, index)`` reads ``x[b, i, index[b, i, 0]]``. With ``index[b, i, 0] = i`` that is the diagonal of
each matrix of a (B, N, M) stack, square or not, without ``diagonal()``; with fewer columns than rows the index is cut
off at the last column. The gradient of reading is adding: a scatter-add puts each number back where it was read, and
where an index stands twice both gradients arrive. An index that does not exist raises, where JAX's own indexing would
take the last element in silence.

    python -m experiments run gather_diagonal           # about 5 s
    expected: gather equals diagonal(); the gradient is the weights on the diagonal, summed where one is read twice
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

import jaxgrad
from experiments.common.experiment import Experiment, Record, Settings
from jaxgrad import autograd, random
from jaxgrad.parity.claim import Exact

SHAPES = {"square (3, 4, 4)": (3, 4, 4), "wide (2, 3, 5)": (2, 3, 5), "tall (2, 5, 3)": (2, 5, 3)}
TWICE = ((0, 0, 2, 0), (3, 1, 1, 1))
"""Columns read from a (2, 4) array, some of them more than once."""


def diagonal_index(shape: tuple[int, int, int]) -> np.ndarray:
    """(B, min(N, M), 1): in row i, column i."""
    batch, rows, columns = shape
    return np.broadcast_to(np.arange(min(rows, columns))[None, :, None], (batch, min(rows, columns), 1)).copy()


def weights(shape: tuple[int, ...]) -> np.ndarray:
    """What the outputs are weighted with: 1, 2, 3 ..., exact in float32."""
    return np.arange(1, np.prod(shape) + 1, dtype=np.float32).reshape(shape)


def ours(settings: Settings) -> Record:
    generator = random.manual_seed(settings.seed)
    record: Record = {}
    for name, shape in SHAPES.items():
        x, generator = random.randn(generator, shape)
        index = diagonal_index(shape)

        def diagonal(params: Any, index: Any = index) -> Any:
            return jaxgrad.gather(params["x"], 2, jnp.asarray(index))[..., 0]

        value, grads = autograd.backward(diagonal, {"x": x}, gradient=jnp.asarray(weights(index.shape[:2])))
        record |= _rows(name, value, grads["x"], np.diagonal(np.asarray(x), axis1=1, axis2=2))
    x, generator = random.randn(generator, (2, 4))
    _, grads = autograd.backward(
        lambda p: jaxgrad.gather(p["x"], 1, jnp.array(TWICE)), {"x": x}, gradient=jnp.asarray(weights((2, 4)))
    )
    record["gradient where columns are read twice"] = np.asarray(grads["x"])
    record["index 4 of 4 columns"] = _error(lambda: jaxgrad.gather(x, 1, jnp.array([[4], [0]])))
    return record


def reference(settings: Settings, dtype: str) -> Record:
    import torch

    torch.manual_seed(settings.seed)
    record: Record = {}
    for name, shape in SHAPES.items():
        x = torch.randn(shape).to(getattr(torch, dtype)).requires_grad_(True)
        index = torch.from_numpy(diagonal_index(shape))
        value = torch.gather(x, 2, index)[..., 0]
        value.backward(torch.from_numpy(weights(tuple(value.shape))).to(x.dtype))
        assert x.grad is not None
        record |= _rows(name, value.detach(), x.grad, x.detach().diagonal(dim1=1, dim2=2))
    x = torch.randn(2, 4).to(getattr(torch, dtype)).requires_grad_(True)
    torch.gather(x, 1, torch.tensor(TWICE)).backward(torch.from_numpy(weights((2, 4))).to(x.dtype))
    assert x.grad is not None
    record["gradient where columns are read twice"] = x.grad.numpy()
    record["index 4 of 4 columns"] = _error(lambda: torch.gather(x, 1, torch.tensor([[4], [0]])))
    return record


def _rows(name: str, value: Any, grad: Any, diagonal: Any) -> Record:
    value = np.asarray(value)
    return {
        f"diagonal by gather, {name}": value,
        f"equals diagonal(), {name}": bool(np.array_equal(value, np.asarray(diagonal))),
        f"gradient, {name}": np.asarray(grad),
    }


def _error(call: Callable[[], Any]) -> str:
    try:
        call()
    except RuntimeError as error:
        return f"RuntimeError: {str(error).splitlines()[0]}"
    return "no error"


def figure(figure: Any, results: Any) -> None:
    panels = figure.subplots(1, len(SHAPES) + 1)
    figure.suptitle("The gradient of gather puts each weight back where it was read")
    names = [f"gradient, {name}" for name in SHAPES]
    pictures = [(name.removeprefix("gradient, "), results.ours[name][0]) for name in names]
    pictures.append(("read twice: the sum", results.ours["gradient where columns are read twice"]))
    for panel, (title, grad) in zip(panels, pictures, strict=True):
        panel.imshow(grad, cmap="Blues", vmin=0)
        for (row, column), value in np.ndenumerate(grad):
            if value:
                shade = "white" if value > grad.max() / 2 else "black"
                panel.text(column, row, f"{value:g}", ha="center", va="center", color=shade)
        panel.set(title=title, xticks=[], yticks=[])


EXPERIMENT = Experiment(
    name="gather_diagonal",
    number=8,
    question="How does gather take the diagonal of every matrix, and what is its gradient?",
    ours=ours,
    reference=reference,
    figure=figure,
    claims={"*": Exact()},
    answer="Where columns are read twice the gradient is {gradient where columns are read twice}: every read adds "
    "its own.",
    expected="gather equals diagonal(); its gradient is a scatter-add, so an element read twice gets both gradients.",
)
