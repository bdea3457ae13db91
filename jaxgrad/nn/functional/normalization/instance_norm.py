"""Instance normalisation: batch normalisation of every channel of every sample by itself."""

import math
from typing import Any

import jax.numpy as jnp
from jaxtyping import Float

from jaxgrad._core.diagnosis import diagnosed
from jaxgrad._core.types import Array
from jaxgrad.nn.functional.normalization.batch_norm import by_channel


@diagnosed
def instance_norm(
    input: Float[Array, "batch channels *size"],
    running_mean: Float[Array, " channels"] | None = None,
    running_var: Float[Array, " channels"] | None = None,
    weight: Float[Array, " channels"] | None = None,
    bias: Float[Array, " channels"] | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    r"""Mirror of ``torch.nn.functional.instance_norm``: :func:`batch_norm` with the samples taken for channels.

    What is remembered are the averages over the batch of the samples' statistics. They come back beside the output
    instead of changing in place.

    Args:
        input: (N, C, \*), floating, with at least one axis behind C.
        running_mean: (C,), or None.
        running_var: (C,), or None.
        weight: (C,), or None for ones.
        bias: (C,), or None for zeros.
        use_input_stats: normalise by the statistics of the input, and update the running ones.
        momentum: weight of the new statistics in the running ones.
        eps: added to the variance.

    Returns:
        The output; with ``use_input_stats=True`` and running statistics ``(output, (running_mean, running_var))``.

    Raises:
        ValueError: ``Expected more than 1 spatial element when training, got input size ...``.
        RuntimeError: sizes that do not fit, or missing statistics.

    >>> instance_norm(jnp.array([[[1.0, 3.0], [5.0, 9.0]]])).round(3).tolist()
    [[[-1.0, 1.0], [-1.0, 1.0]]]

    Source: Ulyanov et al., 2016; torch/nn/functional.py, ``instance_norm``.
    """
    input = jnp.asarray(input)
    if use_input_stats:
        if math.prod(input.shape[2:]) == 1:
            raise ValueError(
                f"Expected more than 1 spatial element when training, got input size torch.Size({list(input.shape)})"
            )
    elif running_mean is None or running_var is None:
        raise RuntimeError("Expected running_mean and running_var to be defined when use_input_stats is false")
    n, c = input.shape[:2]

    def repeated(value: Any) -> Array | None:
        return None if value is None else jnp.tile(jnp.asarray(value), n)

    past = repeated(running_mean), repeated(running_var)
    flat = input.reshape(1, n * c, *input.shape[2:])
    result = by_channel(flat, *past, repeated(weight), repeated(bias), use_input_stats, momentum, eps)
    if not isinstance(result, tuple):
        return result.reshape(input.shape)
    output, statistics = result
    mean, var = (value.reshape(n, c).mean(axis=0) for value in statistics)
    return output.reshape(input.shape), (mean, var)
