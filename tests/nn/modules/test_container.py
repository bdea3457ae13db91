"""Containers under the same operations as torch's."""

from collections import OrderedDict

import jax.numpy as jnp
import pytest

from jaxgrad import func, nn, random

torch = pytest.importorskip("torch", reason="the reference is not installed")

SEQUENCES = {
    "append": lambda m, new: m.append(new(7)),
    "extend": lambda m, new: m.extend([new(7), new(8)]),
    "extend by itself": lambda m, new: m.extend(list(m)),
    "insert": lambda m, new: m.insert(1, new(7)),
    "insert at the end": lambda m, new: m.insert(3, new(7)),
    "insert from the end": lambda m, new: m.insert(-1, new(7)),
    "insert beyond": lambda m, new: m.insert(9, new(7)),
    "pop": lambda m, new: m.pop(1),
    "pop last": lambda m, new: m.pop(-1),
    "del": lambda m, new: m.__delitem__(0),
    "del slice": lambda m, new: m.__delitem__(slice(0, 2)),
    "set": lambda m, new: m.__setitem__(-1, new(7)),
    "slice": lambda m, new: m[1:],
    "step": lambda m, new: m[::2],
    "+": lambda m, new: m + m,
    "+=": lambda m, new: m.__iadd__(type(m)()),
    "*": lambda m, new: m * 2,
    "2 *": lambda m, new: 2 * m,
    "*=": lambda m, new: m.__imul__(3),
    "* 0": lambda m, new: m * 0,
    "* 1.5": lambda m, new: m * 1.5,
    "index": lambda m, new: m[5],
    "index from the end": lambda m, new: m[-4],
    "no module": lambda m, new: m.append(3),
    "insert no module": lambda m, new: m.insert(0, 3),
    "+ 3": lambda m, new: m + 3,
    "extend 3": lambda m, new: m.extend(3),
}


def run(build, operation):
    model, new = build
    try:
        returned = operation(model, new)
    except Exception as error:
        return type(error), str(error).splitlines()[0].replace("jaxgrad", "torch"), str(model), list(model.state_dict())
    return str(returned), str(model), list(model.state_dict()), [name for name, _ in model.named_parameters()]


def builders(cls, named=False):
    def build(nn, **rngs):
        def new(n):
            return nn.Linear(n, n, **rngs)

        three = [new(1), nn.ReLU(), new(2)]
        if named:
            return nn.Sequential(OrderedDict(zip("abc", three, strict=True))), new
        return (nn.Sequential(*three) if cls == "Sequential" else nn.ModuleList(three)), new

    return build(nn, rngs=nn.Rngs(random.manual_seed(0))), build(torch.nn)


SAID_BY_PYTHON = {"extend 3", "+ 3", "* 1.5", "* 0", "*", "2 *", "*="}  # other words for what a list cannot do


@pytest.mark.parametrize("name", SEQUENCES)
@pytest.mark.parametrize("cls", ["Sequential", "ModuleList"])
def test_sequences(cls, name):
    ours, theirs = builders(cls)
    mine = run(ours, SEQUENCES[name])
    if name == "insert no module" and cls == "ModuleList":  # torch's takes it, and fails later
        assert mine[0] is TypeError
        return
    yours = run(theirs, SEQUENCES[name])
    if name in ("insert beyond", "insert from the end") and cls == "ModuleList":
        assert "Linear(in_features=7" in mine[1]  # as a list would; torch leaves holes in the numbers
    elif name in SAID_BY_PYTHON and isinstance(yours[0], type):
        assert mine[0] == yours[0] and mine[2:] == yours[2:]
    else:
        assert mine == yours


@pytest.mark.parametrize("name", ["pop", "del", "set", "slice", "index"])
def test_a_sequential_of_names(name):
    ours, theirs = builders("Sequential", named=True)
    assert run(ours, SEQUENCES[name]) == run(theirs, SEQUENCES[name])


DICTS = {
    "set": lambda m, new: m.__setitem__("z", new(7)),
    "set again": lambda m, new: m.__setitem__("b", new(7)),
    "del": lambda m, new: m.__delitem__("b"),
    "del missing": lambda m, new: m.__delitem__("q"),
    "get missing": lambda m, new: m["q"],
    "pop": lambda m, new: m.pop("b"),
    "clear": lambda m, new: m.clear(),
    "keys": lambda m, new: list(m.keys()),
    "items": lambda m, new: [name for name, _ in m.items()],
    "values": lambda m, new: [str(value) for value in m.values()],
    "in": lambda m, new: ("b" in m, "q" in m, len(m), list(m)),
    "update": lambda m, new: m.update({"z": new(7), "a": new(8)}),
    "update by pairs": lambda m, new: m.update([("z", new(7)), ["a", new(8)]]),
    "update by a dict of its kind": lambda m, new: m.update(type(m)({"y": new(1)})),
    "update 3": lambda m, new: m.update(3),
    "update [3]": lambda m, new: m.update([3]),
    "update triples": lambda m, new: m.update([(1, 2, 3)]),
    "a method's name": lambda m, new: m.__setitem__("keys", new(1)),
    "a dot": lambda m, new: m.__setitem__("a.b", new(1)),
    "no module": lambda m, new: m.__setitem__("z", "no module"),
}


@pytest.mark.parametrize("name", DICTS)
def test_module_dict(name):
    def build(nn, **rngs):
        def new(n):
            return nn.Linear(n, n, **rngs)

        return nn.ModuleDict({"c": new(1), "b": nn.ReLU(), "a": new(2)}), new

    assert run(build(nn, rngs=nn.Rngs(random.manual_seed(0))), DICTS[name]) == run(build(torch.nn), DICTS[name])


PARAMETER_LISTS = {
    "append": lambda m, new: m.append(new(7)),
    "append a number": lambda m, new: m.append(3.5),
    "extend": lambda m, new: m.extend([new(7), "text"]),
    "extend by an array": lambda m, new: m.extend(new(7)),
    "+=": lambda m, new: m.__iadd__([new(7)]),
    "set": lambda m, new: m.__setitem__(-1, new(7)),
    "slice": lambda m, new: m[1:],
    "index": lambda m, new: m[5],
    "len": lambda m, new: len(m),
    "call": lambda m, new: m(),
}

PARAMETER_DICTS = {
    **{name: call for name, call in DICTS.items() if name not in ("a method's name", "a dot", "no module", "values")},
    "copy": lambda m, new: m.copy(),
    "get": lambda m, new: (m.get("q"), m.get("q", 3)),
    "setdefault": lambda m, new: m.setdefault("q", 3),
    "popitem": lambda m, new: m.popitem()[0],
    "reversed": lambda m, new: list(reversed(m)),
    "fromkeys": lambda m, new: m.fromkeys(["x", "y"], 1.0),
    "|": lambda m, new: m | type(m)({"z": new(3), "a": new(4)}),
    "|=": lambda m, new: m.__ior__(type(m)({"z": new(3)})),
    "key 3": lambda m, new: m[3],
    "call": lambda m, new: m(1),
}


def parameters(name, call):
    def build(nn, new):
        made = nn.ParameterList([new(2), nn.Parameter(new(3))])
        return (made if name == "list" else nn.ParameterDict({"c": new(2), "a": new(3), "b": new(4)})), new

    ours, theirs = build(nn, jnp.ones), build(torch.nn, torch.ones)
    return run(ours, call), run(theirs, call)


@pytest.mark.parametrize("name", PARAMETER_LISTS)
def test_parameter_list(name):
    mine, yours = parameters("list", PARAMETER_LISTS[name])
    assert [str(each).replace("ArrayImpl", "Tensor") for each in mine] == [str(each) for each in yours]


@pytest.mark.parametrize("name", PARAMETER_DICTS)
def test_parameter_dict(name):
    mine, yours = parameters("dict", PARAMETER_DICTS[name])
    if name == "pop":  # prints the parameter
        mine, yours = mine[1:], yours[1:]
    assert mine == yours


def test_they_are_used_in_forward():
    class Mixture(nn.Module):
        def __init__(self, rngs):
            self.layers = nn.ModuleList(nn.Linear(2, 2, rngs=rngs) for _ in range(11))
            self.by_name = nn.ModuleDict({"z": nn.ReLU(), "a": nn.Flatten(0)})
            self.scales = nn.ParameterList([jnp.full(2, 2.0), jnp.full(2, 3.0)])
            self.shifts = nn.ParameterDict({"b": jnp.ones(2)})

        def forward(self, x):
            for layer in self.layers:
                x = layer(x)
            return self.by_name["z"](x * self.scales[0] * self.scales[1] + self.shifts["b"])

    model = Mixture(nn.Rngs(random.manual_seed(0)))
    params, _ = func.extract(model)
    assert list(params)[:2] == ["layers.0.weight", "layers.0.bias"] and list(params)[20] == "layers.10.weight"
    assert list(params)[22:] == ["scales.0", "scales.1", "shifts.b"]
    x = jnp.ones(2)
    doubled = {**params, "scales.1": 2 * params["scales.1"], "shifts.b": 2 * params["shifts.b"]}
    assert jnp.allclose(func.functional_call(model, doubled, x), 2 * model(x))
