"""Embeddings and bags of them: PyTorch's samples, random bags, what comes back with ``max_norm``."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad import func, nn, random
from jaxgrad.nn import functional as F
from tests.support.entries import adapted, in_place, output_alone
from tests.support.module_samples import error_inputs as module_errors
from tests.support.module_samples import infos
from tests.support.module_samples import samples as module_samples
from tests.support.op_samples import entries, error_inputs, op_id, samples

OPS = entries("nn.functional.embedding", "nn.functional.embedding_bag")


@pytest.mark.parametrize("op", OPS, ids=op_id)
def test_samples(op, x64):
    samples(op, output_alone(op.name), limit=7, jit=False, adapt=adapted, leave_out=in_place).check()
    error_inputs(op, adapt=adapted).check(at_least=0)


@pytest.mark.exhaustive
@pytest.mark.parametrize("op", OPS, ids=op_id)
def test_all_samples(op, x64):
    samples(op, output_alone(op.name), jit=False, adapt=adapted, leave_out=in_place).check()
    for dtype in (torch.bfloat16, torch.float16, torch.float32):
        samples(op, output_alone(op.name), dtype=dtype, jit=False, adapt=adapted, leave_out=in_place).check()


def test_module_samples(x64):
    (info,) = infos("Embedding")
    module_samples(info).check()
    module_errors(info).check()


@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_bags(data):
    seed = data.draw(st.integers(0, 2**32))
    mode = data.draw(st.sampled_from(["sum", "mean", "max"]))
    length, bags = data.draw(st.integers(0, 6)), data.draw(st.integers(1, 4))
    kwargs = {
        "mode": mode,
        "padding_idx": data.draw(st.sampled_from([None, 0, -1])),
        "include_last_offset": data.draw(st.booleans()),
        "max_norm": data.draw(st.sampled_from([None, 1.0])),
        "norm_type": data.draw(st.sampled_from([1.0, 2.0])),
    }
    with jax.enable_x64(True):
        rng = np.random.default_rng(seed)
        table = rng.standard_normal((4, 3)).round(1)  # with ties
        index = rng.integers(0, 4, length)
        offsets = np.sort(rng.integers(0, length + 1, bags))
        offsets[0] = 0
        if kwargs["include_last_offset"]:
            offsets = np.append(offsets, length)
        if mode == "sum" and data.draw(st.booleans()):
            kwargs["per_sample_weights"] = rng.standard_normal(length)
        if mode != "max":
            kwargs["scale_grad_by_freq"] = data.draw(st.booleans())
        check_bags(table, index, offsets, kwargs)


def check_bags(table, index, offsets, kwargs):
    theirs = {k: torch.tensor(v, requires_grad=True) if isinstance(v, np.ndarray) else v for k, v in kwargs.items()}
    leaf = torch.tensor(table, requires_grad=True)
    expected = torch.nn.functional.embedding_bag(torch.tensor(index), leaf, torch.tensor(offsets), **theirs)
    weights = np.cos(np.arange(expected.numel())).reshape(expected.shape)
    expected.backward(torch.tensor(weights))

    def ours(params):
        result = F.embedding_bag(index, params[0], offsets, **(kwargs | params[1]))
        return result if isinstance(result, tuple) else (result, params[0])

    given = {k: jnp.asarray(v) for k, v in kwargs.items() if isinstance(v, np.ndarray)}
    output, pull, after = jax.vjp(ours, (jnp.asarray(table), given), has_aux=True)
    np.testing.assert_allclose(output, expected.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(after, leaf.detach().numpy(), rtol=1e-12)
    ((grad, others),) = pull(jnp.asarray(weights))
    np.testing.assert_allclose(grad, leaf.grad.numpy(), rtol=1e-12, atol=1e-15)
    for name, value in others.items():
        np.testing.assert_allclose(value, theirs[name].grad.numpy(), rtol=1e-12, atol=1e-15)


def test_max_norm_comes_back(x64):
    x = np.array([0, 1, 0])
    table = np.array([[3.0, 4.0], [0.1, 0.1], [30.0, 0.0]])
    leaf = torch.tensor(table, requires_grad=True)
    expected = torch.nn.functional.embedding(torch.tensor(x), leaf, max_norm=1.0, scale_grad_by_freq=True)
    (expected**2).sum().backward()
    model = nn.Embedding(3, 2, max_norm=1.0, scale_grad_by_freq=True, _weight=table)
    params, _ = func.extract(model)

    def loss(params):
        output, aux = func.functional_call(model, params, x, has_aux=True)
        return jnp.sum(output**2), (output, aux)

    grads, (output, aux) = jax.grad(loss, has_aux=True)(params)
    np.testing.assert_allclose(output, expected.detach().numpy(), rtol=1e-14)
    np.testing.assert_allclose(aux.params["weight"], leaf.detach().numpy(), rtol=1e-14)
    np.testing.assert_allclose(grads["weight"], leaf.grad.numpy(), rtol=1e-14)
    with pytest.raises(RuntimeError, match=r"aux\.params"):
        func.functional_call(model, params, x)


def test_initial_values_forms_and_frozen_tables():
    for name, args, kwargs in (
        ("Embedding", (7, 3), {"padding_idx": -2}),
        ("Embedding", (7, 3, 1, 2.0, 1.0, True), {}),
        ("EmbeddingBag", (7, 3), {"padding_idx": 0, "mode": "sum", "max_norm": 2.0}),
    ):
        torch.manual_seed(3)
        theirs = getattr(torch.nn, name)(*args, **kwargs)
        ours = getattr(nn, name)(*args, **kwargs, rngs=nn.Rngs(random.manual_seed(3)))
        np.testing.assert_array_equal(ours.weight.get_value(), theirs.weight.detach().numpy())
        assert repr(ours) == repr(theirs)
    frozen = nn.Embedding.from_pretrained(np.ones((3, 2)))
    assert func.extract(frozen)[0] == {} and list(func.extract(frozen)[1]) == ["weight"]
    assert list(func.extract(nn.EmbeddingBag.from_pretrained(np.ones((3, 2)), freeze=False))[0]) == ["weight"]


def complaint_of(fn):
    try:
        fn()
    except Exception as error:
        return type(error).__name__, str(error).splitlines()[0]
    return "no error"


WRONG = [
    ("embedding", ([10], "W"), {}),
    ("embedding", ([-1], "W"), {}),
    ("embedding", (np.array([1.0], np.float32), "W"), {}),
    ("embedding", (np.array([True]), "W"), {}),
    ("embedding", (np.array([1], np.int16), "W"), {}),
    ("embedding", ([1], "W"), {"padding_idx": 10}),
    ("embedding", ([1], "W"), {"padding_idx": -11}),
    ("embedding", ("W", [1]), {}),
    ("embedding_bag", ([1, 2], "W"), {}),
    ("embedding_bag", ([1, 2], "W", [[0]]), {}),
    ("embedding_bag", ([[1, 2]], "W", [0]), {}),
    ("embedding_bag", ([[[1]]], "W"), {}),
    ("embedding_bag", ([1], "W", [0]), {"mode": "x"}),
    ("embedding_bag", ([0, 10], "W", [0]), {}),
    ("embedding_bag", ([0, -1], "W", [0]), {"mode": "sum"}),
    ("embedding_bag", ([10], "W", [0]), {"mode": "max"}),
    ("embedding_bag", ([1, 2], "W", [1]), {}),
    ("embedding_bag", ([1, 2], "W", [0, 3]), {}),
    ("embedding_bag", ([1, 2], "W", [0]), {"per_sample_weights": np.ones(3)}),
    ("embedding_bag", ([1, 2], "W", [0]), {"per_sample_weights": np.ones(2)}),
    ("embedding_bag", ([1, 2], "W", [0]), {"per_sample_weights": np.ones(2, np.float32), "mode": "sum"}),
    ("embedding_bag", ([1, 2], "W", [0]), {"padding_idx": 10}),
    ("embedding_bag", ([1, 2], "W", [0]), {"scale_grad_by_freq": True, "mode": "max"}),
    ("embedding_bag", ([1, 2], [1.0, 2.0], [0]), {}),
]


def test_bad_input_is_refused_in_torchs_words(x64):
    table = np.ones((10, 3))
    for name, args, kwargs in WRONG:
        arrays = [table if isinstance(each, str) else np.asarray(each) for each in args]

        def theirs(name=name, arrays=arrays, kwargs=kwargs):
            options = {k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in kwargs.items()}
            getattr(torch.nn.functional, name)(*map(torch.tensor, arrays), **options)

        expected = complaint_of(theirs)
        ours = complaint_of(lambda name=name, arrays=arrays, kwargs=kwargs: getattr(F, name)(*arrays, **kwargs))
        assert ours == expected != "no error", (name, args)
    with pytest.raises(ValueError, match="sparse=True"):
        F.embedding(jnp.array([1]), table, sparse=True)


def test_index_out_of_range_inside_jit_is_nan():
    for index in (5, -1):
        assert np.isnan(jax.jit(F.embedding)(jnp.array([index]), jnp.ones((3, 2)))).all()
