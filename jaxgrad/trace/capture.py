"""From a torch module to a graph; torch is imported when a function here is called.

AOTAutograd traces the module with its loss into one graph of ATen operations, forward and backward in torch's own
formulas. Operations whose decomposition is not exact (hardsigmoid at its kinks) are kept whole.
"""

import contextlib
import copy
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxgrad._core.errors import explain
from jaxgrad.trace.batch import Structure, rebuilt, structure_of
from jaxgrad.trace.graph import Graph
from jaxgrad.trace.kept_whole import count_without_looking, kept_whole
from jaxgrad.trace.places import followed
from jaxgrad.trace.read import read
from jaxgrad.trace.returned import Returned, noted
from jaxgrad.trace.symbolic import fakes
from jaxgrad.trace.tensors import torch

_KEPT_WHOLE = ("hardsigmoid", "hardsigmoid_backward", "native_dropout", "bernoulli")
"""Not decomposed: torch's decomposition is not its own kernel at special points, or draws otherwise."""


@dataclass(frozen=True)
class Source:
    """What a graph is traced from, as often as a batch has another shape.

    Attributes:
        module: a copy of the ``torch.nn.Module``, in its mode.
        loss_fn: ``loss_fn(output, *targets)``; None for the forward alone.
    """

    module: Any
    loss_fn: Callable[..., Any] | None

    def trace(
        self, structure: Structure, leaves: list[Any], free: list[set[int]] | None = None
    ) -> tuple[Graph, dict[str, np.ndarray]]:
        """The graph for arrays of these dtypes and shapes, and the values of its constants.

        It is the graph of every batch with other sizes of the free axes, where torch can give names to these.

        Args:
            structure: of the batch.
            leaves: its tensors.
            free: the axes of each that may have another size; None for the first ones.

        Raises:
            RuntimeError: torch cannot trace it.
        """
        with contextlib.suppress(Exception):  # whatever the code of a model says to a size that is no number
            return self._trace(structure, *fakes(leaves, free or [{0}] * len(leaves)), [])
        seen: list[str] = []
        try:
            return self._trace(structure, _of_one_shape(leaves), None, seen)
        except Exception as error:
            raise RuntimeError(
                explain(
                    f"torch cannot trace {type(self.module).__name__}",
                    got=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
                    + (f", in {seen[0]}" if seen else ""),
                    remedy="a graph has fixed shapes and no branches on values; trace the parts that have none, or "
                    "write the module with jaxgrad.nn",
                )
            ) from error

    def _trace(
        self, structure: Structure, inputs: list[Any], record: Any, seen: list[str]
    ) -> tuple[Graph, dict[str, np.ndarray]]:
        t = torch()
        whole = _whole(self.module, self.loss_fn, structure)
        with ExitStack() as stack, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            stack.enter_context(t.enable_grad() if self.loss_fn is not None else t.no_grad())
            stack.enter_context(_as_if_compiling(t))
            stack.enter_context(_masks_as_they_are(t))
            stack.enter_context(followed(t, whole, seen))
            if self.loss_fn is not None:
                stack.enter_context(noted(whole, whole.returned))
            stack.enter_context(kept_whole())
            exported = _export(t, stack, whole, inputs)
        return read(exported, whole, structure, whole.output, record)  # outside of torch's fake mode


def source(module: Any, loss_fn: Callable[..., Any] | None, training: bool) -> Source:
    """A module in its mode, copied, so that the caller's keeps its own."""
    copied = _copied(module).train(training)
    count_without_looking(torch(), copied)
    return Source(copied, loss_fn)


def _copied(module: Any) -> Any:
    """A module beside the caller's. A tensor that hooks compute anew at each call (``weight_norm``'s weight) has a
    history, which torch does not copy; its value is enough."""
    computed = [
        each
        for part in module.modules()
        for each in vars(part).values()
        if isinstance(each, torch().Tensor) and not each.is_leaf
    ]
    return copy.deepcopy(module, {id(each): each.detach().clone() for each in computed})


def as_leaves(batch: Any) -> tuple[Structure, list[Any]]:
    """The structure of an example, and its tensors."""
    structure, leaves = structure_of(batch)
    return structure, [torch().as_tensor(each) for each in leaves]


def _whole(module: Any, loss_fn: Callable[..., Any] | None, structure: Structure) -> Any:
    t = torch()

    class Whole(t.nn.Module):  # type: ignore[name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.module = module
            self.loss_fn = loss_fn
            self.output: Structure = 0
            self.returned = Returned()
            self.assigned: set[str] = set()

        def forward(self, *leaves: Any) -> tuple[Any, ...]:
            batch = rebuilt(structure, leaves)
            self.returned.restart()
            with _assigned_in_place(self, self.assigned):
                if self.loss_fn is not None:
                    loss = _scalar(self.loss_fn(_call(self.module, batch[0]), *batch[1:]))
                    return loss, *self.returned.tensors
                self.output, outputs = structure_of(_plain(_call(self.module, batch)))
            return tuple(each.clone() for each in outputs)  # an output that is a view of an input stays in the graph

    return Whole()


def _call(module: Any, x: Any) -> Any:
    """A tuple or list holds several arguments, a dict those with names."""
    if isinstance(x, dict):
        return module(**x)
    return module(*x) if isinstance(x, tuple | list) else module(x)


def _plain(value: Any) -> Any:
    """Outputs of a library's own class as dicts, tuples and lists; what a module returns beside tensors falls away."""
    t = torch()
    if isinstance(value, t.Tensor):
        return value
    if hasattr(value, "items"):
        return {key: _plain(each) for key, each in value.items() if each is not None}
    if isinstance(value, tuple | list):
        parts = [_plain(each) for each in value]
        return parts if isinstance(value, list) else tuple(parts)
    if hasattr(value, "__dataclass_fields__"):
        return {key: _plain(getattr(value, key)) for key in value.__dataclass_fields__}
    return value


def _scalar(loss: Any) -> Any:
    if not isinstance(loss, torch().Tensor):
        raise TypeError(f"the loss function returned {type(loss).__name__}, not a tensor")
    if loss.numel() != 1:
        raise RuntimeError(f"grad can be implicitly created only for scalar outputs, got a loss of {list(loss.shape)}")
    if not loss.requires_grad:
        raise RuntimeError("element 0 of tensors does not require grad and does not have a grad_fn")
    return loss.reshape(()) if loss.dim() else loss


def _of_one_shape(leaves: list[Any]) -> list[Any]:
    from torch._subclasses.fake_tensor import FakeTensorMode

    mode = FakeTensorMode(allow_non_fake_inputs=True)  # tensors that a closure holds are constants of the graph
    return [mode.from_tensor(each) for each in leaves]


@contextmanager
def _assigned_in_place(whole: Any, assigned: set[str]) -> Iterator[None]:
    """A buffer that the forward replaces (``self.steps = self.steps + 1``) takes the new value in place, which
    is what a graph can tell. Torch runs the forward first to see what changes, and then once more with its backward:
    there the forward works on a copy of such a buffer, whose value the backward may need."""
    before = dict(whole.named_buffers())
    for name in assigned:
        _put(whole, name, before[name].clone())
    handed = dict(whole.named_buffers())
    yield
    after = {name: whole.get_buffer(name) for name in before}
    assigned.update(name for name in before if after[name] is not handed.get(name))
    # all values are read before one is written: two buffers may have changed places
    changed = {name: after[name].detach().clone() for name in before if after[name] is not before[name]}
    for name, value in changed.items():
        if value.shape != before[name].shape or value.dtype != before[name].dtype:
            raise TypeError(
                f"the buffer {name.removeprefix('module.')} becomes {value.dtype}{list(value.shape)}, and was "
                f"{before[name].dtype}{list(before[name].shape)}"
            )
        with torch().no_grad():
            before[name].copy_(value)
        _put(whole, name, before[name])


def _put(whole: Any, name: str, value: Any) -> None:
    place, _, last = name.rpartition(".")
    whole.get_submodule(place)._buffers[last] = value


@contextmanager
def _as_if_compiling(t: Any) -> Iterator[None]:
    """Models that ask whether they are being compiled leave out their checks of values, as for ``torch.export``."""
    before = t.compiler._is_compiling_flag
    t.compiler._is_compiling_flag = True
    try:
        yield
    finally:
        t.compiler._is_compiling_flag = before


@contextmanager
def _masks_as_they_are(t: Any) -> Iterator[None]:
    """A Transformer looks at a mask's values, whether it is the causal one, which a kernel might use; nothing depends
    on the answer but speed, and a graph has no values."""
    room = t.nn.modules.transformer
    before = room._detect_is_causal_mask
    room._detect_is_causal_mask = lambda mask, is_causal=None, size=None: bool(is_causal)
    try:
        yield
    finally:
        room._detect_is_causal_mask = before


def _export(t: Any, stack: ExitStack, whole: Any, inputs: list[Any]) -> Any:
    from torch._functorch.aot_autograd import aot_export_joint_with_descriptors

    table = t._decomp.core_aten_decompositions()
    table = {op: rule for op, rule in table.items() if op._schema.name.removeprefix("aten::") not in _KEPT_WHOLE}
    return aot_export_joint_with_descriptors(stack, whole, tuple(inputs), decompositions=table).graph_module
