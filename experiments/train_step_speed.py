"""How fast is a training step?

Two perceptrons: 10-10-3 with Adam at batch 32, where the call costs more than the arithmetic, and 784-512-512-10 with
SGD at batch 64, where the arithmetic is nearly all. Timed in turn in one run: torch eager with one and with all
threads (the better one counts), torch.compile, our step called from Python, our epoch as one scan, and what one would
write by hand with jax and optax, both ways. Where JAX has a GPU, torch runs on it too.

    python -m experiments run train_step_speed        # about 2 min with torch, 20 s without
    expected: 10-10-3: 5x torch per call, 30x under scan; 784-512-512-10: 1.2x and 1.3x; within 1.05x of hand-written
"""

import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.common.experiment import Experiment, Record, Settings
from experiments.common.timing import Timings, interleave, torch_device
from jaxgrad import func, nn, optim, random, train
from jaxgrad.nn import functional as F
from jaxgrad.parity.claim import Info

CALL, SCAN = "jaxgrad, per call", "jaxgrad, epoch as a scan"
HAND_CALL, HAND_SCAN = "hand-written jax + optax, per call", "hand-written jax + optax, scan"
COMPILED = "torch.compile"


@dataclass(frozen=True)
class Workload:
    """A perceptron, its batch and its optimizer."""

    name: str
    sizes: tuple[int, ...]
    batch: int
    optimizer: str
    steps: int
    rounds: int


WORKLOADS = (
    Workload("MLP 10-10-3, batch 32, Adam", (10, 10, 3), 32, "Adam", steps=300, rounds=21),
    Workload("MLP 784-512-512-10, batch 64, SGD", (784, 512, 512, 10), 64, "SGD", steps=60, rounds=15),
)


def ours(settings: Settings) -> Record:
    """The JAX side alone."""
    record: Record = {}
    for workload in WORKLOADS:
        timings = _time(settings, workload, _jax_candidates(settings, workload))
        record |= _jax_rows(workload, timings)
    return record


def together(settings: Settings) -> tuple[Record, Record]:
    """All candidates in turn."""
    ours: Record = {}
    reference: Record = {}
    for workload in WORKLOADS:
        torch_candidates = _torch_candidates(settings, workload)
        timings = _time(settings, workload, {**_jax_candidates(settings, workload), **torch_candidates})
        eager = timings.fastest(name for name in torch_candidates if name != COMPILED)
        ours |= _jax_rows(workload, timings)
        reference[f"{workload.name}: {CALL}, us"] = timings.microseconds(eager)
        for name in torch_candidates:
            reference[f"{workload.name}: {name}, us"] = timings.microseconds(name)
        for name in (CALL, SCAN):
            ours[f"{workload.name}: {eager} / {name}"] = timings.ratio_words(eager, name)
            if COMPILED in torch_candidates:
                ours[f"{workload.name}: {COMPILED} / {name}"] = timings.ratio_words(COMPILED, name)
    return ours, reference


def _jax_rows(workload: Workload, timings: Timings) -> Record:
    names = (CALL, SCAN, HAND_CALL, HAND_SCAN)
    rows: Record = {f"{workload.name}: {name}, us": timings.microseconds(name) for name in names}
    rows[f"{workload.name}: ours / hand-written, per call"] = timings.ratio_words(CALL, HAND_CALL)
    rows[f"{workload.name}: ours / hand-written, scan"] = timings.ratio_words(SCAN, HAND_SCAN)
    return rows


def _time(settings: Settings, workload: Workload, candidates: dict[str, Callable[[], Any]]) -> Timings:
    rounds = 3 if settings.quick else workload.rounds
    return interleave(candidates, _steps(settings, workload), rounds, settings.track, workload.name)


def _steps(settings: Settings, workload: Workload) -> int:
    return 5 if settings.quick else workload.steps


def _batches(settings: Settings, workload: Workload) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(settings.seed)
    steps = _steps(settings, workload)
    x = rng.standard_normal((steps, workload.batch, workload.sizes[0])).astype(np.float32)
    return x, rng.integers(0, workload.sizes[-1], (steps, workload.batch))


def _jax_candidates(settings: Settings, workload: Workload) -> dict[str, Callable[[], Any]]:
    x, y = (jnp.asarray(each) for each in _batches(settings, workload))
    rngs = nn.Rngs(random.manual_seed(settings.seed))
    model = _perceptron(nn, workload.sizes, rngs=rngs)
    params, buffers = func.extract(model)

    tx = getattr(optim, workload.optimizer)(lr=1e-3)
    step = train.make_train_step(train.supervised(model, F.cross_entropy), tx)
    hand_tx = optax.adam(1e-3) if workload.optimizer == "Adam" else optax.sgd(1e-3)
    hand_step = partial(jax.jit, donate_argnums=(0,))(_hand_written(hand_tx))
    hand_epoch = jax.jit(lambda state, batches: jax.lax.scan(hand_step, state, batches), donate_argnums=(0,))

    hand_params = [(jnp.array(w).T, jnp.array(b)) for w, b in _layers(params)]
    state = train.init_state(params, tx, buffers=buffers)
    hand_state = (hand_params, hand_tx.init(hand_params))
    batches = list(zip(x, y, strict=True))
    return {
        CALL: _calls(step, state, batches),
        SCAN: _calls(train.make_epoch(step), _copy(state), [(x, y)]),
        HAND_CALL: _calls(hand_step, hand_state, batches),
        HAND_SCAN: _calls(hand_epoch, _copy(hand_state), [(x, y)]),
    }


def _calls(step: Callable[..., Any], state: Any, batches: list[Any]) -> Callable[[], None]:
    """Call ``step`` on every batch, going on from where the last call ended, and wait."""
    kept = [_copy(state)]

    def run() -> None:
        state = kept[0]
        for batch in batches:
            state, _ = step(state, batch)
        kept[0] = jax.block_until_ready(state)

    return run


def _copy(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.array(leaf, copy=True), tree)


def _hand_written(tx: optax.GradientTransformation) -> Callable[..., Any]:
    """What one writes without a library: weights of shape (in, out), optax's loss and optimizer."""

    def loss_fn(params: Any, x: Any, y: Any) -> Any:
        *hidden, (w, b) = params
        for v, c in hidden:
            x = jax.nn.relu(x @ v + c[None])
        logits = x @ w + b[None]
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

    def step(state: Any, batch: Any) -> Any:
        params, opt_state = state
        loss, grads = jax.value_and_grad(loss_fn)(params, *batch)
        updates, opt_state = tx.update(grads, opt_state, params)
        return (optax.apply_updates(params, updates), opt_state), loss

    return step


def _layers(params: dict[str, Any]) -> list[tuple[Any, Any]]:
    values = list(params.values())
    return list(zip(values[::2], values[1::2], strict=True))


def _perceptron(nn: Any, sizes: tuple[int, ...], **rngs: Any) -> Any:
    layers: list[Any] = []
    for m, n in itertools.pairwise(sizes):
        layers += [nn.Linear(m, n, **rngs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def _torch_candidates(settings: Settings, workload: Workload) -> dict[str, Callable[[], Any]]:
    import torch

    device = torch_device()
    on_gpu = device == "cuda"
    x, y = (torch.from_numpy(each).to(device) for each in _batches(settings, workload))

    def candidate(threads: int, compiled: bool) -> Callable[[], None]:
        torch.manual_seed(settings.seed)
        model = _perceptron(torch.nn, workload.sizes).to(device)
        optimizer = getattr(torch.optim, workload.optimizer)(model.parameters(), lr=1e-3)

        def step(x: Any, y: Any) -> None:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()

        one_step = torch.compile(step) if compiled else step

        def run() -> None:
            torch.set_num_threads(threads)
            for batch in zip(x, y, strict=True):
                one_step(*batch)
            if on_gpu:
                torch.cuda.synchronize()

        return run

    cores = 1 if on_gpu else os.cpu_count() or 1
    candidates = {f"torch eager, {n} thread{'s' if n > 1 else ''}": candidate(n, False) for n in sorted({1, cores})}
    if not settings.quick:
        candidates[COMPILED] = candidate(cores, True)
    return candidates


def figure(figure: Any, results: Any) -> None:
    axes = figure.subplots(len(WORKLOADS), 1)
    for ax, workload in zip(axes, WORKLOADS, strict=True):
        bars: dict[str, float] = {}
        for record, color in ((results.ours, "C0"), (results.reference or {}, "C1")):
            for name, value in record.items():
                candidate = name.removeprefix(f"{workload.name}: ").removesuffix(", us")
                if name == f"{workload.name}: {candidate}, us" and candidate not in bars:
                    bars[candidate] = value
                    ax.barh(candidate, value, color="0.6" if candidate.startswith("hand") else color)
                    ax.text(value, candidate, f" {value:.0f}", va="center", fontsize=7)
        ax.invert_yaxis()
        ax.tick_params(axis="y", labelsize=7)
        ax.set_title(workload.name, fontsize=9, loc="left")
    axes[-1].set_xlabel("microseconds per step, median")


EXPERIMENT = Experiment(
    name="train_step_speed",
    number=17,
    question="How fast is a training step?",
    ours=ours,
    reference=lambda settings, dtype: {},
    together=together,
    figure=figure,
    claims={"*": Info()},
    compares_float64=False,
    expected="Ratios are medians over rounds in which every candidate runs once, with quartiles; above 1 means slower "
    "than jaxgrad. The torch column beside 'per call' is torch eager with its better number of threads.",
)
