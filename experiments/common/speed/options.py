"""What the options of a step cost: micro-batches against one large batch, and all of them against none."""

import time
from typing import Any

import jax

from experiments.common.experiment import Record, Settings
from experiments.common.speed import ours
from experiments.common.speed.workloads import FASHION, perceptron
from experiments.common.timing import interleave
from jaxgrad import amp, optim
from jaxgrad.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

K = 8


def rows(settings: Settings) -> Record:
    """Accumulation, all options at once, and the time to compile the first step."""
    steps, rounds = (3, 3) if settings.quick else (12, 15)
    return _accumulation(settings, steps, rounds) | _all_at_once(settings, steps * 3, rounds)


def _accumulation(settings: Settings, steps: int, rounds: int) -> Record:
    large = perceptron(FASHION, K * 64, "SGD", steps, rounds, quick=True)
    x, y = ours.batches_of(large, settings.seed, steps)
    in_parts = [each.reshape(steps, K, 64, *each.shape[2:]) for each in (x, y)]
    step, state = ours.made(large, settings.seed)
    accumulating, _ = ours.made(large, settings.seed, accumulate=K)
    timings = interleave(
        {
            "large": ours.calls(step, state, list(zip(x, y, strict=True))),
            "parts": ours.calls(accumulating, state, list(zip(*in_parts, strict=True))),
        },
        steps,
        rounds,
        settings.track,
        f"accumulation over {K} micro-batches",
    )
    name = f"MLP {'-'.join(map(str, FASHION))}, {K} micro-batches of 64"
    return {
        f"{name} / one batch of {K * 64}, time": timings.ratio_words("parts", "large"),
        f"{name}: temporary memory, MB": _temporary(accumulating, state, tuple(each[0] for each in in_parts)),
        f"{name}: temporary memory of one batch of {K * 64}, MB": _temporary(step, state, (x[0], y[0])),
    }


def _temporary(step: Any, state: Any, batch: Any) -> float:
    return float(step.lower(state, batch).compile().memory_analysis().temp_size_in_bytes / 1e6)


def _all_at_once(settings: Settings, steps: int, rounds: int) -> Record:
    workload = perceptron(FASHION, 64, "Adam", steps, rounds, quick=True)
    batches = list(zip(*ours.batches_of(workload, settings.seed, steps), strict=True))
    plain, state = ours.made(workload, settings.seed)
    everything: dict[str, Any] = dict(
        clip_grad_norm=1.0,
        clip_grad_value=0.5,
        schedule=optim.lr_scheduler.CosineAnnealingLR(1e-3, T_max=1000),
        scaler=amp.GradScaler(),
        average=lambda params: AveragedModel(params, multi_avg_fn=get_ema_multi_avg_fn(0.999)),
        skip_nonfinite=True,
    )
    full, full_state = ours.made(workload, settings.seed, **everything)
    seconds = {}
    for name, step, begin in (("plain", plain, state), ("everything", full, full_state)):
        started = time.perf_counter()
        step.lower(begin, batches[0]).compile()
        seconds[name] = time.perf_counter() - started
    timings = interleave(
        {"plain": ours.calls(plain, state, batches), "everything": ours.calls(full, full_state, batches)},
        steps,
        rounds,
        settings.track,
        "all options",
    )
    return {
        f"{workload.name}: clip, schedule, scaler, average and skip / plain step": timings.ratio_words(
            "everything", "plain"
        ),
        f"{workload.name}: tracing and compiling the plain step, s": seconds["plain"],
        f"{workload.name}: tracing and compiling it with all options, s": seconds["everything"],
        "devices": str(jax.devices()[0].device_kind),
    }
