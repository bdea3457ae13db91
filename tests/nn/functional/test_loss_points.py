"""Losses where ports go wrong: margins, zeros, infinities, nothing to average, targets nobody can reach."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad.nn import functional as F
from tests.support.samples import complaint, error_complaint, jax_answer, quiet, to_jax, torch_answer

INF, NAN = float("inf"), float("nan")


def differs(name, *inputs, **kwargs):
    """The complaint about value and gradients of our function beside torch's; arrays are differentiated if floating."""
    tensors = [torch.as_tensor(np.asarray(each)) for each in inputs]
    theirs = torch_answer(lambda *given: getattr(torch.nn.functional, name)(*given, **kwargs), tensors)
    fixed = {key: to_jax(value) for key, value in kwargs.items()}
    ours = jax_answer(lambda *given: getattr(F, name)(*given, **fixed), [to_jax(t) for t in tensors], list(theirs[1]))
    return complaint(ours, theirs)


A = np.array
POINTS = {
    "l1 at 0": ("l1_loss", (A([0.0, 1.0, NAN, INF]), A([0.0, 0.0, 0.0, 0.0])), {"reduction": "none"}),
    "smooth l1, no width": ("smooth_l1_loss", (A([0.0, 1.0]), A([0.0, 0.0])), {"beta": 0.0, "reduction": "none"}),
    "smooth l1 at its bend": ("smooth_l1_loss", (A([1.0, -1.0, INF]), A([0.0, 0.0, 0.0])), {"reduction": "none"}),
    "huber at its bend": ("huber_loss", (A([1.0, -1.0, INF]), A([0.0, 0.0, 0.0])), {"reduction": "none"}),
    "huber without a bend": ("huber_loss", (A([1.0]), A([0.0])), {"delta": INF}),
    "hinge at its margin": ("hinge_embedding_loss", (A([1.0, 0.5, 2.0]), A([-1, 1, -1])), {"reduction": "none"}),
    "ranking at its margin": ("margin_ranking_loss", (A([1.0]), A([0.5]), A([1.0])), {"margin": 0.5}),
    "triplet at its margin": ("triplet_margin_loss", (A([[0.0, 0]]), A([[1.0, 0]]), A([[2.0, 0]])), {"eps": 0.0}),
    "triplet on one point": ("triplet_margin_loss", (A([[0.0, 0]]), A([[0.0, 0]]), A([[0.5, 0]])), {"eps": 0.0}),
    "cosine at its margin": ("cosine_embedding_loss", (A([[1.0, 0]]), A([[0.0, 1]]), A([-1])), {}),
    "multi margin at its margin": ("multi_margin_loss", (A([[1.0, 0, 0]]), A([0])), {}),
    "multilabel margin at its margin": ("multilabel_margin_loss", (A([[1.0, 0]]), A([[0, -1]])), {}),
    "multilabel margin, a label twice": ("multilabel_margin_loss", (A([[0.1, 0.2, 0.3]]), A([[1, 1, -1]])), {}),
    "bce, sure and wrong": ("binary_cross_entropy", (A([0.0, 1.0]), A([1.0, 0.0])), {"reduction": "none"}),
    "bce, sure and right": ("binary_cross_entropy", (A([0.0, 1.0]), A([0.0, 1.0])), {"reduction": "none"}),
    "bce, nearly sure": ("binary_cross_entropy", (A([1e-60, 0.5]), A([1.0, 0.5])), {"reduction": "none"}),
    "logits at infinity": (
        "binary_cross_entropy_with_logits",
        (A([INF, -INF, -INF]), A([1.0, 1.0, 0.0])),
        {"reduction": "none"},
    ),
    "divergence from nothing": ("kl_div", (A([-1.0, -INF, -2.0]), A([0.5, 0.5, 0.0])), {"reduction": "none"}),
    "divergence, log target": ("kl_div", (A([-1.0]), A([-INF])), {"reduction": "none", "log_target": True}),
    "counts 0, 1, 2": ("poisson_nll_loss", (A([0.0, 0.1, 0.2]), A([0.0, 1.0, 2.0])), {"full": True}),
    "variance below the least": ("gaussian_nll_loss", (A([1.0, 1.0]), A([0.0, 0.0]), A([0.0, 1e-8])), {}),
    "soft margin, overflowing": ("soft_margin_loss", (A([-1000.0, 1000.0]), A([1.0, 1.0])), {"reduction": "none"}),
    "all ignored": ("cross_entropy", (A([[1.0, 2, 3], [3, 1, 0]]), A([-100, -100])), {}),
    "empty mean": ("l1_loss", (np.zeros((0, 3)), np.zeros((0, 3))), {}),
    "empty mean of squares": ("mse_loss", (np.zeros((0, 3)), np.zeros((0, 3))), {}),
    "cosine with nothing": ("cosine_similarity", (A([[0.0, 0]]), A([[1.0, 2]])), {}),
    "cosine of small vectors": ("cosine_similarity", (A([[1e-9, 0]]), A([[1e-9, 0]])), {}),
    "distance of one point": ("pairwise_distance", (A([1.0, 2]), A([1.0, 2])), {"eps": 0.0}),
    **{
        f"pdist of equal points, p={p}": ("pdist", (A([[1.0, 2], [1, 2], [1, 5], [4, 5]]),), {"p": p})
        for p in (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, INF)
    },
    **{
        f"distance with zeros, p={p}": ("pairwise_distance", (A([[1.0, 2], [3, 3]]), A([[1.0, 5], [1, 1]])), dict(p=p))
        for p in (0.0, 0.5, 1.0, 1.5, 3.0, INF, -INF)
    },
}


def test_points(x64):
    wrong = {}
    with quiet():
        for what, (name, inputs, kwargs) in POINTS.items():
            found = differs(name, *inputs, **kwargs)
            if found:
                wrong[what] = found
    assert wrong == {}


def ctc_case(rng, *, unnormalised=False, concatenated=False):
    t, n, c = 7, 3, 4
    logits = rng.normal(size=(t, n, c))
    p = logits if unnormalised else logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    wanted = rng.integers(0, 4, n)
    targets = rng.integers(1, c, (n, 3))
    if concatenated:
        targets = np.concatenate([row[:k] for row, k in zip(targets, wanted, strict=True)])
    return p, targets, rng.integers(wanted * 2, t + 1), wanted


def test_ctc_on_impossible_short_empty_and_unnormalised_sequences(x64):
    compiled = jax.jit(
        lambda p, t, i, w, zero: jax.value_and_grad(lambda p: F.ctc_loss(p, t, i, w, 0, "sum", zero))(p),
        static_argnums=4,
    )
    rng = np.random.default_rng(0)
    for number in range(12):
        p, targets, frames, wanted = ctc_case(rng, unnormalised=number % 4 == 3)
        if number == 1:
            targets[0], frames[0], wanted[0] = [1, 1, 2], 3, 3  # needs four frames
        if number == 2:
            frames[:], wanted[:] = [0, 2, 5], [0, 0, 1]
        for zero in (False, True):
            leaf = torch.from_numpy(p).requires_grad_()
            given = (torch.from_numpy(targets), torch.from_numpy(frames), torch.from_numpy(wanted))
            theirs = torch.nn.functional.ctc_loss(leaf, *given, reduction="sum", zero_infinity=zero)
            (gradient,) = torch.autograd.grad(theirs, leaf)
            loss, ours = compiled(p, targets, frames, wanted, zero)
            np.testing.assert_allclose(loss, theirs.item(), rtol=1e-10, err_msg=str(number))
            np.testing.assert_allclose(ours, gradient.numpy(), rtol=1e-9, atol=1e-12, err_msg=str(number))
    p, targets, frames, wanted = ctc_case(rng, concatenated=True)
    theirs = torch.nn.functional.ctc_loss(*(torch.from_numpy(each) for each in (p, targets, frames, wanted)))
    ours = jax.jit(F.ctc_loss)(p, targets, frames, wanted)
    np.testing.assert_allclose(ours, theirs.item(), rtol=1e-10)


x = torch.rand(3, 4)
LP, TG = torch.randn(5, 2, 4).log_softmax(-1), torch.tensor([[1, 2], [3, 3]])
FIVE, TWO = torch.tensor([5, 5]), torch.tensor([2, 2])
ERRORS = [
    ("binary_cross_entropy", (x, x.half()), {}),
    ("binary_cross_entropy", (x, x[0]), {}),
    ("binary_cross_entropy", (x + 1, x), {}),
    ("binary_cross_entropy", (x, x + 1), {}),
    ("binary_cross_entropy", (x.int(), x.int()), {}),
    ("smooth_l1_loss", (x, x), {"beta": -1}),
    ("huber_loss", (x, x), {"delta": 0}),
    ("l1_loss", (x, x), {"weight": x[0]}),
    ("l1_loss", (x, x), {"weight": x, "reduction": "abc"}),
    ("l1_loss", (x.short(), x.short()), {}),
    ("kl_div", (x, x), {"reduction": "abc"}),
    ("kl_div", (x.int(), x), {}),
    ("gaussian_nll_loss", (x, x, -1.0), {}),
    ("gaussian_nll_loss", (x, x, x[:2]), {}),
    ("multilabel_soft_margin_loss", (x, x), {"reduction": "abc"}),
    ("cosine_embedding_loss", (x, x, torch.ones(3, 1)), {}),
    ("cosine_embedding_loss", (x, x, torch.ones(())), {}),
    ("cosine_embedding_loss", (x[0], x[0], torch.ones(3)), {}),
    ("cosine_similarity", (x.int(), x.int()), {}),
    ("cosine_similarity", (x, x[:2]), {}),
    ("cosine_similarity", (x, x), {"dim": 3}),
    ("pairwise_distance", (x, x[:2]), {}),
    ("pdist", (x[0],), {}),
    ("pdist", (x, -1), {}),
    ("pdist", (x.int(),), {}),
    ("pdist", (x.half(),), {}),
    ("one_hot", (x,), {}),
    ("one_hot", (torch.tensor([-1]),), {}),
    ("one_hot", (torch.tensor([3]), 2), {}),
    ("one_hot", (torch.zeros(0, dtype=torch.long),), {}),
    ("ctc_loss", (LP.half(), TG, FIVE, TWO), {}),
    ("ctc_loss", (LP, TG, FIVE.float(), TWO), {}),
    ("ctc_loss", (LP, TG, FIVE, TWO.float()), {}),
    ("ctc_loss", (LP, TG, FIVE[:1], TWO), {}),
    ("ctc_loss", (LP, TG, FIVE, TWO[:1]), {}),
    ("ctc_loss", (LP, TG, FIVE + 1, TWO), {}),
    ("ctc_loss", (LP, TG, FIVE, TWO + 1), {}),
    ("ctc_loss", (LP, TG, FIVE, -TWO), {}),
    ("ctc_loss", (LP, TG, -FIVE, TWO), {}),
    ("ctc_loss", (LP, TG, FIVE, TWO), {"blank": 4}),
    ("ctc_loss", (LP, TG, FIVE, TWO), {"reduction": "abc"}),
    ("ctc_loss", (LP, TG.flatten()[:3], FIVE, TWO), {}),
    ("ctc_loss", (LP[:0], TG, FIVE * 0, TWO), {}),
    ("ctc_loss", (LP, TG[None], FIVE, TWO), {}),
    ("ctc_loss", (LP, TG[:1], FIVE, TWO), {}),
]


def test_sentences():
    wrong = []
    with quiet():
        for name, args, kwargs in ERRORS:
            found = error_complaint(
                lambda: getattr(F, name)(*to_jax(args), **to_jax(kwargs)),  # noqa: B023
                lambda: getattr(torch.nn.functional, name)(*args, **kwargs),  # noqa: B023
            )
            if found:
                wrong.append(f"{name}: {found}")
    assert wrong == []


PAIRS = {
    "l1_loss": {},
    "smooth_l1_loss": {"beta": 0.3},
    "huber_loss": {"delta": 0.7},
    "soft_margin_loss": {},
    "hinge_embedding_loss": {"margin": 0.4},
    "poisson_nll_loss": {"full": True},
    "binary_cross_entropy": {},
    "multilabel_soft_margin_loss": {},
    "kl_div": {"log_target": True},
}


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    name=st.sampled_from(sorted(PAIRS)),
    shape=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    reduction=st.sampled_from(["mean", "sum", "none"]),
    seed=st.integers(0, 2**31),
)
def test_any_shape_and_reduction(name, shape, reduction, seed):
    rng = np.random.default_rng(seed)
    given_ = rng.uniform(0.05, 0.95, shape), rng.uniform(0.05, 0.95, shape)
    if name == "hinge_embedding_loss":
        given_ = given_[0], np.sign(given_[1] - 0.5)
    with jax.enable_x64(True), quiet():
        assert not differs(name, *given_, reduction=reduction, **PAIRS[name])


def test_second_derivatives_are_torchs(x64):
    rng = np.random.default_rng(0)
    a, b = rng.uniform(0.1, 0.9, 6), rng.uniform(0.1, 0.9, 6)
    for name, kwargs in PAIRS.items():
        leaf = torch.from_numpy(a).requires_grad_()
        with quiet():
            loss = getattr(torch.nn.functional, name)(leaf, torch.from_numpy(b), **kwargs)
            (slope,) = torch.autograd.grad(loss, leaf, create_graph=True)
            if not slope.requires_grad:
                continue
            (curve,) = torch.autograd.grad((slope * torch.arange(6.0)).sum(), leaf)

            def loss_fn(x, name=name, kwargs=kwargs):
                return getattr(F, name)(x, jnp.asarray(b), **kwargs)

            ours = jax.grad(lambda x, f=loss_fn: jax.grad(f)(x) @ jnp.arange(6.0))(jnp.asarray(a))
        np.testing.assert_allclose(ours, curve.numpy(force=True), rtol=1e-10, atol=1e-14, err_msg=name)


def test_labels_out_of_range_inside_jit_are_nan():
    for fn, given_ in [
        (F.multi_margin_loss, (jnp.ones((2, 3)), jnp.array([0, 7]))),
        (F.multilabel_margin_loss, (jnp.ones((2, 3)), jnp.array([[0, -1, 0], [7, -1, 0]]))),
    ]:
        assert np.isnan(jax.jit(fn)(*given_))
        with pytest.raises(RuntimeError, match="out of range"):
            fn(*given_)
