"""Every operation of a traced graph judged alone: torch runs the graph, ours runs each node on torch's inputs.

Where a whole differs, the first node whose inputs are good and whose output is bad is the operation to blame; it knows
its module and source line.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad import random
from jaxgrad.trace.graph import DType, Meta, Node, Ref, replaced
from jaxgrad.trace.interpret import apply
from jaxgrad.trace.table.align import dtype_of
from jaxgrad.trace.tensors import as_numpy, torch
from jaxgrad.trace.traced import Traced

_UNFILLED = ("empty", "new_empty", "_efficientzerotensor")


@dataclass(frozen=True)
class Judged:
    """One operation of the graph, beside torch.

    Attributes:
        name: of the node.
        op: torch's name of the operation.
        place: module and source line that it comes from, or that it is the derivative of.
        backward: whether it is part of the derivative.
        distance: the greatest difference of an element by the greatest element of torch's, both nan counting as equal;
            None where there is nothing to compare: an operation that was kept whole here, memory that is not filled.
        noise: how far torch's own result moves, measured likewise, when its inputs move by one unit in the last place;
            at least one unit in the last place of the result.
        value: torch's, a tuple where there are several.

    >>> Judged("mul", "mul.Tensor", "0 (model.py:7)", False, 3e-7, 1e-7, np.ones(2)).ratio
    3.0
    """

    name: str
    op: str
    place: str
    backward: bool
    distance: float | None
    noise: float
    value: Any = field(repr=False)

    @property
    def ratio(self) -> float:
        """The distance in units of torch's own noise; 0 where there is nothing to compare."""
        return (self.distance or 0.0) / self.noise


def oracle(
    traced: Traced,
    batch: Any,
    *,
    params: Mapping[str, Any] | None = None,
    buffers: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> list[Judged]:
    """The value of every forward and backward operation in torch, and how far ours lies when fed torch's inputs.

    Args:
        traced: from ``from_torch`` or ``load``; torch runs its graph, so it must be installed.
        batch: ``(x, *targets)``, as for ``from_torch``.
        params: the parameters; None for ``traced.params``.
        buffers: the buffers; None for ``traced.buffers``.
        seed: of the stream that dropout draws from, on both sides.

    Returns:
        a :class:`Judged` for each operation, in the order of the graph.

    Raises:
        ImportError: torch is not installed.

    >>> import torch
    >>> from jaxgrad import trace
    >>> batch = (torch.ones(4, 2), torch.zeros(4, 1))
    >>> traced = trace.from_torch(torch.nn.Linear(2, 1), torch.nn.functional.mse_loss, batch)
    >>> nodes = trace.oracle(traced, batch)
    >>> [(node.op, node.backward, node.distance < 1e-6) for node in nodes[1:4]]
    [('permute', False, True), ('addmm', False, True), ('sub.Tensor', False, True)]
    >>> nodes[2].place.startswith("(linear.py:")
    True
    """
    t = torch()
    captured, arrays = traced.shapes.of(tuple(batch) if isinstance(batch, tuple | list) else (batch,))
    graph = captured.graph
    held: Mapping[str, Mapping[str, Any]] = {
        "parameter": traced.params if params is None else params,
        "buffer": traced.buffers if buffers is None else buffers,
        "constant": captured.constants,
        "input": {str(place): each for place, each in enumerate(arrays)},
    }
    values: dict[str, Any] = {
        each.name: _laid(_tensor(held[each.role][each.key], each.meta.dtype), each.meta) for each in graph.inputs
    }
    metas = graph.metas()
    generator: Any = random.manual_seed(seed)
    judged = []
    with t.random.fork_rng(devices=[]), t.no_grad():
        t.manual_seed(seed)
        for node in graph.nodes:
            args, kwargs = _read(node, lambda leaf: _in_torch(leaf, values))
            ours_args, ours_kwargs = _read(node, lambda leaf: _in_jax(leaf, values))
            with jax.default_matmul_precision("highest"):
                ours, generator = apply(node, ours_args, ours_kwargs, generator, metas)
            theirs, moved = _with_noise(node, args, kwargs)
            compared = theirs is not None and not node.op.startswith(_UNFILLED)
            distance = _distance(ours, theirs) if compared else None
            noise = max(_distance(moved, theirs) if compared else 0.0, _precision(node))
            value = _from_jax(ours, node) if theirs is None else _each(theirs, node)
            values[node.name] = value
            kept = tuple(map(_plain, value)) if isinstance(value, list) else _plain(value)
            judged.append(Judged(node.name, node.op, node.place, node.backward, distance, noise, kept))
    return judged


def _read(node: Node, leaf: Any) -> tuple[Any, dict[str, Any]]:
    return replaced(node.args, leaf), {key: replaced(each, leaf) for key, each in node.kwargs.items()}


def _in_torch(leaf: Any, values: Mapping[str, Any]) -> Any:
    return values[leaf.name] if isinstance(leaf, Ref) else getattr(torch(), leaf.name)


def _in_jax(leaf: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(leaf, DType):
        return dtype_of(leaf.name)
    value = values[leaf.name]
    return [_array(each) for each in value] if isinstance(value, list | tuple) else _array(value)


def _array(value: Any) -> Any:
    return jnp.asarray(as_numpy(value)) if isinstance(value, torch().Tensor) else value


def _plain(value: Any) -> Any:
    return as_numpy(value) if isinstance(value, torch().Tensor) else value


def _tensor(array: Any, dtype: str) -> Any:
    t = torch()
    values = np.array(array)
    if dtype == "bfloat16":
        return t.from_numpy(values.astype(np.float32)).to(t.bfloat16)
    return t.from_numpy(values).to(getattr(t, dtype))


def _run(node: Node, args: Any, kwargs: Any) -> Any:
    """The operation in torch; None where it is one of ours, which has no values there."""
    if node.op == "getitem":
        return args[0][args[1]]
    if node.op.startswith("jaxgrad."):
        return None
    room, _, rest = node.op.partition(".") if "::" in node.op else ("aten", "", node.op)
    name, _, overload = rest.partition(".")
    packet = getattr(getattr(torch().ops, room), name)
    return getattr(packet, overload or "default")(*args, **kwargs)


def _with_noise(node: Node, args: Any, kwargs: Any) -> tuple[Any, Any]:
    """Torch's result, and the one for inputs that are moved by one unit in the last place, from the same stream."""
    t = torch()
    start = t.random.get_rng_state()
    moved = _run(node, [_moved(each) for each in args], kwargs)
    t.random.set_rng_state(start)
    return _run(node, args, kwargs), moved


def _moved(value: Any) -> Any:
    t = torch()
    if isinstance(value, list):
        return [_moved(each) for each in value]
    if not isinstance(value, t.Tensor) or not value.is_floating_point():
        return value
    signs = 1 - 2 * (t.arange(value.numel()) * 7919 % 13 % 2).reshape(value.shape)
    return value * (1 + signs.to(value.dtype) * t.finfo(value.dtype).eps)


def _precision(node: Node) -> float:
    """The coarsest unit in the last place of what comes out."""
    t = torch()
    dtypes = [getattr(t, meta.dtype) for meta in node.metas if meta is not None]
    return max((t.finfo(each).eps for each in dtypes if each.is_floating_point), default=float(t.finfo(t.float64).eps))


def _each(value: Any, node: Node) -> Any:
    """A result in the memory order that it has in the graph."""
    if isinstance(value, tuple | list):
        metas = node.metas if len(node.metas) == len(value) else (None,) * len(value)
        return [_laid(each, meta) for each, meta in zip(value, metas, strict=True)]
    return _laid(value, node.metas[0])


def _laid(value: Any, meta: Meta | None) -> Any:
    if meta is None or not isinstance(value, torch().Tensor) or value.dim() != len(meta.order):
        return value
    back = np.argsort(meta.order).tolist()
    return value.permute(meta.order).contiguous().permute(back)


def _from_jax(value: Any, node: Node) -> Any:
    if isinstance(value, tuple | list):
        return [
            None if each is None else _tensor(each, _dtype(each, meta))
            for each, meta in zip(value, node.metas, strict=True)
        ]
    return _tensor(value, _dtype(value, node.metas[0]))


def _dtype(value: Any, meta: Meta | None) -> str:
    return value.dtype.name if meta is None else meta.dtype


def _distance(ours: Any, theirs: Any) -> float:
    if isinstance(theirs, tuple | list):
        pairs = [pair for pair in zip(ours, theirs, strict=True) if pair[1] is not None and pair[0] is not None]
        return max((_distance(*pair) for pair in pairs), default=0.0)
    if not isinstance(theirs, torch().Tensor):
        return 0.0 if ours == theirs else np.inf
    mine, yours = np.asarray(_plain(ours)), as_numpy(theirs)
    wide = np.complex128 if yours.dtype.kind == "c" else np.float64
    if mine.shape != yours.shape:
        return np.inf
    mine, yours = mine.astype(wide), yours.astype(wide)
    same = (mine == yours) | (np.isnan(mine) & np.isnan(yours))
    if same.all():
        return 0.0
    with np.errstate(invalid="ignore"):
        finite = np.abs(yours[np.isfinite(yours)])
        worst = np.abs(np.where(same, 0, mine - yours)).max()
    return float(worst / max(finite.max(initial=0.0), np.finfo(np.float64).tiny)) if np.isfinite(worst) else np.inf
