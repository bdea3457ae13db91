"""An LSTM classifier with packed sequences, a small tied GPT, and a Transformer, twenty steps beside torch."""

import jax
import numpy as np
import pytest

from jaxgrad.nn.utils import rnn
from tests.models.side_by_side import compare

WORDS = 11


def cross_entropy(F):
    return lambda output, target: F.cross_entropy(output.reshape(-1, output.shape[-1]), target.reshape(-1))


def lstm_classifier(lib):
    class Classifier(lib.nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = lib.nn.Embedding(WORDS, 6, padding_idx=0, **lib.rngs)
            self.lstm = lib.nn.LSTM(6, 5, num_layers=2, dropout=0.3, bidirectional=True, **lib.rngs)
            self.drop = lib.nn.Dropout(0.4)
            self.out = lib.nn.Linear(5, 3, **lib.rngs)

        def forward(self, data, batch_sizes, order, back):
            packed = lib.rnn.PackedSequence(self.embed(data), batch_sizes, order, back)
            _, (h, _) = self.lstm(packed)
            return self.out(self.drop(h[-1] + h[-2]))

    class OfPacked(lib.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Classifier()

        def forward(self, packed):
            return self.inner(*packed)

    return OfPacked()


def packed_batches():
    rng = np.random.default_rng(0)
    for lengths in ([3, 5, 2, 5], [1, 4, 4, 6]):
        with jax.enable_x64(True):
            packed = rnn.pack_sequence([rng.integers(1, WORDS, n) for n in lengths], enforce_sorted=False)
        yield (packed,), rng.integers(0, 3, len(lengths))


def test_lstm_classifier_with_packed_sequences():
    compare(lstm_classifier, cross_entropy, list(packed_batches()))


def gpt(lib, width=8, heads=2, steps=7, layers=2, p=0.2):
    class Attention(lib.nn.Module):
        def __init__(self):
            super().__init__()
            self.qkv = lib.nn.Linear(width, 3 * width, **lib.rngs)
            self.proj = lib.nn.Linear(width, width, **lib.rngs)

        def forward(self, x):
            n, t, _ = x.shape
            qkv = self.qkv(x).reshape(n, t, 3 * heads, width // heads).swapaxes(1, 2)
            q, k, v = qkv[:, :heads], qkv[:, heads : 2 * heads], qkv[:, 2 * heads :]
            return self.proj(lib.attend(self, q, k, v, p).swapaxes(1, 2).reshape(n, t, width))

    class Block(lib.nn.Module):
        def __init__(self):
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

        def forward(self, x):
            x = x + self.drop(self.attention(self.norm1(x)))
            return x + self.mlp(self.norm2(x))

    class GPT(lib.nn.Module):
        def __init__(self):
            super().__init__()
            self.words = lib.nn.Embedding(WORDS, width, **lib.rngs)
            self.places = lib.nn.Embedding(steps, width, **lib.rngs)
            self.drop = lib.nn.Dropout(p)
            self.blocks = lib.nn.ModuleList([Block() for _ in range(layers)])
            self.norm = lib.nn.LayerNorm(width)
            self.head = lib.nn.Linear(width, WORDS, bias=False, **lib.rngs)
            self.head.weight = self.words.weight

        def forward(self, words):
            x = self.drop(self.words(words) + self.places.weight[None, : words.shape[1]])
            for block in self.blocks:
                x = block(x)
            return self.head(self.norm(x))

    return GPT()


def test_small_tied_gpt():
    rng = np.random.default_rng(0)
    text = [rng.integers(0, WORDS, (4, 8)) for _ in range(3)]
    compare(gpt, cross_entropy, [(words[:, :-1], words[:, 1:]) for words in text], ("AdamW", {"lr": 1e-2}))


def translator(lib):
    class Translator(lib.nn.Module):
        def __init__(self):
            super().__init__()
            self.source = lib.nn.Embedding(WORDS, 8, **lib.rngs)
            self.target = lib.nn.Embedding(WORDS, 8, **lib.rngs)
            self.transformer = lib.nn.Transformer(8, 2, 1, 1, 12, 0.2, batch_first=True, **lib.rngs)
            self.out = lib.nn.Linear(8, WORDS, **lib.rngs)

        def forward(self, source, target, padding, causal):
            x = self.transformer(
                self.source(source),
                self.target(target),
                tgt_mask=causal,
                src_key_padding_mask=padding,
                memory_key_padding_mask=padding,
            )
            return self.out(x)

    return Translator()


@pytest.mark.exhaustive
@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True:UserWarning")
def test_transformer_encoder_and_decoder():
    rng = np.random.default_rng(0)
    causal = ~np.tri(6, dtype=bool)
    padding = np.arange(5) >= np.array([[5], [3], [4]])
    batches = []
    for _ in range(3):
        source, target = rng.integers(0, WORDS, (3, 5)), rng.integers(0, WORDS, (3, 7))
        batches.append(((source, target[:, :-1], padding, causal), target[:, 1:]))
    compare(translator, cross_entropy, batches)
