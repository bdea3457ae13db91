"""What ``gradcheck`` asks of a backward besides its numbers: linear, batchable, content with missing cotangents."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad.autograd._functional.products import pullback
from jaxgrad.autograd._gradcheck import messages as messages
from jaxgrad.autograd._gradcheck.jacobian import Tested, random_vectors
from jaxgrad.autograd._gradcheck.messages import GradcheckError


def check_multiplied_by_grad_output(f: Tested) -> None:
    """Zero cotangents give zero gradients."""
    outputs, pull = pullback(f.fn, f.inputs)
    if any(np.any(np.asarray(grad)) for grad in pull(tuple(jnp.zeros_like(each) for each in outputs))):
        raise GradcheckError(messages.NOT_MULTIPLIED)


def check_undefined_grads(f: Tested) -> None:
    """An output that nothing depends on counts as zero: each of several outputs in turn."""
    outputs = f.outputs()
    for j in range(len(outputs) if len(outputs) > 1 else 0):
        others = [each for k, each in enumerate(outputs) if k != j]
        try:
            _, pull = pullback(lambda *x, j=j: tuple(each for k, each in enumerate(f.fn(*x)) if k != j), f.inputs)
            grads = pull(tuple(jnp.zeros_like(each) for each in others))
        except (RuntimeError, TypeError, ValueError, AttributeError) as error:
            raise GradcheckError(messages.UNDEFINED_GRADS) from error
        if any(np.any(np.asarray(grad)) for grad in grads):
            raise GradcheckError(messages.UNDEFINED_NOT_ZERO)


def check_batched_backward(f: Tested) -> None:
    """The pull-back under ``vmap`` gives what it gives one by one."""
    outputs, pull = pullback(f.fn, f.inputs)
    for j, output in enumerate(outputs):

        def of_output(cotangent: Any, j: int = j) -> Any:
            return pull(tuple(cotangent if k == j else jnp.zeros_like(each) for k, each in enumerate(outputs)))

        batch = _batch(output)
        try:
            got = jax.vmap(of_output)(batch)
        except Exception as error:
            raise GradcheckError(f"While computing batched gradients, got: {error}\n\n{messages.BATCH}") from error
        expected = [of_output(each) for each in batch]
        _compare(got, expected, lambda i, got, want, j=j: messages.batched(j, i, got, want, forward=False))


def check_batched_forward(f: Tested) -> None:
    """The push-forward under ``vmap`` gives what it gives one by one."""
    for i, value in enumerate(f.inputs):

        def of_input(tangent: Any, i: int = i) -> Any:
            tangents = tuple(tangent if k == i else jnp.zeros_like(each) for k, each in enumerate(f.inputs))
            return jax.jvp(f.fn, f.inputs, tangents)[1]

        batch = _batch(value)
        try:
            got = jax.vmap(of_input)(batch)
        except Exception as error:
            text = f"While computing batched gradients, got: {error}\n\n{messages.FORWARD_BATCH}"
            raise GradcheckError(text) from error
        expected = [of_input(each) for each in batch]
        _compare(got, expected, lambda j, got, want, i=i: messages.batched(j, i, got, want, forward=True))


def _batch(like: Any) -> Any:
    """Two random arrays of the shape of ``like``, stacked."""
    vectors = random_vectors([like, like])
    return jnp.stack([jnp.asarray(each.reshape(like.shape), like.dtype) for each in vectors])


def _compare(got: Sequence[Any], expected: Sequence[Sequence[Any]], sentence: Any) -> None:
    for i, each in enumerate(got):
        want = np.stack([np.asarray(single[i]) for single in expected])
        if not np.allclose(np.asarray(each), want):
            raise GradcheckError(sentence(i, each, want))
