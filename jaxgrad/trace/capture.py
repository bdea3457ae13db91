"""From a torch module to a graph: the one file of this room that imports torch, when it is called.

AOTAutograd traces the module with its loss into one graph of ATen operations, forward and backward in torch's own
formulas. Operations whose decomposition is not exact (hardsigmoid at its kinks) are kept whole.
"""

import copy
import operator
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from jaxgrad._core.errors import explain
from jaxgrad._core.optional import require
from jaxgrad.trace.graph import DType, Graph, Input, Meta, Node, Ref
from jaxgrad.trace.kept_whole import kept_whole

_KEPT_WHOLE = ("hardsigmoid", "hardsigmoid_backward", "native_dropout")
"""Not decomposed: torch's decomposition is not its own kernel at special points, or hides a draw."""


def torch() -> Any:
    """The tracer.

    Raises:
        ImportError: torch is not installed.
    """
    return require("torch", extra="torch", purpose="tracing a torch module")


def capture(
    module: Any, loss_fn: Callable[..., Any] | None, inputs: tuple[Any, ...], training: bool
) -> tuple[Graph, dict[str, np.ndarray]]:
    """The graph of ``loss_fn(module(inputs[0]), *inputs[1:])``, or of ``module(*inputs)`` where there is no loss.

    Args:
        module: a ``torch.nn.Module``; it is copied, its mode and its gradients stay.
        loss_fn: ``loss_fn(output, *targets)``, a function or a module; None for the forward alone.
        inputs: example tensors; only shapes and dtypes matter.
        training: the mode.

    Returns:
        the graph, and the values of its constants.

    Raises:
        RuntimeError: torch cannot trace it.
    """
    t = torch()
    whole = _whole(copy.deepcopy(module).train(training), loss_fn)
    fakes = _fakes(inputs)
    where = _places(whole, inputs)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with kept_whole():
                traced, signature = _export(t, whole, fakes, loss_fn is not None)
    except Exception as error:
        raise RuntimeError(
            explain(
                f"torch cannot trace {type(module).__name__}",
                got=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
                remedy="a graph has fixed shapes and no branches on values; trace the parts that have none, or write "
                "the module with jaxgrad.nn",
            )
        ) from error
    return _as_data(traced, signature, whole, where)


def _whole(module: Any, loss_fn: Callable[..., Any] | None) -> Any:
    nn = torch().nn

    class Whole(nn.Module):  # type: ignore[name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.module = module
            self.loss_fn = loss_fn

        def forward(self, *inputs: Any) -> tuple[Any, ...]:
            if loss_fn is None:
                return tuple(torch().utils._pytree.tree_leaves(self.module(*inputs)))
            assert self.loss_fn is not None
            return (self.loss_fn(self.module(inputs[0]), *inputs[1:]),)

    return Whole()


def _fakes(inputs: tuple[Any, ...]) -> list[Any]:
    from torch._subclasses.fake_tensor import FakeTensorMode

    mode = FakeTensorMode(allow_non_fake_inputs=True)  # tensors that a closure holds are constants of the graph
    return [mode.from_tensor(each) for each in inputs]


def _export(t: Any, whole: Any, inputs: list[Any], joint: bool) -> tuple[Any, Any]:
    from torch._functorch.aot_autograd import aot_export_module

    table = t._decomp.core_aten_decompositions()
    table = {op: rule for op, rule in table.items() if op._schema.name.removeprefix("aten::") not in _KEPT_WHOLE}
    if joint:
        return aot_export_module(whole, inputs, trace_joint=True, output_loss_index=0, decompositions=table)
    with t.no_grad():
        return aot_export_module(whole, inputs, trace_joint=False, decompositions=table)


def _as_data(
    traced: Any, signature: Any, whole: Any, where: dict[str, tuple[str, ...]]
) -> tuple[Graph, dict[str, np.ndarray]]:
    nodes = list(traced.graph.nodes)
    owners = _owners(whole)
    inputs, constants, operations = [], {}, []
    outputs: tuple[Any, ...] = ()
    place = 0
    for node in nodes:
        if node.op == "placeholder":
            if node.name in signature.inputs_to_parameters:
                key = owners[signature.inputs_to_parameters[node.name]]
                inputs.append(Input(node.name, "parameter", key, _meta(node.meta["val"])))
            elif node.name in signature.inputs_to_buffers:
                key = _below(signature.inputs_to_buffers[node.name])
                inputs.append(Input(node.name, "buffer", key, _meta(node.meta["val"])))
            else:
                inputs.append(Input(node.name, "input", str(place), _meta(node.meta["val"])))
                place += 1
        elif node.op == "get_attr":
            value = getattr(traced, node.target)
            constants[node.name] = _numpy(value)
            inputs.append(Input(node.name, "constant", node.name, _meta(value)))
        elif node.op == "output":
            outputs = tuple(getattr(each, "name", None) for each in node.args[0])
        else:
            operations.append(_node(node))
    backward = signature.backward_signature
    mutated = tuple((node, _below(name)) for node, name in signature.buffers_to_mutate.items())
    first = len(signature.buffers_to_mutate)
    gradients = (
        ()
        if backward is None
        else tuple((node, owners[name]) for node, name in backward.gradients_to_parameters.items())
    )
    to_inputs = () if backward is None else _input_gradients(backward, inputs)
    graph = Graph(
        tuple(inputs),
        tuple(operations),
        outputs[first : first + len(signature.user_outputs)],
        gradients,
        to_inputs,
        mutated,
        where,
    )
    return graph, constants


def _input_gradients(backward: Any, inputs: list[Input]) -> tuple[tuple[str, str], ...]:
    keys = {each.name: each.key for each in inputs}
    return tuple((node, keys[name]) for node, name in backward.gradients_to_user_inputs.items())


def _owners(whole: Any) -> dict[str, str]:
    """The first name of every parameter, so that tied ones share one."""
    first: dict[int, str] = {}
    owners = {}
    for name, parameter in whole.named_parameters(remove_duplicate=False):
        owners[name] = first.setdefault(id(parameter), _below(name))
    return owners


def _below(name: str) -> str:
    return name.removeprefix("module.")


def _node(node: Any) -> Node:
    if node.target is operator.getitem:
        op = "getitem"
    else:
        op = str(node.target).removeprefix("aten.").removesuffix(".default")
    value = node.meta.get("val")
    values = value if isinstance(value, tuple | list) else (value,)
    return Node(
        node.name,
        op,
        tuple(_argument(each) for each in node.args),
        {
            key: _argument(each)
            for key, each in node.kwargs.items()
            if key not in ("device", "layout", "pin_memory", "memory_format", "non_blocking")
        },
        tuple(_meta(each) if hasattr(each, "stride") else None for each in values),
    )


def _argument(value: Any) -> Any:
    t = torch()
    if isinstance(value, t.fx.Node):
        return Ref(value.name)
    if isinstance(value, t.dtype):
        return DType(_dtype(value))
    if isinstance(value, tuple | list):
        return [_argument(each) for each in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, complex):
        return value
    if isinstance(value, t.device | t.layout | t.memory_format):
        return None
    raise RuntimeError(f"an argument of a traced operation that is not plain data: {type(value).__name__}")


def _meta(value: Any) -> Meta:
    order = sorted(range(value.ndim), key=lambda axis: (-value.stride()[axis], axis))
    return Meta(tuple(int(n) for n in value.shape), _dtype(value.dtype), tuple(order))


def _dtype(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")


def _numpy(tensor: Any) -> np.ndarray:
    tensor = tensor.detach().cpu()
    if tensor.dtype == torch().bfloat16:
        return np.asarray(tensor.contiguous().view(torch().int16).numpy().view("bfloat16"))
    return np.array(tensor.numpy())


def values(named: Any) -> dict[str, np.ndarray]:
    """Tensors by name, as numpy arrays of their own memory.

    Args:
        named: pairs of a name and a tensor.
    """
    return {name: _numpy(tensor) for name, tensor in named}


def _places(whole: Any, inputs: tuple[Any, ...]) -> dict[str, tuple[str, ...]]:
    """Which module, at which line, calls which operation in an eager run; empty where it cannot be run."""
    t = torch()
    found: dict[str, dict[str, None]] = defaultdict(dict)
    from torch.utils._python_dispatch import TorchDispatchMode

    path: list[str] = []

    class Recorder(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            name = str(func).removeprefix("aten.").removesuffix(".default")
            found[name].setdefault(f"{path[-1] if path else ''} ({_line()})".strip())
            return func(*args, **(kwargs or {}))

    with _followed(whole, path), t.random.fork_rng(), t.no_grad(), Recorder():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                copy.deepcopy(whole)(*(each.detach().clone() for each in inputs))
        except Exception:  # the trace will say what is wrong
            return {}
    return {name: tuple(places) for name, places in found.items()}


@contextmanager
def _followed(whole: Any, path: list[str]) -> Iterator[None]:
    def leave(*_: Any) -> None:
        path.pop()

    handles = []
    for name, module in whole.named_modules():
        if name:
            enter = partial(lambda name, *_: path.append(name), _below(name))
            handles += [module.register_forward_pre_hook(enter), module.register_forward_hook(leave)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _line() -> str:
    import traceback

    for frame in reversed(traceback.extract_stack()):
        if "/torch/" not in frame.filename and not frame.filename.endswith("trace/capture.py"):
            return f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}"
    return ""
