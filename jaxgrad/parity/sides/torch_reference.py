"""A torch training step as a side of a comparison: the reference."""

import copy
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from jaxgrad._core.errors import explain
from jaxgrad.parity.record.model import Recording
from jaxgrad.parity.sides.torch_again import TorchAgain
from jaxgrad.parity.sides.torch_run import TorchRun


@dataclass(frozen=True)
class TorchReference:
    """What ``from_torch`` returns: everything that makes a run, as it was then.

    >>> import torch
    >>> from jaxgrad import parity
    >>> model = torch.nn.Linear(2, 1)
    >>> side = parity.from_torch(model, torch.nn.functional.mse_loss, torch.optim.SGD(model.parameters(), lr=0.1))
    >>> side.start().step((torch.ones(4, 2), torch.zeros(4, 1)))["grads"]["weight"].shape
    (1, 2)
    """

    model: Any
    loss_fn: Callable[..., Any]
    optimizer: Any
    scheduler: Any = None
    scaler: Any = None
    clip: Any = None
    accumulate: int = 1
    generator: Any = field(default=None, repr=False)
    takes_model: bool = False
    module_inputs: bool = False
    only: frozenset[str] | None = None

    def start(self, *, float64: bool = False, perturbed: int | None = None) -> TorchRun:
        """A run of its own from the start; see ``Side``."""
        run = TorchRun(self, float64=float64)
        if perturbed is not None:
            run.perturb(perturbed)
        return run

    def watching(self, *, module_inputs: bool | None = None, only: frozenset[str] | None = None) -> "TorchReference":
        """The same, looking at what goes into modules too, or at some modules only."""
        inputs = self.module_inputs if module_inputs is None else module_inputs
        return replace(self, module_inputs=inputs, only=self.only if only is None else only)

    def again(self, recording: Recording, step: int, *, float64: bool) -> TorchAgain:
        """Makes a recorded step of this side again with some of torch's functions called otherwise."""
        return TorchAgain(self, recording, step, float64=float64)

    def parts(self) -> tuple[Any, ...]:
        """Model, loss, optimizer, scheduler and scaler, copied, still belonging to each other."""
        return _copied((self.model, self.loss_fn, self.optimizer, self.scheduler, self.scaler))


def from_torch(
    model: Any,
    loss_fn: Callable[..., Any],
    optimizer: Any,
    scheduler: Any = None,
    scaler: Any = None,
    clip: Any = None,
    accumulate: int = 1,
) -> TorchReference:
    """The reference of a comparison: the training step that every PyTorch user writes.

    .. code-block:: python

        optimizer.zero_grad()
        loss = loss_fn(model(x), y)  # or loss_fn(model, x, y)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        clip_grad_norm_(model.parameters(), clip)
        scaler.step(optimizer)
        scaler.update()
        scheduler.step()

    All objects are copied, now: what happens to them later does not matter, and nothing happens to them. torch's global
    generator is copied too; a run begins where it stands now.

    Args:
        model: a ``torch.nn.Module`` in the mode it is to have (``model.train()``).
        loss_fn: ``loss_fn(output, *targets)``, where ``(x, *targets)`` is the batch (an ``x`` that is a tuple is
            several arguments of the model, a dict keyword arguments); or ``loss_fn(model, *batch)``, if its first
            argument is called ``model``, ``module`` or ``net``. A batch that is a dict goes to it by keywords.
        optimizer: of ``model``'s parameters.
        scheduler: steps after every optimizer step; ``ReduceLROnPlateau`` gets the loss.
        scaler: a ``torch.amp.GradScaler``.
        clip: the norm to clip to; or ``{"norm": 1.0, "norm_type": 2.0}``, ``{"value": 0.5}`` for the largest
            magnitude; or a function of the list of parameters.
        accumulate: K micro-batches a step: every array of a batch has a leading axis of K; each loss is divided by K.

    Returns:
        A side for ``parity.compare`` and ``parity.record``.

    Raises:
        ImportError: torch is not installed.
        TypeError: ``model`` is no ``torch.nn.Module``, ``optimizer`` no ``torch.optim.Optimizer``, or they cannot be
            copied.
        ValueError: the optimizer has parameters that are not the model's; ``accumulate`` is less than 1.

    >>> import torch
    >>> from jaxgrad import parity
    >>> model = torch.nn.Linear(2, 1)
    >>> optimizer = torch.optim.Adam(model.parameters())
    >>> reference = parity.from_torch(model, torch.nn.functional.mse_loss, optimizer, clip=1.0)
    >>> reference.clip
    1.0
    """
    if not isinstance(model, torch.nn.Module):
        raise TypeError(
            explain(
                f"from_torch needs a torch.nn.Module, got {type(model).__name__}",
                remedy="parity.from_jax(step, state) for a step in JAX",
            )
        )
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise TypeError(explain(f"from_torch needs a torch.optim.Optimizer, got {type(optimizer).__name__}"))
    if isinstance(accumulate, bool) or not isinstance(accumulate, int) or accumulate < 1:
        raise ValueError(explain("accumulate is a number of micro-batches", got=repr(accumulate), expected="1 or more"))
    own = {id(parameter) for parameter in model.parameters()}
    if isinstance(loss_fn, torch.nn.Module):
        own |= {id(parameter) for parameter in loss_fn.parameters()}
    foreign = [p for group in optimizer.param_groups for p in group["params"] if id(p) not in own]
    if foreign:
        raise ValueError(
            explain(
                "the optimizer has parameters that are not the model's",
                got=f"{len(foreign)} of them, the first of shape {list(foreign[0].shape)}",
                remedy="put all that is trained into one torch.nn.Module",
            )
        )
    takes_model = _takes_model(loss_fn)
    model, loss_fn, optimizer, scheduler, scaler = _copied((model, loss_fn, optimizer, scheduler, scaler))
    generator = torch.get_rng_state().clone()
    return TorchReference(model, loss_fn, optimizer, scheduler, scaler, clip, accumulate, generator, takes_model)


def _copied(parts: tuple[Any, ...]) -> tuple[Any, ...]:
    try:
        copied = copy.deepcopy(parts)
    except (TypeError, RuntimeError) as error:
        raise TypeError(
            explain(
                f"the model and its optimizer cannot be copied: {error}",
                expected="objects that copy.deepcopy copies",
                remedy="hand over a model before its first step, without tensors of a graph on it",
            )
        ) from error
    for each in copied:
        if isinstance(each, torch.optim.LBFGS):  # which forgets these when it is copied
            each._params, each._numel_cache = each.param_groups[0]["params"], None
    return copied


def _takes_model(loss_fn: Callable[..., Any]) -> bool:
    if isinstance(loss_fn, torch.nn.Module):
        return False
    try:
        names = list(inspect.signature(loss_fn).parameters)
    except (TypeError, ValueError):
        return False
    return bool(names) and names[0] in ("model", "module", "net")
