"""The computational graph beside torch's, compared by walking ``grad_fn.next_functions``."""

import xml.etree.ElementTree as ElementTree

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as TF
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

from jaxgrad.autograd import Function
from jaxgrad.autograd.graph import computational_graph
from jaxgrad.nn import functional as F


def of_torch(out, leaves):
    """The graph of a torch output: names and operands, every shared node once and then by its number."""
    names = {id(leaf): name for name, leaf in leaves.items()}
    seen = {}

    def walk(node):
        if id(node) in seen:
            return seen[id(node)][0]
        seen[id(node)] = (len(seen), node)
        variable = getattr(node, "variable", None)
        kind = type(node).__name__
        return (kind, names[id(variable)]) if variable is not None else (kind, *children(node))

    def children(node):
        return [walk(n) for n, _ in node.next_functions if n is not None]

    return walk(out.grad_fn)


def of_ours(graph):
    seen = {}

    def walk(node):
        if id(node) in seen:
            return seen[id(node)][0]
        seen[id(node)] = (len(seen), node)
        return (node.name, node.variable) if node.variable else (node.name, *children(node))

    def children(node):
        return [walk(n) for n, _ in node.next_functions if n is not None]

    return walk(graph.grad_fn)


def compare(fn, torch_fn, shapes, *, unroll=0):
    rng = np.random.default_rng(0)
    arrays = {name: rng.uniform(0.1, 0.9, shape).astype(np.float32) for name, shape in shapes.items()}
    leaves = {name: torch.tensor(a, requires_grad=True) for name, a in arrays.items()}
    expected = of_torch(torch_fn(leaves), leaves)
    graph = computational_graph(fn, {name: jnp.asarray(a) for name, a in arrays.items()}, unroll=unroll)
    assert of_ours(graph) == expected
    return graph


AB = {"a": (2,), "b": (2,)}
M = {"a": (3, 4)}


def of_a(fn):
    return lambda p: fn(p["a"])


ONE_NODE = {
    "abs": (jnp.abs, torch.abs),
    "exp": (jnp.exp, torch.exp),
    "log": (jnp.log, torch.log),
    "log1p": (jnp.log1p, torch.log1p),
    "expm1": (jnp.expm1, torch.expm1),
    "sin": (jnp.sin, torch.sin),
    "tanh": (jnp.tanh, torch.tanh),
    "sqrt": (jnp.sqrt, torch.sqrt),
    "rsqrt": (lax.rsqrt, torch.rsqrt),
    "square": (jnp.square, torch.square),
    "neg": (lambda x: -x, lambda x: -x),
    "cube": (lambda x: x**3, lambda x: x**3),
    "power": (lambda x: x**2.5, lambda x: x**2.5),
    "exponent": (lambda x: 2.0**x, lambda x: 2.0**x),
    "plus_one": (lambda x: x + 1, lambda x: x + 1),
    "times": (lambda x: 3 * x, lambda x: 3 * x),
    "minus": (lambda x: x - 1, lambda x: x - 1),
    "from_one": (lambda x: 1 - x, lambda x: 1 - x),
    "half": (lambda x: x / 2, lambda x: x / 2),
    "reciprocal": (lambda x: 1 / x, lambda x: 1 / x),
    "squared_by_hand": (lambda x: x * x, lambda x: x * x),
    "sum": (jnp.sum, torch.sum),
    "sum_rows": (lambda x: x.sum(1), lambda x: x.sum(1)),
    "mean": (jnp.mean, torch.mean),
    "mean_rows": (lambda x: x.mean(1), lambda x: x.mean(1)),
    "var": (jnp.var, torch.var),
    "std": (jnp.std, torch.std),
    "max": (jnp.max, torch.max),
    "amax": (lambda x: x.max(1), lambda x: x.amax(1)),
    "prod": (jnp.prod, torch.prod),
    "softmax": (lambda x: jax.nn.softmax(x, 1), lambda x: x.softmax(1)),
    "log_softmax": (lambda x: jax.nn.log_softmax(x, 1), lambda x: x.log_softmax(1)),
    "logsumexp": (lambda x: jax.nn.logsumexp(x, 1), lambda x: x.logsumexp(1)),
    "norm": (jnp.linalg.norm, torch.linalg.norm),
    "relu": (jax.nn.relu, torch.relu),
    "sigmoid": (jax.nn.sigmoid, torch.sigmoid),
    "silu": (jax.nn.silu, TF.silu),
    "gelu": (jax.nn.gelu, TF.gelu),
    "elu": (jax.nn.elu, TF.elu),
    "softplus": (jax.nn.softplus, TF.softplus),
    "leaky_relu": (jax.nn.leaky_relu, TF.leaky_relu),
    "log_sigmoid": (jax.nn.log_sigmoid, TF.logsigmoid),
    "clip": (lambda x: jnp.clip(x, 0.0, 1.0), lambda x: x.clamp(0.0, 1.0)),
    "where": (lambda x: jnp.where(x > 0, x, 0.0), lambda x: torch.where(x > 0, x, 0.0)),
    "row": (lambda x: x[0], lambda x: x[0]),
    "slice": (lambda x: x[1:], lambda x: x[1:]),
    "none": (lambda x: x[None], lambda x: x[None]),
    "index": (lambda x: x[jnp.array([0, 2])], lambda x: x[torch.tensor([0, 2])]),
    "gather": (
        lambda x: jnp.take_along_axis(x, jnp.zeros((3, 1), int), 1),
        lambda x: x.gather(1, torch.zeros(3, 1, dtype=torch.long)),
    ),
    "t": (lambda x: x.T, lambda x: x.t()),
    "reshape": (lambda x: x.reshape(-1), lambda x: x.reshape(-1)),
    "cat": (lambda x: jnp.concatenate([x, x]), lambda x: torch.cat([x, x])),
    "stack": (lambda x: jnp.stack([x, x]), lambda x: torch.stack([x, x])),
    "flip": (lambda x: jnp.flip(x, 0), lambda x: x.flip(0)),
    "cumsum": (lambda x: jnp.cumsum(x, 0), lambda x: x.cumsum(0)),
    "pad": (lambda x: jnp.pad(x, 1), lambda x: TF.pad(x, (1, 1, 1, 1))),
    "sort": (lambda x: jnp.sort(x, 0), lambda x: x.sort(0)[0]),
    "double": (lambda x: x.astype(jnp.bfloat16), lambda x: x.bfloat16()),
    "expand": (lambda x: jnp.broadcast_to(x, (2, 3, 4)), lambda x: x.expand(2, 3, 4)),
    "kept": (lambda x: x.sum(1, keepdims=True), lambda x: x.sum(1, keepdim=True)),
    "element": (lambda x: x[1, 2], lambda x: x[1, 2]),
    "block": (lambda x: x[1:, :2], lambda x: x[1:, :2]),
    "column": (lambda x: x[:, 0], lambda x: x[:, 0]),
    "corner": (lambda x: x[1:, 2], lambda x: x[1:, 2]),
    "tile": (lambda x: jnp.tile(x, (2, 1)), lambda x: x.repeat(2, 1)),
    "trace": (lambda x: jnp.trace(x), lambda x: torch.trace(x)),
    "diagonal": (jnp.diagonal, torch.diagonal),
    "selu": (jax.nn.selu, TF.selu),
    "relu6": (jax.nn.relu6, TF.relu6),
    "mish": (jax.nn.mish, TF.mish),
    "minimum": (lambda x: jnp.minimum(x, 2 * x), lambda x: torch.minimum(x, 2 * x)),
    "atan2": (lambda x: jnp.arctan2(x, 2 * x), lambda x: torch.atan2(x, 2 * x)),
    "self_power": (lambda x: x**x, lambda x: x**x),
    "normalised": (
        lambda x: (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True),
        lambda x: (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True),
    ),
    "detached": (lambda x: x * lax.stop_gradient(x), lambda x: x * x.detach()),
}


@pytest.mark.parametrize("name", ONE_NODE)
def test_vocabulary(name):
    ours, theirs = ONE_NODE[name]
    compare(of_a(ours), of_a(theirs), M)


@pytest.mark.parametrize(
    ("left", "right"),
    [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((5, 2, 3), (5, 3, 4))],
)
def test_products_of_matrices(left, right):
    compare(lambda p: p["a"] @ p["b"], lambda p: p["a"] @ p["b"], {"a": left, "b": right})


@pytest.mark.parametrize("shape", [(3,), (2, 3), (5, 2, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_linear_layers(shape, bias):
    shapes = {"x": shape, "w": (4, 3)} | ({"b": (4,)} if bias else {})
    compare(lambda p: F.linear(p["x"], p["w"], p.get("b")), lambda p: TF.linear(p["x"], p["w"], p.get("b")), shapes)


def polynomial(p):
    return 3 * p["a"] ** 3 - p["b"] ** 2


def test_experiment_vector_backward():
    compare(polynomial, polynomial, AB)
    compare(lambda p: polynomial(p).sum(), lambda p: polynomial(p).sum(), AB)
    compare(lambda p: polynomial(p)[0], lambda p: polynomial(p)[0], AB)


def test_experiment_linear_autograd():
    graph = compare(
        lambda p: F.binary_cross_entropy_with_logits(jnp.ones(5) @ p["w"] + p["b"], jnp.zeros(3)),
        lambda p: TF.binary_cross_entropy_with_logits(torch.ones(5) @ p["w"] + p["b"], torch.zeros(3)),
        {"w": (5, 3), "b": (3,)},
    )
    assert graph.grad_fn.name == "BinaryCrossEntropyWithLogitsBackward0"
    assert list(graph.leaves) == ["w", "b"]


def test_experiment_fashion_mnist():
    shapes = {
        "0.weight": (6, 4),
        "0.bias": (6,),
        "2.weight": (5, 6),
        "2.bias": (5,),
        "4.weight": (3, 5),
        "4.bias": (3,),
    }
    x, y = np.ones((2, 4), np.float32), np.array([0, 2])

    def forward(p, linear, relu, x):
        for i in (0, 2):
            x = relu(linear(x, p[f"{i}.weight"], p[f"{i}.bias"]))
        return linear(x, p["4.weight"], p["4.bias"])

    graph = compare(
        lambda p: F.cross_entropy(forward(p, F.linear, F.relu, x), y),
        lambda p: TF.cross_entropy(forward(p, TF.linear, TF.relu, torch.tensor(x)), torch.tensor(y)),
        shapes,
    )
    assert graph.saved_bytes > 0
    assert sum(node.name == "AddmmBackward0" for node in graph.nodes) == 3


def test_experiment_bptt_is_torchs_loop_unrolled():
    xs = np.ones((4, 2), np.float32)

    def torch_loop(p):
        state = torch.zeros(2)
        for x in torch.tensor(xs):
            state = state * p["w_rec"] + x * p["w_x"]
        return mse(state, torch)

    def mse(state, lib):
        return ((state - 1) ** 2).mean()

    def scanned(p):
        state, _ = lax.scan(lambda s, x: (s * p["w_rec"] + x * p["w_x"], None), jnp.zeros(2), jnp.asarray(xs))
        return mse(state, jnp)

    graph = computational_graph(scanned, {"w_rec": jnp.ones(()), "w_x": jnp.ones(())})
    assert [node.name for node in graph.nodes if "Scan" in node.name] == ["ScanBackward"]
    assert "unrolls the loop" in next(node.note for node in graph.nodes if node.name == "ScanBackward")
    # the first state needs no gradient, which a carry cannot say: torch has no node for zeros * w_rec's left operand
    compare(scanned, torch_loop, {"w_rec": (), "w_x": ()}, unroll=4)


STEPS = {
    "sin": lambda lib, x, y: lib.sin(x),
    "exp": lambda lib, x, y: lib.exp(x),
    "relu": lambda lib, x, y: (jax.nn.relu if lib is jnp else torch.relu)(x),
    "softmax": lambda lib, x, y: jax.nn.softmax(x, 1) if lib is jnp else x.softmax(1),
    "square": lambda lib, x, y: x**2,
    "double": lambda lib, x, y: 2 * x,
    "from_one": lambda lib, x, y: 1 - x,
    "add": lambda lib, x, y: x + y,
    "sub": lambda lib, x, y: x - y,
    "mul": lambda lib, x, y: x * y,
    "div": lambda lib, x, y: x / y,
    "matmul": lambda lib, x, y: x @ y,
    "t": lambda lib, x, y: x.T if lib is jnp else x.t(),
    "row": lambda lib, x, y: x + (lib.broadcast_to(x[0], (2, 2)) if lib is jnp else x[0].expand(2, 2)),
    "mean": lambda lib, x, y: x * x.mean(),
    "detach": lambda lib, x, y: x * (lax.stop_gradient(y) if lib is jnp else y.detach()),
}


@settings(deadline=None, max_examples=40)
@given(
    program=st.lists(
        st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 7), st.integers(0, 7)), min_size=1, max_size=8
    )
)
def test_random_programs(program):
    """Programs of up to eight steps with shared, unused and cut-off values have torch's graph."""

    def run(lib, p):
        values = [p["a"], p["b"]]
        for name, i, j in program:
            values.append(STEPS[name](lib, values[i % len(values)], values[j % len(values)]))
        return values[-1].sum()

    compare(lambda p: run(jnp, p), lambda p: run(torch, p), {"a": (2, 2), "b": (2, 2)})


def test_two_losses_share_one_graph():
    def losses(p):
        h = jnp.tanh(p["a"] * p["b"])
        return h.sum(), (h**2).mean()

    graph = computational_graph(losses, {"a": jnp.ones(2), "b": jnp.ones(2)})
    (first, _), (second, _) = graph.outputs
    assert first.next_functions[0][0] is second.next_functions[0][0].next_functions[0][0]
    assert sum(node.name == "TanhBackward0" for node in graph.nodes) == 1


def test_a_loop_makes_a_node_for_every_call_and_jit_hides_nothing():
    def fn(p):
        x = p["a"]
        for _ in range(3):
            x = F.relu(x)
        return jax.nn.softmax(jax.nn.softmax(jax.jit(lambda x: jnp.sin(x).mean(0))(x)))

    def torch_fn(p):
        x = p["a"]
        for _ in range(3):
            x = torch.relu(x)
        return torch.sin(x).mean(0).softmax(0).softmax(0)

    compare(fn, torch_fn, M)


def test_a_function_of_ones_own_is_one_node():
    class Double(Function):
        @staticmethod
        def forward(ctx, x):
            return (x + x) * 1.0

        @staticmethod
        def backward(ctx, g):
            return 2 * g

    class TorchDouble(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return (x + x) * 1.0

        @staticmethod
        def backward(ctx, g):
            return 2 * g

    TorchDouble._backward_cls.__name__ = "DoubleBackward"
    compare(lambda p: Double.apply(p["a"]).sum(), lambda p: TorchDouble.apply(p["a"]).sum(), M)


def test_what_needs_no_gradient_has_no_node():
    graph = computational_graph(lambda p, x: (p["a"] * x, x.sum()), {"a": jnp.ones(2), "b": jnp.ones(2)}, jnp.ones(2))
    assert graph.outputs[1] is None
    assert list(graph.leaves) == ["a"]
    assert graph.grad_fn.next_functions[1] == (None, 0)
    assert str(graph).endswith("None (requires no grad)")


def test_saved_tensors_are_the_residuals_of_the_vjp():
    def fn(p):
        return jnp.sin(p["a"] @ p["b"]).sum()

    params = {"a": jnp.ones((3, 4)), "b": jnp.ones((4, 5))}
    graph = computational_graph(fn, params)
    saved = {node.name: [str(tensor) for tensor in node.saved] for node in graph.nodes}
    assert saved["MmBackward0"] == ["input 0 float32[3, 4]", "input 1 float32[4, 5]"]
    assert saved["SinBackward0"] == ["intermediate float32[3, 5]"]
    assert saved["SumBackward0"] == []
    assert graph.saved_bytes == 4 * (12 + 20 + 15)
    kept = jax.tree.leaves(jax.vjp(fn, params)[1])
    assert sorted(leaf.shape for leaf in kept) == [(3, 4), (3, 5), (4, 5)]


def test_where_and_scope_are_those_of_the_call():
    def fn(p):
        with jax.named_scope("encoder"):
            return jax.nn.relu(p["a"])

    node = computational_graph(fn, {"a": jnp.ones(3)}).grad_fn
    first = fn.__code__.co_firstlineno
    assert node.where == f"{__file__}:{first + 2} (fn)"
    assert node.scope == "encoder"


def test_dot_and_svg_show_every_node():
    graph = computational_graph(lambda p: polynomial(p).sum() + p["a"][0], {"a": jnp.ones(2), "b": jnp.ones(2)})
    dot = graph.to_dot()
    assert dot.count("label=") - dot.count("taillabel=") == len(graph.nodes)
    edges = sum(n is not None for node in graph.nodes for n, _ in node.next_functions)
    assert dot.count("->") == edges
    picture = ElementTree.fromstring(graph.to_svg())
    space = "{http://www.w3.org/2000/svg}"
    words = " ".join(text.text for text in picture.iter(f"{space}text"))
    assert all(node.name in words for node in graph.nodes)
    boxes = [
        tuple(float(group.find(f"{space}rect").get(key)) for key in ("x", "y", "width", "height"))
        for group in picture.iter(f"{space}g")
    ]
    assert len(boxes) == len(graph.nodes)
    for i, (x, y, w, h) in enumerate(boxes):
        assert x >= 0 and x + w <= float(picture.get("width")) and y + h <= float(picture.get("height"))
        for x2, y2, w2, h2 in boxes[:i]:
            assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y, "boxes overlap"
