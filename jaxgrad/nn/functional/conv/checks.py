"""What a convolution refuses, in torch's order and words."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from jaxgrad._core.dtype_names import c_name, torch_name
from jaxgrad._core.errors import explain
from jaxgrad._core.types import Array
from jaxgrad.nn.functional.sizes import Sizes, integers, joined


def batched(input: Array, n: int, function: str) -> tuple[Array, bool]:
    """The input with a batch axis, and whether it had one.

    Raises:
        RuntimeError: neither (C, *spatial) nor (N, C, *spatial).
    """
    if input.ndim not in (n + 1, n + 2):
        raise RuntimeError(
            explain(
                f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to {function}, "
                f"but got input of size: {list(input.shape)}",
                got=f"input {input.shape}",
                expected=f"(batch, channels, {', '.join(['size'] * n)}), or the same without the batch",
            )
        )
    return (input, True) if input.ndim == n + 2 else (input[None], False)


def per_axis(value: Any, n: int, given: int, name: str, function: str) -> Sizes:
    """One number for each of the weight's ``n`` spatial axes; a single one was meant for ``given`` of them.

    Raises:
        RuntimeError: torch's sentence for another length.
    """
    numbers = integers(value, name, function)
    if len(numbers) == 1 and not isinstance(value, Sequence):
        numbers = numbers * given
    if len(numbers) == 1:
        return numbers * n
    if len(numbers) != n:
        raise RuntimeError(
            f"expected {name} to be a single integer value or a list of {n} values to match the convolution "
            f"dimensions, but got {name}={list(numbers)}"
        )
    return numbers


def check_bias_dtype(input: Array, bias: Array | None) -> None:
    """Raise unless the bias has the dtype of the input."""
    if bias is not None and bias.dtype != input.dtype:
        raise RuntimeError(
            explain(
                f"Input type ({c_name(input.dtype)}) and bias type ({c_name(bias.dtype)}) should be the same",
                got=f"input {input.dtype}, bias {bias.dtype}",
                remedy=f"bias.astype({input.dtype})",
            )
        )


def check_weight_dtype(input: Array, weight: Array) -> None:
    """Raise unless the weight has the dtype of the input, and one that torch convolves."""
    if weight.dtype != input.dtype:
        raise RuntimeError(
            explain(
                _weight_dtype_sentence(input, weight),
                got=f"input {input.dtype}, weight {weight.dtype}",
                remedy=f"input.astype({weight.dtype})",
            )
        )
    if input.dtype == jnp.bool_:
        raise NotImplementedError("\"slow_conv2d_cpu\" not implemented for 'Bool'")


def _weight_dtype_sentence(input: Array, weight: Array) -> str:
    """Torch's, of which there are three: one for each kernel that a dtype may come to."""
    is_complex = jnp.issubdtype(input.dtype, jnp.complexfloating)
    if not is_complex and input.dtype.name not in ("float32", "bfloat16", "float16"):
        return f"expected scalar type {torch_name(input.dtype)} but found {torch_name(weight.dtype)}"
    names = (torch_name(each.dtype) for each in (input, weight))
    types = (f"CPU{n}Type" if n == "BFloat16" or n.startswith("Complex") else f"torch.{n}Tensor" for n in names)
    sentence = "Input type ({}) and weight type ({}) should be the same".format(*types)
    return sentence if is_complex else f"{sentence} or input should be a MKLDNN tensor and weight is a dense tensor"


def check_weight(weight: Array, groups: int) -> None:
    """Raise unless the weight has spatial axes and there are groups."""
    if weight.ndim < 3:
        raise RuntimeError(explain("weight should have at least three dimensions", got=f"weight {weight.shape}"))
    if groups <= 0:
        raise RuntimeError(explain("non-positive groups is not supported", got=f"groups={groups}"))


def check_numbers(stride: Sizes, padding: Sizes, dilation: Sizes, output_padding: Sizes = ()) -> None:
    """Raise unless stride and dilation are positive and no padding is negative."""
    if min(padding, default=0) < 0:
        raise RuntimeError(explain("negative padding is not supported", got=f"padding={padding}"))
    if min(output_padding, default=0) < 0:
        raise RuntimeError(explain("negative output_padding is not supported", got=f"output_padding={output_padding}"))
    if min(stride, default=1) <= 0:
        raise RuntimeError(explain("non-positive stride is not supported", got=f"stride={stride}"))
    if min(dilation, default=1) < 0:
        raise RuntimeError(explain("dilation should be greater than zero", got=f"dilation={dilation}"))
    if 0 in dilation:
        raise RuntimeError(f"dilation should be greater than zero, but got {list(dilation)}")


def check_shapes(input: Array, weight: Array, bias: Array | None, groups: int) -> None:
    """Raise unless input, weight and bias belong together."""
    _check_ranks_and_groups(input, weight, groups)
    channels = weight.shape[1] * groups
    if input.shape[1] != channels:
        raise RuntimeError(
            explain(
                f"Given groups={groups}, weight of size {list(weight.shape)}, expected input{list(input.shape)} to "
                f"have {channels} channels, but got {input.shape[1]} channels instead",
                got=f"input {input.shape}, weight {weight.shape}, groups={groups}",
                expected=f"input (batch, {channels}, ...): channels come second, as in torch",
            )
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise RuntimeError(
            f"Given weight of size {list(weight.shape)}, expected bias to be 1-dimensional with {weight.shape[0]} "
            f"elements, but got bias of size {list(bias.shape)} instead"
        )


def check_transposed_shapes(input: Array, weight: Array, bias: Array | None, groups: int) -> None:
    """Raise unless input, weight and bias of a transposed convolution belong together."""
    _check_ranks_and_groups(input, weight, groups)
    if input.shape[1] != weight.shape[0]:
        raise RuntimeError(
            explain(
                f"Given transposed=1, weight of size {list(weight.shape)}, expected input{list(input.shape)} to have "
                f"{weight.shape[0]} channels, but got {input.shape[1]} channels instead",
                got=f"input {input.shape}, weight {weight.shape}",
                expected=f"input (batch, {weight.shape[0]}, ...): the weight is (in, out / groups, ...), as in torch",
            )
        )
    out = weight.shape[1] * groups
    if bias is not None and bias.shape != (out,):
        raise RuntimeError(
            f"Given transposed=1, weight of size {list(weight.shape)}, expected bias to be 1-dimensional with {out} "
            f"elements, but got bias of size {list(bias.shape)} instead"
        )


def _check_ranks_and_groups(input: Array, weight: Array, groups: int) -> None:
    if input.ndim != weight.ndim:
        raise RuntimeError(
            f"Expected {weight.ndim}-dimensional input for {weight.ndim}-dimensional weight{list(weight.shape)}, "
            f"but got {input.ndim}-dimensional input of size {list(input.shape)} instead"
        )
    if weight.shape[0] < max(groups, 1):
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be at least {groups} at dimension 0, "
            f"but got weight of size {list(weight.shape)} instead"
        )
    if weight.shape[0] % groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, "
            f"but got weight of size [{list(weight.shape)}] instead"
        )


def check_kernel_fits(input: Array, weight: Array, padding: Sizes, dilation: Sizes) -> None:
    """Raise unless the kernel finds room in the padded input."""
    padded = [size + 2 * pad for size, pad in zip(input.shape[2:], padding, strict=True)]
    kernel = [d * (size - 1) + 1 for size, d in zip(weight.shape[2:], dilation, strict=True)]
    if any(size < k for size, k in zip(padded, kernel, strict=True)):
        raise RuntimeError(
            explain(
                f"Calculated padded input size per channel: ({joined(padded, ' x ')}). "
                f"Kernel size: ({joined(kernel, ' x ')}). Kernel size can't be greater than actual input size",
                got=f"input {input.shape}, weight {weight.shape}, padding={padding}, dilation={dilation}",
            )
        )
    if 0 in input.shape[2:]:
        raise RuntimeError(
            "Only zero batch or zero channel inputs are supported, but got input shape: " + str(list(input.shape))
        )
    if 0 in weight.shape[2:]:
        raise RuntimeError(
            explain(
                "could not create a primitive descriptor for the convolution forward propagation primitive. "
                "Run workload with environment variable ONEDNN_VERBOSE=all to get additional diagnostic information.",
                got=f"weight {weight.shape}",
                expected="a kernel of at least one element",
            )
        )


def check_transposed_sizes(
    input: Array, weight: Array, stride: Sizes, padding: Sizes, dilation: Sizes, output_padding: Sizes
) -> None:
    """Raise unless the output padding is below stride or dilation, and the output has a size."""
    if any(o >= max(s, d) for o, s, d in zip(output_padding, stride, dilation, strict=True)):
        names = ("height", "width") if len(stride) < 3 else ("depth", "height", "width")
        values = {"output_padding": output_padding, "stride": stride, "dilation": dilation}
        wide = {key: (1,) * (2 - len(v)) + v if key != "output_padding" else (0,) * (2 - len(v)) + v
                for key, v in values.items()}  # fmt: skip
        listed = " ".join(
            f"{key}_{name}: {number}" for key, v in wide.items() for name, number in zip(names, v, strict=True)
        )
        raise RuntimeError(f"output padding must be smaller than either stride or dilation, but got {listed}")
    out = [
        (size - 1) * s - 2 * p + d * (k - 1) + o + 1
        for size, s, p, d, k, o in zip(
            input.shape[2:], stride, padding, dilation, weight.shape[2:], output_padding, strict=True
        )
    ]
    if min(out) <= 0:
        raise RuntimeError(
            f"Given input size per channel: ({joined(input.shape[2:], ' x ')}). "
            f"Calculated output size per channel: ({joined(out, ' x ')}). Output size is too small"
        )
