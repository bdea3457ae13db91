"""Numbers of a pool (kernel, stride, padding, dilation), checked in torch's words.

Torch has three voices: ``max_pool1d`` speaks Python's, the other pools of one axis those of the argument parser, and
the pools of two and three axes their kernels'.
"""

from typing import Any

from jaxgrad._core.dtype_names import torch_name
from jaxgrad._core.errors import explain
from jaxgrad._core.types import Array
from jaxgrad.nn.functional.sizes import Sizes, integers, joined, spatial
from jaxgrad.nn.functional.windows import count

_WORDS = {2: "two", 3: "three"}
_AXES = {1: ("H", "W"), 2: ("H", "W"), 3: ("T", "H", "W")}


def numbers(value: Any, n: int, name: str, function: str) -> Sizes:
    """One number for each axis.

    Raises:
        RuntimeError: ``max_pool2d: kernel_size must either be a single int, or a tuple of two ints``, or its like.
    """
    if n == 1:
        return _single(value, name, function)
    either = "be" if function == "avg_pool3d" else "either be"
    either = "be either" if name == "dilation" else either
    what = "omitted, a single int," if name == "stride" else "a single int,"
    sentence = f"{function}: {name} must {either} {what} or a tuple of {_WORDS[n]} ints"
    return spatial(value, n, name, function, sentence)


def _single(value: Any, name: str, function: str) -> Sizes:
    given = integers(value, name, function)
    if len(given) == 1:
        return given
    if function == "max_pool1d":
        comma = "," if name in ("stride", "padding") else ""
        kind = f"{'None, ' if name == 'stride' else ''}an int, list of ints{comma} or tuple of ints"
        raise RuntimeError(f"max_pool1d() {name} must be {kind} of size 1 but got size {len(given)}")
    raise RuntimeError(f"{function}() argument '{name}' should contain one int (got {len(given)})")


def steps(stride: Any, kernel: Sizes, n: int, function: str) -> Sizes:
    """The stride, which is the kernel's size where none is given."""
    if stride is None or (isinstance(stride, list | tuple) and not stride):
        return kernel
    return numbers(stride, n, "stride", function)


def check_numbers(n: int, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes) -> None:
    """Raise unless strides are positive and pads at most half a kernel, in the words of two axes and more."""
    if 0 in stride:
        raise RuntimeError(explain("stride should not be zero", got=f"stride={stride}"))
    if min(padding) < 0:
        raise RuntimeError(explain(f"pad must be non-negative, but got pad: {min(padding)}", got=f"padding={padding}"))
    for k, p, d in zip(kernel, padding, dilation, strict=True):
        if p > ((k - 1) * d + 1) // 2:
            raise RuntimeError(
                explain(
                    f"pad should be at most half of effective kernel size, but got pad={p}, kernel_size={k} and "
                    f"dilation={d}",
                    got=f"kernel_size={kernel}, padding={padding}",
                )
            )
    names = _AXES[n]
    if min(kernel) <= 0:
        raise RuntimeError(f"kernel size should be greater than zero, but got {_listed('k', names, _wide(kernel, n))}")
    if min(stride) <= 0:
        raise RuntimeError(f"stride should be greater than zero, but got {_listed('d', names, _wide(stride, n))}")


def check_dilation(n: int, kernel: Sizes, padding: Sizes, dilation: Sizes) -> None:
    """Raise unless a maximum's dilation is positive and its pads at most half a kernel."""
    if min(dilation) <= 0:
        listed = " ".join(f"dilation{name}: {d}" for name, d in zip(_AXES[n], dilation, strict=True))
        raise RuntimeError(f"dilation should be greater than zero, but got {listed}")
    if any(p > k // 2 for k, p in zip(kernel, padding, strict=True)):
        k, p = kernel, padding
        if n == 2:
            listed = f"padW = {p[1]}, padH = {p[0]}, kW = {k[1]}, kH = {k[0]}"
        else:
            listed = f"kT: {k[0]} kW: {k[2]} kH: {k[1]} padT: {p[0]} padW: {p[2]} padH: {p[1]}"
        raise RuntimeError(f"pad should be smaller than or equal to half of kernel size, but got {listed}")


def check_room(input: Array, n: int, kernel: Sizes, out: Sizes, *, average: bool = False) -> None:
    """Raise unless every axis has a window."""
    sizes = input.shape[input.ndim - n :]
    if average and n == 3 and any(size < k for size, k in zip(sizes, kernel, strict=True)):  # pads do not count
        raise RuntimeError(
            f"input image (T: {sizes[0]} H: {sizes[1]} W: {sizes[2]}) smaller than kernel size "
            f"(kT: {kernel[0]} kH: {kernel[1]} kW: {kernel[2]})"
        )
    if min(out) < 1:
        channels = input.shape[input.ndim - n - 1]
        shown_in, shown_out = ((1, *sizes), (1, *out)) if n == 1 else (sizes, out)
        raise RuntimeError(
            explain(
                f"Given input size: ({joined((channels, *shown_in))}). Calculated output size: "
                f"({joined((channels, *shown_out))}). Output size is too small",
                got=f"input {input.shape}, kernel_size={kernel}",
                expected="kernels no larger than the padded input",
            )
        )


def check_max_pool1d(input: Array, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> None:
    """Torch's checks of ``max_pool1d``."""
    if input.ndim not in (2, 3) or 0 in input.shape[-2:]:
        raise RuntimeError(
            explain(
                "max_pool1d: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for input, "
                f"but got:{list(input.shape)}",
                got=f"input {input.shape}",
                expected="(batch, channels, length)",
            )
        )
    for name, value in (("kernel_size", kernel), ("stride", stride)):
        if value <= 0:
            raise RuntimeError(f"max_pool1d() {name} must be greater than zero, but got {value}")
    if padding < 0:
        raise RuntimeError(f"max_pool1d() padding must be non-negative, but got {padding}")
    if padding > kernel // 2:
        raise RuntimeError(
            f"max_pool1d() padding should be at most half of kernel size, but got padding={padding} and "
            f"kernel_size={kernel}"
        )
    if dilation <= 0:
        raise RuntimeError(f"max_pool1d() dilation must be greater than zero, but got {dilation}")
    out = count(input.shape[-1], kernel, stride, padding, dilation, ceil_mode)
    if out <= 0:
        raise RuntimeError(
            explain(
                f"max_pool1d() Invalid computed output size: {out}", got=f"input {input.shape}, kernel_size={kernel}"
            )
        )


def check_rank(input: Array, n: int, function: str) -> None:
    """Raise unless the input has its channels and axes; the batch may be missing."""
    if input.ndim in (n + 1, n + 2):
        return
    expected = f"(batch, channels, {', '.join(('depth', 'height', 'width')[3 - n :])})"
    if n == 1:
        raise RuntimeError(
            explain(
                f"Expected 2 to 3 dimensions, but got {input.ndim}-dimensional tensor for argument #1 'self' "
                f"(while checking arguments for {function})",
                got=f"input {input.shape}",
                expected="(batch, channels, length)",
            )
        )
    if n == 3 or function == "max_pool2d":
        ranks = "3D or 4D" if n == 2 else "4D or 5D"
        sentence = f"non-empty {ranks} (batch mode) tensor expected for input"
        raise RuntimeError(explain(sentence, got=f"input {input.shape}", expected=expected))
    if input.ndim < 3:
        raise IndexError(
            explain(
                f"Dimension out of range (expected to be in range of [{-input.ndim}, {input.ndim - 1}], but got -3)",
                got=f"input {input.shape}",
                expected=expected,
            )
        )
    raise RuntimeError(
        f"Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for input, but got:{list(input.shape)}"
    )


def check_not_empty(input: Array, n: int, kernel: str) -> None:
    """Raise if an axis other than the batch is empty."""
    if 0 not in input.shape[-n - 1 :]:
        return
    if n == 3:
        raise RuntimeError(
            f"{kernel}(): Expected input's non-batch dimensions to have positive length, but input has a shape "
            f"of {list(input.shape)} and non-batch dimension 0 has length zero!"
        )
    shape = [*input.shape[:-1], 1, input.shape[-1]] if n == 1 else list(input.shape)
    raise RuntimeError(
        f"Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for input, but got:{shape}"
    )


def check_dtype(input: Array, kernel: str, *, integers: bool) -> None:
    """Raise for what torch's kernel has no code for."""
    kind = input.dtype.kind
    if kind in "bc" or (kind in "iu" and not integers):
        raise NotImplementedError(
            explain(
                f"\"{kernel}\" not implemented for '{torch_name(input.dtype)}'",
                got=f"input {input.dtype}",
                remedy="input.astype(float)" if kind in "biu" else None,
            )
        )


def _wide(values: Sizes, n: int) -> Sizes:
    return (1, *values) if n == 1 else values


def _listed(prefix: str, names: tuple[str, ...], values: Sizes) -> str:
    return " ".join(f"{prefix}{name}: {value}" for name, value in zip(names, values, strict=True))
