"""Sequences of different lengths, after ``torch.nn.utils.rnn``: padded to one array, or packed without padding.

How many sequences still run at a step decides the shapes of a computation, so lengths are numbers of the host: a
``PackedSequence`` crosses ``jit`` with its ``batch_sizes`` as a constant, and other lengths compile another program.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Integer, Shaped

from jaxgrad._core.errors import explain, is_traced
from jaxgrad._core.types import Array


class _Packed(NamedTuple):
    data: Any
    batch_sizes: Any
    sorted_indices: Any
    unsorted_indices: Any


class PackedSequence(_Packed):
    """Mirror of ``torch.nn.utils.rnn.PackedSequence``: the steps of all sequences, those of one time together.

    As a pytree its leaves are ``data`` and the indices; ``batch_sizes`` is part of its structure.

    Args:
        data: (sum of lengths, \\*).
        batch_sizes: a numpy array (T,): how many sequences have a step at this time.
        sorted_indices: (N,), which sequence stands at each place; None for the given order.
        unsorted_indices: (N,), the place of each sequence; by default the inverse of ``sorted_indices``.

    >>> packed = pack_sequence([jnp.array([1, 2, 3]), jnp.array([4, 5])])
    >>> packed.data.tolist(), packed.batch_sizes.tolist()
    ([1, 4, 2, 5, 3], [2, 2, 1])
    """

    def __new__(
        cls, data: Any, batch_sizes: Any = None, sorted_indices: Any = None, unsorted_indices: Any = None
    ) -> "PackedSequence":
        """From the parts, or from a pair of data and batch sizes."""
        if batch_sizes is None:
            if not (isinstance(data, list | tuple) and len(data) == 2):
                raise AssertionError("Expected data to be a list or tuple of length 2")
            data, batch_sizes = data
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, _on_host(batch_sizes, "batch_sizes"), sorted_indices, unsorted_indices)

    def _replaced(self, data: Any) -> "PackedSequence":
        return PackedSequence(data, self.batch_sizes, self.sorted_indices, self.unsorted_indices)

    def double(self) -> "PackedSequence":
        """With data in float64."""
        return self._replaced(self.data.astype(jnp.float64))

    def float(self) -> "PackedSequence":
        """With data in float32."""
        return self._replaced(self.data.astype(jnp.float32))

    def half(self) -> "PackedSequence":
        """With data in float16."""
        return self._replaced(self.data.astype(jnp.float16))


def _flatten(packed: PackedSequence) -> tuple[tuple[Any, ...], tuple[int, ...]]:
    return (packed.data, packed.sorted_indices, packed.unsorted_indices), tuple(packed.batch_sizes.tolist())


def _unflatten(batch_sizes: tuple[int, ...], leaves: Iterable[Any]) -> PackedSequence:
    data, sorted_indices, unsorted_indices = leaves
    sizes = np.asarray(batch_sizes, np.int64)
    return _Packed.__new__(PackedSequence, data, sizes, sorted_indices, unsorted_indices)


jax.tree_util.register_pytree_node(PackedSequence, _flatten, _unflatten)


def invert_permutation(permutation: Any) -> Any:
    """The permutation that undoes another; None for None.

    >>> invert_permutation(jnp.array([2, 0, 1])).tolist()
    [1, 2, 0]
    """
    return None if permutation is None else jnp.argsort(permutation)


def pack_padded_sequence(
    input: Any, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    r"""Mirror of ``torch.nn.utils.rnn.pack_padded_sequence``.

    Args:
        input: (T, N, \*), or (N, T, \*) with ``batch_first``.
        lengths: of the sequences, N numbers known outside of the computation (not traced).
        batch_first: whether the input has the batch first.
        enforce_sorted: lengths must descend; with False the sequences are sorted here.

    Raises:
        RuntimeError: lengths that do not fit, in torch's words.
        TypeError: traced lengths.

    >>> x = jnp.array([[1, 2, 0], [3, 4, 5]])
    >>> packed = pack_padded_sequence(x, [2, 3], batch_first=True, enforce_sorted=False)
    >>> packed.data.tolist(), packed.batch_sizes.tolist(), packed.sorted_indices.tolist()
    ([3, 1, 4, 2, 5], [2, 2, 1], [1, 0])

    Source: torch/nn/utils/rnn.py.
    """
    input = jnp.asarray(input)
    sizes = _on_host(lengths, "lengths")
    sorted_indices = None
    if not enforce_sorted and sizes.ndim == 1:
        order = np.argsort(-sizes, kind="stable")
        sizes, sorted_indices = sizes[order], jnp.asarray(order)
        input = jnp.take(input, sorted_indices, axis=0 if batch_first else 1)
    steps_first = jnp.swapaxes(input, 0, 1) if batch_first else input
    _check_lengths(steps_first, sizes)
    batch_sizes = (np.arange(sizes[0])[:, None] < sizes).sum(axis=1)
    return PackedSequence(steps_first[rows_of(batch_sizes)], batch_sizes, sorted_indices)


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Shaped[Array, "first second *features"], Integer[Array, " batch"]]:
    r"""Mirror of ``torch.nn.utils.rnn.pad_packed_sequence``: the inverse of :func:`pack_padded_sequence`.

    Args:
        sequence: what was packed.
        batch_first: whether the output has the batch first.
        padding_value: what stands where a sequence has ended.
        total_length: the number of steps of the output; by default that of the longest sequence.

    Returns:
        (T, N, \*) or (N, T, \*) in the order before sorting, and the lengths (N,).

    Raises:
        ValueError: ``Expected total_length to be at least the length of the longest sequence ...``.

    >>> padded, lengths = pad_packed_sequence(pack_sequence([jnp.array([1, 2, 3]), jnp.array([4])]), batch_first=True)
    >>> padded.tolist(), lengths.tolist()
    ([[1, 2, 3], [4, 0, 0]], [3, 1])

    Source: torch/nn/utils/rnn.py.
    """
    steps = sequence.batch_sizes.shape[0]
    if total_length is not None:
        if total_length < steps:
            raise ValueError(
                "Expected total_length to be at least the length of the longest sequence in input, but got "
                f"total_length={total_length} and max sequence length being {steps}"
            )
        steps = total_length
    lengths = jnp.asarray(lengths_of(sequence.batch_sizes))
    padded = unpacked(sequence.data, sequence.batch_sizes, steps, padding_value)
    if sequence.unsorted_indices is not None:
        padded = jnp.take(padded, sequence.unsorted_indices, axis=1)
        lengths = lengths[sequence.unsorted_indices]
    return (jnp.swapaxes(padded, 0, 1) if batch_first else padded), lengths


def pad_sequence(
    sequences: Any, batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Shaped[Array, "first second *features"]:
    r"""Mirror of ``torch.nn.utils.rnn.pad_sequence``: one array of sequences (L_n, \*) of different lengths.

    Args:
        sequences: arrays that agree in all axes but the first.
        batch_first: whether the output has the batch first.
        padding_value: what stands where a sequence has ended.
        padding_side: "right" to pad behind a sequence, "left" before it.

    Returns:
        (T, N, \*), or (N, T, \*) with ``batch_first``.

    Raises:
        RuntimeError: no sequences, or another side.

    >>> pad_sequence([jnp.array([1, 2]), jnp.array([3])], batch_first=True, padding_value=-1).tolist()
    [[1, 2], [3, -1]]

    Source: torch/nn/utils/rnn.py.
    """
    if not isinstance(sequences, Iterable):
        raise RuntimeError(
            f"pad_sequence: Expected iterable for input sequences, but got arg of type: {type(sequences)}"
        )
    if padding_side not in ("left", "right"):
        raise RuntimeError(f"Expected padding_side to be one of left or right, but got {padding_side}.")
    arrays = [jnp.asarray(each) for each in sequences]
    if not arrays:
        raise RuntimeError("received an empty list of sequences")
    steps = max(each.shape[0] for each in arrays)

    def padded(each: Array) -> Array:
        missing = steps - each.shape[0]
        sides = (missing, 0) if padding_side == "left" else (0, missing)
        return jnp.pad(each, [sides] + [(0, 0)] * (each.ndim - 1), constant_values=padding_value)

    return jnp.stack([padded(each) for each in arrays], axis=0 if batch_first else 1)


def unpad_sequence(padded_sequences: Any, lengths: Any, batch_first: bool = False) -> list[Array]:
    r"""Mirror of ``torch.nn.utils.rnn.unpad_sequence``: the first ``lengths[n]`` steps of each sequence.

    Args:
        padded_sequences: (T, N, \*), or (N, T, \*) with ``batch_first``.
        lengths: N numbers known outside of the computation.
        batch_first: whether the batch stands first.

    >>> [each.tolist() for each in unpad_sequence(jnp.array([[1, 2], [3, 0]]), [2, 1], batch_first=True)]
    [[1, 2], [3]]

    Source: torch/nn/utils/rnn.py.
    """
    padded = jnp.asarray(padded_sequences)
    padded = padded if batch_first else jnp.swapaxes(padded, 0, 1)
    return [each[:n] for each, n in zip(padded, _on_host(lengths, "lengths").tolist(), strict=True)]


def pack_sequence(sequences: Sequence[Any], enforce_sorted: bool = True) -> PackedSequence:
    r"""Mirror of ``torch.nn.utils.rnn.pack_sequence``: sequences (L_n, \*), packed.

    Args:
        sequences: arrays that agree in all axes but the first.
        enforce_sorted: lengths must descend; with False the sequences are sorted here.

    >>> pack_sequence([jnp.array([1]), jnp.array([2, 3])], enforce_sorted=False).data.tolist()
    [2, 1, 3]

    Source: torch/nn/utils/rnn.py.
    """
    lengths = [np.shape(each)[0] for each in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Array]:
    """Mirror of ``torch.nn.utils.rnn.unpack_sequence``: the inverse of :func:`pack_sequence`.

    >>> [each.tolist() for each in unpack_sequence(pack_sequence([jnp.array([1, 2]), jnp.array([3])]))]
    [[1, 2], [3]]

    Source: torch/nn/utils/rnn.py.
    """
    padded, _ = pad_packed_sequence(packed_sequences, batch_first=True)
    lengths = jnp.asarray(lengths_of(packed_sequences.batch_sizes))
    if packed_sequences.unsorted_indices is not None:
        lengths = lengths[packed_sequences.unsorted_indices]
    return unpad_sequence(padded, lengths, batch_first=True)


def rows_of(batch_sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The time and the place of every row of packed data.

    >>> [each.tolist() for each in rows_of(np.array([2, 1]))]
    [[0, 0, 1], [0, 1, 0]]
    """
    times = np.repeat(np.arange(len(batch_sizes)), batch_sizes)
    places = np.concatenate([np.arange(n) for n in batch_sizes])
    return times, places


def lengths_of(batch_sizes: np.ndarray) -> np.ndarray:
    """The lengths of the sequences, which descend.

    >>> lengths_of(np.array([2, 1])).tolist()
    [2, 1]
    """
    return (batch_sizes[:, None] > np.arange(batch_sizes[0])).sum(axis=0)


def unpacked(data: Array, batch_sizes: np.ndarray, steps: int, padding_value: Any = 0) -> Array:
    r"""Packed data as (T, N, \*), padded, in the sorted order."""
    shape = (steps, int(batch_sizes[0]), *data.shape[1:])
    return jnp.full(shape, padding_value, data.dtype).at[rows_of(batch_sizes)].set(data)


def _on_host(numbers: Any, name: str) -> np.ndarray:
    if is_traced(numbers):
        raise TypeError(
            explain(
                f"{name} decide the shapes of a computation, and inside jit their numbers are not known",
                got=f"traced {name}",
                remedy="pack outside of the jitted function, or close over lengths that are numpy arrays",
            )
        )
    return np.asarray(numbers).astype(np.int64)


def _check_lengths(steps_first: Array, lengths: np.ndarray) -> None:
    if steps_first.size == 0:
        raise RuntimeError("Cannot pack empty tensors.")
    if lengths.ndim != 1:
        raise RuntimeError(
            f"'lengths' argument should be a 1D CPU int64 tensor, but got {lengths.ndim}D cpu Long tensor"
        )
    if len(lengths) != steps_first.shape[1]:
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(lengths)} "
            f"(batch_size={steps_first.shape[1]})"
        )
    if (lengths <= 0).any():
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0"
        )
    if lengths.max() > steps_first.shape[0]:  # torch reads past the end of its memory
        raise RuntimeError(f"a sequence of {lengths.max()} steps in an input of {steps_first.shape[0]}")
    if (np.diff(lengths) > 0).any():
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass "
            "`enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to sidestep this requirement if you "
            "do not need ONNX exportability."
        )
