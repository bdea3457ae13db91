"""One call written once, made in torch and in jaxgrad: what it returns, or what it raises.

    both(lambda F, t: F.conv2d(t(1, 3, 8, 8), t(4, 2, 3, 3)))

``F`` is ``torch.nn.functional`` or ours, ``t(*shape)`` an array of ones of either library, ``t(*shape, dtype="int64")``
one of another dtype.
"""

import warnings

import jax
import jax.numpy as jnp
import torch

from jaxgrad.nn import functional as ours
from tests.support.samples import error_complaint


def ones_of_torch(*shape, dtype="float32"):
    return torch.ones(shape, dtype=getattr(torch, dtype))


def ones_of_jax(*shape, dtype="float32"):
    return jnp.ones(shape, dtype)


def refusals(calls):
    """Complaints of the calls (name -> call) whose error is not torch's: its class, and its sentence at the start."""
    found = {}
    with warnings.catch_warnings(), jax.enable_x64(True):
        warnings.simplefilter("ignore")
        for name, call in calls.items():
            complaint = error_complaint(
                lambda call=call: call(ours, ones_of_jax), lambda call=call: call(torch.nn.functional, ones_of_torch)
            )
            if complaint:
                found[name] = complaint
    return found


def agreements(calls):
    """Complaints of the calls whose result has not torch's shape and dtype, or raises."""
    found = {}
    with warnings.catch_warnings(), jax.enable_x64(True):
        warnings.simplefilter("ignore")
        for name, call in calls.items():
            theirs = call(torch.nn.functional, ones_of_torch)
            expected = (tuple(theirs.shape), str(theirs.dtype).removeprefix("torch."))
            try:
                result = call(ours, ones_of_jax)
                got = (result.shape, result.dtype.name)
            except Exception as error:
                got = f"{type(error).__name__}: {error}"
            if got != expected:
                found[name] = f"{got}, torch's {expected}"
    return found
