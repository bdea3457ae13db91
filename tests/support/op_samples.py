"""PyTorch's ``op_db`` (sample and error inputs of a function) as the oracle of one of ours.

    @pytest.mark.parametrize("op", entries("nn.functional.relu", "nn.functional.gelu"), ids=op_id)
    def test_samples(op, x64):
        samples(op, limit=8).check()

Ours is found by address (``nn.functional.relu`` at ``jaxgrad.nn.functional.relu``). A function that draws is given
``generator=random.manual_seed(42)``, since the database seeds torch with 42 before such a call.
"""

import functools
import inspect

import jax
import torch

from jaxgrad import random
from jaxgrad.parity.jax_side import resolve
from tests.support.samples import (
    Tally,
    complaint,
    differentiable,
    double,
    error_complaint,
    jax_answer,
    neighbours,
    quiet,
    tensors_of,
    to_jax,
    torch_answer,
    with_tensors,
)

SEED = 42


@functools.cache
def database():
    """Every entry, by name (several where an entry has variants)."""
    with quiet():
        from torch.testing._internal.common_methods_invocations import op_db
    found = {}
    for op in op_db:
        found.setdefault(op.name, []).append(op)
    return found


def entries(*names):
    """The entries of these names, all variants."""
    return [op for name in names for op in database()[name]]


def op_id(op):
    return op.name.removeprefix("nn.functional.") + (f".{op.variant_test_name}" if op.variant_test_name else "")


def ours_of(op):
    """Our function at the address of an entry."""
    return resolve(op.name)


def drawing(fn):
    """``fn`` with a generator where it takes one, and only its value."""
    try:
        draws = "generator" in inspect.signature(fn).parameters
    except (TypeError, ValueError):
        draws = False
    return (lambda *args, **kwargs: fn(*args, generator=random.manual_seed(SEED), **kwargs)[0]) if draws else fn


def samples(
    op, ours=None, dtype=torch.float64, limit=None, jit=True, leave_out=None, adapt=None, gradients=True, seconds=None
):
    """Run an entry's samples: shapes, dtypes, values, and the gradients of every floating input.

    Args:
        op: an entry of the database.
        ours: our function; None for the one at the entry's address.
        dtype: float64 to the bound of semantics (take the fixture x64), float32 by torch's noise, bfloat16 and
            float16 for the dtype and shape of the result alone.
        limit: number of samples, spread over all; None for all.
        jit: whether ours is compiled, with tensors as its arguments and all else fixed; operation by operation it
            takes far longer, so of all samples only the first of an entry is run that way too.
        leave_out: (sample) -> a reason to leave it out, or None.
        adapt: (args, kwargs) -> (args, kwargs), for what ours takes in another form.
        gradients: whether to differentiate.
        seconds: of the processor, after which no other sample is begun.
    """
    ours = drawing(ours or ours_of(op))
    tally = Tally(op_id(op))
    torch.manual_seed(0)
    with quiet():
        drawn = list(op.sample_inputs("cpu", dtype, requires_grad=False))
        if limit is not None and len(drawn) > limit:
            drawn = [drawn[i * len(drawn) // limit] for i in range(limit)]
        for number, sample in tally.each(drawn, seconds):
            reason = leave_out(sample) if leave_out else None
            if reason:
                tally.leave_out(reason)
                continue
            found = _run(op, ours, sample, dtype, jit, adapt, gradients, tally.ratios)
            if limit is None and seconds is None and jit and number == 0 and not found:
                found = _run(op, ours, sample, dtype, False, adapt, gradients, tally.ratios)
            tally.count(found and f"  sample {number}: {found}\n    {_shown(sample)}")
    return tally


def _run(op, ours, sample, dtype, jit, adapt, gradients, ratios):
    call = (sample.input, *sample.args), dict(sample.kwargs)
    tensors = tensors_of(call)

    def reference(*given):
        args, kwargs = with_tensors(call, iter(given))
        return op.op(*args, **kwargs)

    def mine(*given):
        args, kwargs = to_jax(with_tensors(call, iter(given)))
        if adapt:
            args, kwargs = adapt(args, kwargs)
        return ours(*args, **kwargs)

    plain = dtype in (torch.bfloat16, torch.float16)
    with_gradients = gradients and not plain
    theirs = torch_answer(reference, tensors) if with_gradients else (_values(reference, tensors), {})
    places = [i for i in theirs[1] if differentiable(tensors[i])]
    try:
        got = jax_answer(mine, [to_jax(t) for t in tensors], places, jit)
    except Exception as error:
        return f"raised {type(error).__name__}: {error}"
    if plain:
        shown = [(v.dtype.name, v.shape) for v in got[0]], [(v.dtype.name, v.shape) for v in theirs[0]]
        return "" if shown[0] == shown[1] else f"{shown[0]}, torch's {shown[1]}"
    if dtype != torch.float32:
        return complaint(got, theirs)
    with jax.enable_x64(True):
        wide = double(tensors)
        truth = torch_answer(reference, wide) if with_gradients else (_values(reference, wide), {})
    return complaint(got, theirs, truth, ratios, lambda: neighbours(reference, tensors) if with_gradients else [])


def _values(fn, tensors):
    return torch_answer(fn, [t.detach() for t in tensors])[0]


def error_inputs(op, ours=None, leave_out=None, adapt=None):
    """Run an entry's error inputs: torch's class, torch's sentence as the first line."""
    ours = drawing(ours or ours_of(op))
    tally = Tally(op_id(op))
    with quiet():
        for number, case in enumerate(op.error_inputs("cpu") if op.error_inputs_func else ()):
            sample = case.sample_input
            reason = leave_out(case) if leave_out else None
            if reason:
                tally.leave_out(reason)
                continue
            args, kwargs = (sample.input, *sample.args), dict(sample.kwargs)

            def mine(args=args, kwargs=kwargs):
                args, kwargs = to_jax((args, kwargs))
                if adapt:
                    args, kwargs = adapt(args, kwargs)
                return ours(*args, **kwargs)

            found = error_complaint(mine, lambda args=args, kwargs=kwargs: op.op(*args, **kwargs))
            tally.count(found and f"  error input {number}: {found}\n    {_shown(sample)}")
    return tally


def _shown(sample):
    def short(value):
        if isinstance(value, torch.Tensor):
            return f"{value.dtype}{list(value.shape)}".removeprefix("torch.")
        if isinstance(value, tuple | list):
            return f"({', '.join(map(short, value))})"
        return repr(value)

    args = [short(value) for value in (sample.input, *sample.args)]
    return f"({', '.join([*args, *(f'{k}={short(v)}' for k, v in sample.kwargs.items())])})"
