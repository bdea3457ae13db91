"""The arguments of torch's optimizers that choose an implementation and no number.

``foreach`` and ``fused`` choose between kernels of the same formula, ``capturable`` allows CUDA graphs and
``differentiable`` keeps autograd on during a step. Here XLA fuses every step, every step can be captured, and every
step is a pure function that can be differentiated; so these arguments are accepted, checked for type and for the
combinations that torch refuses, and change nothing.

Of 16-bit parameters torch's ``foreach`` kernels round otherwise than its loop over parameters does. The loop, which is
what torch takes on a CPU by itself, is followed here.
"""

from typing import Any

import jax
import numpy as np

from jaxgrad._core.errors import explain


def check_flags(
    *,
    foreach: bool | None = None,
    fused: bool | None = None,
    capturable: bool = False,
    differentiable: bool = False,
    tensors: dict[str, Any] | None = None,
) -> None:
    """Check the four flags, and ``tensors`` that torch's foreach implementation takes as numbers only.

    Raises:
        TypeError: a flag is no bool (None is allowed for ``foreach`` and ``fused``).
        RuntimeError: "`fused` and `foreach` cannot be `True` together.", "`fused` does not support `differentiable`".
        ValueError: "lr as a Tensor is not supported for capturable=False and foreach=True".
    """
    for name, flag, optional in (
        ("foreach", foreach, True),
        ("fused", fused, True),
        ("capturable", capturable, False),
        ("differentiable", differentiable, False),
    ):
        if not isinstance(flag, bool) and not (optional and flag is None):
            raise TypeError(explain(f"{name} must be a bool{' or None' if optional else ''}", got=repr(flag)))
    for name, value in (tensors or {}).items():
        if is_tensor(value) and foreach and not capturable:
            raise ValueError(f"{name} as a Tensor is not supported for capturable=False and foreach=True")
    if fused and differentiable:
        raise RuntimeError("`fused` does not support `differentiable`")
    if fused and foreach:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")


def is_tensor(value: Any) -> bool:
    """Whether a hyper-parameter was given as an array, as torch's "lr as a Tensor"."""
    return isinstance(value, (jax.Array, np.ndarray))
