"""The loop: what the ten lines give, late metrics, Control-C, early stopping, evaluation of ragged batches."""

import signal
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad import optim, random, train
from jaxgrad.utils.data import DataLoader, IterableDataset, TensorDataset

TX = optim.SGD(0.1, momentum=0.9)
X, Y = np.arange(7, dtype=np.float32)[:, None], np.arange(7, dtype=np.float32)[:, None] * 2 + 1


def loss_fn(params, x, y):
    error = params["a"] * x + params["b"] - y
    return jnp.mean(error**2) / 50, train.Aux(metrics={"largest": jnp.max(jnp.abs(error))})


STEP, EVALUATE = train.make_train_step(loss_fn, TX), train.make_eval_step(loss_fn)
LOADER = DataLoader(TensorDataset(X, Y), batch_size=2, shuffle=True)
TEST = DataLoader(TensorDataset(X, Y), batch_size=3)


def fresh():
    params = {"a": jnp.zeros(()), "b": jnp.zeros(())}
    return train.init_state(params, TX, generator=random.manual_seed(0))


def by_hand(epochs):
    state, records = fresh(), []
    for _ in range(epochs):
        losses = []
        batches, state = LOADER.epoch(state)
        for batch in batches:
            state, metrics = STEP(state, batch)
            losses.append(float(metrics["loss"]))
        batches, state = TEST.epoch(state)
        records.append((sum(losses) / len(losses), train.evaluate(EVALUATE, state, batches)["loss"]))
    return state, records


def same(one, two):
    return jax.tree.all(jax.tree.map(lambda a, b: np.array_equal(np.asarray(a), np.asarray(b)), one, two))


def test_as_the_loop_by_hand(capsys):
    logged = []
    fitted = train.fit(
        STEP,
        fresh(),
        LOADER,
        epochs=3,
        eval_step=EVALUATE,
        eval_loader=TEST,
        log=lambda step, values: logged.append((step, *sorted(values))),
    )
    state, records = by_hand(3)
    assert same(fitted.state, state) and fitted.step == 12 and fitted.stopped is None
    assert [(each["loss"], each["eval_loss"]) for each in fitted.history] == records
    assert [each[:2] for each in logged[:6]] == [(n, "train/largest") for n in (1, 2, 3, 4)] + [
        (4, "epoch/eval_largest"),
        (5, "train/largest"),
    ]
    out, err = capsys.readouterr()
    assert out == "" and [line.split("  ")[0] for line in err.splitlines()] == [f"epoch {n}/3" for n in (1, 2, 3)]


def test_evaluation_counts_rows():
    state = fresh().replace(params={"a": jnp.ones(()), "b": jnp.zeros(())})
    batches, _ = TEST.epoch(random.manual_seed(0))
    values = train.evaluate(EVALUATE, state, batches)
    np.testing.assert_allclose(values["loss"], np.mean((X + 1) ** 2) / 50, rtol=1e-6)
    with pytest.raises(ValueError, match=r"nothing to evaluate"):
        train.evaluate(EVALUATE, state, [])
    with pytest.raises(ValueError, match=r"no array with an axis"):
        train.evaluate(EVALUATE, state, [jnp.zeros(())])


def test_metrics_are_read_one_step_late():
    read_after = {}
    calls = []

    def step(state, batch):
        calls.append(len(calls) + 1)
        return STEP(state, batch)

    train.fit(step, fresh(), LOADER, epochs=1, log=lambda n, values: read_after.setdefault(n, calls[-1]), show=False)
    assert read_after == {1: 2, 2: 3, 3: 4, 4: 4}


class Interrupting(TensorDataset):
    """Something happens while row ``at`` is read, each time it is read."""

    def __init__(self, at, what):
        super().__init__(X, Y)
        self.at, self.what = at, what

    def __getitem__(self, i):
        if i == self.at:
            self.what()
        return super().__getitem__(i)


def raise_interrupt():
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    "what", [lambda: signal.raise_signal(signal.SIGINT), raise_interrupt], ids=["signal", "raised"]
)
def test_an_interrupt_leaves_a_usable_state_and_says_where(tmp_path, what):
    before = signal.getsignal(signal.SIGINT)
    loader = DataLoader(Interrupting(5, what), batch_size=2)
    with train.Checkpoints(tmp_path, every=1000) as checkpoints:
        fitted = train.fit(STEP, fresh(), loader, epochs=2, checkpoints=checkpoints, show=False)
    asked = what is not raise_interrupt
    done = 3 if asked else 2  # a signal lets the step end
    assert fitted.stopped == (f"interrupted in epoch 1 after {done} of 4 batches: the state is that after step {done}")
    assert fitted.step == done and signal.getsignal(signal.SIGINT) is before
    expected = fresh()
    batches, expected = DataLoader(TensorDataset(X, Y), batch_size=2).epoch(expected)
    for _ in range(done):
        expected, _ = STEP(expected, next(batches))
    assert same(fitted.state, expected)
    STEP(fitted.state, (X[:2], Y[:2]))
    if asked:  # what was saved goes on in the middle of the epoch
        quiet = DataLoader(TensorDataset(X, Y), batch_size=2)
        with train.Checkpoints(tmp_path) as checkpoints:
            rest = train.fit(STEP, fresh(), quiet, epochs=2, checkpoints=checkpoints, show=False)
        whole = train.fit(STEP, fresh(), quiet, epochs=2, show=False)
        assert same(rest.state, whole.state) and rest.step == whole.step == 8
        assert [record["loss"] for record in rest.history] == [record["loss"] for record in whole.history]


def test_a_second_interrupt_does_not_wait():
    def twice():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    usual = signal.signal(signal.SIGINT, signal.default_int_handler)  # some runners ignore it
    try:
        fitted = train.fit(STEP, fresh(), DataLoader(Interrupting(2, twice), batch_size=2), epochs=1, show=False)
    finally:
        signal.signal(signal.SIGINT, usual)
    assert fitted.step == 1 and "after 1 of 4 batches" in fitted.stopped


def test_a_finished_run_is_not_run_again(tmp_path):
    ends = []
    for _ in range(2):
        with train.Checkpoints(tmp_path, every=100) as checkpoints:
            fitted = train.fit(STEP, fresh(), LOADER, epochs=2, checkpoints=checkpoints, show=False)
        ends.append(fitted)
    assert same(ends[0].state, ends[1].state) and ends[0].history == ends[1].history and ends[1].step == 8


def test_early_stopping(tmp_path):
    values = iter([0.5, 0.4, 0.45, float("nan"), 0.41, 0.1])

    def judge(state, record):
        record["accuracy"] = -next(values)
        return state

    stopping = train.EarlyStopping("accuracy", patience=3, mode="max")
    options = {"after_epoch": judge, "early_stopping": stopping, "show": False}
    with train.Checkpoints(tmp_path) as checkpoints:
        fitted = train.fit(STEP, fresh(), LOADER, epochs=9, checkpoints=checkpoints, **options)
    assert len(fitted.history) == 5 and fitted.stopped == "accuracy got no better than -0.4 for 3 epochs"
    with train.Checkpoints(tmp_path) as checkpoints:
        again = train.fit(STEP, fresh(), LOADER, epochs=9, checkpoints=checkpoints, **options)
    assert again.stopped == fitted.stopped and same(again.state, fitted.state)
    judged = train.EarlyStopping(patience=1, min_delta=0.1).step(train.Judged(1.0, 0), 0.95)
    assert judged == train.Judged(1.0, 1)
    for wrong in ({"patience": 0}, {"mode": "least"}, {"min_delta": -1.0}):
        with pytest.raises(ValueError):
            train.EarlyStopping(**wrong)


def test_a_schedule_that_steps_once_an_epoch():
    schedule = optim.lr_scheduler.ReduceLROnPlateau(0.1, factor=0.5, patience=0, threshold=1e9, threshold_mode="abs")
    state = train.init_state(
        {"a": jnp.zeros(()), "b": jnp.zeros(())}, TX, generator=random.manual_seed(0), schedule=schedule
    )
    rates = []

    def after(state, record):
        state = train.step_schedule(state, schedule, record["loss"])
        rates.append(optim.get_lr(state)[0])
        return state

    train.fit(STEP, state, LOADER, epochs=3, after_epoch=after, show=False)
    assert rates == [0.1, 0.05, 0.025]


def test_a_bar_on_a_terminal(capsys, monkeypatch):
    pytest.importorskip("rich", reason="the bar is drawn by rich")
    fitted = train.fit(STEP, fresh(), LOADER, epochs=1, show=True)
    assert "epoch 1/1  step 4  loss" in capsys.readouterr().err and fitted.step == 4
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    train.fit(STEP, fresh(), LOADER, epochs=1)
    assert "epoch 1/1" in capsys.readouterr().err
    train.fit(STEP, fresh(), LOADER, epochs=1, show=False)
    assert capsys.readouterr().err == ""


class Stream(IterableDataset):
    def __iter__(self):
        return iter(zip(X, Y, strict=True))


def test_a_stream_without_a_length_and_workers_that_persist(tmp_path):
    fitted = train.fit(STEP, fresh(), DataLoader(Stream(), batch_size=2), epochs=2, show=False)
    assert fitted.step == 8
    own = DataLoader(TensorDataset(X, Y), batch_size=2, shuffle=True, generator=random.manual_seed(5))
    whole = train.fit(STEP, fresh(), own, epochs=3, show=False)
    with train.Checkpoints(tmp_path) as checkpoints:
        train.fit(STEP, fresh(), own, epochs=1, checkpoints=checkpoints, show=False)
        rest = train.fit(STEP, fresh(), own, epochs=3, checkpoints=checkpoints, show=False)
    assert same(rest.state, whole.state)


def test_sentences():
    with pytest.raises(TypeError, match=r"eval_step and eval_loader go together"):
        train.fit(STEP, fresh(), LOADER, epochs=1, eval_step=EVALUATE, show=False)
    with pytest.raises(TypeError, match=r"a DataLoader draws from a generator"):
        train.fit(STEP, fresh().replace(generator=None), LOADER, epochs=1, show=False)


def test_tensorboard(tmp_path):
    pytest.importorskip("tensorboardX", reason="the files are written by tensorboardX")
    with train.TensorBoard(tmp_path) as log:
        train.fit(STEP, fresh(), LOADER, epochs=1, log=log, show=False)
    (file,) = tmp_path.iterdir()
    assert b"train/loss" in file.read_bytes() and b"epoch/loss" in file.read_bytes()
