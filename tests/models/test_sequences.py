"""LSTM classifiers, a small tied GPT, and a Transformer, twenty steps beside torch."""

import jax
import numpy as np
import pytest

from jaxgrad.nn.utils import rnn
from jaxgrad.parity.catalog.models import gpt, lstm_classifier, packed_classifier, token_loss, translator
from tests.models.side_by_side import compare

WORDS = 11


def packed_batches():
    rng = np.random.default_rng(0)
    for lengths in ([3, 5, 2, 5], [1, 4, 4, 6]):
        with jax.enable_x64(True):
            packed = rnn.pack_sequence([rng.integers(1, WORDS, n) for n in lengths], enforce_sorted=False)
        yield (packed,), rng.integers(0, 3, len(lengths))


def test_lstm_classifier_with_packed_sequences():
    compare(packed_classifier, token_loss, list(packed_batches()))


@pytest.mark.exhaustive
def test_lstm_classifier():
    rng = np.random.default_rng(0)
    text = [rng.permuted(np.arange(4 * 6).reshape(4, 6) % WORDS) for _ in range(2)]  # every word occurs
    compare(lstm_classifier, token_loss, [(words, rng.integers(0, 3, 4)) for words in text])


def test_small_tied_gpt():
    rng = np.random.default_rng(0)
    text = [rng.integers(0, WORDS, (4, 8)) for _ in range(3)]
    compare(gpt, token_loss, [(words[:, :-1], words[:, 1:]) for words in text], ("AdamW", {"lr": 1e-2}))


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
    compare(translator, token_loss, batches)
