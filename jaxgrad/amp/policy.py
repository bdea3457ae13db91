"""Torch's lists of what autocast does to which operation, as data, and the rule that each list stands for.

The names are those of torch's dispatcher (``aten::conv2d``). What stands on no list runs in the dtype that it is given.
Tensors in float64, integers and booleans are never cast.
"""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.errors import explain
from jaxgrad._core.trees import is_tensor
from jaxgrad._core.types import PyTree

LOWER, FLOAT32, FLOAT32_RESULT, WIDEST, BANNED = "lower", "float32", "float32 result", "widest", "banned"
"""Cast down; cast to float32; computed with ``dtype=float32``; cast to the widest of the dtypes given; refused."""

_CPU = {
    LOWER: """
        _addmm_activation _convolution _native_multi_head_attention addbmm addmm baddbmm bmm conv1d conv2d conv3d
        conv_tbc conv_transpose1d conv_transpose2d conv_transpose3d linalg_vecdot linear matmul mkldnn_rnn_layer mm
        prelu scaled_dot_product_attention
        """,
    FLOAT32: """
        _grid_sampler_2d_cpu_fallback _lu_with_info adaptive_avg_pool3d adaptive_max_pool3d avg_pool3d
        binary_cross_entropy binary_cross_entropy_with_logits cdist cholesky cholesky_inverse cholesky_solve
        cosine_embedding_loss cross_entropy_loss ctc_loss fake_quantize_per_tensor_affine fft_fft fft_fft2 fft_fftn
        fft_hfft fft_ifft fft_ifft2 fft_ifftn fft_ihfft fft_irfft fft_irfft2 fft_irfftn fft_rfft fft_rfft2 fft_rfftn
        fractional_max_pool2d fractional_max_pool3d geqrf grid_sampler grid_sampler_2d grid_sampler_3d
        hinge_embedding_loss huber_loss inverse kl_div l1_loss linalg_cholesky linalg_cholesky_ex linalg_cond linalg_eig
        linalg_eigh linalg_eigvals linalg_eigvalsh linalg_householder_product linalg_inv linalg_inv_ex linalg_lstsq
        linalg_matrix_rank linalg_qr linalg_solve linalg_svd linalg_svdvals linalg_tensorinv linalg_tensorsolve lu_solve
        margin_ranking_loss max_pool3d max_unpool2d max_unpool3d mse_loss multi_margin_loss multilabel_margin_loss
        multilabel_margin_loss_forward nanquantile nll_loss nll_loss2d orgqr ormqr pinverse poisson_nll_loss polar prod
        qr quantile reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d replication_pad3d
        smooth_l1_loss soft_margin_loss stft svd trace triangular_solve triplet_margin_loss view_as_complex
        """,
    WIDEST: "cat index_copy stack",
}

_CUDA = {
    LOWER: """
        _convolution _cudnn_rnn _scaled_dot_product_flash_attention _thnn_fused_gru_cell _thnn_fused_lstm_cell addbmm
        addmm addmv addr baddbmm bmm chain_matmul conv1d conv2d conv3d conv_tbc conv_transpose1d conv_transpose2d
        conv_transpose3d convolution cudnn_convolution cudnn_convolution_transpose einsum gru_cell linalg_multi_dot
        linalg_vecdot linear lstm_cell matmul mm mv prelu rnn_relu_cell rnn_tanh_cell scaled_dot_product_attention
        """,
    FLOAT32: """
        _upsample_bicubic2d_aa _upsample_bilinear2d_aa _upsample_nearest_exact1d _upsample_nearest_exact2d
        _upsample_nearest_exact3d acos asin binary_cross_entropy_with_logits cdist cosh cosine_embedding_loss
        cosine_similarity dist erfinv exp expm1 frobenius_norm group_norm hinge_embedding_loss huber_loss kl_div l1_loss
        layer_norm log log10 log1p log2 logsumexp margin_ranking_loss mse_loss multi_margin_loss multilabel_margin_loss
        native_layer_norm nll_loss nll_loss2d nuclear_norm pdist poisson_nll_loss pow reciprocal renorm rms_norm rsqrt
        sinh smooth_l1_loss soft_margin_loss softplus tan triplet_margin_loss upsample_bicubic2d upsample_bilinear2d
        upsample_linear1d upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_trilinear3d
        """,
    FLOAT32_RESULT: """
        cumprod cumsum linalg_matrix_norm linalg_vector_norm log_softmax norm prod softmax sum
        """,
    WIDEST: "addcdiv addcmul atan2 bilinear cross dot grid_sampler index_put scatter_add tensordot vdot",
    BANNED: "binary_cross_entropy",
}

LISTS = {
    device: {name: rule for rule, names in lists.items() for name in names.split()}
    for device, lists in (("cpu", _CPU), ("cuda", _CUDA))
}
"""By kind of device: from the name of an operation to its rule. Torch's lists, whole."""

COMPOSED = {"cpu": ("lstm", "rnn_tanh", "rnn_relu"), "cuda": ("lstm", "gru", "rnn_tanh", "rnn_relu")}
"""Whole recurrences, one operation here: cast down where torch's library does so or its parts come to that. A GRU
on CPU keeps a float32 state between products that are cast down."""


def rule_of(device_type: str, name: str) -> str | None:
    """The rule for an operation; None where it runs in the dtype that it is given."""
    return LOWER if name in COMPOSED[device_type] else LISTS[device_type].get(name)


def cast_arguments(
    rule: str, dtype: np.dtype, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments that an operation is called with under a rule.

    Raises:
        RuntimeError: an operation that is unsafe in half precision, or halves of two kinds to be promoted.
    """
    if rule == BANNED:
        raise RuntimeError(_BANNED)
    if rule == FLOAT32_RESULT:
        return _with_float32_result(fn, args, kwargs)
    wanted = dtype if rule == LOWER else np.dtype(np.float32)
    if rule == WIDEST:
        wanted = _widest((args, kwargs), dtype)
    cast: tuple[tuple[Any, ...], dict[str, Any]] = jax.tree.map(lambda leaf: _cast(leaf, wanted), (args, kwargs))
    return cast


def castable_dtype(leaf: Any) -> bool:
    """Whether autocast may cast it: an array of floating point, not of float64."""
    return is_tensor(leaf) and jnp.issubdtype(leaf.dtype, jnp.floating) and leaf.dtype != np.float64


def _cast(leaf: Any, dtype: np.dtype) -> Any:
    return jnp.asarray(leaf, dtype) if castable_dtype(leaf) and leaf.dtype != dtype else leaf


def _with_float32_result(
    fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Torch looks at the first tensor alone, and takes a float64 one down too."""
    given = inspect.signature(fn).bind(*args, **kwargs)
    first = next(_arrays((args, kwargs)))
    if given.arguments.get("dtype") is None and jnp.issubdtype(first.dtype, jnp.floating):
        given.arguments["dtype"] = jnp.float32
    return given.args, given.kwargs


def _widest(tree: PyTree, lower: np.dtype) -> np.dtype:
    widest = lower
    for leaf in filter(castable_dtype, _arrays(tree)):
        if np.float32 in (widest, leaf.dtype):
            widest = np.dtype(np.float32)
        elif leaf.dtype != lower:
            raise RuntimeError(
                explain(
                    "Unexpected floating ScalarType in at::autocast::prioritize",
                    got=leaf.dtype,
                    expected=f"float32 or {lower}",
                )
            )
    return widest


def _arrays(tree: PyTree) -> Iterator[Any]:
    return filter(is_tensor, jax.tree.leaves(tree))


_BANNED = """torch.nn.functional.binary_cross_entropy and torch.nn.BCELoss are unsafe to autocast.
Many models use a sigmoid layer right before the binary cross entropy layer.
In this case, combine the two layers using torch.nn.functional.binary_cross_entropy_with_logits
or torch.nn.BCEWithLogitsLoss.  binary_cross_entropy_with_logits and BCEWithLogits are
safe to autocast."""
