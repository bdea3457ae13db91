"""One compiled step: forward, backward, optimizer, all state in and all state out."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
import optax
from jax.sharding import Mesh

from jaxgrad import amp
from jaxgrad._core.errors import check_arrays, explain, is_traced
from jaxgrad._core.selection import Where
from jaxgrad._core.types import Batch, LossFn, Metrics
from jaxgrad.amp import GradScaler
from jaxgrad.optim._rule.precision import double_precision, pack, widen
from jaxgrad.optim.lr_scheduler import LRScheduler
from jaxgrad.optim.swa_utils import AveragedModel
from jaxgrad.train.gradient import Computed, accumulated, gradient
from jaxgrad.train.handover import Handover, Returned, Taken
from jaxgrad.train.loss import Loss
from jaxgrad.train.mesh import replicas_of
from jaxgrad.train.parallel import Replicas
from jaxgrad.train.parts import Parts
from jaxgrad.train.sharding import on_mesh, shard_batch
from jaxgrad.train.state import TrainState, check_not_taken
from jaxgrad.train.update import Update

BEGIN = "state = train.init_state(params, tx, ...); state, metrics = step(state, batch)"


def make_train_step(
    loss_fn: LossFn,
    tx: optax.GradientTransformation,
    *,
    accumulate: int = 1,
    accumulate_reduction: str = "mean",
    clip_grad_norm: float | None = None,
    clip_grad_value: float | None = None,
    schedule: LRScheduler | None = None,
    average: AveragedModel | bool | None = None,
    skip_nonfinite: bool = False,
    scaler: GradScaler | None = None,
    autocast: amp.autocast | None = None,
    frozen: Where = None,
    mesh: Mesh | None = None,
    donate: bool = True,
) -> "TrainStep":
    """``(state, batch) -> (state, metrics)``: ``zero_grad``, forward, ``backward`` and ``step``, compiled once.

    A loss function that needs more than parameters and batch names it as a keyword argument (``buffers``,
    ``generator``) and returns what became of it: ``return loss, aux`` with the ``aux`` of ``func.functional_call``, or
    ``train.Aux(buffers=..., generator=..., metrics=...)``. One that names ``training`` too is passed True.

    What is asked for happens in torch's order: ``scaler.scale(loss).backward()``, ``scaler.unscale_(optimizer)``,
    ``clip_grad_norm_``, ``clip_grad_value_``, ``scaler.step(optimizer)`` or ``optimizer.step()``, ``scaler.update()``,
    ``scheduler.step()``, ``averaged.update_parameters(model)``.

    Args:
        loss_fn: ``loss_fn(params, *batch)``, with the keyword arguments it names; ``supervised`` makes the usual one.
        tx: the optimizer whose state is in ``state.opt_state``.
        accumulate: K micro-batches a step: every array of a batch has a leading axis of K, and the loss is the mean
            of the K losses (torch's ``(loss / K).backward()`` K times). Buffers and generator run through them in
            order; further metrics come with a leading axis of K.
        accumulate_reduction: "mean"; "sum", torch's ``loss.backward()`` K times; or "weighted", the mean with the
            weights that the loss function reports as ``metrics["weight"]``: the number of rows, where the last
            micro-batch is padded.
        clip_grad_norm: the norm to clip to; ``metrics["grad_norm"]`` is the norm before.
        clip_grad_value: the largest magnitude of an entry.
        schedule: the one that ``init_state`` was given; it steps once a step. For one that steps once an epoch leave it
            out here and call ``train.step_schedule``.
        average: the ``AveragedModel`` that ``init_state`` was given (or True), to be updated at every step.
        skip_nonfinite: leave parameters and optimizer as they are where a gradient is nan or infinite, as a GradScaler
            does, and where the norm to clip is; ``metrics["skipped"]`` says so. Buffers, generator, schedule and
            average go on.
        scaler: the ``amp.GradScaler`` that ``init_state`` was given. ``metrics["scale"]`` is what this step's loss was
            multiplied by, ``metrics["found_inf"]`` whether a gradient was not finite and the step therefore skipped;
            buffers, generator, schedule and average go on. ``metrics["loss"]`` is not scaled.
        mesh: devices that share the work, with the semantics of torch's ``DistributedDataParallel`` (axis "data") or
            ``fully_shard`` ("fsdp"): each device computes the gradient of its own rows of the batch, and their mean
            goes on. See ``train.shard`` for where the state lies. The loss reported is the mean of the replicas';
            further metrics come with a leading axis of replicas. A batch's rows are those of the first replica, then
            those of the second (``train.ReplicaBatches``).
        autocast: an ``amp.autocast`` that the forward pass and the loss run in, as in torch under ``with autocast():``;
            the backward, the parameters and all that follows keep float32. float16 wants a ``scaler`` beside it.
        frozen: names of parameters ("features.*"), or what else ``autograd.freeze`` takes: ``requires_grad_(False)``.
            They have no gradient and none is computed, so the optimizer leaves them and their state alone.
        donate: whether the step takes over the memory of the state it is given, so that one copy of it exists. The
            old state cannot be used afterwards.

    Returns:
        ``step(state, batch, lr=None)``. ``batch`` is a tuple or list of arrays, or one array, or a dict: one whose keys
        the loss function names is passed as keywords, another as one argument. ``lr`` is the learning rate of this
        step instead of the optimizer's, a number or one for each parameter group; another number compiles nothing
        anew. ``metrics`` has the ``loss`` before the step and whatever the loss function reports.

    Raises:
        TypeError: when called: the loss function returns something else, or names ``buffers`` or ``generator`` and
            does not return them.
        ValueError: when called: it reports a metric called ``loss``; the state lacks the schedule, the average or the
            scaler; a batch without the axis of micro-batches, or whose rows do not divide among the replicas.
        RuntimeError: when called: the loss function returns a buffer that the state does not have; a state whose
            memory an earlier step has taken over.

    >>> import jax.numpy as jnp
    >>> from jaxgrad import optim, train
    >>> def loss_fn(params, x):
    ...     return jnp.sum((params["w"] - x) ** 2)
    >>> tx = optim.SGD(0.25)
    >>> state = train.init_state({"w": jnp.zeros(2)}, tx)
    >>> step = train.make_train_step(loss_fn, tx)
    >>> state, metrics = step(state, jnp.ones(2))
    >>> state.params["w"].tolist(), float(metrics["loss"])
    ([0.5, 0.5], 2.0)
    """
    loss = Loss.of(loss_fn, autocast, frozen)
    update = Update(tx, clip_grad_norm, clip_grad_value, schedule, average, skip_nonfinite, scaler)
    _check_accumulation(accumulate, accumulate_reduction)
    replicas = None if mesh is None else Replicas(replicas_of(mesh), rows=0 if accumulate == 1 else 1)

    def step(state: TrainState, batch: Batch, lr: Any = None) -> tuple[TrainState, Metrics]:
        held = state.params, batch, state.buffers, state.generator
        scale = update.scale(state)
        compute: Callable[..., Computed] = partial(gradient, scale=scale)
        if accumulate > 1:
            compute = partial(accumulated, count=accumulate, reduction=accumulate_reduction, scale=scale)
        computed = compute(loss, *held) if replicas is None else replicas.mean(compute, loss, *held)
        after, metrics = update(state, computed, _widened(lr))
        after = after if replicas is None else replicas.place(after, state)
        return after, {"loss": computed.loss, **metrics, **computed.metrics}

    parts = Parts(loss, update, accumulate, accumulate_reduction)
    return TrainStep(step, f"train step of {getattr(loss_fn, '__name__', 'loss_fn')}", donate, replicas, parts)


class TrainStep:
    """A compiled step; call it with ``(state, batch, lr=None)``, also inside ``jit``, ``vmap`` and ``scan``.

    Args:
        step: the function to compile.
        name: what it is called in the error of a state that is used again.
        donate: whether the memory of the state is taken over.
        replicas: the devices on which state and batch are to lie.
        parts: what the step is made of, where that is known.

    >>> from jaxgrad import optim, train
    >>> step = train.make_train_step(lambda params, x: (params["w"] * x).sum(), optim.SGD(0.1))
    >>> type(step).__name__
    'TrainStep'
    """

    def __init__(
        self,
        step: Callable[..., tuple[TrainState, Metrics]],
        name: str,
        donate: bool,
        replicas: Replicas | None = None,
        parts: Parts | None = None,
    ):
        self.parts = parts

        def compiled(taken: Taken, read: tuple[Any, ...], *rest: Any) -> tuple[Returned, Metrics]:
            after, metrics = step(taken.handover.join(taken.leaves, read), *rest)
            return Returned.of(after, read), metrics

        self.jitted: Any = jax.jit(compiled, donate_argnums=(0,) if donate else ())
        self._handover: Handover | None = None
        self.__name__ = name
        self._donates = donate
        self._replicas = replicas

    def __call__(self, state: TrainState, batch: Batch, lr: Any = None) -> tuple[TrainState, Metrics]:
        """The state after a step, and the metrics."""
        if self._replicas is not None and not is_traced(state, batch):
            check_not_taken(state)  # jaxlib 0.10 ends the process where a deleted array lies on several devices
            state = on_mesh(state, self._replicas.mesh)
            batch = shard_batch(batch, self._replicas.mesh, axis=self._replicas.rows)
        elif getattr(state, "taken_by", None) is not None:
            check_not_taken(state)
        arguments = self._arguments(state, batch, lr)
        try:
            returned, metrics = self.jitted(*arguments)
        except (RuntimeError, ValueError) as error:
            _explain_deleted(state, error)
            raise
        except (TypeError, AttributeError):
            check_arrays((state, batch))
            raise
        if self._donates:
            state.taken_by = self.__name__
        return returned.state(arguments[1]), metrics

    def lower(self, state: TrainState, batch: Batch, lr: Any = None) -> Any:
        """``jax.jit``'s: the program, without running it."""
        return self.jitted.lower(*self._arguments(state, batch, lr))

    def _arguments(self, state: TrainState, batch: Batch, lr: Any) -> tuple[Any, ...]:
        if not isinstance(state, TrainState):
            raise TypeError(explain("a train step begins with a TrainState", got=type(state).__name__, remedy=BEGIN))
        leaves, structure = state.tree_flatten()
        if self._handover is None or self._handover.structure is not structure:
            self._handover = Handover(state)
        taken, read = self._handover.part(leaves)
        return (taken, read, batch) if lr is None else (taken, read, batch, _packed(lr))

    def _cache_size(self) -> int:
        size: int = self.jitted._cache_size()
        return size


def _packed(lr: Any) -> Any:
    """Numbers from Python with a double's accuracy; an array is taken as it is."""
    if isinstance(lr, list | tuple):
        return [_packed(each) for each in lr]
    return {"number": pack(lr)} if isinstance(lr, int | float | np.number) else jax.numpy.asarray(lr)


def _widened(lr: Any) -> Any:
    if isinstance(lr, list | tuple):
        return [_widened(each) for each in lr]
    if not isinstance(lr, dict):
        return lr
    with double_precision():
        return widen(lr["number"])


def _check_accumulation(accumulate: Any, reduction: str) -> None:
    if reduction not in ("mean", "sum", "weighted"):
        raise ValueError(
            explain(f"{reduction} is not a valid value for reduction", expected='"mean", "sum", "weighted"')
        )
    if isinstance(accumulate, bool) or not isinstance(accumulate, int) or accumulate < 1:
        raise ValueError(explain("accumulate is a number of micro-batches", got=repr(accumulate), expected="1 or more"))


def _explain_deleted(state: Any, error: Exception) -> None:
    try:
        check_not_taken(state)
    except RuntimeError as explained:
        raise explained from error
