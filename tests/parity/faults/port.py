"""Somebody's port of a torch training step to JAX, put together from parts, each of which can be done wrong.

The forward pass, the loss and the gradients are one compiled function; the optimizers are optax's; the rest is plain
numpy. A fault replaces one part.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import jax
import numpy as np
import optax
import torch

from jaxgrad import func, random
from jaxgrad._core.tap import arrays_of, watching
from jaxgrad.nn import functional as F
from jaxgrad.parity import from_torch
from jaxgrad.parity.catalog.models import jaxgrad_library, torch_library
from jaxgrad.parity.record.model import StepRecord, optimizer_name
from tests.parity.faults.models import MODELS

EVERYTHING = ("inputs", "forward", "loss", "grads", "clipped", "lr", "optimizer", "params", "buffers", "generator")


def same(value: Any, *_: Any) -> Any:
    return value


@dataclass(frozen=True)
class Parts:
    """What can be done wrong; as it stands, right.

    Attributes:
        library: from our library, before the model is built, to another.
        weights: of the parameters as the forward pass sees them.
        criterion: from ``nn.functional``; None is the model's.
        batch: ``(batch, step, all batches)``.
        stream: ``(generator, step)``.
        grads: ``(gradients, memory, params)``; the memory is a dict of the run's own.
        clip: ``(gradients, max_norm)``.
        lr: ``(lr by step, step)``.
        tx: ``(optimizer, options) -> optax transformation``, whose updates are multiplied by the lr.
        params: ``(before, after)``.
        buffers: ``(before, after)``.
        records: the phases that it writes down.
    """

    library: Callable[[Any], Any] = same
    weights: Callable[[Any], Any] = same
    criterion: Callable[[Any], Any] | None = None
    batch: Callable[[Any, int, Any], Any] = same
    stream: Callable[[Any, int], Any] = same
    grads: Callable[[Any, Any, Any], Any] = same
    clip: Callable[[Any, Any], Any] | None = None
    lr: Callable[[Any, int], float] = lambda lrs, step: lrs[step]
    tx: Callable[[str, Mapping[str, Any]], Any] | None = None
    params: Callable[[Any, Any], Any] = lambda before, after: after
    buffers: Callable[[Any, Any], Any] = lambda before, after: after
    records: tuple[str, ...] = EVERYTHING


@dataclass(frozen=True)
class Setting:
    """What both sides train.

    Attributes:
        model: one of ``MODELS``.
        optimizer, options: torch's; the model's own if empty.
        lrs: by step; constant if empty.
        clip: ``max_norm``.
        dtype: of parameters and inputs.
    """

    model: str
    optimizer: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    lrs: tuple[float, ...] = ()
    clip: float | None = None
    dtype: str = "float32"
    seed: int = 0
    frozen: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        small = MODELS[self.model]
        if not self.optimizer:
            object.__setattr__(self, "optimizer", small.optimizer)
            object.__setattr__(self, "options", {**small.options, **self.options})

    def lr(self, step: int) -> float:
        return self.lrs[step] if self.lrs else float(self.options["lr"])

    def batches(self) -> Any:
        return [tuple(each) for each in MODELS[self.model].batches(self.seed)]


def reference(setting: Setting) -> Any:
    """The same in torch, as anyone writes it."""
    small = MODELS[setting.model]
    torch.manual_seed(setting.seed)
    model = small.build(torch_library()).to(getattr(torch, setting.dtype))
    for name in setting.frozen:
        model.get_parameter(name).requires_grad_(False)
    optimizer = getattr(torch.optim, setting.optimizer)(model.parameters(), **setting.options)
    scheduler = None
    if setting.lrs:
        base = setting.options["lr"]
        scheduler = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: setting.lrs[min(step, len(setting.lrs) - 1)] / base
        )
    return from_torch(model, small.criterion(torch.nn.functional), optimizer, scheduler, clip=setting.clip)


@cache
def _program(model: str, library: Any, weights: Any, criterion: Any) -> tuple[Any, list[str]]:
    """The compiled gradients of a model of ours, and the order of its modules' outputs."""
    lib = jaxgrad_library(0)
    net = MODELS[model].build(library(lib))
    loss_of = (criterion or MODELS[model].criterion)(F)
    order: list[str] = []

    def loss_fn(params: Any, buffers: Any, generator: Any, x: Any, y: Any) -> Any:
        with watching() as tap:
            out, aux = func.functional_call(
                net, (weights(params), buffers), x, training=True, generator=generator, has_aux=True
            )
        forward = arrays_of(tap.outputs)
        order[:] = list(forward)
        return loss_of(out, y), (forward, aux.buffers, aux.generator)

    return jax.jit(jax.value_and_grad(loss_fn, has_aux=True)), order


def right_tx(name: str, options: Mapping[str, Any]) -> Any:
    """optax's nearest to a torch optimizer, without the learning rate."""
    decay = optax.add_decayed_weights(options.get("weight_decay", 1e-2 if name == "AdamW" else 0.0))
    momentum = options.get("momentum", 0.0)
    if name == "SGD":
        return optax.chain(decay, optax.trace(momentum, options.get("nesterov", False)))
    if name in ("Adam", "AdamW"):
        b1, b2 = options.get("betas", (0.9, 0.999))
        adam = scale_by_adam(b1, b2, options.get("eps", 1e-8))
        return optax.chain(adam, decay) if name == "AdamW" else optax.chain(decay, adam)
    rms = optax.scale_by_rms(options.get("alpha", 0.99), options.get("eps", 1e-8), eps_in_sqrt=False)
    return optax.chain(decay, rms, optax.trace(momentum))


def scale_by_adam(b1: float, b2: float, eps: float, *, corrected: bool = True, inside: bool = False) -> Any:
    """Adam with bias corrections in double precision, as torch has them."""

    def init(params: Any) -> Any:
        zeros = {name: np.zeros_like(value) for name, value in params.items()}
        return optax.ScaleByAdamState(np.zeros((), np.int64), zeros, zeros)

    def update(grads: Any, state: Any, params: Any = None) -> Any:
        del params
        t = int(state.count) + 1
        grads = {name: np.asarray(g) for name, g in grads.items()}
        kind = {name: g.dtype.type for name, g in grads.items()}
        m = {n: kind[n](b1) * state.mu[n] + kind[n](1 - b1) * g for n, g in grads.items()}
        v = {n: kind[n](b2) * state.nu[n] + kind[n](1 - b2) * g * g for n, g in grads.items()}
        c1, c2 = (1 - b1**t, 1 - b2**t) if corrected else (1.0, 1.0)
        add = {n: kind[n](eps) for n in grads}
        roots = {
            n: np.sqrt(v[n] / kind[n](c2) + add[n]) if inside else np.sqrt(v[n]) / kind[n](c2**0.5) + add[n] for n in v
        }
        return {n: m[n] / kind[n](c1) / roots[n] for n in m}, optax.ScaleByAdamState(np.int64(t), m, v)

    return optax.GradientTransformation(init, update)


def total_norm(grads: Any) -> float:
    return float(np.sqrt(sum(np.sum(np.square(np.float64(g))) for g in grads.values())))


def right_clip(grads: Any, max_norm: float) -> Any:
    total = total_norm(grads)
    return {name: g * g.dtype.type(min(1.0, max_norm / (total + 1e-6))) for name, g in grads.items()}


@dataclass(frozen=True)
class Port:
    """A candidate of ``parity.compare``."""

    setting: Setting
    parts: Parts = Parts()

    def start(self, *, float64: bool = False, perturbed: int | None = None) -> "PortRun":
        del perturbed
        return PortRun(self, float64)


class PortRun:
    def __init__(self, port: Port, float64: bool):
        setting = port.setting
        self.setting, self.parts = setting, port.parts
        self.dtype = np.dtype("float64" if float64 else setting.dtype)
        run = reference(setting).start()
        initial = run.initial()
        self.gradients, self.order = _program(
            setting.model, port.parts.library, port.parts.weights, port.parts.criterion
        )
        self.params = {name: self._cast(value) for name, value in initial["params"].items()}
        self.values = {name: self._cast(value) for name, value in initial["buffers"].items()}
        self.generator = random.from_state(np.array(initial["generator"]["state"]))
        self.tx = (port.parts.tx or right_tx)(setting.optimizer, setting.options)
        with self._precision():
            self.opt_state = self.tx.init(self.trained())
        self.memory: dict[str, Any] = {}
        self.batches = setting.batches()
        self.number = 0
        self.meta = {"dtype": self.dtype.name, "library": "a port", "versions": {}, "device": "cpu"}

    def trained(self) -> Any:
        return {name: value for name, value in self.params.items() if name not in self.setting.frozen}

    def _cast(self, value: Any) -> Any:
        value = np.asarray(value)
        return value.astype(self.dtype) if value.dtype.kind == "f" else value

    def _precision(self) -> Any:
        return jax.enable_x64(self.dtype == np.float64)

    def initial(self) -> Any:
        return {"params": dict(self.params), "buffers": dict(self.values), "optimizer": {}, "generator": {}}

    def restore(self, values: Any, perturbed: int | None = None) -> None:
        del perturbed
        self.params = {name: self._cast(value) for name, value in values["params"].items()}
        self.values = {name: self._cast(value) for name, value in values["buffers"].items()}

    def step(self, batch: Any) -> StepRecord:
        parts, step = self.parts, self.number
        self.number += 1
        with self._precision():
            x, y = (self._cast(each) for each in parts.batch(batch, step, self.batches))
            generator = parts.stream(self.generator, step)
            (loss, (forward, buffers, generator)), grads = self.gradients(self.params, self.values, generator, x, y)
            grads = {name: np.asarray(grads[name]) for name in self.params if name not in self.setting.frozen}
            grads = parts.grads(grads, self.memory, self.params)
            clipped, norm = grads, {"total_norm": np.asarray(total_norm(grads), self.dtype)}
            if self.setting.clip is not None:
                clipped = (parts.clip or right_clip)(grads, self.setting.clip)
            lrs = [self.setting.lr(each) for each in range(len(self.batches))]
            lr = parts.lr(lrs, step)
            params = self.trained()
            full = {name: clipped.get(name, np.zeros_like(value)) for name, value in params.items()}
            updates, self.opt_state = self.tx.update(full, self.opt_state, params)
            after = dict(self.params)
            for name, update in updates.items():
                if name in clipped:
                    after[name] = np.asarray(self.params[name] - self.dtype.type(lr) * np.asarray(update))
            self.params = parts.params(self.params, after)
            buffers = {name: np.asarray(value) for name, value in (buffers or {}).items()}
            self.values = parts.buffers(self.values, buffers)
        self.generator = generator
        phases = {
            "inputs": {"0": x, "1": y},
            "forward": {name: np.asarray(forward[name]) for name in self.order},
            "loss": {"loss": np.asarray(loss)},
            "grads": grads,
            "clipped": {**norm, **clipped} if self.setting.clip is not None else {},
            "lr": {"lr": np.asarray(lr, np.float64)},
            "optimizer": _moments(self.opt_state),
            "params": self.params,
            "buffers": self.values,
            "generator": {"state": np.asarray(generator.get_state())},
        }
        kept = {phase: dict(value) for phase, value in phases.items() if value and phase in parts.records}
        return StepRecord(step, kept)


def _moments(state: Any) -> dict[str, np.ndarray]:
    """What optax remembers, under torch's names."""
    found: dict[str, np.ndarray] = {}
    names = {"mu": "exp_avg", "trace": "momentum_buffer"}
    state = state if type(state) is tuple else (state,)
    is_adam = any(isinstance(each, optax.ScaleByAdamState) for each in state)
    names["nu"] = "exp_avg_sq" if is_adam else "square_avg"
    for each in state:
        for key, torch_key in names.items():
            for name, value in (getattr(each, key, None) or {}).items():
                found[optimizer_name(torch_key, name)] = np.asarray(value)
    return found


def with_nn(**makers: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A library in which some modules are others, each made from our ``nn``."""

    def library(lib: Any) -> Any:
        return replace(lib, nn=_Others(lib.nn, {name: make(lib.nn) for name, make in makers.items()}))

    return library


class _Others:
    def __init__(self, nn: Any, others: Mapping[str, Any]):
        self._nn, self._others = nn, others

    def __getattr__(self, name: str) -> Any:
        return self._others.get(name) or getattr(self._nn, name)
