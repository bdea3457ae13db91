"""What a module lists, prints and refuses, beside torch's on the same random trees."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad import func, nn, random

torch = pytest.importorskip("torch", reason="the reference is not installed")


def trees():
    leaf = st.sampled_from(["linear", "relu", "buffered", "shared"])
    kind = st.sampled_from(["seq", "list", "dict"])
    return st.recursive(leaf, lambda inner: st.tuples(kind, st.lists(inner, max_size=4)), max_leaves=8)


class Side:
    """The same tree on one side; "shared" is one module, wherever it stands."""

    def __init__(self, nn, **rngs):
        self.nn, self.rngs = nn, rngs
        self.shared = nn.Linear(2, 2, **rngs)

        class Buffered(nn.Module):
            def __init__(self, zeros):
                super().__init__()
                self.register_buffer("count", zeros(2))
                self.scale = nn.Parameter(zeros(2))
                self.register_buffer("scratch", zeros(2), persistent=False)
                self.register_buffer("nothing", None)
                self._hidden = nn.Linear(1, 1, **rngs)

        self.buffered = Buffered

    def build(self, tree):
        if tree == "linear":
            return self.nn.Linear(2, 3, bias=False, **self.rngs)
        if tree == "relu":
            return self.nn.ReLU()
        if tree == "shared":
            return self.shared
        if tree == "buffered":
            return self.buffered(torch.zeros if self.nn is torch.nn else jnp.zeros)
        kind, inner = tree
        built = [self.build(each) for each in inner]
        if kind == "seq":
            return self.nn.Sequential(*built)
        if kind == "list":
            return self.nn.ModuleList(built)
        return self.nn.ModuleDict({f"k{9 - i}": each for i, each in enumerate(built)})


def seen(model):
    visited = []
    model.apply(lambda module: visited.append(type(module).__name__))
    lists = model.modules(), model.children(), model.parameters(), model.buffers()
    return {
        "modules": [(name, type(module).__name__) for name, module in model.named_modules()],
        "all modules": [name for name, _ in model.named_modules(remove_duplicate=False, prefix="m")],
        "children": [name for name, _ in model.named_children()],
        "parameters": [name for name, _ in model.named_parameters()],
        "all parameters": [name for name, _ in model.named_parameters("p", remove_duplicate=False)],
        "own parameters": [name for name, _ in model.named_parameters(recurse=False)],
        "buffers": [name for name, _ in model.named_buffers()],
        "all buffers": [name for name, _ in model.named_buffers(remove_duplicate=False)],
        "state_dict": [(name, tuple(value.shape)) for name, value in model.state_dict(prefix="s.").items()],
        "visited": visited,
        "counts": [len(list(each)) for each in lists],
        "entries": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "printed": str(model),
    }


@settings(max_examples=60, deadline=None)
@given(trees())
def test_random_trees_are_listed_as_torch_lists_them(tree):
    ours = nn.Sequential(Side(nn, rngs=nn.Rngs(random.manual_seed(0))).build(tree))
    theirs = torch.nn.Sequential(Side(torch.nn).build(tree))
    assert seen(ours) == seen(theirs)
    params, buffers = func.extract(ours)
    assert list(params) == [name for name, _ in theirs.named_parameters()]
    assert list(buffers) == [name for name, _ in theirs.named_buffers()]


CALLS = {
    "get_submodule": [("0",), ("",), ("9",), ("0.weight",), ("0.x.y",)],
    "get_parameter": [("0.weight",), ("0.missing",), ("1.count",), ("9.weight",), ("1._hidden.bias",)],
    "get_buffer": [("1.count",), ("0.weight",), ("1.x",)],
    "register_buffer": [("a.b", None), ("", None), ("forward", None), (3, None), ("x", "no array"), ("0", None)],
    "register_parameter": [("a.b", None), ("", None), ("forward", None), (3, None), ("x", "no parameter")],
    "add_module": [("a.b", None), ("", None), ("forward", None), (3, None), ("x", "no module")],
}


def outcome(model, name, args):
    try:
        return type(getattr(model, name)(*args)).__name__
    except (AttributeError, KeyError, TypeError) as error:
        return type(error), str(error.args[0]).splitlines()[0]


@pytest.mark.parametrize("name", CALLS)
def test_looking_up_and_registering(name):
    tree = ("seq", ["linear", "buffered"])
    for args in CALLS[name]:
        ours = Side(nn, rngs=nn.Rngs(random.manual_seed(0))).build(tree)
        theirs = Side(torch.nn).build(tree)
        mine, yours = outcome(ours, name, args), outcome(theirs, name, args)
        if yours == "Tensor":
            yours = "Buffer"
        assert mine == yours, args


def test_a_parameter_that_began_as_none():
    class Late(nn.Module):
        def __init__(self):
            self.bias = None
            self.register_parameter("scale", None)
            self.weight = nn.Parameter(jnp.ones(2))
            self.bias = nn.Parameter(jnp.ones(3))

    assert [name for name, _ in Late().named_parameters()] == ["bias", "weight"]


class Constants(nn.Module):
    """Lists of arrays are constants, as in torch."""

    def __init__(self):
        self.scales = [jnp.ones(2), jnp.full(2, 2.0)]
        self.log = []
        self.by_name = {"seen": [], "sizes": {1, 2}}
        self.late = []
        self.late.append(jnp.ones(2))

    def forward(self, x):
        self.log.append(x)
        self.by_name["seen"].append(x)
        self.by_name["sizes"].add(3)
        self.last = x
        return sum(scale * x for scale in [*self.scales, *self.late])


def test_lists_and_dicts_are_the_copys_own():
    model = Constants()
    out = jax.jit(lambda x: func.functional_call(model, {}, x))(jnp.ones(2))
    np.testing.assert_array_equal(out, [4.0, 4.0])
    assert model.log == [] and model.by_name == {"seen": [], "sizes": {1, 2}} and not hasattr(model, "last")
    assert list(model.parameters()) == []


@pytest.mark.parametrize("build", [lambda x: [x], lambda x: (x,), lambda x: {"a": [x]}])
def test_a_plain_list_of_modules_is_refused(build):
    class Plain(nn.Module):
        def __init__(self, value):
            self.layers = value

    class Later(nn.Module):
        def __init__(self, value):
            self.layers = []
            self.layers.append(value)

    for inner in (nn.ReLU(), nn.Parameter(jnp.ones(1))):
        for cls in (Plain, Later):
            with pytest.raises(TypeError, match=r"(?s)'layers' is a plain .*nn.ModuleList"):
                cls(build(inner))


REFUSED = ["cuda", "cpu", "to", "half", "float", "double", "bfloat16", "zero_grad", "requires_grad_", "load_state_dict"]


@pytest.mark.parametrize("name", REFUSED)
def test_what_changes_a_module_in_torch(name):
    with pytest.raises(AttributeError, match=rf"(?s)'ReLU' object has no attribute '{name}'.*remedy: "):
        getattr(nn.ReLU(), name)()


def test_the_mode_belongs_to_the_call():
    model = nn.Sequential(nn.ReLU())
    for change in (model.train, model.eval, lambda: model.train(False), lambda: setattr(model, "training", True)):
        with pytest.raises(RuntimeError, match=r"(?s)belongs to the call.*training="):
            change()
    with pytest.raises(RuntimeError, match="depends on whether"):
        model.training  # noqa: B018


def test_a_missing_attribute_in_torchs_words():
    with pytest.raises(AttributeError) as theirs:
        torch.nn.ReLU().foo  # noqa: B018
    with pytest.raises(AttributeError) as ours:
        nn.ReLU().foo  # noqa: B018
    assert str(ours.value) == str(theirs.value)


def test_what_a_parameter_is_not():
    parameter = nn.Parameter(jnp.ones((2, 3)))
    assert parameter.numel() == 6 and parameter.dim() == 2 and parameter.requires_grad
    for name in ("data", "grad", "requires_grad_"):
        with pytest.raises(AttributeError, match="remedy"):
            getattr(parameter, name)
    for name in ("data", "grad", "requires_grad"):
        with pytest.raises(AttributeError, match="remedy"):
            setattr(parameter, name, None)


def test_pickling_and_flaxs_own_tools():
    model = nn.Sequential(nn.Linear(2, 3, rngs=nn.Rngs(random.manual_seed(0))), nn.ModuleList([nn.ReLU()]))
    for copy in (pickle.loads(pickle.dumps(model)), nnx.clone(model), nnx.merge(*nnx.split(model))):
        np.testing.assert_array_equal(copy[0](jnp.ones(2)), model[0](jnp.ones(2)))
        assert [name for name, _ in copy.named_modules()] == ["", "0", "1", "1.0"]
