"""The arguments of torch's optimizers that choose an implementation and no number.

``foreach`` and ``fused`` choose between kernels of the same formula, ``capturable`` allows CUDA graphs and
``differentiable`` keeps autograd on during a step. Here XLA fuses every step, every step can be captured, and every
step is a pure function that can be differentiated; so these arguments are accepted, checked for type and for the
combinations that torch refuses, and change nothing.

Of 16-bit parameters torch's ``foreach`` kernels round otherwise than its loop over parameters does. The loop, which is
what torch takes on a CPU by itself, is followed here.
"""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from jaxgrad._core.errors import explain

FLAGS = ("foreach", "fused", "capturable", "differentiable")


def check_flags(flags: Mapping[str, Any], tensors: Mapping[str, Any] | None = None) -> None:
    """Check those of the four flags that are given, and ``tensors`` that torch's foreach kernels take as numbers only.

    Raises:
        TypeError: a flag is no bool (None is allowed for ``foreach`` and ``fused``).
        RuntimeError: "`fused` and `foreach` cannot be `True` together.", "`fused` does not support `differentiable`".
        ValueError: "lr as a Tensor is not supported for capturable=False and foreach=True".
    """
    for name, flag in flags.items():
        optional = name in ("foreach", "fused")
        if not isinstance(flag, bool) and not (optional and flag is None):
            raise TypeError(explain(f"{name} must be a bool{' or None' if optional else ''}", got=repr(flag)))
    for name, value in (tensors or {}).items():
        if given_as_tensor(value) and flags.get("foreach") and not flags.get("capturable"):
            raise ValueError(f"{name} as a Tensor is not supported for capturable=False and foreach=True")
    if flags.get("fused") and flags.get("differentiable"):
        raise RuntimeError("`fused` does not support `differentiable`")
    if flags.get("fused") and flags.get("foreach"):
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")


def given_as_tensor(value: Any) -> bool:
    """Whether a hyper-parameter was given as an array, as torch's "lr as a Tensor"."""
    return isinstance(value, (jax.Array, np.ndarray))
