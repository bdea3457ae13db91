"""The graph for a batch: one that was traced, with the sizes of the batch in it, or one that is traced for it now."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.errors import explain
from jaxgrad._core.types import Array, Buffers, Params
from jaxgrad.trace.batch import flattened
from jaxgrad.trace.capture import Source
from jaxgrad.trace.graph import Graph, Meta
from jaxgrad.trace.interpret import check_supported
from jaxgrad.trace.of_sizes import graph_of, sizes_of
from jaxgrad.trace.table.align import dtype_of
from jaxgrad.trace.tensors import torch


@dataclass(frozen=True)
class Captured:
    """A graph, and the tensors that the module or the loss hold without registering them.

    Attributes:
        graph: for batches of one form, or of every form that its sizes may have.
        constants: the tensors by name.
    """

    graph: Graph
    constants: Mapping[str, np.ndarray]
    _made: dict[tuple[int, ...], "Captured"] = field(default_factory=dict, repr=False, compare=False)

    def example(self) -> "Captured":
        """For the batch that was traced."""
        return self.at(self.graph.sizes)

    def at(self, sizes: Mapping[str, int]) -> "Captured":
        """For a batch of these sizes."""
        key = tuple(sizes.values())
        if key not in self._made:
            self._made[key] = replace(self, graph=graph_of(self.graph, sizes))
        return self._made[key]

    def of(self, leaves: list[Any]) -> "Captured | None":
        """For arrays of these shapes and dtypes; None if the graph is not theirs."""
        if any(leaf.dtype != dtype_of(meta.dtype) for leaf, meta in zip(leaves, self.inputs(), strict=True)):
            return None
        sizes = sizes_of(self.graph, [leaf.shape for leaf in leaves])
        return None if sizes is None else self.at(sizes)

    def inputs(self) -> list[Meta]:
        """What each array of the batch was when it was traced, in order."""
        metas = {int(each.key): each.meta for each in self.graph.of("input")}
        return [metas[place] for place in range(len(metas))]


@dataclass
class Shapes:
    """The graphs, and the forms of batch that they are for.

    Attributes:
        graphs: at least one, the example's first; others come when they are asked for.
        source: what they are traced from; None where torch's module is not at hand.
    """

    graphs: list[Captured]
    source: Source | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for each in self.graphs:
            check_supported(each.graph)

    @property
    def first(self) -> Captured:
        """For the example."""
        return self.graphs[0].example()

    def all(self) -> list[Captured]:
        """Every graph there is."""
        return list(self.graphs)

    def of(self, batch: tuple[Any, ...]) -> tuple[Captured, tuple[Any, ...]]:
        """The graph for a batch, and the arrays of the batch in the dtypes of the graph.

        Raises:
            ValueError: the batch is nested otherwise, or has another shape and there is nothing to trace from.
            NotImplementedError: an operation that is not in the table.
        """
        leaves = [
            _array(leaf, meta)
            for leaf, meta in zip(flattened(self.first.graph.structure, batch), self.first.inputs(), strict=True)
        ]
        for each in self.graphs:
            found = each.of(leaves)
            if found is not None:
                return found, tuple(leaves)
        if self.source is None:
            raise ValueError(self._refusal(leaves))
        fresh = Captured(*self.source.trace(self.first.graph.structure, self._examples(leaves), self._free(leaves)))
        check_supported(fresh.graph)
        self.graphs.append(fresh)
        return fresh.example(), tuple(leaves)

    def _examples(self, leaves: list[Any]) -> list[Any]:
        t = torch()
        return [
            t.empty(leaf.shape, dtype=getattr(t, _torch_dtype(leaf, meta)))
            for leaf, meta in zip(leaves, self.first.inputs(), strict=True)
        ]

    def _free(self, leaves: list[Any]) -> list[set[int]]:
        """The axes whose sizes are seen to differ from those of the example, beside the first ones."""
        pairs = zip(leaves, self.first.inputs(), strict=True)
        return [
            {0, *(axis for axis, (n, m) in enumerate(zip(leaf.shape, meta.shape, strict=False)) if n != m)}
            for leaf, meta in pairs
        ]

    def _refusal(self, leaves: list[Any]) -> str:
        known = "; or ".join(_form(each) for each in self.graphs)
        return explain(
            "a traced module that was read from a file has the shapes it was saved with",
            got=", ".join(_short(each) for each in leaves),
            expected=known,
            remedy="where torch is: traced.also_for(*batch) with a batch of this shape (a ragged last batch, an "
            "evaluation batch) before trace.save; or drop_last=True in the loader",
        )


def _array(leaf: Any, meta: Meta) -> Any:
    """A leaf of a batch as an array of the graph's dtype: integers of any width, numbers in lists."""
    if isinstance(leaf, jax.ShapeDtypeStruct):
        return leaf
    wanted = dtype_of(meta.dtype)
    if not hasattr(leaf, "dtype"):
        return jnp.asarray(leaf, wanted)
    array = jnp.asarray(np.asarray(leaf) if type(leaf).__module__.startswith("torch") else leaf)
    both_integers = array.dtype.kind in "iu" and wanted.kind in "iu"
    return array.astype(wanted) if both_integers else array


def _torch_dtype(leaf: Any, meta: Meta) -> str:
    return meta.dtype if leaf.dtype == dtype_of(meta.dtype) else leaf.dtype.name


def _short(value: Any) -> str:
    return f"{value.dtype}[{','.join(map(str, value.shape))}]"


def _form(captured: Captured) -> str:
    arrays = ", ".join(map(_short, captured.inputs()))
    return f"{arrays} where {', '.join(map(str, captured.graph.guards))}" if captured.graph.guards else arrays


def feed(captured: Captured, params: Params, batch: tuple[Array, ...], buffers: Buffers) -> dict[str, Any]:
    """The inputs of a graph by name."""
    fed: dict[str, Any] = {}
    for each in captured.graph.inputs:
        if each.role == "input":
            value: Any = batch[int(each.key)]
        else:
            value = {"parameter": params, "buffer": buffers, "constant": captured.constants}[each.role][each.key]
        fed[each.name] = jnp.asarray(value)
    return fed
