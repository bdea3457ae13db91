"""One call of every operation on torch's lists that there is here, and of some that are on none."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple


class Sample(NamedTuple):
    name: str
    """Torch's name of the operation, which the lists have."""
    shapes: tuple[tuple[int, ...], ...]
    call: Callable[..., Any]
    """Of a side and arrays of these shapes."""


@dataclass(frozen=True)
class Side:
    """One of the two libraries."""

    library: Any
    F: Any
    array: Callable[..., Any]


IMAGE, KERNEL, VOLUME = (1, 2, 5, 5), (3, 2, 3, 3), (1, 2, 4, 4, 4)
ROWS = (4, 3)
DIAGONAL = [[9.0, 0.0, 0.0], [0.0, 9.0, 0.0], [0.0, 0.0, 9.0]]


def simple(name, *shapes, **kwargs):
    """A function of ``nn.functional`` called as its operation is."""
    return Sample(name, shapes, lambda s, *arrays: getattr(s.F, name)(*arrays, **kwargs))


def of_labels(name, operation, numbers, **kwargs):
    return Sample(operation, (ROWS,), lambda s, x: getattr(s.F, name)(x, s.array(numbers), **kwargs))


SAMPLES = [
    # cast down, on CPU and CUDA
    simple("linear", (4, 3), (2, 3), (2,)),
    simple("conv1d", (1, 2, 7), (3, 2, 3), (3,)),
    simple("conv2d", IMAGE, KERNEL, (3,)),
    simple("conv3d", VOLUME, (3, 2, 2, 2, 2)),
    simple("conv_transpose1d", (1, 2, 7), (2, 3, 3)),
    simple("conv_transpose2d", IMAGE, (2, 3, 3, 3)),
    simple("conv_transpose3d", VOLUME, (2, 3, 2, 2, 2)),
    simple("prelu", IMAGE, (2,)),
    simple("scaled_dot_product_attention", (1, 2, 5, 4), (1, 2, 5, 4), (1, 2, 5, 4), (5, 5)),
    Sample("matmul", ((4, 3), (3, 2)), lambda s, x, w: x @ w),
    Sample("matmul", ((2, 4, 3), (2, 3, 2)), lambda s, x, w: x @ w),
    # float32
    simple("avg_pool3d", VOLUME, kernel_size=2),
    simple("max_pool3d", VOLUME, kernel_size=2),
    simple("adaptive_avg_pool3d", VOLUME, output_size=2),
    simple("adaptive_max_pool3d", VOLUME, output_size=2),
    simple("binary_cross_entropy_with_logits", ROWS, ROWS),
    Sample("binary_cross_entropy", (ROWS, ROWS), lambda s, x, y: s.F.binary_cross_entropy(x * x, y * y)),
    Sample("grid_sampler", (IMAGE, (1, 3, 3, 2)), lambda s, x, g: s.F.grid_sample(x, g, align_corners=False)),
    simple("mse_loss", ROWS, ROWS),
    simple("l1_loss", ROWS, ROWS),
    simple("smooth_l1_loss", ROWS, ROWS),
    simple("huber_loss", ROWS, ROWS),
    Sample("kl_div", (ROWS, ROWS), lambda s, x, y: s.F.kl_div(x, y * y, reduction="batchmean")),
    simple("poisson_nll_loss", ROWS, ROWS),
    simple("hinge_embedding_loss", ROWS, ROWS),
    simple("soft_margin_loss", ROWS, ROWS),
    simple("margin_ranking_loss", (4,), (4,), (4,)),
    simple("cosine_embedding_loss", ROWS, ROWS, (4,)),
    simple("triplet_margin_loss", ROWS, ROWS, ROWS),
    of_labels("nll_loss", "nll_loss", [0, 2, 1, 1]),
    of_labels("cross_entropy", "cross_entropy_loss", [0, 2, 1, 1]),
    of_labels("multi_margin_loss", "multi_margin_loss", [0, 2, 1, 1]),
    of_labels("multilabel_margin_loss", "multilabel_margin_loss", [[0, -1, 1]] * 4),
    Sample(
        "ctc_loss",
        ((5, 1, 4),),
        lambda s, x: s.F.ctc_loss(s.F.log_softmax(x, 2), s.array([[1, 2]]), s.array([5]), s.array([2])),
    ),
    *[
        Sample(f"{kind}ion_pad{n}d", ((1, 2, *[4] * n),), lambda s, x, m=mode, n=n: s.F.pad(x, (1, 2) * n, m))
        for kind, mode in (("reflect", "reflect"), ("replicat", "replicate"))
        for n in (1, 2, 3)
    ],
    Sample("cdist", (ROWS, ROWS), lambda s, x, y: s.library.cdist(x, y)),
    Sample("inverse", ((3, 3),), lambda s, x: s.library.inverse(x)),
    Sample("linalg_inv", ((3, 3),), lambda s, x: s.library.linalg.inv(x)),
    Sample("linalg_cholesky", ((3, 3),), lambda s, x: s.library.linalg.cholesky(x + s.array(DIAGONAL))),
    # float32 on CUDA
    simple("layer_norm", ROWS, normalized_shape=(3,)),
    simple("rms_norm", ROWS, normalized_shape=(3,)),
    simple("group_norm", IMAGE, num_groups=2),
    simple("softplus", ROWS),
    simple("softmax", ROWS, dim=1),
    simple("log_softmax", ROWS, dim=1),
    simple("cosine_similarity", ROWS, ROWS),
    simple("pdist", ROWS),
    simple("bilinear", ROWS, ROWS, (2, 3, 3)),
    Sample("pow", (ROWS,), lambda s, x: s.library.pow(x, 2)),
    Sample("dist", (ROWS, ROWS), lambda s, x, y: s.library.dist(x, y)),
    Sample("renorm", (ROWS,), lambda s, x: s.library.renorm(x, 2, 0, 1.0)),
    Sample("atan2", (ROWS, ROWS), lambda s, x, y: s.library.atan2(x, y)),
    Sample("linalg_vector_norm", (ROWS,), lambda s, x: s.library.linalg.vector_norm(x)),
    Sample("linalg_matrix_norm", (ROWS,), lambda s, x: s.library.linalg.matrix_norm(x)),
    Sample("norm", (ROWS,), lambda s, x: s.library.norm(x)),
    *[
        Sample(f"upsample_{mode}{n}d", ((1, 2, *[3] * n),), lambda s, x, m=mode: s.F.interpolate(x, None, 2, mode=m))
        for mode, n in (("nearest", 1), ("nearest", 2), ("nearest", 3), ("linear", 1), ("bilinear", 2), ("bicubic", 2))
    ],
    Sample(
        "_upsample_bilinear2d_aa",
        (IMAGE,),
        lambda s, x: s.F.interpolate(x, 3, mode="bilinear", antialias=True),
    ),
    # on no list: they run in what they are given
    *[
        simple(name, ROWS)
        for name in ("relu", "gelu", "silu", "tanh", "sigmoid", "elu", "mish", "hardswish", "logsigmoid", "softsign")
    ],
    simple("max_pool2d", IMAGE, kernel_size=2),
    simple("avg_pool2d", IMAGE, kernel_size=2),
    simple("adaptive_avg_pool2d", IMAGE, output_size=2),
    simple("normalize", ROWS),
    simple("pairwise_distance", ROWS, ROWS),
    Sample("gaussian_nll_loss", (ROWS, ROWS, ROWS), lambda s, x, y, z: s.F.gaussian_nll_loss(x, y, z * z)),
]
