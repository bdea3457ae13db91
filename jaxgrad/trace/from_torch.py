"""A torch module with its loss, as a step of ours."""

from collections.abc import Callable
from typing import Any

from jaxgrad._core.errors import explain
from jaxgrad.trace import capture
from jaxgrad.trace.shapes import Captured
from jaxgrad.trace.tensors import torch, values
from jaxgrad.trace.traced import Traced, traced_of


def from_torch(module: Any, loss_fn: Callable[..., Any], example_batch: Any, *, training: bool = True) -> Traced:
    """Any torch module as a loss function of parameters, whose derivative is torch's own backward.

    Torch traces ``loss_fn(module(x), *targets)`` into one graph, forward and backward in its own formulas; run in JAX
    with torch's random streams it gives torch's loss, gradients, buffers and generator. The graph is *traced*, not
    *written*: what runs are torch's formulas, compiled by XLA.

    A graph is fixed in its branches and its mode. It serves batches of every size, where torch can give the first axes
    of a batch a name in place of a number: what the module asks of it (``x.shape[0] < 16``) is asked of every batch.
    For a batch that the graph is not for (another length, a size of 1, a module that fixes its size by ``len(x)``)
    another is traced when it comes, in which the axes that have changed are free too: it serves every length.

    Args:
        module: a ``torch.nn.Module``. It does not change.
        loss_fn: ``loss_fn(output, *targets) -> scalar``, a function or a module; ``lambda out: out`` where the module
            returns its loss.
        example_batch: ``(x, *targets)``, torch tensors or arrays of the shapes and dtypes of a batch. A tuple ``x``
            holds several arguments of the module, a dict those with names; what is no array in it (None, a flag, a
            word) is part of the graph.
        training: the mode.

    Returns:
        a :class:`Traced`: ``params``, ``buffers``, ``loss_fn``.

    Raises:
        ImportError: torch is not installed.
        RuntimeError: torch cannot trace the module (a branch on values, a shape that depends on them).
        NotImplementedError: an operation that is not in the table, with the modules and source lines that use it.
        TypeError: a float64 module while JAX's 64-bit mode is off.

    >>> import torch
    >>> from jaxgrad import autograd, trace
    >>> module = torch.nn.Linear(2, 1)
    >>> traced = trace.from_torch(module, torch.nn.functional.mse_loss, (torch.ones(4, 2), torch.zeros(4, 1)))
    >>> (loss, aux), grads = autograd.backward(
    ...     traced.loss_fn, traced.params, [[1.0, 2.0]] * 4, [[0.0]] * 4, has_aux=True
    ... )
    >>> list(grads), grads["weight"].shape
    (['weight', 'bias'], (1, 2))

    Source: torch/_functorch/aot_autograd.py, ``aot_export_module``.
    """
    t = torch()
    if not isinstance(module, t.nn.Module):
        raise TypeError(
            explain(
                f"from_torch needs a torch.nn.Module, got {type(module).__name__}",
                remedy="trace.from_torch(module, loss_fn, (x, y)); modules of jaxgrad.nn go to train.supervised",
            )
        )
    source = capture.source(module, loss_fn, training)
    structure, leaves = capture.as_leaves(as_tuple(example_batch))
    captured = Captured(*source.trace(structure, leaves))
    own, remembered = [*module.named_parameters()], [*module.named_buffers()]
    if isinstance(loss_fn, t.nn.Module):
        own += [(f"loss_fn.{name}", each) for name, each in loss_fn.named_parameters()]
        remembered += [(f"loss_fn.{name}", each) for name, each in loss_fn.named_buffers()]
    frozen = frozenset(name for name, parameter in own if not parameter.requires_grad)
    return traced_of(values(own), values(remembered), frozen, [captured], source)


def as_tuple(batch: Any) -> tuple[Any, ...]:
    """A batch as the tuple of its parts."""
    return tuple(batch) if isinstance(batch, tuple | list) else (batch,)
