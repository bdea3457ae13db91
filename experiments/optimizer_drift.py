"""How far does a float32 run drift from the exact trajectory, with torch's optimizers, with optax's and with ours?

The perceptron 784-512-512-10 on FashionMNIST, the same start, the same 100 batches of 64, every optimizer with torch's
defaults. The truth is the run in float64. A float32 run leaves it by rounding; how fast is measured against the step,
as the largest distance of any tensor relative to how far that tensor has moved.

Torch's own float32 run sets the scale. optax is run twice: as one ports it (the optimizer of
that name with the same lr) and with every hyper-parameter translated that has a counterpart. Where the formula differs
the two lines part at the first step; where only the constants do (``1 - beta**t`` in float32), within ten.

That distance is the optimizer's and the gradients' together, and it jumps: an optimizer that divides by the size of the
gradient makes a whole step of a gradient that is rounding and nothing else (Adagrad's first jump was one element with a
gradient of 7e-9), and later a ReLU switches. Torch's runs jump as ours do, at other steps, so the end of a run is shown
and not judged. What is judged is the optimizer alone: the same gradients, those of the float64 run, given to both.

Not here: LBFGS, which evaluates the loss as often as it likes, and SparseAdam, whose gradients are sparse.

    python -m experiments run optimizer_drift        # about 2 min with torch
    expected: on given gradients every optimizer within 3x torch's rounding; optax's Adam 1e-2 off after ten steps
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from optax.contrib import muon

from experiments.common.experiment import Experiment, Record, Settings
from experiments.common.fashion import load_images, pixels
from jaxgrad import func, nn, optim, random
from jaxgrad.nn import functional as F
from jaxgrad.parity.claim import Info, Noise

BATCH, HIDDEN = 64, 512
MOMENTS = (1, 2, 5, 10, 20, 50, 100)
GIVEN = "{}, parameters after steps on given gradients"
GIVEN_STEPS = 20


@dataclass(frozen=True)
class Case:
    """One optimizer with torch's defaults, and what a port to optax would be.

    Attributes:
        name: in ``torch.optim`` and ``jaxgrad.optim``.
        named: optax's optimizer of that name with the same lr; None where there is none.
        matched: the same with every hyper-parameter translated that has a counterpart.
        kwargs: arguments that are not defaults.
        trains: whether a parameter of that many dimensions is trained; the others have no gradient.
        judged: on given gradients; Muon's float32 is bfloat16, and is shown.
    """

    name: str
    named: Callable[[], optax.GradientTransformation] | None
    matched: Callable[[], optax.GradientTransformation] | None = None
    kwargs: dict[str, Any] = field(default_factory=dict)
    trains: Callable[[int], bool] = lambda dimensions: True
    judged: bool = True


CASES = (
    Case("SGD", lambda: optax.sgd(1e-2, momentum=0.9), kwargs={"lr": 1e-2, "momentum": 0.9}),
    Case("Adam", lambda: optax.adam(1e-3)),
    Case("AdamW", lambda: optax.adamw(1e-3), lambda: optax.adamw(1e-3, weight_decay=1e-2)),
    Case("RMSprop", lambda: optax.rmsprop(1e-2), lambda: optax.rmsprop(1e-2, decay=0.99, eps_in_sqrt=False)),
    Case("Adagrad", lambda: optax.adagrad(1e-2), lambda: optax.adagrad(1e-2, 0.0, eps=1e-20)),
    Case("Adadelta", lambda: optax.adadelta(1.0), lambda: optax.adadelta(1.0, rho=0.9, eps=1e-6)),
    Case("Adamax", lambda: optax.adamax(2e-3)),
    Case("NAdam", lambda: optax.nadam(2e-3)),
    Case("RAdam", lambda: optax.radam(1e-3)),
    Case("ASGD", None),
    Case("Rprop", lambda: optax.rprop(1e-2)),
    Case(
        "Adafactor",
        lambda: optax.adafactor(1e-2),
        lambda: optax.adafactor(
            lambda count: jnp.minimum(1e-2, 1 / jnp.sqrt(count + 1.0)),
            min_dim_size_to_factor=1,
            eps=float(jnp.finfo(jnp.float32).eps) ** 2,
        ),
    ),
    Case(
        "Muon",
        lambda: muon(1e-3),
        lambda: muon(1e-3, weight_decay=0.1),
        trains=lambda dimensions: dimensions == 2,
        judged=False,
    ),
)

Snapshots = list[dict[str, np.ndarray]]
Gradients = list[dict[str, np.ndarray]]
Batches = list[tuple[np.ndarray, np.ndarray]]


def ours(settings: Settings) -> Record:
    """The JAX side alone."""
    batches, record = _batches(settings), Record()
    model = _model(settings, batches[0][0].shape[1])
    for case in settings.track(CASES, "optimizers"):
        record |= _in_jax(settings, model, case, batches)[0]
    return record


def together(settings: Settings) -> tuple[Record, Record, Record]:
    """Both sides, optimizer by optimizer, since the gradients of our float64 run are given to torch too."""
    batches, records = _batches(settings), (Record(), Record(), Record())
    model = _model(settings, batches[0][0].shape[1])
    for case in settings.track(CASES, "optimizers, both sides"):
        found, given = _in_jax(settings, model, case, batches)
        for record, part in zip(records, (found, *_in_torch(settings, model, case, batches, given)), strict=True):
            record |= part
    return records


def _in_jax(settings: Settings, model: Any, case: Case, batches: Batches) -> tuple[Record, Gradients]:
    """Our float32 run and optax's, measured against our own float64 run; and the first gradients of that one."""
    truth, given = _jax_run(settings, model, case, "float64", batches)
    found, _ = _jax_run(settings, model, case, "float32", batches)
    record: Record = {f"{case.name}, parameters at the end": _whole(found[-1])}
    if case.judged:
        record[GIVEN.format(case.name)] = _whole(_jax_steps_on(given, model, case))
    record[f"{case.name}, jaxgrad: distance from float64"] = _drift(found, truth)
    for way, make in (("same name", case.named), ("matched", case.matched)):
        if make is not None:
            port, _ = _jax_run(settings, model, case, "float32", batches, make())
            record[f"{case.name}, optax, {way}: distance from float64"] = _drift(port, truth)
    return record, given


def _in_torch(settings: Settings, model: Any, case: Case, batches: Batches, given: Gradients) -> tuple[Record, Record]:
    """Torch's run in float32, measured against its own in float64; and that one."""
    runs = {dtype: _torch_run(settings, case, dtype, batches) for dtype in ("float32", "float64")}
    single, double = ({f"{case.name}, parameters at the end": _whole(run[-1])} for run in runs.values())
    if case.judged:
        for record, dtype in ((single, "float32"), (double, "float64")):
            record[GIVEN.format(case.name)] = _whole(_torch_steps_on(given, model, case, dtype))
    single[f"{case.name}, torch: distance from float64"] = _drift(*runs.values())
    return single, double


def _batches(settings: Settings) -> Batches:
    images = load_images(settings)
    moments = _moments(settings)
    rows = np.random.default_rng(settings.seed).permutation(len(images.labels))
    rows = np.resize(rows, moments[-1] * BATCH)
    x = pixels(images.images[rows]).reshape(len(rows), -1)
    y = np.asarray(images.labels)[rows].astype(np.int64)
    return [(x[i : i + BATCH], y[i : i + BATCH]) for i in range(0, len(x), BATCH)]


def _moments(settings: Settings) -> tuple[int, ...]:
    return tuple(moment for moment in MOMENTS if moment <= (5 if settings.quick else 100))


def _sizes(settings: Settings, features: int) -> tuple[int, ...]:
    hidden = 16 if settings.quick else HIDDEN
    return features, hidden, hidden, 10


def _model(settings: Settings, features: int) -> Any:
    rngs = nn.Rngs(random.manual_seed(settings.seed))
    a, b, c, d = _sizes(settings, features)
    return nn.Sequential(
        nn.Linear(a, b, rngs=rngs), nn.ReLU(), nn.Linear(b, c, rngs=rngs), nn.ReLU(), nn.Linear(c, d, rngs=rngs)
    )


def _jax_run(
    settings: Settings,
    model: Any,
    case: Case,
    dtype: str,
    batches: Batches,
    tx: optax.GradientTransformation | None = None,
) -> tuple[Snapshots, Gradients]:
    """Snapshots of the trained parameters at the start and at the moments, and the first gradients as float32 numbers.

    By our optimizer unless ``tx`` is given.
    """
    initial = {name: np.asarray(value) for name, value in func.extract(model)[0].items()}
    with jax.enable_x64(dtype == "float64"):
        params = {name: jnp.asarray(value, dtype) for name, value in initial.items()}
        trained = {name: value for name, value in params.items() if case.trains(value.ndim)}
        fixed = {name: value for name, value in params.items() if name not in trained}
        tx = getattr(optim, case.name)(**case.kwargs) if tx is None else tx
        state = tx.init(trained)

        def loss_fn(trained: Any, x: Any, y: Any) -> Any:
            return F.cross_entropy(func.functional_call(model, {**trained, **fixed}, x), y)

        @jax.jit
        def step(trained: Any, state: Any, x: Any, y: Any) -> Any:
            grads = jax.grad(loss_fn)(trained, x, y)
            return *optim.step(tx, trained, grads, state), grads

        snapshots, first = [_copy(trained)], []
        for i, (x, y) in enumerate(batches, start=1):
            trained, state, grads = step(trained, state, jnp.asarray(x, dtype), jnp.asarray(y))
            if i <= GIVEN_STEPS:
                first.append({name: np.asarray(grad, np.float32) for name, grad in grads.items()})
            if i in _moments(settings):
                snapshots.append(_copy(trained))
    return snapshots, first


def _jax_steps_on(given: Gradients, model: Any, case: Case) -> dict[str, np.ndarray]:
    params = {name: jnp.asarray(np.asarray(value)) for name, value in func.extract(model)[0].items()}
    tx = getattr(optim, case.name)(**case.kwargs)
    state = tx.init(params)
    step = jax.jit(lambda params, grads, state: optim.step(tx, params, grads, state))
    for grads in given:
        params, state = step(params, grads, state)
    return _copy(params)


def _torch_steps_on(given: Gradients, model: Any, case: Case, dtype: str) -> dict[str, np.ndarray]:
    import torch

    wide, before = getattr(torch, dtype), torch.get_default_dtype()
    start = {name: np.array(value) for name, value in func.extract(model)[0].items()}
    torch.set_default_dtype(wide)
    try:
        leaves = {name: torch.nn.Parameter(torch.tensor(value, dtype=wide)) for name, value in start.items()}
        optimizer = getattr(torch.optim, case.name)(list(leaves.values()), **case.kwargs)
        for grads in given:
            for name, leaf in leaves.items():
                leaf.grad = torch.tensor(grads[name], dtype=wide)
            optimizer.step()
    finally:
        torch.set_default_dtype(before)
    return {name: leaf.detach().numpy() for name, leaf in leaves.items()}


def _copy(params: Any) -> dict[str, np.ndarray]:
    return {name: np.array(value) for name, value in params.items()}


def _torch_run(settings: Settings, case: Case, dtype: str, batches: Batches) -> Snapshots:
    import torch

    wide = getattr(torch, dtype)
    torch.manual_seed(settings.seed)
    a, b, c, d = _sizes(settings, batches[0][0].shape[1])
    layers = (torch.nn.Linear(a, b), torch.nn.ReLU(), torch.nn.Linear(b, c), torch.nn.ReLU(), torch.nn.Linear(c, d))
    model = torch.nn.Sequential(*layers).to(wide)
    trained = {name: p for name, p in model.named_parameters() if case.trains(p.ndim)}
    before = torch.get_default_dtype()
    torch.set_default_dtype(wide)  # in which torch keeps step, eta and mu_product
    try:
        optimizer = getattr(torch.optim, case.name)(list(trained.values()), **case.kwargs)
        snapshots = [{name: p.detach().numpy().copy() for name, p in trained.items()}]
        for i, (x, y) in enumerate(batches, start=1):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(torch.tensor(x, dtype=wide)), torch.tensor(y)).backward()
            optimizer.step()
            if i in _moments(settings):
                snapshots.append({name: p.detach().numpy().copy() for name, p in trained.items()})
    finally:
        torch.set_default_dtype(before)
    return snapshots


def _whole(params: dict[str, np.ndarray]) -> np.ndarray:
    return np.concatenate([params[name].ravel() for name in sorted(params)])


def _drift(found: Snapshots, truth: Snapshots) -> np.ndarray:
    """At each moment the largest distance of any tensor, relative to the distance that it has moved."""
    return np.array([max(_relative(a[n], b[n], truth[0][n]) for n in b) for a, b in zip(found, truth, strict=True)][1:])


def _relative(a: np.ndarray, b: np.ndarray, start: np.ndarray) -> float:
    moved = np.linalg.norm(b.astype(np.float64) - start)
    return float(np.linalg.norm(a.astype(np.float64) - b) / moved) if moved else 0.0


def figure(figure: Any, results: Any) -> None:
    panels = figure.subplots(3, 5, sharex=True, sharey=True).ravel()
    figure.suptitle("distance of float32 runs from the float64 run, relative to the distance moved")
    sides = {**(results.reference or {}), **results.ours}
    lines = {"torch": "k", "jaxgrad": "C2", "optax, same name": "C3", "optax, matched": "C1"}
    for case, panel in zip(CASES, panels, strict=False):
        for label, colour in lines.items():
            drift = sides.get(f"{case.name}, {label}: distance from float64")
            if drift is not None:
                style = "--" if label == "torch" else "-"
                steps = MOMENTS[: len(drift)]
                panel.loglog(steps, np.maximum(drift, 1e-9), style, color=colour, label=label, marker=".")
        panel.set_title(case.name, fontsize=9)
        panel.xaxis.set_minor_formatter("")  # in the quick form numbers between powers of ten would overlap
    handles = {label: h for panel in panels for h, label in zip(*panel.get_legend_handles_labels(), strict=True)}
    panels[-1].legend(handles.values(), handles.keys(), fontsize=8, loc="center")
    for panel in panels[len(CASES) :]:
        panel.set_axis_off()
    figure.supxlabel("step")


def answer(results: Any) -> str:
    """How far each Adam is from its float64 run at the end."""
    sides = {"torch": results.reference or {}, "jaxgrad": results.ours, "optax, same name": results.ours}
    ends = {
        name: float(record[key][-1])
        for name, record in sides.items()
        if (key := f"Adam, {name}: distance from float64") in record
    }
    steps = _moments(results.settings)[-1]
    words = ", ".join(f"{end:.1e} with {name.split(',')[0]}" for name, end in ends.items())
    return f"After {steps} steps with Adam a float32 run is off by {words}, relative to the distance moved."


EXPERIMENT = Experiment(
    name="optimizer_drift",
    number=18,
    seconds=100,
    question="How far does a float32 run drift from the exact trajectory, with torch, with optax, and with ours?",
    ours=ours,
    reference=lambda settings, dtype: together(settings)[1 if dtype == "float32" else 2],
    together=together,
    figure=figure,
    seed=1,
    claims={GIVEN.format("*"): Noise(), "*parameters at the end": Info(measured=True), "*distance*": Info()},
    answer=answer,
    expected="On given gradients ours rounds as torch does. In whole runs both jump, at steps that are luck. optax's "
    "Adam, right in formula, leaves within ten steps; where the formula differs the distance is there from the first.",
)
