"""Operations of the table beside torch's: the samples of PyTorch's own database of operations, traced with their
derivative, every node judged alone on torch's inputs.
"""

import warnings

import pytest

pytest.importorskip("torch", reason="the reference is not installed")
pytest.importorskip("expecttest", reason="torch's databases need it")

import torch

from jaxgrad import trace
from tests.trace.test_module_db import Summed

BOUND = 60
"""In units of how far torch's result moves with its inputs' last place."""

FREE = {
    "_linalg_eigh": "the sign of a vector",
    "_linalg_svd": "the sign of a vector",
    "linalg_qr": "the sign of a row",
    "polygamma": "torch's zeta function below 0, which is off",
    "_embedding_bag": "by-products that a mode does not need, which torch leaves unfilled",
}
"""Operations whose answer is not unique, or not right in torch; what the loss sees of the others is."""

SOME = "linalg.vector_norm masked_scatter as_strided logcumsumexp nn.functional.embedding_bag".split()

NAMES = """
cdist nn.functional.pdist dist norm linalg.norm linalg.matrix_norm fft.irfft fft.hfft linalg.det linalg.slogdet
linalg.solve_ex linalg.inv_ex linalg.cholesky_ex linalg.lu_factor_ex linalg.lu linalg.lu_solve lu_unpack
linalg.eigvalsh linalg.svdvals linalg.qr linalg.solve_triangular triangular_solve cholesky cholesky_solve
cholesky_inverse matrix_exp linalg.householder_product addbmm angle as_strided_scatter copysign cummax cummin
diagonal_scatter diagonal_copy fmax fmin nn.functional.grid_sample hypot i0 special.i1 special.i0e special.i1e
index_reduce kthvalue ldexp mode nanmedian narrow_copy permute_copy polygamma put take round special.erfcx
special.ndtri special.log_ndtr unfold unfold_copy view_copy nn.functional.fractional_max_pool2d nn.functional.rrelu
nn.functional.scaled_dot_product_attention var std_mean nn.functional.interpolate nn.functional.max_unpool2d
nn.functional.unfold scatter_reduce index_put gather cumprod amax median topk sort renorm
nn.functional.multi_head_attention_forward nn.functional.layer_norm nn.functional.group_norm nn.functional.batch_norm
nn.functional.conv_transpose2d nn.functional.embedding nn.functional.pad trace kron logaddexp xlogy sgn atan2 clamp
""".split()


def database():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_methods_invocations import op_db
    found = {}
    for info in op_db:
        found.setdefault(info.name, info)
    return found


class Called(torch.nn.Module):
    def __init__(self, fn):
        super().__init__()
        self.fn = fn

    def forward(self, *args, **kwargs):
        return self.fn(*args, **kwargs)


def check(name, limit):
    info = database()[name]
    torch.manual_seed(0)
    samples = info.sample_inputs("cpu", torch.float64, requires_grad=False)
    for _, sample in zip(range(limit), samples, strict=False):
        module = Summed(Called(info.op), (sample.input, *sample.args), sample.kwargs)
        if not list(module.parameters()):
            continue
        try:
            traced = trace.from_torch(module, lambda out: out, (torch.zeros(1),))
        except RuntimeError as error:
            # a sample whose other input is asked for a gradient that torch does not have, or a mask for an index
            if "not differentiable" in str(error) or "DynamicOutputShape" in str(error):
                continue
            raise
        for node in trace.oracle(traced, (torch.zeros(1),)):
            assert node.op in FREE or node.ratio < BOUND, (name, node)


@pytest.mark.parametrize("name", SOME)
def test_some(name, x64):
    check(name, 1)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", NAMES)
def test_all(name, x64):
    check(name, 2)
