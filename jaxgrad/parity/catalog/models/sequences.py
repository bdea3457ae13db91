"""Models of sequences: LSTM classifiers, a tied GPT, an encoder-decoder Transformer."""

from collections.abc import Callable
from typing import Any

from jaxgrad.parity.catalog.models.library import Library


def token_loss(F: Any) -> Callable[[Any, Any], Any]:
    """Cross entropy over all steps of all sequences.

    Args:
        F: ``nn.functional`` of the side.

    Returns:
        ``(logits (..., classes), labels (...)) -> loss``.

    >>> from jaxgrad.nn import functional as F
    >>> import jax.numpy as jnp
    >>> f"{float(token_loss(F)(jnp.zeros((2, 3, 4)), jnp.zeros((2, 3), int))):.4f}"
    '1.3863'
    """
    return lambda output, target: F.cross_entropy(output.reshape(-1, output.shape[-1]), target.reshape(-1))


def lstm_classifier(lib: Library, words: int = 11, embedding: int = 6, hidden: int = 5, classes: int = 3) -> Any:
    """Words through an LSTM; its last output is classified.

    Args:
        lib: the side.
        words: size of the vocabulary.
        embedding: features of a word.
        hidden: features of the LSTM.
        classes: number of logits.

    Returns:
        The module: words (N, T) to logits (N, classes).

    >>> from jaxgrad.parity.catalog.models import jaxgrad_library
    >>> lstm_classifier(jaxgrad_library()).lstm
    LSTM(6, 5, batch_first=True)
    """

    class Classifier(lib.nn.Module):  # type: ignore[name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.embed = lib.nn.Embedding(words, embedding, **lib.rngs)
            self.lstm = lib.nn.LSTM(embedding, hidden, batch_first=True, **lib.rngs)
            self.out = lib.nn.Linear(hidden, classes, **lib.rngs)

        def forward(self, x: Any) -> Any:
            output, _ = self.lstm(self.embed(x))
            return self.out(output[:, -1])

    return Classifier()


def packed_classifier(lib: Library, words: int = 11) -> Any:
    """The same of packed sequences: two layers, both directions, dropout between and after them.

    Args:
        lib: the side.
        words: size of the vocabulary; word 0 is padding.

    Returns:
        The module: a ``PackedSequence`` of words to logits (N, 3).

    >>> from jaxgrad.parity.catalog.models import jaxgrad_library
    >>> packed_classifier(jaxgrad_library()).inner.drop
    Dropout(p=0.4, inplace=False)
    """

    class Classifier(lib.nn.Module):  # type: ignore[name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.embed = lib.nn.Embedding(words, 6, padding_idx=0, **lib.rngs)
            self.lstm = lib.nn.LSTM(6, 5, num_layers=2, dropout=0.3, bidirectional=True, **lib.rngs)
            self.drop = lib.nn.Dropout(0.4)
            self.out = lib.nn.Linear(5, 3, **lib.rngs)

        def forward(self, data: Any, batch_sizes: Any, order: Any, back: Any) -> Any:
            packed = lib.rnn.PackedSequence(self.embed(data), batch_sizes, order, back)
            _, (h, _) = self.lstm(packed)
            return self.out(self.drop(h[-1] + h[-2]))

    class OfPacked(lib.nn.Module):  # type: ignore[name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.inner = Classifier()

        def forward(self, packed: Any) -> Any:
            return self.inner(*packed)

    return OfPacked()


def gpt(
    lib: Library, words: int = 11, width: int = 8, heads: int = 2, steps: int = 7, layers: int = 2, p: float = 0.2
) -> Any:
    """A decoder of Transformer blocks whose last layer shares its weight with the words' embedding.

    Args:
        lib: the side.
        words: size of the vocabulary.
        width: features of a word.
        heads: of the attention.
        steps: the longest sequence.
        layers: number of blocks.
        p: probability of every dropout.

    Returns:
        The module: words (N, T) to logits (N, T, words).

    >>> from jaxgrad.parity.catalog.models import jaxgrad_library
    >>> gpt(jaxgrad_library()).head
    Linear(in_features=8, out_features=11, bias=False)
    """

    class Attention(lib.nn.Module):  # type: ignore[name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.qkv = lib.nn.Linear(width, 3 * width, **lib.rngs)
            self.proj = lib.nn.Linear(width, width, **lib.rngs)

        def forward(self, x: Any) -> Any:
            n, t, _ = x.shape
            qkv = self.qkv(x).reshape(n, t, 3 * heads, width // heads).swapaxes(1, 2)
            q, k, v = qkv[:, :heads], qkv[:, heads : 2 * heads], qkv[:, 2 * heads :]
            return self.proj(lib.attend(self, q, k, v, p).swapaxes(1, 2).reshape(n, t, width))

    class Block(lib.nn.Module):  # type: ignore[name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.attention = lib.nn.LayerNorm(width), Attention()
            self.norm2 = lib.nn.LayerNorm(width)
            self.mlp = lib.nn.Sequential(
                lib.nn.Linear(width, 4 * width, **lib.rngs),
                lib.nn.GELU(),
                lib.nn.Linear(4 * width, width, **lib.rngs),
                lib.nn.Dropout(p),
            )
            self.drop = lib.nn.Dropout(p)

        def forward(self, x: Any) -> Any:
            x = x + self.drop(self.attention(self.norm1(x)))
            return x + self.mlp(self.norm2(x))

    class GPT(lib.nn.Module):  # type: ignore[name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.words = lib.nn.Embedding(words, width, **lib.rngs)
            self.places = lib.nn.Embedding(steps, width, **lib.rngs)
            self.drop = lib.nn.Dropout(p)
            self.blocks = lib.nn.ModuleList([Block() for _ in range(layers)])
            self.norm = lib.nn.LayerNorm(width)
            self.head = lib.nn.Linear(width, words, bias=False, **lib.rngs)
            self.head.weight = self.words.weight

        def forward(self, x: Any) -> Any:
            x = self.drop(self.words(x) + self.places.weight[None, : x.shape[1]])
            for block in self.blocks:
                x = block(x)
            return self.head(self.norm(x))

    return GPT()


def translator(lib: Library, words: int = 11) -> Any:
    """``nn.Transformer`` between embeddings, with a causal mask and masks of padding.

    Args:
        lib: the side.
        words: size of both vocabularies.

    Returns:
        The module: (source (N, S), target (N, T), padding (N, S), causal (T, T)) to logits (N, T, words).

    >>> from jaxgrad.parity.catalog.models import jaxgrad_library
    >>> translator(jaxgrad_library()).out
    Linear(in_features=8, out_features=11, bias=True)
    """

    class Translator(lib.nn.Module):  # type: ignore[name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.source = lib.nn.Embedding(words, 8, **lib.rngs)
            self.target = lib.nn.Embedding(words, 8, **lib.rngs)
            self.transformer = lib.nn.Transformer(8, 2, 1, 1, 12, 0.2, batch_first=True, **lib.rngs)
            self.out = lib.nn.Linear(8, words, **lib.rngs)

        def forward(self, source: Any, target: Any, padding: Any, causal: Any) -> Any:
            x = self.transformer(
                self.source(source),
                self.target(target),
                tgt_mask=causal,
                src_key_padding_mask=padding,
                memory_key_padding_mask=padding,
            )
            return self.out(x)

    return Translator()
