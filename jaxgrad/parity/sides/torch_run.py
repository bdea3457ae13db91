"""A training run in torch, step by step, with everything that happens in a step written down."""

import warnings
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch

from jaxgrad._core.errors import explain
from jaxgrad.parity.record.model import MODULE_INPUTS, StepRecord, Tensors, optimizer_name, split_optimizer_name
from jaxgrad.parity.sides.perturb import one_ulp
from jaxgrad.parity.sides.torch_batches import micro_batch, recorded, stacked
from jaxgrad.parity.sides.torch_clip import clip_gradients
from jaxgrad.parity.sides.torch_doubles import Doubles, default_dtype
from jaxgrad.parity.sides.torch_draws import Draws, position
from jaxgrad.parity.sides.torch_hooks import Modules
from jaxgrad.parity.sides.torch_meta import describe
from jaxgrad.parity.torch_side import to_numpy, to_torch


class TorchRun:
    """One run of a ``TorchReference``.

    Args:
        side: what to run; it does not change.
        float64: whether in double precision, from the same numbers.

    ``skips`` says whether the scaler skips the next step, whatever its gradients are.
    """

    def __init__(self, side: Any, *, float64: bool = False):
        self.model, self.loss_fn, self.optimizer, self.scheduler, self.scaler = side.parts()
        self.clip, self.accumulate, self._takes_model = side.clip, side.accumulate, side.takes_model
        self._stream = side.generator.clone()
        self.named = dict(self.model.named_parameters())
        if isinstance(self.loss_fn, torch.nn.Module):
            self.named |= {f"loss_fn.{name}": each for name, each in self.loss_fn.named_parameters()}
        self._name = {id(parameter): name for name, parameter in self.named.items()}
        first = next((each.dtype for each in self.named.values() if each.is_floating_point()), torch.float32)
        self.own_dtype, self.float64 = first, float64 and first != torch.float64
        if self.scaler is not None:
            self.scaler.scale(torch.zeros(()))  # it makes its own tensors at the first call, in float32
        if self.float64:
            self._widen()
        self._draws, self._watch = Draws(), True
        self._modules = Modules(self.model, self._draws, inputs=side.module_inputs, only=side.only)
        self.meta = describe(self.model, self.optimizer, self.scheduler, self.clip, self.accumulate, self._name)
        self._step, self.skips = 0, False

    def initial(self) -> dict[str, Tensors]:
        """What there is before the first step."""
        return {
            "optimizer": self._optimizer_state(),
            "params": self._params(),
            "buffers": self._buffers(),
            "generator": self._generator(),
        }

    def step(self, batch: Any) -> StepRecord:
        """``zero_grad``, forward, ``backward``, clip, ``step``."""
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r"Seems like `optimizer.step\(\)`|Detected call of `lr_sched")
            torch.set_rng_state(self._stream)
            phases = self._recorded_step(batch)
            after = torch.get_rng_state()
        self._watch = not torch.equal(after, self._stream)
        self._stream = after
        phases["generator"] = self._generator()
        phases[MODULE_INPUTS] = self._inputs
        if not self.meta.get("called"):
            self.meta["source"] = {**self.meta["source"], **{k: v for k, v in self._modules.lines.items() if v}}
            self.meta["called"] = list(self._modules.order)
        record = StepRecord(self._step, {k: v for k, v in phases.items() if v}, self._draws.taken())
        self._step += 1
        return record

    def restore(self, values: Mapping[str, Tensors], perturbed: int | None = None) -> None:
        """Begin the next step from these values; see ``Run``."""
        with torch.no_grad():
            for name, value in values.get("params", {}).items():
                self.named[name].copy_(to_torch(value))
            buffers = dict(self.model.named_buffers())
            for name, value in values.get("buffers", {}).items():
                buffers[name].copy_(to_torch(value))
            for name, value in values.get("optimizer", {}).items():
                key, parameter = split_optimizer_name(name)
                self._set_state(self.named[parameter], key, value)
        if "state" in values.get("generator", {}):
            self._stream = torch.from_numpy(np.array(values["generator"]["state"], np.uint8))
        if perturbed is not None:
            self.perturb(perturbed)

    def perturb(self, seed: int) -> None:
        """Move every parameter by one unit in the last place at most."""
        rng = np.random.default_rng([seed, 77])
        with torch.no_grad():
            for parameter in self.named.values():
                if parameter.is_floating_point():
                    parameter.copy_(to_torch(one_ulp(to_numpy(parameter), rng)))

    def settings(self) -> tuple[Any, ...]:
        """The options of every group, and the scaler, as they are now."""
        groups = [{key: value for key, value in g.items() if key != "params"} for g in self.optimizer.param_groups]
        return groups, None if self.scaler is None else self.scaler.state_dict()

    def set_settings(self, settings: tuple[Any, ...]) -> None:
        """Go on with the options of another run."""
        groups, scaler = settings
        for group, options in zip(self.optimizer.param_groups, groups, strict=True):
            group.update(options)
        if scaler:
            self.scaler.load_state_dict(scaler)

    def _recorded_step(self, batch: Any) -> dict[str, Tensors]:
        self.model.zero_grad()
        self.optimizer.zero_grad()
        parts = self._parts(batch)
        phases: dict[str, Tensors] = {"inputs": recorded(parts)}
        if isinstance(self.optimizer, torch.optim.LBFGS):
            return self._closure_step(parts, phases)
        with self._modes():
            losses, forwards, inputs = [], [], []
            for micro in self._micro_batches(parts):
                self._modules.restart()
                loss = self._loss(micro)
                share = loss / self.accumulate if self.accumulate > 1 else loss
                (share if self.scaler is None else self.scaler.scale(share)).backward()
                losses.append(share.detach())
                forwards.append(self._modules.outputs)
                inputs.append(self._modules.inputs)
        phases["forward"], self._inputs = stacked(forwards), stacked(inputs)
        phases["loss"] = {"loss": to_numpy(sum(losses))}
        if self.scaler is not None:
            self.scaler.unscale_(self.optimizer)
        phases["grads"] = self._grads()
        phases["clipped"] = self._clipped()
        phases["lr"] = self._lr()
        with default_dtype(torch.float64) if self.float64 else ExitStack():
            if self.scaler is None:
                self.optimizer.step()
            else:
                self._scaled_step()
        self._schedule(sum(losses))
        return phases | self._after()

    def _scaled_step(self) -> None:
        if not self.skips or not self.scaler.is_enabled():
            self.scaler.step(self.optimizer)
            self.scaler.update()
            return
        before = self.scaler.state_dict()
        self.scaler.update()
        scale = before["scale"] * before["backoff_factor"]
        self.scaler.load_state_dict({**before, "scale": scale, "_growth_tracker": 0})

    def _closure_step(self, parts: Any, phases: dict[str, Tensors]) -> dict[str, Tensors]:
        """An optimizer that asks for the loss again and again: what is noted is its first question."""
        first: dict[str, Tensors] = {}

        def closure() -> Any:
            self.optimizer.zero_grad()
            self._modules.restart()
            with self._modes():
                loss = self._loss(parts)
                loss.backward()
            if not first:
                first["forward"], first["loss"] = self._modules.outputs, {"loss": to_numpy(loss)}
                first["grads"], self._inputs = self._grads(), self._modules.inputs
            return loss

        phases["lr"] = self._lr()
        with default_dtype(torch.float64) if self.float64 else ExitStack():
            loss = self.optimizer.step(closure)
        self._schedule(loss)
        return phases | first | self._after()

    def _after(self) -> dict[str, Tensors]:
        scaler = {} if self.scaler is None or not self.scaler.is_enabled() else self.scaler.state_dict()
        return {
            "optimizer": self._optimizer_state(),
            "params": self._params(),
            "buffers": self._buffers(),
            "scaler": {
                "scale": np.array(scaler["scale"], np.float32),
                "growth_tracker": np.array(scaler["_growth_tracker"], np.int32),
            }
            if scaler
            else {},
        }

    def _modes(self) -> ExitStack:
        stack = ExitStack()
        if self.float64:
            stack.enter_context(default_dtype(torch.float64))
            stack.enter_context(Doubles(self.own_dtype))
        elif self._watch:
            stack.enter_context(self._draws)
        return stack

    def _parts(self, batch: Any) -> Any:
        """The batch as tensors; floating arrays in the dtype of the model."""
        if isinstance(batch, dict):
            return {key: self._parts(each) for key, each in batch.items()}
        if isinstance(batch, list | tuple):
            return tuple(self._parts(each) for each in batch)
        if isinstance(batch, torch.Tensor):
            return batch.double() if self.float64 and batch.is_floating_point() else batch
        tensor = to_torch(np.asarray(batch)) if hasattr(batch, "__array__") or hasattr(batch, "dtype") else batch
        if isinstance(tensor, torch.Tensor) and tensor.is_floating_point():
            return tensor.to(torch.float64 if self.float64 else self.own_dtype)
        return tensor

    def _micro_batches(self, parts: Any) -> list[Any]:
        if self.accumulate == 1:
            return [parts]
        return [micro_batch(parts, i) for i in range(self.accumulate)]

    def _loss(self, parts: Any) -> Any:
        if self._takes_model:
            if isinstance(parts, dict):
                return self.loss_fn(self.model, **parts)
            return self.loss_fn(self.model, *(parts if isinstance(parts, tuple) else (parts,)))
        if isinstance(parts, dict):
            raise TypeError(
                explain(
                    "a batch that is a dict goes by keywords to a loss function that takes the model",
                    got=", ".join(parts),
                    remedy="def loss_fn(model, x, y): return F.cross_entropy(model(x), y)",
                )
            )
        x, *targets = parts if isinstance(parts, tuple) else (parts,)
        output = self.model(*x) if isinstance(x, tuple) else self.model(**x) if isinstance(x, dict) else self.model(x)
        return self.loss_fn(output, *targets)

    def _clipped(self) -> Tensors:
        if self.clip is None:
            return {}
        total = clip_gradients(list(self.model.parameters()), self.clip)
        norm = {"total_norm": to_numpy(total)} if isinstance(total, torch.Tensor) else {}
        return {**norm, **self._grads()}

    def _schedule(self, loss: Any) -> None:
        if self.scheduler is None:
            return
        if isinstance(self.scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            self.scheduler.step(float(loss))
        else:
            self.scheduler.step()

    def _lr(self) -> Tensors:
        lrs = [np.array(float(group["lr"])) for group in self.optimizer.param_groups]
        return {"lr": lrs[0]} if len(lrs) == 1 else {f"lr[{i}]": lr for i, lr in enumerate(lrs)}

    def _grads(self) -> Tensors:
        return {name: to_numpy(each.grad) for name, each in self.named.items() if each.grad is not None}

    def _params(self) -> Tensors:
        return {name: to_numpy(each) for name, each in self.named.items()}

    def _buffers(self) -> Tensors:
        return {name: to_numpy(each) for name, each in self.model.named_buffers()}

    def _generator(self) -> Tensors:
        state = self._stream.numpy().copy()
        return {"state": state, "position": np.array(position(state), np.int64)}

    def _optimizer_state(self) -> Tensors:
        found: dict[str, np.ndarray] = {}
        if isinstance(self.optimizer, torch.optim.LBFGS):
            return found
        for parameter, name in ((self.named[name], name) for name in self.named):
            for key, value in self.optimizer.state.get(parameter, {}).items():
                if isinstance(value, torch.Tensor):
                    found[optimizer_name(key, name)] = to_numpy(value)
                elif isinstance(value, int | float):
                    found[optimizer_name(key, name)] = np.asarray(value)
        return found

    def _set_state(self, parameter: Any, key: str, value: np.ndarray) -> None:
        held = self.optimizer.state[parameter]
        if isinstance(held.get(key), torch.Tensor):
            held[key].copy_(to_torch(value))
        elif value.ndim == 0 and key in held:
            held[key] = value.item()
        else:
            tensor = to_torch(value)
            of_parameter = tensor.is_floating_point() and tensor.shape == parameter.shape and key != "step"
            held[key] = tensor.to(parameter.dtype) if of_parameter else tensor

    def _widen(self) -> None:
        """Everything that is floating point in float64; what the optimizer counts stays."""
        self.model.double()
        if isinstance(self.loss_fn, torch.nn.Module):
            self.loss_fn.double()
        for state in self.optimizer.state.values():
            for key, value in state.items():
                if isinstance(value, torch.Tensor) and value.is_floating_point() and key != "step":
                    state[key] = value.double()
