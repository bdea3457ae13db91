"""Torch's lists against torch's dispatcher, and every operation that there is here beside torch's CPU autocast."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgrad
from jaxgrad import amp
from jaxgrad.amp.policy import FLOAT32, FLOAT32_RESULT, LISTS, LOWER, WIDEST
from jaxgrad.nn import functional
from tests.amp.autocast_samples import SAMPLES, Side

torch = pytest.importorskip("torch", reason="the reference is not installed")

OURS = Side(jaxgrad, functional, jnp.asarray)
THEIRS = Side(torch, torch.nn.functional, torch.tensor)
MACROS = {
    "LOWER_PRECISION_FP": LOWER,
    "FP32": FLOAT32,
    "FP32_SET_OPT_DTYPE": FLOAT32_RESULT,
    "DIFFERENT_REDISPATCH_SIGNATURE": FLOAT32_RESULT,
    "PROMOTE": WIDEST,
}


ONLY_WITH_CUDA = {"_cudnn_rnn"}
"""Registered beside cuDNN's recurrences, so only by a torch that is built for CUDA."""


@pytest.mark.parametrize(("device", "key"), [("cpu", "AutocastCPU"), ("cuda", "AutocastCUDA")])
def test_the_names_are_those_of_torchs_dispatcher(device, key):
    every = torch._C._dispatch_get_all_op_names()
    cast = {name for name in every if torch._C._dispatch_has_kernel_for_dispatch_key(name, key)}
    expected = set(LISTS[device]) if torch.backends.cuda.is_built() else set(LISTS[device]) - ONLY_WITH_CUDA
    assert {name.removeprefix("aten::").split(".")[0] for name in cast} == expected


def test_the_rules_of_cuda_are_those_of_torchs_header():
    header = (Path(torch.__file__).parent / "include/ATen/autocast_mode.h").read_text()
    told = {}
    for macro, body in re.findall(r"#define AT_FORALL_(\w+)\(_\)((?:.*\\\n)*.*\n)", header):
        if macro in MACROS:
            told |= {name: MACROS[macro] for name in re.findall(r"_\((?:ADD_NS\()?(\w+)", body)}
    here = {
        name: rule for name, rule in LISTS["cuda"].items() if "cudnn" not in name and name != "binary_cross_entropy"
    }
    assert here == told


def arrays(sample, dtype):
    rng = np.random.default_rng(len(sample.name))
    return [jnp.asarray(rng.uniform(-1, 1, shape), dtype) for shape in sample.shapes]


def tensor(array, learned):
    plain = torch.tensor(np.asarray(array, np.float32))
    return plain.to(getattr(torch, array.dtype.name)).requires_grad_(learned)


def weights(shape):
    return np.cos(np.arange(np.prod(shape, dtype=int))).reshape(shape).astype(np.float32)


def learned(sample):
    """How many of the arrays are differentiated: weights too, targets not."""
    return len(sample.shapes) if LISTS["cpu"].get(sample.name) == LOWER else 1


def in_torch(sample, given, dtype):
    """The result and the gradients of a sum over it, or None where torch has no such kernel."""
    inputs = [tensor(each, place < learned(sample)) for place, each in enumerate(given)]
    try:
        with torch.autocast("cpu", dtype=getattr(torch, dtype)):
            out = sample.call(THEIRS, *inputs)
        (out.float() * torch.tensor(weights(out.shape))).sum().backward()
    except RuntimeError as error:
        if "not implemented" not in str(error):
            raise RuntimeError(sample.name) from error
        return None
    return out.detach(), [each.grad for each in inputs[: learned(sample)]]


def in_jax(sample, dtype):
    """``(result, gradients)`` as a function of the arrays."""

    def fn(*inputs):
        out = amp.autocast("cpu", dtype=dtype)(sample.call)(OURS, *inputs)
        return (out.astype(jnp.float32) * weights(out.shape)).sum(), out

    def both(*given):
        (_, out), grads = jax.value_and_grad(fn, argnums=tuple(range(learned(sample))), has_aux=True)(*given)
        return out, grads

    return both


def of_dtypes(got, expected):
    """Where the dtype is not torch's."""
    pairs = zip([got[0], *got[1]], [expected[0], *expected[1]], strict=True)
    return [f"{a.dtype}, torch's {b.dtype}" for a, b in pairs if f"torch.{a.dtype}" != str(b.dtype)]


def of_values(got, expected, lower):
    """Where a value is off by more than roundings of the narrower dtype."""
    said = []
    for a, b in zip([got[0], *got[1]], [expected[0], *expected[1]], strict=True):
        a, b = np.asarray(a, np.float64), b.double().numpy()
        bound = (6 * float(jnp.finfo(lower).eps) if lower else 1e-5) * max(np.abs(b).max(), 1e-3)
        if not np.abs(a - b).max() <= bound:
            said.append(f"off by {np.abs(a - b).max()} of {bound}")
    return said


def check(samples, dtype, given_dtype, *, values):
    found, compared = {}, set()
    for place, sample in enumerate(samples):
        given = arrays(sample, given_dtype)
        expected = in_torch(sample, given, dtype)
        if expected is None:
            continue
        compared.add(sample.name)
        lower = dtype if LISTS["cpu"].get(sample.name) == LOWER or given_dtype != "float32" else None
        lower = dtype if sample.name in LOWER_WITHIN else lower
        try:
            fn = in_jax(sample, dtype)
            got = jax.jit(fn)(*given) if values else jax.eval_shape(fn, *given)
            said = of_dtypes(got, expected) or (of_values(got, expected, lower) if values else [])
        except Exception as error:
            said = [f"{type(error).__name__}: {error}"]
        if said:
            found[f"{place} {sample.name}"] = said
    assert not found, "\n".join(f"{name}: {said}" for name, said in found.items())
    return compared


LOWER_WITHIN = ("bilinear",)
"""On no list of the CPU's, and torch makes it of products that are; here it is one operation, in float32."""

OFTEN = [("bfloat16", "float32"), ("float16", "float16")]
RARELY = [("bfloat16", "bfloat16"), ("float16", "float32")]
SOMETIMES = [pytest.param(*each, marks=pytest.mark.exhaustive) for each in RARELY]
FEW = ("linear", "conv2d", "scaled_dot_product_attention", "matmul", "cross_entropy_loss", "huber_loss", "softplus")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("dtype", "given"), OFTEN + SOMETIMES)
def test_dtypes_of_every_operation_are_those_of_torchs_cpu_autocast(dtype, given):
    assert len(check(SAMPLES, dtype, given, values=False)) > 60


@pytest.mark.filterwarnings("ignore")
def test_values_of_some_are_those_of_torchs_cpu_autocast():
    assert len(check([s for s in SAMPLES if s.name in FEW], "bfloat16", "float32", values=True)) == len(FEW)


@pytest.mark.exhaustive
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("dtype", "given"), OFTEN + RARELY)
def test_values_of_all_are_those_of_torchs_cpu_autocast(dtype, given):
    assert len(check(SAMPLES, dtype, given, values=True)) > 60
