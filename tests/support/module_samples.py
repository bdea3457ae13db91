"""PyTorch's ``module_db`` as the oracle of one of our modules.

    @pytest.mark.parametrize("info", infos("Linear", "GELU"), ids=lambda info: info.name)
    def test_samples(info, x64):
        samples(info, limit=4).check()

Ours is found by address (``nn.Linear`` at ``jaxgrad.nn.Linear``). Both are built from the same arguments, torch's
parameters and buffers are copied into ours by name, and both are called in the same mode with the same seed.
"""

import copy
import functools
import inspect

import jax
import torch

from jaxgrad import func, nn, random
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


@functools.cache
def database():
    """Every entry by the name of its module; the lazy and quantised ones have others."""
    with quiet():
        from torch.testing._internal.common_modules import module_db
    return {info.module_cls.__name__: info for info in module_db}


def infos(*names):
    return [database()[name] for name in names]


def samples(
    info, ours=None, dtype=torch.float64, modes=(True, False), limit=None, jit=True, leave_out=None, seconds=None
):
    """Run an entry's samples: names, repr, values, gradients of inputs and parameters, buffers after the call.

    Args:
        info: an entry of the database.
        ours: our class; None for the one at the entry's address.
        dtype: float64 to the bound of semantics (take the fixture x64), float32 by torch's noise.
        modes: training or not.
        limit: number of samples a mode, spread over all; None for all.
        jit: whether ours is compiled; operation by operation it takes far longer, so of all samples only the first
            is run that way too.
        leave_out: (sample, training) -> a reason to leave it out, or None.
        seconds: of the processor and a mode, after which no other sample is begun.
    """
    ours = ours or resolve(f"nn.{info.module_cls.__name__}")
    tally = Tally(info.module_cls.__name__)
    for training in modes:
        torch.manual_seed(0)
        with quiet():
            drawn = list(info.module_inputs_func(info, "cpu", dtype, False, training))
            if limit is not None and len(drawn) > limit:
                drawn = [drawn[i * len(drawn) // limit] for i in range(limit)]
            for number, sample in tally.each(drawn, seconds):
                reason = leave_out(sample, training) if leave_out else None
                if reason:
                    tally.leave_out(reason)
                    continue
                found = _run(info, ours, sample, dtype, training, jit, tally.ratios)
                if limit is None and seconds is None and jit and number == 0 and not found:
                    found = _run(info, ours, sample, dtype, training, False, tally.ratios)
                tally.count(found and f"  sample {number}, training={training} ({sample.desc}): {found}")
    return tally


def build(cls, args, kwargs):
    """Our module from torch's arguments; dtype as a dtype, rngs where it draws."""
    args, kwargs = to_jax((list(args), dict(kwargs)))
    kwargs = {key: value for key, value in kwargs.items() if key != "device"}
    if "rngs" in inspect.signature(cls.__init__).parameters:
        kwargs["rngs"] = nn.Rngs(random.manual_seed(0))
    return cls(*args, **kwargs)


def _torch_module(info, sample, dtype, training):
    made = copy.deepcopy((sample.constructor_input.args, dict(sample.constructor_input.kwargs)))
    args, kwargs = made
    module = info.module_cls(*args, **kwargs).to(dtype)
    return module.train(training)


def _run(info, cls, sample, dtype, training, jit, ratios):
    torch.manual_seed(0)
    theirs = _torch_module(info, sample, dtype, training)
    call = tuple(sample.forward_input.args), dict(sample.forward_input.kwargs)
    inputs = tensors_of(call)
    names = [name for name, _ in theirs.named_parameters()]
    tensors = [*inputs, *theirs.parameters()]

    def reference(module, *given):
        args, kwargs = with_tensors(call, iter(given[: len(inputs)]))
        held = dict(zip(names, given[len(inputs) :], strict=True))
        buffers = {name: value.clone() for name, value in module.named_buffers()}  # which the call changes in place
        output = torch.func.functional_call(module, {**held, **buffers}, args, kwargs)
        return output, *buffers.values()

    before = {name: to_jax(value) for name, value in theirs.named_buffers()}
    expected = torch_answer(functools.partial(reference, theirs), tensors)
    try:
        module = build(cls, sample.constructor_input.args, sample.constructor_input.kwargs)
        got = _ours(module, call, inputs, names, tensors, before, expected, training, jit)
    except Exception as error:
        return f"raised {type(error).__name__}: {error}"
    params, own = func.extract(module)
    if list(params) != names or list(own) != list(before):
        return f"names {list(params)} {list(own)}, torch's {names} {list(before)}"
    if repr(module) != repr(theirs):
        return f"repr {module!r}, torch's {theirs!r}"
    if dtype != torch.float32:
        return complaint(got, expected)
    with jax.enable_x64(True):
        wide = functools.partial(reference, copy.deepcopy(theirs).double())
        truth = torch_answer(wide, double(tensors))
    return complaint(got, expected, truth, ratios, lambda: neighbours(functools.partial(reference, theirs), tensors))


def _ours(module, call, inputs, names, tensors, before, expected, training, jit):
    def forward(*given):
        args, kwargs = to_jax(with_tensors(call, iter(given[: len(inputs)])))
        params = dict(zip(names, given[len(inputs) :], strict=True))
        output, buffers = _call(module, params, before, args, kwargs, training)
        return output, *(jax.lax.stop_gradient(buffers[name]) for name in before)

    places = [i for i in expected[1] if differentiable(tensors[i])]
    return jax_answer(forward, [to_jax(t) for t in tensors], places, jit)


def _call(module, params, buffers, args, kwargs, training):
    out, aux = func.functional_call(
        module,
        (params, buffers),
        tuple(args),
        kwargs,
        training=training,
        generator=random.manual_seed(42),
        has_aux=True,
    )
    return out, {**buffers, **(aux.buffers or {})}


def error_inputs(info, ours=None, training=True, leave_out=None):
    """Run an entry's error inputs: torch's class, torch's sentence as the first line."""
    ours = ours or resolve(f"nn.{info.module_cls.__name__}")
    tally = Tally(info.module_cls.__name__)
    if info.module_error_inputs_func is None:
        return tally
    torch.manual_seed(0)
    with quiet():
        cases = info.module_error_inputs_func(info, "cpu", torch.float32, False, training)
        for number, case in enumerate(cases):
            reason = leave_out(case) if leave_out else None
            if reason:
                tally.leave_out(reason)
                continue
            found = _error(info, ours, case.module_error_input, training)
            tally.count(found and f"  error input {number}: {found}")
    return tally


def _error(info, cls, sample, training):
    made = sample.constructor_input
    forward = sample.forward_input

    def theirs():
        module = info.module_cls(*made.args, **made.kwargs).train(training)
        if forward is not None:
            module(*forward.args, **forward.kwargs)

    def ours():
        module = build(cls, made.args, made.kwargs)
        if forward is not None:
            args, kwargs = to_jax((list(forward.args), dict(forward.kwargs)))
            params, buffers = func.extract(module)
            _call(module, params, buffers, args, kwargs, training)

    return error_complaint(ours, theirs)
