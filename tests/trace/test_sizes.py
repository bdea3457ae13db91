"""One graph for batches of every size, beside eager torch at sizes that it was not traced with."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad import autograd, random, trace
from jaxgrad.parity import distance
from jaxgrad.parity.torch_side import to_numpy
from jaxgrad.serialization import SerializationError
from jaxgrad.trace.schema import from_json, to_json
from tests.trace.models import cases, torch

F = torch.nn.functional


def resized(batch, size, seed):
    """A batch of another size: drawn where it is real, rows of it again where it is made of labels."""
    old = len(batch[0])
    draw = torch.Generator().manual_seed(seed)
    made = []
    for each in batch:
        shape = (len(each) // old * size, *each.shape[1:])
        if each.is_floating_point():
            made.append(torch.randn(shape, generator=draw, dtype=each.dtype))
        else:
            made.append(torch.randint(int(each.max()) + 1, shape, generator=draw))
    return tuple(made)


def check(traced, module, loss_fn, batch, seed):
    """Loss, gradients, buffers and stream of one step beside torch's, and both sides go on."""
    arrays = tuple(jnp.asarray(to_numpy(each)) for each in batch)

    @jax.jit
    def graded(params, buffers, generator, *batch):
        return jax.value_and_grad(traced.loss_fn, has_aux=True)(params, *batch, buffers=buffers, generator=generator)

    buffers = {name: jnp.asarray(to_numpy(value)) for name, value in module.named_buffers()}
    torch.manual_seed(seed)
    (loss, aux), grads = graded(traced.params, buffers, random.manual_seed(seed), *arrays)
    module.zero_grad()
    expected = loss_fn(module(batch[0]), *batch[1:])
    expected.backward()
    assert distance(loss, to_numpy(expected)).relative < 1e-12
    for name, value in module.named_parameters():
        assert distance(grads[name], to_numpy(value.grad)).relative < 1e-11, name
    for name, value in module.named_buffers():
        assert distance(aux.buffers[name], to_numpy(value)).relative < 1e-12, name
    assert random.rand(aux.generator, (1,))[0].item() == torch.rand(1).item()


@pytest.mark.parametrize("name,module,loss_fn,batch", list(cases()), ids=[case[0] for case in cases()])
def test_one_graph_serves_every_size(name, module, loss_fn, batch, x64, tmp_path):
    traced = trace.from_torch(module, loss_fn, batch)
    trace.save(traced, tmp_path / "traced.safetensors")
    again = trace.load(tmp_path / "traced.safetensors")
    for side, size in ((traced, 7), (again, 19)):
        state = {key: value.clone() for key, value in module.state_dict().items()}
        check(side, module, loss_fn, resized(batch, size, size), size)
        module.load_state_dict(state)
    assert len(traced.shapes.all()) == len(again.shapes.all()) == 1


class Branching(torch.nn.Module):
    """Another formula for small batches; a mean over the batch, whose size is a number in the graph."""

    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(3, 2)

    def forward(self, x):
        y = self.fc(x)
        n = x.shape[0]
        return (y * y if n < 16 else y.exp()) / (n**0.5 + n // 3) - y.mean(0)


def test_what_a_model_asks_of_the_size_is_asked_of_every_batch(x64, tmp_path):
    torch.manual_seed(0)
    module = Branching().double()
    batch = torch.randn(4, 3, dtype=torch.float64), torch.randn(4, 2, dtype=torch.float64)
    traced = trace.from_torch(module, F.mse_loss, batch)
    trace.save(traced, tmp_path / "small.safetensors")
    for size in (15, 16, 33, 1):
        check(traced, module, F.mse_loss, resized(batch, size, size), 0)
    assert len(traced.shapes.all()) == 3  # fewer than 16, more, and 1, where torch broadcasts
    small = trace.load(tmp_path / "small.safetensors")
    check(small, module, F.mse_loss, resized(batch, 15, 1), 0)
    with pytest.raises(ValueError, match=r"(?s)has the shapes it was saved with.*float64\[16,3\].*s\d+ < 16"):
        small.loss_fn(small.params, jnp.ones((16, 3)), jnp.ones((16, 2)))
    with pytest.raises(ValueError, match="has the shapes it was saved with"):
        small.loss_fn(small.params, jnp.ones((8, 3)), jnp.ones((7, 2)))


def test_a_size_that_is_part_of_the_model_stays_one_shape():
    module = torch.nn.Sequential(torch.nn.Flatten(0), torch.nn.Linear(12, 1))
    traced = trace.from_torch(module, lambda out: out.sum(), (torch.ones(4, 3),))
    assert not traced.shapes.all()[0].graph.sizes
    again = trace.from_torch(module, lambda out: out.sum(), (torch.ones(6, 2),))
    assert [each.shape for each in again.shapes.first.inputs()] == [(6, 2)]
    with pytest.raises(RuntimeError, match="torch cannot trace"):
        traced.loss_fn(traced.params, jnp.ones((5, 3)))


def test_a_size_that_depends_on_values_is_none():
    module = torch.nn.Linear(3, 1)
    with pytest.raises(RuntimeError, match="torch cannot trace Linear"):
        trace.from_torch(module, lambda out, mask: out[mask].sum(), (torch.ones(4, 3), torch.ones(4, dtype=torch.bool)))


def test_the_forward_alone_has_every_size(x64):
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Conv1d(2, 3, 3), torch.nn.BatchNorm1d(3), torch.nn.Flatten()).double().eval()
    fn = trace.forward(module, torch.zeros(3, 2, 6, dtype=torch.float64), training=False)
    for size in (2, 9, 40):
        x = torch.randn(size, 2, 6, dtype=torch.float64)
        out, _ = fn(fn.params, jnp.asarray(x.numpy()))
        np.testing.assert_allclose(out, module(x).detach().numpy(), rtol=1e-12, atol=1e-13)


def test_an_axis_that_changes_is_free_from_then_on(x64, tmp_path):
    torch.manual_seed(0)
    lstm = torch.nn.LSTM(3, 4, dropout=0.2, num_layers=2).double()

    def loss_fn(output, y):
        return F.mse_loss(output[0][-1], y)

    def batch(length, size):
        return torch.randn(length, size, 3, dtype=torch.float64), torch.randn(size, 4, dtype=torch.float64)

    traced = trace.from_torch(lstm, loss_fn, batch(5, 2))
    for length, size in ((7, 2), (7, 3), (4, 6)):
        check(traced, lstm, loss_fn, batch(length, size), length)
    assert len(traced.shapes.all()) == 2  # two sequences of any length; any number of any length
    trace.save(traced, tmp_path / "any.safetensors")
    check(trace.load(tmp_path / "any.safetensors"), lstm, loss_fn, batch(11, 9), 1)


class Quantizer(torch.nn.Module):
    """A code book that the forward moves; ``one_hot`` leaves a check of values in the graph."""

    def __init__(self):
        super().__init__()
        self.into = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(4, 4), dim=1)
        self.phase = torch.nn.Parameter(torch.randn(3, dtype=torch.complex128))
        self.register_buffer("book", torch.randn(6, 4))

    def forward(self, x):
        z = self.into(x)
        code = (z[:, None] - self.book).square().sum(-1).argmin(1)
        with torch.no_grad():
            self.book.mul_(0.9).add_(0.1 * F.one_hot(code, 6).to(z.dtype).T @ z)
        z = z + (self.book[code] - z).detach()
        return torch.fft.irfft(torch.fft.rfft(z) * self.phase, n=4)


def test_complex_parameters_norms_of_weights_and_checks_of_values(x64):
    torch.manual_seed(0)
    module = Quantizer().double()
    batch = torch.randn(4, 4, dtype=torch.float64), torch.randn(4, 4, dtype=torch.float64)
    traced = trace.from_torch(module, F.mse_loss, batch)
    buffers = {name: jnp.asarray(to_numpy(value)) for name, value in module.named_buffers()}
    (loss, aux), grads = autograd.backward(
        lambda params, *batch: traced.loss_fn(params, *batch, buffers=buffers),
        traced.params,
        *(jnp.asarray(to_numpy(each)) for each in batch),
        has_aux=True,
    )
    expected = F.mse_loss(module(batch[0]), batch[1])
    expected.backward()
    assert distance(loss, to_numpy(expected)).relative < 1e-13
    for name, value in module.named_parameters():
        assert distance(grads[name], to_numpy(value.grad)).relative < 1e-12, name
    assert distance(aux.buffers["book"], to_numpy(module.book)).relative < 1e-13


def graph():
    module = torch.nn.Linear(2, 1)
    return trace.from_torch(module, F.mse_loss, (torch.ones(4, 2), torch.ones(4, 1))).shapes.all()[0].graph


def test_a_graph_with_sizes_survives_json_and_an_older_one_is_read():
    made = graph()
    assert made.sizes and from_json(to_json(made)) == made
    older = json.loads(to_json(made))
    older = json.loads(json.dumps(older).replace(json.dumps({"size": next(iter(made.sizes))}), "4"))
    del older["sizes"], older["guards"]
    older["format"] = 2
    assert from_json(json.dumps(older)).sizes == {}


@pytest.mark.parametrize(
    "form",
    [
        ["pow", 10, 99999999],
        ["mul", "s999", 2],
        ["eval", "s"],
        ["floordiv", 1, 0],
        ["add", -9],
        ["float", 2],
        ["lt"],
        [],
        None,
        True,
        {"size": 4},
        "s999",
    ],
    ids=str,
)
def test_damaged_sizes_are_refused(form):
    name = next(iter(graph().sizes))
    for key in ("nodes", "guards"):
        read = json.loads(to_json(graph()))
        if key == "guards":
            read[key].append(form)
            if form in (["float", 2], ["add", -9]):  # a number that is true
                continue
        else:
            text = json.dumps(read[key])
            assert json.dumps({"size": name}) in text
            read[key] = json.loads(text.replace(json.dumps({"size": name}), json.dumps({"size": form})))
        with pytest.raises(SerializationError, match="traced module"):
            from_json(json.dumps(read))
