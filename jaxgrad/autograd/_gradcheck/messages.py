"""torch's sentences for a gradcheck that fails or cannot begin."""

from typing import Any


class GradcheckError(RuntimeError):
    """Raised by ``gradcheck`` and ``gradgradcheck``, after ``torch.autograd.gradcheck.GradcheckError``.

    >>> issubclass(GradcheckError, RuntimeError)
    True
    """


ONE_DIRECTION = "Expected at least one of check_forward_ad or check_backward_ad to be True"
BATCHED_NEEDS_BACKWARD = "Setting check_batched_grad=True requires check_backward_ad to be True"
BATCHED_FORWARD_NEEDS_FORWARD = "Setting check_batched_forward_grad=True requires check_forward_ad to be True"
ONE_SECOND_DIRECTION = "Expected at least one of check_fwd_over_rev or check_rev_over_rev to be True"
UNDEFINED_NEEDS_REVERSE = "Setting check_undefined_grad=True requires check_rev_over_rev to be True"
BATCHED_NEEDS_REVERSE = "Setting check_batched_grad=True requires check_rev_over_rev to be True"
NOTHING_TO_CHECK = (
    "gradcheck expects at least one input tensor to require gradient, but none of them have requires_grad=True."
)
NOT_MULTIPLIED = "backward not multiplied by grad_output"
UNDEFINED_GRADS = "Expected backward function to handle undefined output grads."
UNDEFINED_NOT_ZERO = "Expected all input grads to be undefined or zero when all output grads are undefined or zero."


def not_double(index: int) -> str:
    """The warning about an input of low precision."""
    return (
        f"Input #{index} requires gradient and is not a double precision floating point or complex. "
        "This check will likely fail if all the inputs are not of double precision floating point or complex. "
    )


def refuse_masked(masked: bool) -> None:
    """Raise for ``masked=True``."""
    if masked:
        raise ValueError("masked=True has no meaning here: there are no sparse arrays")


def mismatch(output: int, input: int, numerical: Any, analytical: Any, *, part: str, forward: bool) -> str:
    """The Jacobians differ; ``part`` is 'real', 'imaginary' or ''."""
    element = "inputs" if forward else "outputs"
    prefix = f"While considering the {part} part of complex {element} only, " if part else ""
    mode = "computed with forward mode " if forward else ""
    return (
        f"{prefix}Jacobian {mode}mismatch for output {output} with respect to input {input},\n"
        f"numerical:{numerical}\nanalytical:{analytical}\n"
    )


def in_slow_mode(numerical: Any, analytical: Any, passes: bool) -> str:
    """What fast mode adds: both Jacobians element by element."""
    text = (
        "\nThe above quantities relating the numerical and analytical jacobians are computed \n"
        "in fast mode. See: https://github.com/pytorch/pytorch/issues/53876 for more background \n"
        "about fast mode. Below, we recompute numerical and analytical jacobians in slow mode:\n\n"
        f"Numerical:\n {numerical}\nAnalytical:\n{analytical}\n\n"
        f"The max per-element difference (slow mode) is: {abs(numerical - analytical).max()}.\n"
    )
    if passes:
        text += (
            "Fast gradcheck failed but element-wise differences are small. This means that the\n"
            "test might've passed in slow_mode!\n\nCall gradcheck/gradgradcheck with `fast_mode=False`."
        )
    return text


def not_reentrant(nondet_tol: float) -> str:
    """Two runs of the same backward differ."""
    return (
        "Backward is not reentrant, i.e., running backward with same input and grad_output multiple times gives "
        "different values, although analytical gradient matches numerical gradient."
        f"The tolerance for nondeterminism was {nondet_tol}."
    )


def batched(output: int, input: int, got: Any, expected: Any, *, forward: bool) -> str:
    """The batched derivative differs from the single ones."""
    return (
        f"For output {output} and input {input}:\n\n{FORWARD_BATCH if forward else BATCH}\n\n"
        f"Got:\n{got}\n\nExpected:\n{expected}"
    )


BATCH = (
    "gradcheck or gradgradcheck failed while testing batched gradient computation.\n\n"
    "To compute batched grads (e.g., jacobians, hessians), we vmap over the backward\n"
    "computation. The most common failure case is if there is a 'vmap-incompatible\n"
    "operation' in the backward pass."
)
FORWARD_BATCH = "gradcheck failed while testing batched gradient computation with forward-mode AD."
