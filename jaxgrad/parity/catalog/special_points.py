"""Where torch's values and derivatives are a convention: zeros, ties, kinks, infinities, repeated indices.

One row is one call at one point. The tests run every row beside torch, and ``docs/derivatives.md`` is written from
them. The obvious way to write the same in JAX stands beside it, so that the page can say what a port would get.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

inf, nan = float("inf"), float("nan")


@dataclass(frozen=True)
class Point:
    """One call at one point.

    Attributes:
        family: what it is an example of.
        address: below ``torch`` and ``jaxgrad`` alike.
        args: lists (of floats: differentiated; of integers or booleans: not) and plain values.
        kwargs: keyword arguments.
        jax: the obvious JAX function of the same arguments; None where there is none.
        error: the sentence torch raises instead of a value, or instead of a derivative.
        cotangent: weights of the outputs; 1, 10, 100 ... where None.
        note: why ours differs, where it does (then the row is not compared).

    >>> str(Point("unary", "abs", ([0.0],)))
    'abs([0.0])'
    """

    family: str
    address: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    jax: Callable[..., Any] | None = None
    error: str = ""
    cotangent: tuple[float, ...] | None = None
    note: str = ""

    def __str__(self) -> str:
        shown = [*map(str, self.args), *(f"{key}={value}" for key, value in self.kwargs.items())]
        return f"{self.address}({', '.join(shown)})"

    @property
    def inputs(self) -> dict[int, np.ndarray]:
        """The positional arguments that are arrays, by place."""
        return {i: np.asarray(each) for i, each in enumerate(self.args) if isinstance(each, list)}

    def weights(self, size: int) -> np.ndarray:
        """The cotangent of ``size`` outputs."""
        return np.asarray(self.cotangent if self.cotangent else 10.0 ** np.arange(size))


def _selected(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The values of sorting in JAX, whose functions return them alone."""
    return lambda x, *rest, **kwargs: fn(x)


_SINGULAR = [[1.0, 2.0], [2.0, 4.0]]
_QKV = [[1.0, 2.0], [3.0, 4.0]]

UNARY = (
    Point("unary", "abs", ([-0.0, 0.0, nan],), jax=jnp.abs),
    Point("unary", "sign", ([nan, 0.0, -2.0],), jax=jnp.sign),
    Point("unary", "lgamma", ([0.0, -1.0, 2.5],), jax=jax.scipy.special.gammaln),
    Point("unary", "digamma", ([0.0, -0.0, -1.0, 2.5],), jax=jax.scipy.special.digamma),
    Point("unary", "heaviside", ([0.0, 1.0], [0.5, 0.5]), jax=jnp.heaviside,
          error="derivative for aten::heaviside is not implemented"),
)  # fmt: skip

BINARY = (
    Point("binary", "xlogy", ([0.0, 0.0, 1.0], [0.0, 2.0, 0.0]), jax=jax.scipy.special.xlogy),
    Point("binary", "logaddexp", ([inf, -inf, 1.0], [inf, -inf, 1.0]), jax=jnp.logaddexp),
    Point("binary", "hypot", ([0.0, 3.0], [0.0, 4.0]), jax=jnp.hypot),
    Point("binary", "atan2", ([0.0, 1.0], [0.0, 0.0]), jax=jnp.arctan2),
    Point("binary", "copysign", ([0.0, 2.0], [-1.0, -1.0]), jax=jnp.copysign),
    Point("binary", "fmax", ([1.0, nan, 1.0], [1.0, 1.0, nan]), jax=jnp.fmax),
    Point("binary", "fmin", ([1.0, nan, 1.0], [1.0, 1.0, nan]), jax=jnp.fmin),
    Point("binary", "maximum", ([1.0, nan, 1.0], [1.0, 1.0, nan]), jax=jnp.maximum),
    Point("binary", "minimum", ([1.0, nan, 1.0], [1.0, 1.0, nan]), jax=jnp.minimum),
    Point("binary", "pow", ([0.0, 0.0, 0.0, 2.0], [0.0, -1.0, 2.0, 0.0]), jax=jnp.power),
    Point("binary", "pow", ([0.0, 2.0], 0.0), jax=lambda x, p: x**p),
)

TIES = (
    Point("ties", "max", ([1.0, 3.0, 3.0], 0), jax=_selected(jnp.max)),
    Point("ties", "max", ([1.0, 3.0, 3.0],), jax=_selected(jnp.max)),
    Point("ties", "min", ([1.0, 1.0, 3.0], 0), jax=_selected(jnp.min)),
    Point("ties", "max", ([1.0, nan, 3.0],), jax=_selected(jnp.max)),
    Point("ties", "max", ([1.0, nan, 3.0], 0), jax=_selected(jnp.max)),
    Point("ties", "amax", ([1.0, 3.0, 3.0],), jax=_selected(jnp.max)),
    Point("ties", "median", ([1.0, 2.0, 3.0, 4.0],), jax=jnp.median),
    Point("ties", "median", ([2.0, 2.0, 2.0],), jax=jnp.median),
    Point("ties", "median", ([2.0, 1.0, 2.0, 2.0], 0), jax=_selected(jnp.median)),
    Point("ties", "nanmedian", ([1.0, nan, 3.0],), jax=jnp.nanmedian),
    Point("ties", "mode", ([1.0, 2.0, 2.0, 3.0],)),
    Point("ties", "kthvalue", ([2.0, 1.0, 2.0, 3.0], 2)),
    Point("ties", "topk", ([1.0, 3.0, 3.0, 3.0], 2), jax=lambda x, k: jax.lax.top_k(x, k)[0],
          note="among equals torch takes whichever its partition leaves in front; ours the earliest"),
    Point("ties", "sort", ([2.0, 2.0, 1.0],), {"descending": True}, jax=lambda x, **_: jnp.sort(x, descending=True)),
    Point("ties", "sort", ([nan, 1.0, nan],), jax=jnp.sort),
    Point("ties", "cummax", ([1.0, 1.0, 2.0, 2.0], 0), jax=_selected(jax.lax.cummax)),
    Point("ties", "cummin", ([2.0, 2.0, 1.0, nan], 0), jax=_selected(jax.lax.cummin)),
    Point("ties", "nn.functional.adaptive_max_pool1d", ([[1.0, 1.0, 2.0, 2.0]], 2)),
)  # fmt: skip

CLAMP = (
    Point("clamp", "clamp", ([0.0, 1.0, 0.5, -1.0, 2.0], 0.0, 1.0), jax=jnp.clip),
    Point("clamp", "clamp", ([1.0, 0.0], [1.0, 1.0]), jax=jnp.maximum),
    Point("clamp", "clamp", ([1.0, 0.0, 2.0], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0]), jax=jnp.clip),
    Point("clamp", "clamp", ([0.0, 1.0, 2.0, 3.0], [2.0] * 4, [1.0] * 4), jax=jnp.clip),
    Point("clamp", "clamp", ([nan, 0.5], 0.0, 1.0), jax=jnp.clip),
)


def _norm(x: Any, p: Any = 2, *_: Any) -> Any:
    return jnp.linalg.norm(x, p)


NORMS = (
    *(Point("norm", "linalg.vector_norm", ([0.0, 0.0], p), jax=_norm) for p in (0.5, 1, 2, 3, inf, -inf, 0)),
    Point("norm", "linalg.vector_norm", ([0.0, 3.0], 1), jax=_norm),
    Point("norm", "linalg.vector_norm", ([3.0, -3.0], inf), jax=_norm),
    Point("norm", "linalg.matrix_norm", ([[0.0, 0.0], [0.0, 0.0]],), jax=lambda x: jnp.linalg.norm(x)),
    Point("norm", "norm", ([0.0, 0.0],), jax=_norm),
    *(Point("norm", "cdist", ([[1.0, 2.0]], [[1.0, 2.0]], p)) for p in (1.0, 2.0, 3.0, inf)),
    Point("norm", "dist", ([1.0, 2.0], [1.0, 2.0]), jax=lambda x, y: jnp.linalg.norm(x - y)),
    Point("norm", "renorm", ([[0.0, 0.0], [3.0, 4.0]], 2, 0, 1.0)),
    Point("norm", "nn.functional.normalize", ([[0.0, 0.0]],)),
    Point("norm", "nn.functional.cosine_similarity", ([[0.0, 0.0]], [[1.0, 2.0]])),
    Point("norm", "nn.functional.cosine_similarity", ([[1e-9, 0.0]], [[1e-9, 0.0]])),
    Point("norm", "nn.functional.pdist", ([[1.0, 2.0], [1.0, 2.0]],)),
    Point("norm", "nn.functional.pairwise_distance", ([[1.0, 2.0]], [[1.0, 2.0]])),
)

STATISTICS = (
    Point("stats", "std", ([2.0],), {"correction": 0}, jax=lambda x, correction: jnp.std(x)),
    Point("stats", "std", ([2.0, 2.0],), jax=lambda x: jnp.std(x, ddof=1)),
    Point("stats", "std", ([1.0, 2.0, 4.0],), jax=jnp.std),
    Point("stats", "nanmean", ([nan, nan],), jax=jnp.nanmean),
    Point("stats", "nn.functional.scaled_dot_product_attention", (_QKV, _QKV, _QKV, [[False, False], [True, True]])),
)

INDEX = (
    Point("index", "scatter", ([0.0, 0.0, 0.0], 0, [0, 0, 1], [1.0, 2.0, 3.0])),
    Point("index", "index_copy", ([0.0, 0.0, 0.0], 0, [0, 0, 1], [1.0, 2.0, 3.0])),
    Point("index", "scatter_reduce", ([2.0, 1.0, 1.0], 0, [0, 0, 1], [0.0, 3.0, 4.0], "prod")),
    Point("index", "scatter_reduce", ([9.0, 9.0, 9.0], 0, [0, 0, 1], [1.0, 2.0, 3.0], "mean"), {"include_self": False}),
    Point("index", "scatter_reduce", ([2.0, 1.0], 0, [0, 0, 1], [2.0, 2.0, 0.0], "amax")),
    Point("index", "gather", ([1.0, 2.0], 0, [1, 1, 0])),
    Point("index", "gather", ([1.0, 2.0], 0, [5]), error="index 5 is out of bounds for dimension 0 with size 2"),
    Point("index", "nn.functional.embedding", ([0, 1, 1], [[1.0], [2.0]], 0)),
)

LINALG = (
    Point("linalg", "linalg.det", (_SINGULAR,), jax=jnp.linalg.det),
    Point("linalg", "linalg.slogdet", (_SINGULAR,), jax=lambda x: jnp.linalg.slogdet(x)[1]),
    Point("linalg", "linalg.inv", (_SINGULAR,), jax=jnp.linalg.inv, error="linalg.inv: The diagonal element 2 is zero"),
    Point("linalg", "linalg.cholesky", ([[-1.0, 0.0], [0.0, -1.0]],), jax=jnp.linalg.cholesky,
          error="linalg.cholesky: The factorization could not be completed"),
)  # fmt: skip

KINKS = (
    Point("kink", "nn.functional.relu", ([0.0, nan, -0.0],), jax=jax.nn.relu),
    Point("kink", "nn.functional.hardtanh", ([-1.0, 1.0, 0.5],), jax=lambda x: jnp.clip(x, -1, 1)),
    Point("kink", "nn.functional.leaky_relu", ([0.0, -1.0],), jax=jax.nn.leaky_relu),
    Point("kink", "nn.functional.relu6", ([0.0, 6.0],), jax=jax.nn.relu6),
    Point("kink", "nn.functional.hardsigmoid", ([0.0, 3.0, -3.0],), jax=jax.nn.hard_sigmoid),
    Point("kink", "nn.functional.hardshrink", ([0.5, -0.5],)),
    Point("kink", "nn.functional.softplus", ([20.0, 20.0001],), jax=jax.nn.softplus),
    Point("kink", "nn.functional.gelu", ([0.5, -1.0],), jax=jax.nn.gelu),
)


def _loss(name: str, *args: Any, error: str = "", **kwargs: Any) -> Point:
    return Point("loss", f"nn.functional.{name}", args, kwargs, error=error)


LOSSES = (
    _loss("l1_loss", [0.0, 1.0], [0.0, 0.0]),
    _loss("smooth_l1_loss", [0.0, 1.0], [0.0, 0.0], beta=0.0),
    _loss("huber_loss", [1.0], [0.0], delta=1.0),
    _loss("hinge_embedding_loss", [1.0], [-1.0]),
    _loss("margin_ranking_loss", [1.0], [1.0], [1.0]),
    _loss("triplet_margin_loss", [[0.0, 0.0]], [[1.0, 0.0]], [[2.0, 0.0]]),
    _loss("triplet_margin_loss", [[0.0, 0.0]], [[0.0, 0.0]], [[0.5, 0.0]]),
    _loss("multi_margin_loss", [[1.0, 0.0, 0.0]], [0]),
    _loss("multilabel_margin_loss", [[1.0, 0.0]], [[0, -1]]),
    _loss("binary_cross_entropy", [0.0, 1.0, 1e-60], [1.0, 0.0, 1.0]),
    _loss("binary_cross_entropy", [1.5], [1.0], error="all elements of input should be between 0 and 1"),
    _loss("binary_cross_entropy_with_logits", [inf, -inf, -inf], [0.0, 1.0, 0.0], reduction="none"),
    _loss("cross_entropy", [[1.0, 2.0, 3.0], [3.0, 1.0, 0.0]], [-100, -100]),
    _loss("cross_entropy", [[1.0, 2.0, 3.0], [3.0, 1.0, 0.0]], [-100, 1]),
    _loss("cross_entropy", [[1.0, 2.0, 3.0], [3.0, 1.0, 0.0]], [7, 1], error="Target 7 is out of bounds."),
    _loss("cross_entropy", [[-inf, 0.0]], [[0.0, 1.0]]),
    _loss("gaussian_nll_loss", [1.0, 1.0], [0.0, 0.0], [0.01, 0.1], eps=0.05),
    _loss("soft_margin_loss", [-1000.0], [1]),
    _loss("kl_div", [-1.0, -2.0], [0.0, 0.5], reduction="sum"),
)

POINTS = (*UNARY, *BINARY, *TIES, *CLAMP, *NORMS, *STATISTICS, *INDEX, *LINALG, *KINKS, *LOSSES)
