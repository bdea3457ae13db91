"""What is kept whole while torch traces.

Torch would write a recurrent layer into the graph step by step, thousands of operations that take minutes to compile,
and its decomposition loses the dropout between layers. So while a module is traced its calls of ``lstm``, ``gru`` and
``rnn`` become one operation of our own, with a backward of its own; in JAX both are scans. The CTC loss, whose shapes
torch makes depend on values, is kept whole too, and the Gaussian likelihood goes without its check of values.
"""

import math
from functools import partial
from typing import Any

_NAMES = {"lstm": "LSTM", "gru": "GRU", "rnn_tanh": "RNN_TANH", "rnn_relu": "RNN_RELU"}

_FORWARD = (
    "recurrent(str mode, Tensor input, Tensor[] hx, Tensor[] weights, bool bias, int layers, float dropout, "
    "bool bidirectional) -> (Tensor, Tensor, Tensor, Tensor)"
)
_BACKWARD = (
    "recurrent_backward(Tensor output, Tensor h, Tensor c, str mode, Tensor input, Tensor[] hx, Tensor[] weights, "
    "bool bias, int layers, bool bidirectional, Tensor masks) -> Tensor[]"
)


_CTC = (
    "ctc_loss(Tensor log_probs, Tensor targets, int[] input_lengths, int[] target_lengths, int blank, str reduction, "
    "bool zero_infinity) -> Tensor"
)
_CTC_BACKWARD = (
    "ctc_loss_backward(Tensor grad, Tensor log_probs, Tensor targets, int[] input_lengths, int[] target_lengths, "
    "int blank, str reduction, bool zero_infinity) -> Tensor"
)


def kept_whole() -> Any:
    """A mode of torch under which recurrent layers and the CTC loss are one operation each, and some losses exact."""
    import torch
    from torch.overrides import TorchFunctionMode

    _define(torch)

    unchecked = _unchecked(torch)

    class Whole(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            name = getattr(func, "__name__", "")
            if func is torch.nn.functional.ctc_loss:
                return _ctc(torch, *args, **(kwargs or {}))
            if func is torch.nn.functional.gaussian_nll_loss:
                return _gaussian(torch, *args, **(kwargs or {}))
            if func is torch.nn.functional.multilabel_margin_loss:
                return _multilabel_margin(torch, *args, **(kwargs or {}))
            if func in unchecked:
                return unchecked[func](*args, **(kwargs or {}))[0]
            padded = name in _NAMES and len(args) == 9 and isinstance(args[2], list | tuple)
            if not padded:  # packed sequences have other arguments
                return func(*args, **(kwargs or {}))
            return _call(torch, name, *args)

    return Whole()


def count_without_looking(torch: Any, module: Any) -> None:
    """Let every BatchNorm with ``momentum=None``, which looks at its count for the average, compute with it instead.

    mean <- mean + (batch's - mean) / n, in torch's order: (1 - 1/n) mean + 1/n batch's.
    """
    for each in module.modules():
        norm = isinstance(each, torch.nn.modules.batchnorm._BatchNorm)
        if norm and each.momentum is None and each.training and each.track_running_stats:
            each.forward = partial(_counted, torch, each)


def _counted(torch: Any, norm: Any, x: Any) -> Any:
    norm._check_input_dim(x)
    norm.num_batches_tracked.add_(1)
    with torch.no_grad():
        others = [axis for axis in range(x.dim()) if axis != 1]
        variance, mean = torch.var_mean(x, others)
        factor = 1.0 / norm.num_batches_tracked.to(mean.dtype)
        for running, batch in ((norm.running_mean, mean), (norm.running_var, variance)):
            running.copy_((1 - factor) * running + factor * batch)
    return torch.nn.functional.batch_norm(x, None, None, norm.weight, norm.bias, True, 0.0, norm.eps)


def _unchecked(torch: Any) -> dict[Any, Any]:
    """Functions that look at values for singular matrices, and those that do not: nan is the answer in a graph."""
    solver, inverse, cholesky = torch.linalg.solve_ex, torch.linalg.inv_ex, torch.linalg.cholesky_ex
    return {
        torch.linalg.solve: solver,
        **dict.fromkeys((torch.linalg.inv, torch.inverse, torch.Tensor.inverse), inverse),
        torch.linalg.cholesky: cholesky,
    }


def _call(
    torch: Any,
    name: str,
    x: Any,
    hx: Any,
    weights: Any,
    bias: bool,
    layers: int,
    dropout: float,
    training: bool,
    bidirectional: bool,
    batch_first: bool,
) -> Any:
    x = x.transpose(0, 1) if batch_first else x
    start = list(hx) if isinstance(hx, list | tuple) else [hx]
    p = float(dropout) if training else 0.0
    output, h, c, _ = torch.ops.jaxgrad.recurrent(_NAMES[name], x, start, list(weights), bias, layers, p, bidirectional)
    output = output.transpose(0, 1) if batch_first else output
    return (output, h, c) if name == "lstm" else (output, h)


def _ctc(
    torch: Any,
    log_probs: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Any:
    lengths = []
    for each in (input_lengths, target_lengths):
        if isinstance(each, torch.Tensor):
            raise TypeError("the lengths of a CTC loss are part of the graph: give them as lists of numbers")
        lengths.append([int(n) for n in each])
    return torch.ops.jaxgrad.ctc_loss(log_probs, targets, *lengths, blank, reduction, zero_infinity)


def _gaussian(
    torch: Any, input: Any, target: Any, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Any:
    if not isinstance(var, torch.Tensor):
        var = var * torch.ones_like(input)
    if var.shape != input.shape and input.shape[:-1] == var.shape:
        var = var.unsqueeze(-1)
    limited = var + (var.clamp(min=eps) - var).detach()
    loss = 0.5 * (torch.log(limited) + (input - target) ** 2 / limited)
    if full:
        loss = loss + 0.5 * math.log(2 * math.pi)
    return loss.mean() if reduction == "mean" else loss.sum() if reduction == "sum" else loss


def _multilabel_margin(
    torch: Any, input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Any:
    """What torch's kernel computes; torch's own decomposition, which tracing would take, lets the places behind the
    first -1 count as targets too.
    """
    if size_average is not None or reduce is not None:
        reduction = torch.nn._reduction.legacy_get_string(size_average, reduce)
    x, y = torch.atleast_2d(input), torch.atleast_2d(target)
    classes = torch.arange(x.shape[-1], device=x.device)
    listed = torch.cumsum((y < 0).to(torch.int64), -1) == 0
    labels = torch.where(listed, y, 0)
    is_target = ((labels.unsqueeze(-1) == classes) & listed.unsqueeze(-1)).any(-2)
    z = 1 - torch.gather(x, -1, labels).unsqueeze(-1) + x.unsqueeze(-2)
    counts = listed.unsqueeze(-1) & ~is_target.unsqueeze(-2) & (z > 0)
    loss = torch.where(counts, z, 0).sum((-2, -1)) / x.shape[-1]
    loss = loss if input.dim() == 2 else loss.squeeze(0)
    return loss.mean() if reduction == "mean" else loss.sum() if reduction == "sum" else loss


def _shapes_alone(torch: Any, name: str, fn: Any) -> None:
    """An operation that only ever runs while a graph is traced: its results are shapes, on fake and real tensors."""
    torch.library.register_fake(f"jaxgrad::{name}", fn)
    torch.library.impl(f"jaxgrad::{name}", "CPU", fn)


def _define(torch: Any) -> None:
    if hasattr(torch.ops.jaxgrad, "recurrent"):
        return
    for schema in (_FORWARD, _BACKWARD, _CTC, _CTC_BACKWARD):
        torch.library.define("jaxgrad::" + schema.split("(")[0], schema[schema.index("(") :])

    def recurrent(
        mode: str, x: Any, hx: Any, weights: Any, bias: bool, layers: int, dropout: float, bidirectional: bool
    ) -> Any:
        directions = 2 if bidirectional else 1
        width = hx[0].shape[-1] * directions
        output = x.new_empty(*x.shape[:2], width)
        masks = x.new_empty(layers - 1 if dropout else 0, *x.shape[:2], width)
        c = torch.empty_like(hx[1]) if len(hx) > 1 else x.new_empty(0)
        return output, torch.empty_like(hx[0]), c, masks

    def recurrent_backward(
        output: Any,
        h: Any,
        c: Any,
        mode: str,
        x: Any,
        hx: Any,
        weights: Any,
        bias: bool,
        layers: int,
        bidirectional: bool,
        masks: Any,
    ) -> Any:
        return [torch.empty_like(each) for each in (x, *hx, *weights)]

    _shapes_alone(torch, "recurrent", recurrent)
    _shapes_alone(torch, "recurrent_backward", recurrent_backward)

    def remember(ctx: Any, inputs: Any, output: Any) -> None:
        mode, x, hx, weights, bias, layers, _, bidirectional = inputs
        ctx.save_for_backward(x, *hx, *weights, output[3])
        ctx.fixed = mode, len(hx), bias, layers, bidirectional

    def backward(ctx: Any, output: Any, h: Any, c: Any, _: Any) -> Any:
        mode, states, bias, layers, bidirectional = ctx.fixed
        x, *rest, masks = ctx.saved_tensors
        hx, weights = rest[:states], rest[states:]
        found = torch.ops.jaxgrad.recurrent_backward(
            output, h, c, mode, x, hx, weights, bias, layers, bidirectional, masks
        )
        return None, found[0], found[1 : 1 + states], found[1 + states :], None, None, None, None

    torch.library.register_autograd("jaxgrad::recurrent", backward, setup_context=remember)
    _define_ctc(torch)


def _define_ctc(torch: Any) -> None:
    def ctc_loss(log_probs: Any, targets: Any, inputs: Any, lengths: Any, blank: int, reduction: str, _: bool) -> Any:
        return log_probs.new_empty(len(lengths) if reduction == "none" and log_probs.dim() == 3 else ())

    def ctc_loss_backward(grad: Any, log_probs: Any, *rest: Any) -> Any:
        return torch.empty_like(log_probs)

    _shapes_alone(torch, "ctc_loss", ctc_loss)
    _shapes_alone(torch, "ctc_loss_backward", ctc_loss_backward)

    def remember(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(*inputs[:2])
        ctx.fixed = inputs[2:]

    def backward(ctx: Any, grad: Any) -> Any:
        found = torch.ops.jaxgrad.ctc_loss_backward(grad, *ctx.saved_tensors, *ctx.fixed)
        return found, None, None, None, None, None, None

    torch.library.register_autograd("jaxgrad::ctc_loss", backward, setup_context=remember)
