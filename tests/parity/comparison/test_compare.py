"""The verdict: kinds of divergence, both modes, what float64 decides, and what is only kept in another form."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgrad import parity, testing

BATCHES = [np.float32([[1.0, 2.0, -1.0], [0.5, -0.5, 3.0]]) * (1 + i) for i in range(5)]
W = jnp.float32([[0.1, -0.2, 0.3], [0.4, 0.5, -0.6]])


def side(step=None, tell=lambda record: record, rate=0.01, state=None):
    """Least squares by gradient descent; ``step(w, grad, i)`` and ``tell(record)`` can do something wrong."""

    def run(state, x):
        w, i = state["w"], state["i"]
        loss, grad = jax.value_and_grad(lambda w: jnp.mean((x @ w.T) ** 2))(w)
        new = w - rate * grad if step is None else step(w, grad, i)
        return {"w": new, "i": i + 1}, tell({"loss": loss, "grads": {"w": grad}, "params": {"w": new}})

    return parity.from_jax(run, {"w": W, "i": jnp.int32(0)} if state is None else state)


def first(candidate, reference=None, **options):
    report = parity.compare(side() if reference is None else reference, candidate, BATCHES, **options)
    return report.first


def where(divergence):
    return divergence.step, divergence.phase, divergence.tensor, divergence.kind


@pytest.mark.parametrize("mode", ["free", "single"])
def test_the_same_is_the_same(mode):
    report = parity.compare(side(), side(), BATCHES, mode)
    assert report.ok and report.steps == 5 and report.first is None and report.cause is None
    assert report.noise["decided_by"] == "float64"


def test_kinds():
    def changed(fn):
        return side(tell=lambda record: {**record, "grads": {"w": fn(record["grads"]["w"])}})

    assert where(first(changed(lambda g: g.astype(jnp.float16)))) == (0, "grads", "w", "dtype")
    assert where(first(changed(lambda g: g.T))) == (0, "grads", "w", "shape")
    assert where(first(changed(lambda g: g.at[1, 2].set(jnp.nan)))) == (0, "grads", "w", "nonfinite")
    assert first(changed(lambda g: g.at[1, 2].set(jnp.inf))).element == (1, 2)
    missing = side(tell=lambda record: {**record, "grads": {"v": record["grads"]["w"][:1]}})
    assert where(first(missing)) == (0, "grads", "w", "missing")
    more = parity.compare(side(), changed(lambda g: g), BATCHES)
    assert more.ok
    extra = side(tell=lambda record: {**record, "grads": {**record["grads"], "more": record["loss"]}})
    report = parity.compare(side(), extra, BATCHES)
    assert report.ok and {each.tensor for each in report.distances if each.kind == "extra"} == {"more"}


def test_nan_and_infinity_on_both_sides_are_equal():
    def broken():
        return side(tell=lambda record: {**record, "grads": {"w": record["grads"]["w"].at[0, 0].set(jnp.nan)}})

    assert parity.compare(broken(), broken(), BATCHES).ok
    signs = [side(tell=lambda record, s=s: {**record, "loss": record["loss"] * s * jnp.inf}) for s in (1, -1)]
    assert where(first(signs[1], signs[0])) == (0, "loss", "loss", "nonfinite")


@pytest.mark.parametrize("mode", ["free", "single"])
def test_a_late_error_of_a_thousandth_in_one_element(mode):
    def late(w, grad, i):
        return w - 0.01 * jnp.where(i == 3, grad.at[0, 1].multiply(1.001), grad)

    found = first(side(late), mode=mode)
    assert where(found) == (3, "params", "w", "differs") and found.element == (0, 1)
    assert found.reference != found.candidate and found.agreeing[-1] == "grads.w"


def test_in_single_step_mode_an_error_does_not_cascade():
    once = side(lambda w, grad, i: w - 0.01 * jnp.where(i == 1, 1.1 * grad, grad))
    wrong = {mode: set() for mode in ("free", "single")}
    for mode, steps in wrong.items():
        report = parity.compare(side(), once, BATCHES, mode)
        steps |= {each.step for each in report.distances if not each.ok}
    assert wrong == {"free": {1, 2, 3, 4}, "single": {1}}


def test_another_start_is_named_by_its_parameter():
    found = first(side(state={"w": W.at[1, 1].multiply(1.001), "i": jnp.int32(0)}))
    assert where(found)[:3] == (0, "params", "w") and found.element == (1, 1)
    assert "before step 0" in found.operation


def test_rounding_is_not_a_divergence_where_only_float32_is_at_hand():
    def reordered(w, grad, i):
        return w - grad * 0.003 - grad * 0.007

    report = parity.compare(side(), side(reordered), BATCHES, float64=False)
    assert report.ok and report.noise["decided_by"] == "float32"
    assert any(each.kind == "within" for each in report.distances)
    assert not parity.compare(side(), side(rate=0.01 * 1.001), BATCHES, float64=False).ok


def test_float64_sees_what_float32_cannot():
    slightly = side(rate=0.01 * (1 + 1e-8))
    assert parity.compare(side(), slightly, BATCHES, float64=False).ok
    assert where(first(slightly)) == (0, "params", "w", "differs")


def test_a_float32_scalar_in_the_program_is_rounding_and_a_wrong_one_is_not():
    constant = side(lambda w, grad, i: w - jnp.float32(0.01) * grad)
    assert parity.compare(side(), constant, BATCHES).ok
    wrong = side(lambda w, grad, i: w - jnp.float32(0.01001) * grad)
    assert where(first(wrong)) == (0, "params", "w", "differs")


def test_a_program_that_rounds_to_float32_is_judged_by_float32_and_one_that_rounds_further_is_wrong():
    assert parity.compare(side(), side(lambda w, g, i: w - 0.01 * g.astype(jnp.float32).astype(w.dtype)), BATCHES).ok
    coarse = side(lambda w, g, i: w - 0.01 * g.astype(jnp.bfloat16).astype(w.dtype))
    assert where(first(coarse)) == (0, "params", "w", "differs")


def test_a_function_that_cannot_be_run_in_float64_says_so():
    def step(state, x):
        if state["w"].dtype == jnp.float64:
            raise TypeError("float32 only")
        return {"w": state["w"] - 0.01 * x[:1]}, {"loss": jnp.sum(state["w"])}

    one, other = (parity.from_jax(step, {"w": W}) for _ in range(2))
    report = parity.compare(one, other, BATCHES)
    assert report.ok and report.noise["not_in_float64"]["candidate"] == "TypeError: float32 only"


def with_momentum(inside):
    """The lr inside of the momentum, or outside: the same parameters while the lr stays."""
    inner = optax.chain(optax.scale(-0.1), optax.trace(0.9))
    tx = inner if inside else optax.sgd(0.1, momentum=0.9)

    def step(state, x):
        params, kept = state
        loss, grads = jax.value_and_grad(lambda params: jnp.mean((x @ params["w"].T) ** 2))(params)
        updates, kept = tx.update(grads, kept, params)
        return (optax.apply_updates(params, updates), kept), {"loss": loss}

    return parity.from_jax(step, ({"w": W}, tx.init({"w": W})))


def test_a_state_that_is_kept_in_another_form_is_no_divergence():
    torch = pytest.importorskip("torch", reason="the reference is not installed")
    model = torch.nn.Linear(3, 2, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.from_numpy(np.array(W)))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    reference = parity.from_torch(model, lambda out: (out**2).mean(), optimizer)
    batches = [0.1 * x for x in BATCHES]
    for inside in (True, False):
        report = parity.compare(reference, with_momentum(inside), batches)
        assert report.ok, report.sentence
        assert any(each.phase == "optimizer" and not each.ok for each in report.distances) is inside


def test_what_a_report_holds_is_bounded(monkeypatch):
    from jaxgrad.parity.comparison import verdict

    monkeypatch.setattr(verdict, "_KEPT", 5)
    report = parity.compare(side(), side(rate=0.02), BATCHES)
    assert where(report.first) == (0, "params", "w", "differs")
    assert [each.phase for each in report.distances if each.step == 4] == ["inputs", "loss", "grads", "params"]


def test_assert_parity(tmp_path):
    assert testing.assert_parity(side(), side(), BATCHES).ok
    with pytest.raises(AssertionError, match=r"params\.w"):
        testing.assert_parity(side(), side(rate=0.02), BATCHES, save=tmp_path / "report.json")
    assert parity.Report.from_json((tmp_path / "report.json").read_text()).first.tensor == "w"
