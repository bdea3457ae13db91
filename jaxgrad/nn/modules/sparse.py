"""Tables of embeddings."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxgrad._core.dtypes import keep_dtype
from jaxgrad._core.errors import explain
from jaxgrad._core.types import Array
from jaxgrad.nn import functional as F
from jaxgrad.nn import init
from jaxgrad.nn.functional.embedding import padding_row, refuse_sparse
from jaxgrad.nn.modules.module import Module
from jaxgrad.nn.parameter import Buffer, Parameter
from jaxgrad.nn.rngs import Rngs


class Embedding(Module):
    """Mirror of ``torch.nn.Embedding``: a table whose rows are looked up by number.

    The table is drawn from the standard normal distribution, then its padding row is set to 0. With ``max_norm`` a
    call shortens rows of the table, and returns the new table (``aux.params`` of ``func.functional_call``).

    Args:
        num_embeddings: V, the number of rows.
        embedding_dim: D, the length of a row.
        padding_idx: a row of zeros that gets no gradient; negative ones count from the end.
        max_norm: longer rows are shortened to this when they are looked up.
        norm_type: exponent of the norm that ``max_norm`` speaks of.
        scale_grad_by_freq: divide the gradient of a row by how often it was looked up.
        sparse: must be False; gradients are dense arrays.
        _weight: the table, instead of a drawn one.
        _freeze: make the table a buffer, which is not trained.
        device: a JAX device to put the table on.
        dtype: of the table, float32 by default.
        rngs: where the table is drawn from; needed unless it is given.

    Attributes:
        weight: (V, D).

    Raises:
        AssertionError: ``Padding_idx must be within num_embeddings``, or a table of another shape.
        RuntimeError: ``Trying to create tensor with negative dimension -1: [-1, 3]``.

    >>> from jaxgrad import nn, random
    >>> table = nn.Embedding(10, 3, padding_idx=0, rngs=nn.Rngs(random.manual_seed(0)))
    >>> table
    Embedding(10, 3, padding_idx=0)
    >>> table(jnp.array([[1, 2], [0, 9]])).shape
    (2, 2, 3)

    Source: torch/nn/modules/sparse.py.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Array | None = None,
        _freeze: bool = False,
        device: jax.Device | None = None,
        dtype: Any = None,
        *,
        rngs: Rngs | None = None,
    ):
        refuse_sparse(sparse)
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = None if padding_idx is None else padding_row(padding_idx, num_embeddings)
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.sparse = sparse
        table = _table(num_embeddings, embedding_dim, self.padding_idx, _weight, device, dtype, rngs)
        self.weight: nnx.Variable = Buffer(table) if _freeze else Parameter(table)

    def forward(self, input: Array) -> Array:
        r"""(\*) of indices -> (\*, D)."""
        result = F.embedding(
            input,
            self.weight.get_value(),
            self.padding_idx,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.sparse,
        )
        if self.max_norm is None:
            return result
        output, table = result
        self.weight.set_value(table)
        return output

    def extra_repr(self) -> str:
        """Torch's."""
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        text += "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return text + _norm_repr(self)

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Any,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> "Embedding":
        """A layer with a given table (V, D), by default frozen: a buffer, where torch has ``requires_grad=False``.

        >>> from jaxgrad import nn
        >>> nn.Embedding.from_pretrained(jnp.array([[1.0, 2.3], [4.0, 5.1]]))(jnp.array([1])).tolist()
        [[4.0, 5.099999904632568]]
        """
        rows, columns = _pretrained_shape(embeddings)
        return cls(
            rows,
            columns,
            padding_idx,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            sparse,
            _weight=embeddings,
            _freeze=freeze,
        )


class EmbeddingBag(Module):
    """Mirror of ``torch.nn.EmbeddingBag``: sums, means or maxima of bags of rows; see ``F.embedding_bag``.

    Args:
        num_embeddings: V, the number of rows.
        embedding_dim: D, the length of a row.
        max_norm: longer rows are shortened to this when they are looked up.
        norm_type: exponent of the norm that ``max_norm`` speaks of.
        scale_grad_by_freq: divide the gradient of a row by how often it was looked up.
        mode: 'sum', 'mean' or 'max'.
        sparse: must be False; gradients are dense arrays.
        _weight: the table, instead of a drawn one.
        include_last_offset: the last offset is the end of the last bag.
        padding_idx: a row that bags leave out; set to 0 at first.
        device: a JAX device to put the table on.
        dtype: of the table, float32 by default.
        rngs: where the table is drawn from; needed unless it is given.

    Attributes:
        weight: (V, D).

    >>> from jaxgrad import nn, random
    >>> bags = nn.EmbeddingBag(10, 3, mode="sum", rngs=nn.Rngs(random.manual_seed(0)))
    >>> bags
    EmbeddingBag(10, 3, mode='sum')
    >>> bags(jnp.array([1, 2, 4, 5]), jnp.array([0, 3])).shape
    (2, 3)

    Source: torch/nn/modules/sparse.py.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Array | None = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: jax.Device | None = None,
        dtype: Any = None,
        *,
        rngs: Rngs | None = None,
    ):
        refuse_sparse(sparse)
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.padding_idx = None if padding_idx is None else padding_row(padding_idx, num_embeddings, "padding_idx")
        self.mode = mode
        self.sparse = sparse
        self.include_last_offset = include_last_offset
        self.weight: nnx.Variable = Parameter(
            _table(num_embeddings, embedding_dim, self.padding_idx, _weight, device, dtype, rngs)
        )

    def forward(self, input: Array, offsets: Array | None = None, per_sample_weights: Array | None = None) -> Array:
        """(B, N), or (L,) with offsets (B,) -> (B, D)."""
        result = F.embedding_bag(
            input,
            self.weight.get_value(),
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            self.sparse,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )
        if self.max_norm is None:
            return result
        output, table = result
        self.weight.set_value(table)
        return output

    def extra_repr(self) -> str:
        """Torch's."""
        text = f"{self.num_embeddings}, {self.embedding_dim}{_norm_repr(self)}, mode={self.mode!r}"
        return text + ("" if self.padding_idx is None else f", padding_idx={self.padding_idx}")

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Any,
        freeze: bool = True,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> "EmbeddingBag":
        """A layer with a given table (V, D), by default frozen: a buffer, where torch has ``requires_grad=False``.

        >>> from jaxgrad import nn
        >>> nn.EmbeddingBag.from_pretrained(jnp.array([[1.0, 2.0], [4.0, 5.0]]))(jnp.array([[1, 0]])).tolist()
        [[2.5, 3.5]]
        """
        rows, columns = _pretrained_shape(embeddings)
        made = cls(
            rows,
            columns,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            mode,
            sparse,
            embeddings,
            include_last_offset,
            padding_idx,
        )
        if freeze:
            made.weight = Buffer(made.weight.get_value())
        return made


def _table(
    rows: int, columns: int, padding: int | None, given: Any, device: Any, dtype: Any, rngs: Rngs | None
) -> Array:
    if given is not None:
        given = jnp.asarray(given)
        if given.shape != (rows, columns):
            raise AssertionError("Shape of weight does not match num_embeddings and embedding_dim")
        return given
    for size in (rows, columns):
        if size < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension {size}: [{rows}, {columns}]")
    if rngs is None:
        raise TypeError(
            explain(
                "a table that is not given has to be drawn, and there is nothing to draw from",
                remedy="nn.Embedding(rows, columns, rngs=nn.Rngs(random.manual_seed(seed)))",
            )
        )
    drawn = rngs.draw(init.normal, (rows, columns), dtype=keep_dtype(jnp.float32 if dtype is None else dtype))
    drawn = drawn if padding is None else drawn.at[padding].set(0)
    return jax.device_put(drawn, device)


def _pretrained_shape(embeddings: Any) -> tuple[int, int]:
    shape = jnp.shape(embeddings)
    if len(shape) != 2:
        raise AssertionError("Embeddings parameter is expected to be 2-dimensional")
    return shape


def _norm_repr(layer: Embedding | EmbeddingBag) -> str:
    text = "" if layer.max_norm is None else f", max_norm={layer.max_norm}"
    text += "" if layer.norm_type == 2 else f", norm_type={layer.norm_type}"
    return text + (", scale_grad_by_freq=True" if layer.scale_grad_by_freq else "")
