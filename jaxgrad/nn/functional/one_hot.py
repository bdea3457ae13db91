"""Class indices as unit vectors."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Integer

from jaxgrad._core.arguments import as_integer
from jaxgrad._core.diagnosis import diagnosed
from jaxgrad._core.errors import explain, is_traced
from jaxgrad._core.types import Array


@diagnosed
def one_hot(tensor: Integer[Array, "*shape"], num_classes: int = -1) -> Integer[Array, "*shape classes"]:
    """Mirror of ``torch.nn.functional.one_hot``: a last axis with 1 at the class and 0 elsewhere, as integers.

    Differs from ``jax.nn.one_hot``, which gives floats and lets a class out of range pass as zeros. Inside jit the
    classes cannot be looked at: ``num_classes`` must be given, and a class out of range gives zeros.

    Args:
        tensor: class indices, any shape, any integer dtype.
        num_classes: length of the new axis; -1 stands for the greatest class and one more.

    Returns:
        (..., num_classes), int64 as torch's, or int32 with JAX's 64-bit mode off.

    Raises:
        RuntimeError: ``Class values must be smaller than num_classes.`` and its kin.

    >>> one_hot(jnp.array([0, 2])).tolist()
    [[1, 0, 0], [0, 0, 1]]

    Source: torch/nn/functional.py, ``one_hot``.
    """
    labels, n = jnp.asarray(tensor), as_integer(num_classes, "num_classes", "one_hot")
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise RuntimeError(explain("one_hot is only applicable to index tensor of type LongTensor.", got=labels.dtype))
    dtype = jax.dtypes.canonicalize_dtype(np.int64)
    if labels.size == 0:
        if n <= 0:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        return jnp.zeros((*labels.shape, n), dtype)
    if is_traced(labels):
        if n == -1:
            raise RuntimeError(explain("the number of classes is not known inside jit", remedy="pass num_classes="))
    else:
        values = np.asarray(labels)
        if values.min() < 0:
            raise RuntimeError(explain("Class values must be non-negative.", got=values.min()))
        if n == -1:
            n = int(values.max()) + 1
        elif values.max() >= n:
            raise RuntimeError(
                explain("Class values must be smaller than num_classes.", got=values.max(), expected=f"< {n}")
            )
    return jax.nn.one_hot(labels, n, dtype=dtype)
