"""state_dict and load_state_dict beside torch's: keys, order, reports, word for word."""

import collections
import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxgrad import func, nn, random
from jaxgrad.serialization import (
    load_state_dict,
    load_torch,
    read_torch,
    save_torch,
    state_dict,
    write_safetensors,
    write_torch,
)
from tests.serialization.files import torch_bytes


class Net(nn.Module):
    """A tied weight, a counter, a buffer that is not persistent, a module without state."""

    def __init__(self, rngs):
        self.a = nn.Linear(3, 4, rngs=rngs)
        self.act = nn.ReLU()
        self.b = nn.Linear(4, 3, rngs=rngs)
        self.c = nn.Linear(3, 4, rngs=rngs)
        self.c.weight = self.a.weight
        self.num_batches_tracked = nn.Buffer(jnp.zeros((), jnp.int32))
        self.scratch = nn.Buffer(jnp.zeros(2), persistent=False)


class TorchNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a = torch.nn.Linear(3, 4)
        self.act = torch.nn.ReLU()
        self.b = torch.nn.Linear(4, 3)
        self.c = torch.nn.Linear(3, 4)
        self.c.weight = self.a.weight
        self.register_buffer("num_batches_tracked", torch.tensor(7))
        self.register_buffer("scratch", torch.zeros(2), persistent=False)


TorchNet.__name__ = "Net"


def pair():
    torch.manual_seed(1)
    return Net(nn.Rngs(random.manual_seed(0))), TorchNet()


def as_numpy(entries):
    return type(entries)((k, v.numpy() if isinstance(v, torch.Tensor) else v) for k, v in entries.items())


def test_keys_order_and_counter():
    model, reference = pair()
    ours = state_dict(model)
    assert list(ours) == list(reference.state_dict())
    assert ours["num_batches_tracked"].dtype == np.int64
    assert list(state_dict(model, prefix="net.")) == list(reference.state_dict(prefix="net."))
    assert list(state_dict(nn.Linear(2, 2, bias=False, rngs=nn.Rngs(random.manual_seed(0))))) == ["weight"]


def test_from_torch_and_back(tmp_path):
    model, reference = pair()
    path = tmp_path / "model.pt"
    path.write_bytes(torch_bytes(reference.state_dict()))
    params, buffers = load_torch(path, model)
    for name, value in {**params, **buffers}.items():
        if name != "scratch":
            assert np.array_equal(value, reference.state_dict()[name].numpy()), name
    assert "c.weight" not in params and buffers["num_batches_tracked"].dtype == jnp.int32
    moved = {name: value + 1 for name, value in params.items()}
    save_torch(path, model, moved, buffers)
    assert str(reference.load_state_dict(torch.load(path, weights_only=True))) == "<All keys matched successfully>"
    for name, value in reference.state_dict().items():
        expected = moved.get("a.weight" if name == "c.weight" else name)
        assert expected is None or np.array_equal(expected, value.numpy())
    write_safetensors(tmp_path / "model.safetensors", state_dict(model, params, buffers))
    again, _ = load_torch(tmp_path / "model.safetensors", model)
    assert all(np.array_equal(again[name], params[name]) for name in params)
    assert list(again) == list(params)


@pytest.mark.parametrize("strict", [True, False])
def test_the_report_is_torchs_word_for_word(strict):
    model, reference = pair()
    bad = collections.OrderedDict(reference.state_dict())
    del bad["b.bias"]
    for name in ("zz", "act.w", "a.q", "a.x.y"):
        bad[name] = torch.ones(1)
    bad |= {"a.weight": torch.ones(2, 2), "b.weight": 3, "num_batches_tracked": torch.tensor([5])}
    with pytest.raises(RuntimeError) as theirs:
        reference.load_state_dict(bad, strict=strict)
    with pytest.raises(RuntimeError) as ours:
        load_state_dict(model, as_numpy(bad), strict=strict)
    assert str(ours.value) == str(theirs.value)
    fitting = {name: value for name, value in bad.items() if name not in ("a.weight", "b.weight")}
    report = reference.load_state_dict(fitting, strict=False)
    loaded = load_state_dict(model, as_numpy(fitting), strict=False)
    assert (loaded.missing_keys, loaded.unexpected_keys) == (report.missing_keys, report.unexpected_keys)
    assert np.array_equal(loaded[0]["b.weight"], func.extract(model)[0]["b.weight"])
    assert int(loaded[1]["num_batches_tracked"]) == 5


def test_prefixes_and_nesting():
    model, reference = pair()
    plain = as_numpy(reference.state_dict())
    wrapped = {f"module._orig_mod.{name}".replace("a.", "a._orig_mod."): value for name, value in plain.items()}
    params, _ = load_state_dict(model, wrapped, strip=("module.", "_orig_mod."))
    assert np.array_equal(params["a.bias"], plain["a.bias"])
    with pytest.raises(RuntimeError, match=r'remedy: .*strip="module."'):
        load_state_dict(model, {f"module.{name}": value for name, value in plain.items()})
    with pytest.raises(RuntimeError, match="two keys of the state_dict"):
        load_state_dict(model, {**plain, **wrapped}, strip=("module.", "_orig_mod."))
    file = torch_bytes({"epoch": 3, "model": reference.state_dict()})
    params, _ = load_torch(io.BytesIO(file), model, key="model")
    assert np.array_equal(params["a.bias"], plain["a.bias"])
    with pytest.raises(ValueError, match="key='model'"):
        load_torch(io.BytesIO(file), model)
    with pytest.raises(ValueError, match="no state_dict under 'net'"):
        load_torch(io.BytesIO(file), model, key="net")
    with pytest.raises(TypeError, match="Expected state_dict to be dict-like, got <class 'list'>"):
        load_state_dict(model, [])


def test_dtypes_are_the_models_or_the_files():
    model = nn.Linear(2, 2, dtype=jnp.bfloat16, rngs=nn.Rngs(random.manual_seed(0)))
    reference = torch.nn.Linear(2, 2, dtype=torch.bfloat16)
    wide = {"weight": torch.full((2, 2), 1 / 3), "bias": torch.ones(2, dtype=torch.float16)}
    for assign in (False, True):
        reference.load_state_dict(wide, assign=assign)
        params, _ = load_state_dict(model, as_numpy(wide), assign=assign)
        for name, value in reference.state_dict().items():
            assert params[name].dtype.name == str(value.dtype)[6:]
            assert np.array_equal(params[name].astype(jnp.float32), value.float().numpy())
    with pytest.raises(TypeError, match="64-bit mode"):
        load_state_dict(model, {"weight": np.ones((2, 2)), "bias": np.ones(2)}, assign=True)
    with jax.enable_x64(True):
        params, _ = load_state_dict(model, {"weight": np.ones((2, 2)), "bias": np.ones(2)}, assign=True)
        assert params["weight"].dtype == jnp.float64
    with pytest.raises(RuntimeError, match="complex numbers do not fit"):
        load_state_dict(model, {"weight": np.ones((2, 2), np.complex64), "bias": np.ones(2)})


def test_a_counter_that_was_never_saved_is_not_missed():
    """Files older than torch 0.4.1 have no num_batches_tracked."""
    model, reference = pair()
    old = as_numpy(collections.OrderedDict(reference.state_dict()))
    del old["num_batches_tracked"]
    assert load_state_dict(model, old).missing_keys == []
    old._metadata = {"": {"version": 2}}
    with pytest.raises(RuntimeError, match='"num_batches_tracked"'):
        load_state_dict(model, old)
    too_large = as_numpy(reference.state_dict()) | {"num_batches_tracked": np.array(2**40)}
    with pytest.raises(RuntimeError, match="its numbers do not fit into int32"):
        load_state_dict(model, too_large)


def test_what_was_read_is_not_bound_to_what_the_caller_holds(tmp_path):
    model, _ = pair()
    mine = {name: np.array(value) for name, value in state_dict(model).items()}
    params, _ = load_state_dict(model, mine)
    before = np.array(params["a.weight"])
    mine["a.weight"] += 1
    assert np.array_equal(params["a.weight"], before)
    write_torch(tmp_path / "m.pt", mine)
    assert read_torch(tmp_path / "m.pt")["a.weight"].flags.writeable
    with pytest.raises(RuntimeError, match=r"Missing key\(s\) in params and buffers"):
        state_dict(model, {"a.weight": params["a.weight"]})


def test_tensors_of_torch_are_taken_too():
    model, reference = pair()
    params, buffers = load_state_dict(model, reference.state_dict())
    before = np.array(params["a.weight"])
    with torch.no_grad():
        reference.a.weight += 1
    assert np.array_equal(params["a.weight"], before) and int(buffers["num_batches_tracked"]) == 7
    half = nn.Linear(2, 2, dtype=jnp.bfloat16, rngs=nn.Rngs(random.manual_seed(0)))
    theirs = torch.nn.Linear(2, 2, dtype=torch.bfloat16)
    params, _ = load_state_dict(half, theirs.state_dict(keep_vars=True))
    assert np.array_equal(params["weight"].astype(jnp.float32), theirs.weight.detach().float().numpy())
    with jax.enable_x64(True):
        wide = nn.Linear(2, 2, dtype=jnp.float64, rngs=nn.Rngs(random.manual_seed(0)))
        theirs = torch.nn.Linear(2, 2, dtype=torch.float64)
        params, _ = load_state_dict(wide, {"weight": theirs.weight.t(), "bias": theirs.bias})
        assert np.array_equal(params["weight"], theirs.weight.detach().numpy().T)


MODULES = {
    "Conv2d": (2, 3, 3),
    "BatchNorm2d": (3,),
    "InstanceNorm1d": (3, 1e-5, 0.1, True, True),
    "GroupNorm": (2, 4),
    "LSTM": (3, 4, 2),
    "MultiheadAttention": (4, 2),
    "TransformerEncoderLayer": (4, 2, 8),
    "Embedding": (5, 3),
    "PReLU": (),
    "Bilinear": (2, 3, 4),
}


@pytest.mark.parametrize("name", MODULES)
def test_modules_have_torchs_keys(name):
    """Every tensor of torch's module, under its key, in its place."""
    if not hasattr(nn, name):
        pytest.skip(f"there is no nn.{name} yet")
    reference = getattr(torch.nn, name)(*MODULES[name])
    with torch.no_grad():
        for value in reference.state_dict().values():
            value.add_(1)
    maker = getattr(nn, name)
    try:
        model = maker(*MODULES[name], rngs=nn.Rngs(random.manual_seed(0)))
    except TypeError:
        model = maker(*MODULES[name])
    file = io.BytesIO(torch_bytes(reference.state_dict()))
    params, buffers = load_torch(file, model)
    ours = state_dict(model, params, buffers)
    assert list(ours) == list(reference.state_dict())
    for key, value in reference.state_dict().items():
        assert np.array_equal(ours[key], value.numpy()) and ours[key].dtype.name == str(value.dtype)[6:]
