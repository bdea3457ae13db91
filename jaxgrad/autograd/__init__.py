"""What ``torch.autograd`` hides, as values and pure functions.

``backward`` is the gradient in one go, ``forward`` the graph in hand, ``grad`` the gradient alone; ``accumulate`` and
``zero_grad`` are what happens to ``.grad`` between two steps. Hooks and ``retain_grad`` are part of the function that
is differentiated, ``no_grad`` and its relatives are transforms of it, ``freeze`` and ``requires_grad`` say which leaves
take part. ``Function`` is an operation with rules of one's own, ``functional`` has the products with Jacobian and
Hessian, ``gradcheck`` compares with finite differences, ``graph`` shows the computational graph as data.
"""

from jaxgrad.autograd import functional, graph
from jaxgrad.autograd.accumulate import accumulate, zero_grad
from jaxgrad.autograd.anomaly_mode import detect_anomaly
from jaxgrad.autograd.backward import backward
from jaxgrad.autograd.forward import BackwardGraph, forward
from jaxgrad.autograd.freeze import freeze, merge, requires_grad, unfreeze
from jaxgrad.autograd.function import Function, FunctionCtx, once_differentiable
from jaxgrad.autograd.grad import grad
from jaxgrad.autograd.grad_mode import detach, enable_grad, inference_mode, no_grad, set_grad_enabled
from jaxgrad.autograd.gradcheck import GradcheckError, gradcheck, gradgradcheck
from jaxgrad.autograd.graph import ComputationalGraph, Node, computational_graph
from jaxgrad.autograd.hooks import post_accumulate_grad, register_hook
from jaxgrad.autograd.module_hooks import (
    register_forward_hook,
    register_forward_pre_hook,
    register_full_backward_hook,
    register_full_backward_pre_hook,
)
from jaxgrad.autograd.retain_grad import backward_retaining, retain_grad

__all__ = [
    "accumulate",
    "backward",
    "BackwardGraph",
    "backward_retaining",
    "computational_graph",
    "ComputationalGraph",
    "detach",
    "detect_anomaly",
    "enable_grad",
    "forward",
    "freeze",
    "Function",
    "functional",
    "FunctionCtx",
    "grad",
    "gradcheck",
    "GradcheckError",
    "gradgradcheck",
    "graph",
    "inference_mode",
    "merge",
    "no_grad",
    "Node",
    "once_differentiable",
    "post_accumulate_grad",
    "register_forward_hook",
    "register_forward_pre_hook",
    "register_full_backward_hook",
    "register_full_backward_pre_hook",
    "register_hook",
    "requires_grad",
    "retain_grad",
    "set_grad_enabled",
    "unfreeze",
    "zero_grad",
]
