"""Causes of what a few recorded numbers say: tied weights, streams, micro-batches, buffers."""

import numpy as np
import pytest

from jaxgrad.parity import causes
from jaxgrad.parity.record.model import Recording, StepRecord
from jaxgrad.parity.report.parts import Divergence

RNG = np.random.default_rng(0)
A, B = RNG.normal(size=(4, 3)), RNG.normal(size=(4, 3))
STATES = [RNG.integers(0, 255, 16).astype(np.uint8) for _ in range(4)]
MEAN, VAR = RNG.normal(size=4), RNG.uniform(1, 2, 4)
BATCH_MEAN, BATCH_VAR = RNG.normal(size=4), RNG.uniform(1, 2, 4)


def explained(right, wrong, phase, tensor, meta=None, initial=None, step=0, kind="differs"):
    records = [
        Recording(initial or {}, [StepRecord(i, phases) for i, phases in enumerate(side)], meta or {})
        for side in (right, wrong)
    ]
    return causes.explain(causes.Context(*records, Divergence(step, phase, tensor, kind)))


def test_weights_that_are_tied_on_one_side():
    right = [{"grads": {"words.weight": A + B}}]
    wrong = [{"grads": {"words.weight": A, "head.weight": B}}]
    cause = explained(right, wrong, "grads", "words.weight", {"tied": [["words.weight", "head.weight"]]})
    assert cause.name == "untied"


def test_micro_batches_are_summed():
    right, wrong = ([{"grads": {"w": factor * A, "b": factor * B}}] for factor in (1, 4))
    cause = explained(right, wrong, "grads", "w", {"accumulate": 4})
    assert (cause.name, cause.parameters["micro_batches"]) == ("accumulation_factor", 4)


def test_the_stream_of_another_step():
    right = [{"generator": {"state": state}} for state in STATES]
    wrong = [{"generator": {"state": state}} for state in [STATES[0], STATES[2], STATES[3], STATES[3]]]
    cause = explained(right, wrong, "generator", "state", step=1)
    assert (cause.name, cause.parameters["steps"]) == ("stream_of_another_step", 1)


def test_positions_alone():
    right, wrong = ([{"generator": {"position": np.int64(place)}}] for place in (32, 40))
    cause = explained(right, wrong, "generator", "position")
    assert (cause.name, cause.parameters["words"]) == ("stream_ahead", 8)


def running(m, times=1, variance=BATCH_VAR):
    mean, var = MEAN, VAR
    for _ in range(times):
        mean, var = (1 - m) * mean + m * BATCH_MEAN, (1 - m) * var + m * variance
    return {"bn.running_mean": mean, "bn.running_var": var, "bn.num_batches_tracked": np.int64(times)}


BUFFERS = {"bn.running_mean": MEAN, "bn.running_var": VAR, "bn.num_batches_tracked": np.int64(0)}


@pytest.mark.parametrize(
    "wrong, tensor, name",
    [
        (running(0.1, times=2), "bn.running_mean", "buffer_updated_twice"),
        (running(0.9), "bn.running_mean", "running_momentum_convention"),
        (running(0.03), "bn.running_mean", "another_running_momentum"),
        (BUFFERS, "bn.running_mean", "stale_buffer"),
        ({**running(0.1), "bn.num_batches_tracked": np.int64(0)}, "bn.num_batches_tracked", "stale_buffer"),
        (
            {**running(0.1), **{"bn.running_var": running(0.1, variance=BATCH_VAR * 49 / 50)["bn.running_var"]}},
            "bn.running_var",
            "biased_running_variance",
        ),
    ],
    ids=["twice", "0.9", "0.03", "stale", "not counted", "biased"],
)
def test_running_statistics(wrong, tensor, name):
    meta = {"modules": {"bn": {"class": "BatchNorm1d", "options": {"momentum": 0.1}}}}
    forward = {"bn": np.zeros((50, 4))}
    cause = explained(
        [{"forward": forward, "buffers": running(0.1)}],
        [{"buffers": wrong}],
        "buffers",
        tensor,
        meta,
        {"buffers": BUFFERS},
    )
    assert cause.name == name


def test_groups_are_taken_for_one():
    start, grads = {"w": A, "b": B}, {"w": B, "b": A}
    groups = [{"params": [name], "lr": lr, "weight_decay": 0.1} for name, lr in (("w", 0.1), ("b", 0.01))]
    meta = {"optimizer": {"class": "SGD", "groups": groups}}

    def after(lrs):
        return {name: start[name] - lrs[name] * (grads[name] + 0.1 * start[name]) for name in start}

    right = {"grads": grads, "lr": {"lr[0]": np.float64(0.1), "lr[1]": np.float64(0.01)}}
    right["params"] = after({"w": 0.1, "b": 0.01})
    wrong = {"grads": grads, "params": after({"w": 0.1, "b": 0.1})}
    cause = explained([right], [wrong], "params", "b", meta, {"params": start})
    assert (cause.name, cause.parameters["group"]) == ("groups_ignored", 0)


def test_two_axes_of_the_inputs_are_exchanged():
    x = RNG.normal(size=(2, 3, 3))
    cause = explained([{"inputs": {"0": x}}], [{"inputs": {"0": x.swapaxes(1, 2)}}], "inputs", "0")
    assert (cause.name, cause.parameters["axes"]) == ("axes_swapped", [1, 2])


def test_nothing_is_said_of_noise():
    wrong = [{"grads": {"w": A + 1e-3 * RNG.normal(size=A.shape), "b": B}}]
    assert explained([{"grads": {"w": A, "b": B}}], wrong, "grads", "w") is None


def test_one_number_that_is_near_a_convention_is_none():
    right, wrong = ([{"loss": {"loss": np.float64(value)}}] for value in (1.0, 0.5003))
    assert explained(right, wrong, "loss", "loss") is None
