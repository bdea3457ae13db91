"""Losses and distances on PyTorch's own samples (``op_db``): a slice here, all of them among the exhaustive."""

import jax
import numpy as np
import pytest
import torch

from tests.support.entries import cancels
from tests.support.op_samples import entries, error_inputs, op_id, samples

NAMES = (
    "l1_loss smooth_l1_loss huber_loss poisson_nll_loss gaussian_nll_loss kl_div binary_cross_entropy "
    "hinge_embedding_loss multi_margin_loss multilabel_margin_loss multilabel_soft_margin_loss soft_margin_loss "
    "cosine_embedding_loss margin_ranking_loss triplet_margin_loss triplet_margin_with_distance_loss ctc_loss "
    "cosine_similarity pairwise_distance pdist one_hot"
).split()
OPS = entries(*(f"nn.functional.{name}" for name in NAMES), "nn.functional.linear_cross_entropy")[:-2]
"""Without the two variants of linear_cross_entropy that compute in chunks, a saving of memory that is not mirrored."""


def compiled(op):
    """How many classes there are, one_hot reads off its numbers."""
    return not op.name.endswith("one_hot")


@pytest.mark.parametrize("op", OPS, ids=op_id)
def test_samples(op, x64):
    dtype = torch.float64 if torch.float64 in op.supported_dtypes("cpu") else torch.int64
    samples(op, dtype=dtype, limit=2, jit=compiled(op)).check()
    error_inputs(op).check(at_least=0)


@pytest.mark.exhaustive
@pytest.mark.parametrize("op", OPS, ids=op_id)
def test_all_samples(op):
    dtypes = op.supported_dtypes("cpu")
    with jax.enable_x64(True):
        for dtype in {torch.float64, torch.complex128, torch.int64} & dtypes:
            samples(op, dtype=dtype, jit=compiled(op)).check()
        if torch.float64 in dtypes:
            samples(op, limit=8).check()
    leave_out = cancels if op.name.endswith("hinge_embedding_loss") else None
    for dtype in {torch.float32, torch.bfloat16, torch.float16} & dtypes:
        samples(op, dtype=dtype, leave_out=leave_out).check()


def test_float32_lies_within_torchs_own_rounding():
    ratios = []
    for op in OPS:
        if torch.float32 in op.supported_dtypes("cpu") and not op.name.endswith("hinge_embedding_loss"):
            tally = samples(op, dtype=torch.float32, limit=1)
            tally.check()
            ratios += tally.ratios
    assert np.median(ratios) <= 1.5
