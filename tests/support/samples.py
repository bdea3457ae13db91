"""What the two harnesses over PyTorch's databases share: conversion, gradients of every input, and the verdict."""

import contextlib
import inspect
import time
import warnings
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
import torch

from jaxgrad import nn, random
from jaxgrad.parity import distance
from jaxgrad.parity.jax_side import cotangent, resolve
from jaxgrad.parity.measure import noise_ratio
from jaxgrad.parity.torch_side import to_numpy, to_torch

BOUND = 1e-10
GOLDEN = (5**0.5 - 1) / 2
NOISE = 3


@dataclass
class Tally:
    """What became of one entry's samples.

    Attributes:
        passed: number of samples without a complaint.
        left_out: number of samples left out, by reason.
        complaints: one text for each sample that differs.
        unreached: number of samples for which there was no time.
        ratios: float32 only: every noise ratio.
    """

    name: str
    passed: int = 0
    unreached: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)

    def leave_out(self, reason):
        self.left_out[reason] = self.left_out.get(reason, 0) + 1

    def count(self, complaint):
        if complaint:
            self.complaints.append(complaint)
        else:
            self.passed += 1

    def each(self, samples, seconds=None):
        """Numbered samples; of more than fit in so many seconds of the processor some, spread over all."""
        numbers = list(range(len(samples)))
        if seconds is not None:
            numbers.sort(key=lambda number: number * GOLDEN % 1)
        began = time.process_time()
        for done, number in enumerate(numbers):
            if seconds is not None and time.process_time() - began > seconds:
                self.unreached += len(numbers) - done
                return
            yield number, samples[number]

    def check(self, at_least=1):
        """Raise for the first complaints; an entry of which nothing was run is one too."""
        shown = "\n".join(self.complaints[:5])
        assert not self.complaints, f"{self.name}: {len(self.complaints)} of {self.total} differ\n{shown}"
        assert self.passed >= at_least, f"{self.name}: {self.passed} samples passed, {self.left_out}"

    @property
    def total(self):
        return self.passed + len(self.complaints) + sum(self.left_out.values()) + self.unreached


def to_jax(value):
    """A tensor, a torch dtype, or any nesting of them, as ours has it; a module as the module of the same name."""
    if isinstance(value, torch.Tensor):
        return jnp.asarray(to_numpy(value))
    if isinstance(value, torch.dtype):
        return jnp.dtype(str(value).removeprefix("torch."))
    if isinstance(value, torch.Size):
        return tuple(value)
    if isinstance(value, torch.nn.Module):
        return _module(value)
    if callable(value) and value is getattr(torch.nn.functional, getattr(value, "__name__", ""), None):
        return resolve(f"nn.functional.{value.__name__}")
    if isinstance(value, tuple | list):
        converted = [to_jax(each) for each in value]
        return type(value)(*converted) if hasattr(value, "_fields") else type(value)(converted)
    if isinstance(value, dict):
        return {key: to_jax(each) for key, each in value.items()}
    return value


def _module(module):
    """Ours of the same name, built from the attributes that are torch's constructor's arguments."""
    if isinstance(module, torch.nn.TransformerEncoderLayer):
        return _encoder_layer(module)
    ours = resolve(f"nn.{type(module).__name__}")
    named = {"p": "norm"} if "norm" in vars(module) else {}
    arguments = [name for name in inspect.signature(ours.__init__).parameters if name not in ("self", "rngs")]
    return ours(*(getattr(module, named.get(name, name)) for name in arguments))


def _encoder_layer(module):
    """The one module whose constructor's arguments lie deeper; its values are copied by whoever calls it."""
    return resolve("nn.TransformerEncoderLayer")(
        module.self_attn.embed_dim,
        module.self_attn.num_heads,
        module.linear1.out_features,
        module.dropout.p,
        to_jax(module.activation),
        module.norm1.eps,
        module.self_attn.batch_first,
        module.norm_first,
        module.linear1.bias is not None,
        dtype=to_jax(module.linear1.weight.dtype),
        rngs=nn.Rngs(random.manual_seed(0)),
    )


def tensors_of(tree):
    """The tensors of a nesting, in order."""
    if isinstance(tree, torch.Tensor):
        return [tree]
    if isinstance(tree, dict):
        tree = list(tree.values())
    return [leaf for each in tree for leaf in tensors_of(each)] if isinstance(tree, tuple | list) else []


def with_tensors(tree, tensors):
    """The same nesting with other tensors (or arrays), taken one by one from an iterator."""
    if isinstance(tree, torch.Tensor):
        return next(tensors)
    if isinstance(tree, dict):
        return {key: with_tensors(each, tensors) for key, each in tree.items()}
    if isinstance(tree, tuple | list) and not isinstance(tree, torch.Size):
        converted = [with_tensors(each, tensors) for each in tree]
        return type(tree)(*converted) if hasattr(tree, "_fields") else type(tree)(converted)
    return tree


def differentiable(tensor):
    return tensor.is_floating_point() or tensor.is_complex()


def double(tree):
    """Floating tensors in float64, everything else as it is."""
    return with_tensors(tree, iter([t.double() if t.is_floating_point() else t for t in tensors_of(tree)]))


def results_of(output):
    """The tensors or arrays of an output (one, or a tuple with None for what is missing)."""
    if isinstance(output, tuple) and type(output).__module__ == "torch.return_types":
        output = tuple(output)
    flat = jax.tree.leaves(output, is_leaf=lambda each: each is None or isinstance(each, torch.Tensor))
    return [each for each in flat if each is not None]


def torch_answer(fn, tensors, seed=42):
    """Values of ``fn(*tensors)``, and the gradients of what torch differentiates; None where it has no gradient.

    Returns:
        Values, gradients by the place of the tensor. A tensor that torch refuses to differentiate has no entry.
    """

    def run(places):
        leaves = [t.detach().clone().requires_grad_(i in places) for i, t in enumerate(tensors)]
        torch.manual_seed(seed)
        values = results_of(fn(*leaves))
        outputs = [v for v in values if v.requires_grad]
        if not outputs or not places:
            return values, {}
        weights = [to_torch(cotangent(to_numpy(v))) for v in outputs]
        found = torch.autograd.grad(outputs, [leaves[i] for i in places], weights, allow_unused=True)
        return values, dict(zip(places, found, strict=True))

    places = [i for i, t in enumerate(tensors) if differentiable(t)]
    try:
        values, grads = run(places)
    except (RuntimeError, NotImplementedError):
        values, grads = run([])
        for place in places:
            with contextlib.suppress(RuntimeError, NotImplementedError):
                grads |= run([place])[1]
    return [_plain(v) for v in values], {i: None if g is None else _plain(g) for i, g in grads.items()}


def _plain(tensor):
    """A tensor as an array, also where torch only notes that it is conjugated or zero."""
    if tensor._is_zerotensor():
        return to_numpy(torch.zeros(tensor.shape, dtype=tensor.dtype))
    return to_numpy(tensor.resolve_conj() if tensor.is_complex() else tensor)


def jax_answer(fn, arrays, places, jit=True):
    """The same of ours: ``fn(*arrays)`` and its gradients with respect to the arrays at ``places``."""

    def call(chosen):
        given = list(arrays)
        for place, value in zip(places, chosen, strict=True):
            given[place] = value
        values = results_of(fn(*given))
        inexact = [v for v in values if jnp.issubdtype(v.dtype, jnp.inexact)]
        return inexact, values

    def both(chosen):
        inexact, pull, values = jax.vjp(call, chosen, has_aux=True)
        weights = [jnp.asarray(cotangent_of(v.shape, v.dtype)) for v in inexact]
        # torch's gradient of a complex input is the conjugate of JAX's
        pulled = pull([w.conj() for w in weights])[0]
        return values, [g.conj() for g in pulled]

    chosen = [arrays[i] for i in places]
    if not places:
        values, grads = (jax.jit(fn) if jit else fn)(*arrays), []
        values = results_of(values)
    else:
        values, grads = (jax.jit(both) if jit else both)(chosen)
    return [np.asarray(v) for v in values], dict(zip(places, map(np.asarray, grads), strict=True))


def cotangent_of(shape, dtype):
    return cotangent(np.zeros(shape, np.dtype(dtype)))


def neighbours(fn, tensors, runs=16):
    """Torch's answers from starts one unit in the last place away, drawn up or down: how much of a result is rounding.

    One run of the reference is a lottery: where terms cancel, a single number may come out exact by luck.
    """
    rng = np.random.default_rng(0)

    def moved(tensor):
        if not tensor.is_floating_point():
            return tensor
        upwards = torch.tensor(rng.integers(0, 2, tuple(tensor.shape)) == 1)
        target = torch.where(upwards, torch.inf, -torch.inf).to(tensor.dtype)
        return torch.where(tensor == 0, tensor, torch.nextafter(tensor, target))

    return [torch_answer(fn, [moved(t.detach()) for t in tensors]) for _ in range(runs)]


def complaint(ours, theirs, truth=None, ratios=None, nearby=None):
    """What differs between two answers, in words; empty if nothing does.

    Args:
        ours: values and gradients of ours.
        theirs: the same of torch; None for a gradient stands for zeros.
        truth: torch's in float64, where ``theirs`` is float32: the noise ratio decides then.
        ratios: collects the noise ratios.
        nearby: () -> ``neighbours``; asked where one run of torch does not explain a difference.
    """
    if len(ours[0]) != len(theirs[0]):
        return f"{len(ours[0])} results, torch has {len(theirs[0])}"
    scale = max((float(np.max(np.abs(v[np.isfinite(v)]), initial=0)) for v in theirs[0] if v.size), default=0.0)
    pairs = [(f"result {i}", *pair) for i, pair in enumerate(zip(ours[0], theirs[0], strict=True))]
    pairs += [
        (f"gradient of tensor {i}", ours[1][i], np.zeros_like(ours[1][i]) if g is None else g)
        for i, g in theirs[1].items()
    ]
    truths = [None] * len(pairs)
    if truth is not None:
        truths = [*truth[0], *(truth[1][i] for i in theirs[1])]
    for place, ((what, mine, yours), exact) in enumerate(zip(pairs, truths, strict=True)):
        if mine.shape != yours.shape:
            return f"{what}: shape {mine.shape}, torch's {yours.shape}"
        if mine.dtype != yours.dtype and not {mine.dtype.name, yours.dtype.name} <= {"int32", "int64"}:
            return f"{what}: {mine.dtype}, torch's {yours.dtype}"
        if mine.dtype.kind in "biu":
            if not np.array_equal(mine, yours):
                return f"{what}: {mine.ravel()[:6]}, torch's {yours.ravel()[:6]}"
        elif exact is not None:
            ratio = noise_ratio(mine, yours, exact)
            if ratios is not None:
                ratios.append(ratio)
            if not ratio <= NOISE and nearby is not None:
                runs = [[*values, *(grads.get(i) for i in theirs[1])][place] for values, grads in nearby()]
                ratio = min([ratio, *(noise_ratio(mine, run, exact) for run in runs if run is not None)])
            cancelled = not np.any(exact) and np.max(np.abs(mine), initial=0) <= np.finfo(np.float32).eps * (1 + scale)
            if not ratio <= NOISE and not cancelled:  # of terms that add up to nothing, their own scale is the measure
                return f"{what}: {ratio:.1f} times torch's rounding, {mine.ravel()[:4]}, torch's {yours.ravel()[:4]}"
        else:
            measured = distance(mine, yours)
            single = yours.dtype in (np.float32, np.complex64)  # what torch makes of integers
            bound, least = (1e-6, 1e-6) if single else (BOUND, 1e-14)
            if not (measured.relative <= bound or measured.absolute <= least * (1 + scale)):
                return f"{what}: {measured.relative:.1e} away, {mine.ravel()[:4]}, torch's {yours.ravel()[:4]}"
    return ""


def error_complaint(ours, theirs):
    """Whether ours raises the exception of torch's class whose first line is torch's; both are calls."""
    try:
        theirs()
    except Exception as error:
        reference = error
    else:
        return ""  # this build of torch does not raise
    sentence = str(reference).splitlines()[0] if str(reference) else ""
    try:
        ours()
    except Exception as error:
        first = str(error).splitlines()[0] if str(error) else ""
        if not isinstance(error, type(reference)) and not isinstance(reference, type(error)):
            return f"{type(error).__name__}: {first}\n  torch: {type(reference).__name__}: {sentence}"
        return "" if first == sentence else f"{first}\n  torch: {sentence}"
    return f"no error\n  torch: {type(reference).__name__}: {sentence}"


@contextlib.contextmanager
def quiet():
    """Without warnings; the databases use deprecated arguments on purpose."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
