"""Clip the gradient norm, freeze a tensor, train it a tenth: what do the folk rules do?

Seed 6; 64 random rows; Linear(10, 10), ReLU, Linear(10, 3); cross-entropy. For 40 steps, at the start of training or
after 40 ordinary ones, the first weight is treated in one of five ways:

- *full*: as ever;
- *no gradient*: its gradient is None, which is what ``requires_grad_(False)`` or ``.grad = None`` leaves;
- *gradient 0*: its gradient is set to zero, which is often taken for freezing;
- *gradient x 0.1*: its gradient is multiplied by 0.1, which is often taken for a tenth of the learning rate;
- *lr x 0.1*: it has a parameter group of its own, with a tenth of the learning rate.

Each is a map of the gradient tree between ``backward`` and ``step``. None freezes under every optimizer. Zero does so
only without memory and without decay: momentum and Adam's moments go on moving the weight, weight decay shrinks it. A
tenth of the gradient is a tenth of the step under SGD. From the first step on it changes nothing under Adam, which
divides by it again; later it is something in between, until the second moment has forgotten the larger gradients.

Clipping is the map ``g -> g min(1, max_norm / (norm + 1e-6))``. Under SGD it limits the step; under Adam a clip that
is always active changes next to nothing, for the same reason. The 1e-6 halves a gradient whose norm is 1e-6. And a
frozen tensor whose gradient is cleared only after the clip has taken part in the norm, so the others move less.

    python -m experiments run clip_and_freeze          # about 30 s
    expected: no gradient moves the weight by exactly 0; gradient 0 moves it under momentum, Adam and weight decay
"""

from typing import Any

import jax
import numpy as np
import optax

from experiments.common.experiment import Experiment, Record, Settings
from jaxgrad import autograd, func, nn, optim, random
from jaxgrad.nn import functional as F
from jaxgrad.nn import utils
from jaxgrad.parity.claim import Exact, Info

WEIGHT = "0.weight"
STEPS = 40
PHASES = ("from the first step", "later")
OPTIMIZERS: dict[str, tuple[str, dict[str, float]]] = {
    "SGD": ("SGD", {"lr": 0.1}),
    "SGD momentum": ("SGD", {"lr": 0.1, "momentum": 0.9}),
    "SGD weight decay": ("SGD", {"lr": 0.1, "weight_decay": 0.01}),
    "Adam": ("Adam", {"lr": 0.01}),
    "AdamW": ("AdamW", {"lr": 0.01, "weight_decay": 0.01}),
}
TENTH = 0.1
SCALES = {"full": 1.0, "no gradient": None, "gradient 0": 0.0, "gradient x 0.1": TENTH, "lr x 0.1": 1.0}
"""The five ways: what the gradient of the weight is multiplied by, None for no gradient."""

QUICK = {"Adam": 10}
MAX_NORMS = {"SGD": 0.01, "Adam": 0.01}


def ours(settings: Settings) -> Record:
    generator = random.manual_seed(settings.seed)
    x, generator = random.randn(generator, (64, 10))
    y, generator = random.randint(generator, 0, 3, (64,))
    rngs = nn.Rngs(generator)
    model = nn.Sequential(nn.Linear(10, 10, rngs=rngs), nn.ReLU(), nn.Linear(10, 3, rngs=rngs))
    initial, _ = func.extract(model)

    def backward(params: Any) -> Any:
        _, grads = autograd.backward(lambda params: F.cross_entropy(func.functional_call(model, params, x), y), params)
        return grads

    record: Record = {}
    for name, steps in _plan(settings).items():
        kind, options = OPTIMIZERS[name]
        record |= _our_freezing(name, getattr(optim, kind), options, steps, initial, backward)
    return record | _our_clipping(initial, backward)


def _plan(settings: Settings) -> dict[str, int]:
    """The optimizers and the steps of each phase."""
    return QUICK if settings.quick else dict.fromkeys(OPTIMIZERS, STEPS)


def _our_freezing(
    name: str, optimizer: Any, options: dict[str, float], steps: int, initial: Any, backward: Any
) -> Record:
    tx = optimizer(**options, param_groups=[{"params": WEIGHT}, {"params": ...}])

    def run(params: Any, state: Any, scale: Any, lrs: Any) -> Any:
        def body(carry: Any, _: Any) -> Any:
            now, state = carry
            grads = backward(now)
            grads = grads | {WEIGHT: None if scale is None else scale * grads[WEIGHT]}
            now, state = optim.step(tx, now, grads, state, lr=lrs)
            return (now, state), now[WEIGHT] - params[WEIGHT]

        return jax.lax.scan(body, (params, state), None, length=steps)

    run_jitted = jax.jit(run)  # None is part of the structure: one program with the gradient, one without
    start = initial, tx.init(initial)
    record: Record = {}
    for phase in PHASES:
        moves, ends = {}, {}
        for way, scale in SCALES.items():
            lrs = np.asarray([options["lr"] * (TENTH if way == "lr x 0.1" else 1.0), options["lr"]], np.float32)
            ends[way], displacement = run_jitted(*start, scale, lrs)
            moves[way] = np.asarray(displacement)
        record |= _freezing_rows(name, phase, moves)
        start = ends["full"]
    return record


def _our_clipping(initial: Any, backward: Any) -> Record:
    grads = jax.jit(backward)(initial)
    _, whole = utils.clip_grad_norm(grads, 1.0)
    _, rest = utils.clip_grad_norm(grads | {WEIGHT: None}, 1.0)
    tiny = jax.tree.map(lambda g: g * (1e-6 / whole), grads)
    clipped, _ = utils.clip_grad_norm(tiny, 1e-6)
    by_optax, _ = optax.clip_by_global_norm(1e-6).update(tiny, optax.EmptyState())
    record = {
        "total norm": whole,
        "total norm without the frozen tensor": rest,
        "a norm of 1e-6 clipped to 1e-6": utils.get_total_norm(clipped),
        "a norm of 1e-6 clipped to 1e-6 by optax": utils.get_total_norm(by_optax),
    }
    for name, max_norm in MAX_NORMS.items():
        kind, options = OPTIMIZERS[name]
        plain = getattr(optim, kind)(**options)
        moved = {}
        for clip in (False, True):
            tx = optax.chain(utils.clip_by_norm(max_norm), plain) if clip else plain

            def body(carry: Any, _: Any, tx: Any = tx) -> Any:
                params, state = carry
                return optim.step(tx, params, backward(params), state), None

            (params, _), _ = jax.jit(lambda c, body=body: jax.lax.scan(body, c, None, length=STEPS))(
                (initial, tx.init(initial))
            )
            moved[clip] = np.asarray(params[WEIGHT] - initial[WEIGHT])
        record |= _clipping_rows(name, moved)
    return record


def _freezing_rows(name: str, phase: str, moves: dict[str, np.ndarray]) -> Record:
    whole = np.linalg.norm(moves["full"][-1])
    rows: Record = {}
    for way, displacement in moves.items():
        case = f"{name}, {way} {phase}"
        if way != "full":
            rows[f"{case}: part of the full distance"] = np.linalg.norm(displacement[-1]) / whole
        rows[f"{case}: displacement"] = displacement[-1]
        if way == "gradient 0":
            rows[f"{case}: distance, all steps"] = np.sqrt(np.sum(displacement**2, axis=(1, 2)))
    return rows


def _clipping_rows(name: str, moved: dict[bool, np.ndarray]) -> Record:
    return {
        f"{name}, clipped to {MAX_NORMS[name]}: part of the unclipped distance": np.linalg.norm(moved[True])
        / np.linalg.norm(moved[False]),
        f"{name}, clipped to {MAX_NORMS[name]}: displacement": moved[True],
    }


def reference(settings: Settings, dtype: str) -> Record:
    import torch

    wide = getattr(torch, dtype)
    torch.manual_seed(settings.seed)
    x, y = torch.randn(64, 10), torch.LongTensor(64).random_(3)
    model = torch.nn.Sequential(torch.nn.Linear(10, 10), torch.nn.ReLU(), torch.nn.Linear(10, 3))
    model, x = model.to(wide), x.to(wide)

    def backward(model: Any) -> None:
        model.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()

    record: Record = {}
    for name, steps in _plan(settings).items():
        kind, options = OPTIMIZERS[name]
        trained, optimizer = model, _torch_optimizer(model, kind, options)
        for phase in PHASES:
            runs = {way: _torch_way(way, steps, trained, optimizer, name, backward) for way in SCALES}
            record |= _freezing_rows(name, phase, {way: moves for way, (_, _, moves) in runs.items()})
            trained, optimizer, _ = runs["full"]
    return record | _torch_clipping(model, backward)


def _torch_optimizer(model: Any, kind: str, options: dict[str, float]) -> Any:
    import torch

    first, *rest = model.parameters()
    return getattr(torch.optim, kind)([{"params": [first]}, {"params": rest}], **options)


def _torch_way(way: str, steps: int, trained: Any, optimizer: Any, name: str, backward: Any) -> Any:
    import copy

    kind, options = OPTIMIZERS[name]
    model = copy.deepcopy(trained)
    continued = _torch_optimizer(model, kind, options)
    continued.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    if way == "lr x 0.1":
        continued.param_groups[0]["lr"] = TENTH * options["lr"]
    weight, scale = model[0].weight, SCALES[way]
    start, moves = weight.detach().clone(), []
    for _ in range(steps):
        backward(model)
        weight.grad = None if scale is None else scale * weight.grad
        continued.step()
        moves.append((weight.detach() - start).numpy())
    return model, continued, np.stack(moves)


def _torch_clipping(model: Any, backward: Any) -> Record:
    import copy

    import torch

    backward(model)
    whole = torch.nn.utils.clip_grad_norm_(model.parameters(), torch.inf)
    rest = torch.nn.utils.clip_grad_norm_(list(model.parameters())[1:], torch.inf)
    for parameter in model.parameters():
        parameter.grad *= 1e-6 / whole
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1e-6)
    tiny = torch.nn.utils.get_total_norm([parameter.grad for parameter in model.parameters()])
    record = {
        "total norm": whole.numpy(),
        "total norm without the frozen tensor": rest.numpy(),
        "a norm of 1e-6 clipped to 1e-6": tiny.numpy(),
    }
    for name, max_norm in MAX_NORMS.items():
        kind, options = OPTIMIZERS[name]
        moved = {}
        for clip in (False, True):
            trained = copy.deepcopy(model)
            optimizer = getattr(torch.optim, kind)(trained.parameters(), **options)
            for _ in range(STEPS):
                backward(trained)
                if clip:
                    torch.nn.utils.clip_grad_norm_(trained.parameters(), max_norm)
                optimizer.step()
            moved[clip] = (trained[0].weight - model[0].weight).detach().numpy()
        record |= _clipping_rows(name, moved)
    return record


def figure(figure: Any, results: Any) -> None:
    zero, tenth = figure.subplots(1, 2)
    figure.suptitle("What moves a tensor that was meant to stand still, or to move a tenth")
    names = list(_plan(results.settings))
    for name in names:
        curve = f"{name}, gradient 0 {PHASES[1]}: distance, all steps"
        steps = np.arange(1, len(results.ours[curve]) + 1)
        (line,) = zero.plot(steps, results.ours[curve], label=name)
        if results.reference is not None:
            zero.plot(steps[::8], results.reference[curve][::8], "x", color=line.get_color(), markersize=5)
    zero.set(
        xlabel="step", ylabel="distance moved", title='"frozen" by gradient 0 after 40 ordinary steps\n(crosses: torch)'
    )
    zero.legend(fontsize=8)
    places = np.arange(len(names))
    bars = [(way, phase) for way in ("gradient x 0.1", "lr x 0.1") for phase in PHASES]
    for k, (way, phase) in enumerate(bars):
        parts = [results.ours[f"{name}, {way} {phase}: part of the full distance"] for name in names]
        tenth.bar(places + 0.2 * (k - 1.5), parts, width=0.2, label=f"{way} {phase}")
    tenth.axhline(TENTH, color="black", linewidth=0.8)
    tenth.set_xticks(places, names, rotation=20, fontsize=8)
    tenth.set(ylabel="part of the full distance", title="meant to train a tenth", ylim=(0, 1.5))
    tenth.legend(fontsize=8)


EXPERIMENT = Experiment(
    name="clip_and_freeze",
    number=6,
    seconds=30,
    question="Clip the gradient norm, freeze a tensor, train it a tenth: what do the folk rules do?",
    ours=ours,
    reference=reference,
    figure=figure,
    seed=6,
    claims={
        "*, no gradient *: displacement": Exact(),
        "*: part of the *": Info(measured=True),
        "*: distance, all steps": Info(),
    },
    answer="Under Adam, frozen later, a tensor whose gradient is 0 still goes {Adam, gradient 0 later: part of the "
    "full distance} of the full way, one without a gradient {Adam, no gradient later: part of the full "
    "distance}; a gradient times 0.1 from the first step leaves {Adam, gradient x 0.1 from the first step: "
    "part of the full distance} of it, an lr times 0.1 {Adam, lr x 0.1 from the first step: part of the "
    "full distance}.",
    expected="Only None freezes under every optimizer: gradient 0 leaves momentum, moments and weight decay at work. "
    "A tenth of the gradient is a tenth of the step under SGD and, from the first step, the whole step under Adam; a "
    "tenth of the lr is about a tenth of the way under all of them.",
)
