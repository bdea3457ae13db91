"""What models take and give: nested batches, words and flags, several outputs, other dtypes, parameters nobody uses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad import autograd, optim, random, trace, train
from jaxgrad.parity import distance
from jaxgrad.parity.torch_side import to_numpy
from tests.trace.models import torch
from tests.trace.test_from_torch import arrays

nn, F = torch.nn, torch.nn.functional


def gradients(traced, *batch, **kwargs):
    return autograd.backward(lambda p: traced.loss_fn(p, *batch, **kwargs), traced.params, has_aux=True)


class Named(nn.Module):
    """Integers, a mask of bools and a flag by name; a tuple in a dict comes out; a parameter that nothing reads."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(5, 3)
        self.spare = nn.Linear(2, 2)
        self.register_buffer("shift", torch.ones(3), persistent=False)

    def forward(self, ids, *, mask, double=False):
        x = torch.where(mask[..., None], self.table(ids) + self.shift, 0.0)
        return {"all": (x, x.sum(-1)), "mean": 2 * x.mean() if double else x.mean()}


def named():
    torch.manual_seed(0)
    ids, mask = torch.tensor([[1, 2], [3, 3]]), torch.tensor([[True, True], [False, True]])
    return Named(), {"ids": ids, "mask": mask, "double": True}


def as_arrays(batch):
    return {key: jnp.asarray(to_numpy(each)) if isinstance(each, torch.Tensor) else each for key, each in batch.items()}


def test_arguments_by_name_and_a_parameter_that_nothing_reads():
    module, batch = named()
    traced = trace.from_torch(module, lambda out: out["mean"], (batch,))
    assert "shift" in traced.buffers
    (loss, _), grads = gradients(traced, as_arrays(batch))
    module(**batch)["mean"].backward()
    np.testing.assert_allclose(grads["table.weight"], to_numpy(module.table.weight.grad), rtol=1e-6)
    assert grads["spare.weight"] is None and module.spare.weight.grad is None
    assert np.isclose(loss, module(**batch)["mean"].item())
    with pytest.raises(ValueError, match=r"batch\[0\]\['double'\] is not what the module was traced with"):
        traced.loss_fn(traced.params, as_arrays({**batch, "double": False}))


def test_what_nothing_reads_is_not_decayed():
    module, batch = named()
    del batch["double"]  # what is no array does not go through a compiled step
    traced = trace.from_torch(module, lambda out: out["mean"], (batch,))
    tx = optim.SGD(0.1, weight_decay=0.5)
    state = train.init_state(traced.params, tx, buffers=traced.buffers)
    before = np.asarray(state.params["spare.weight"])
    state, _ = train.make_train_step(traced.loss_fn, tx)(state, (as_arrays(batch),))
    np.testing.assert_array_equal(state.params["spare.weight"], before)


def test_outputs_are_nested_as_in_torch():
    module, batch = named()
    fn = trace.forward(module, batch, training=False)
    out, _ = fn(fn.params, **as_arrays(batch))
    theirs = module(**batch)
    assert out.keys() == theirs.keys() and isinstance(out["all"], tuple)
    np.testing.assert_allclose(out["all"][1], to_numpy(theirs["all"][1]), rtol=1e-6)


def test_several_arguments_and_a_module_that_gives_back_its_input():
    class Both(nn.Module):
        def forward(self, x, y):
            return y, x @ y.T

    x, y = torch.randn(2, 3), torch.randn(4, 3)
    fn = trace.forward(Both(), (x, y), training=True)
    (same, product), _ = fn({}, *arrays((x, y)))
    np.testing.assert_array_equal(same, y.numpy())
    np.testing.assert_allclose(product, (x @ y.T).numpy(), rtol=1e-5)


def test_bfloat16_is_torchs_within_its_rounding():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 3))
    x, y = torch.randn(16, 6), torch.randint(3, (16,))
    F.cross_entropy(module(x), y).backward()
    exact = {name: to_numpy(value.grad) for name, value in module.named_parameters()}
    module.zero_grad()
    half = module.bfloat16()
    F.cross_entropy(half(x.bfloat16()), y).backward()
    traced = trace.from_torch(half, F.cross_entropy, (x.bfloat16(), y))
    (loss, _), grads = gradients(traced, jnp.asarray(x.numpy(), jnp.bfloat16), jnp.asarray(y.numpy()))
    assert loss.dtype == jnp.bfloat16
    for name, value in half.named_parameters():
        assert grads[name].dtype == jnp.bfloat16
        theirs = np.abs(to_numpy(value.grad.float()) - exact[name]).max()
        assert np.abs(np.asarray(grads[name], np.float32) - exact[name]).max() <= 3 * theirs, name


def test_float32_is_within_torchs_noise():
    torch.manual_seed(1)
    module = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.SiLU(), nn.Flatten(), nn.Linear(64, 3))
    x, y = torch.randn(8, 2, 6, 6), torch.randint(3, (8,))
    traced = trace.from_torch(module, F.cross_entropy, (x, y))
    _, grads = gradients(traced, *arrays((x, y)))
    F.cross_entropy(module(x), y).backward()
    single = {name: to_numpy(value.grad) for name, value in module.named_parameters()}
    module.zero_grad()
    F.cross_entropy(module.double()(x.double()), y).backward()
    ratios = [
        np.abs(np.asarray(grads[name], np.float64) - to_numpy(value.grad)).max()
        / max(np.abs(single[name] - to_numpy(value.grad)).max(), np.finfo(np.float32).eps * np.abs(single[name]).max())
        for name, value in module.named_parameters()
    ]
    assert max(ratios) <= 3


def test_a_table_that_its_forward_shortens(x64):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Embedding(5, 3, max_norm=0.5), nn.Linear(3, 2)).double()
    ids, y = torch.tensor([1, 3, 3]), torch.tensor([0, 1, 1])
    traced = trace.from_torch(module, F.cross_entropy, (ids, y))
    tx = optim.SGD(0.1)
    state = train.init_state(traced.params, tx, buffers=traced.buffers)
    step = train.make_train_step(traced.loss_fn, tx)
    optimizer = torch.optim.SGD(module.parameters(), 0.1)
    for _ in range(2):
        optimizer.zero_grad()
        F.cross_entropy(module(ids), y).backward()
        optimizer.step()
        state, _ = step(state, arrays((ids, y)))
    for name, value in module.named_parameters():
        assert distance(state.params[name], to_numpy(value)).relative < 1e-12, name


def test_running_statistics_that_count(x64):
    module = nn.Sequential(nn.BatchNorm1d(3, momentum=None), nn.Linear(3, 1)).double()
    torch.manual_seed(0)
    batch = torch.randn(5, 3, dtype=torch.float64), torch.randn(5, 1, dtype=torch.float64)
    traced = trace.from_torch(module, F.mse_loss, batch)
    buffers = traced.buffers
    for _ in range(3):
        F.mse_loss(module(batch[0]), batch[1])
        _, aux = traced.loss_fn(traced.params, *arrays(batch), buffers=buffers)
        buffers = aux.buffers
    for name, value in module.named_buffers():
        assert distance(buffers[name], to_numpy(value)).relative < 1e-12, name


def test_second_derivatives_go_through_torchs_formulas(x64):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)).double()
    x, y = torch.randn(4, 2, dtype=torch.float64), torch.randn(4, 1, dtype=torch.float64)
    traced = trace.from_torch(module, F.mse_loss, (x, y))

    def slope(weight):
        loss = lambda w: traced.loss_fn({**traced.params, "0.weight": w}, *arrays((x, y)))[0]  # noqa: E731
        return jax.grad(loss)(weight)

    def theirs(weight):
        params = {**dict(module.named_parameters()), "0.weight": weight}
        return F.mse_loss(torch.func.functional_call(module, params, x), y)

    expected = torch.autograd.functional.hessian(theirs, module[0].weight.detach())
    assert distance(jax.jacobian(slope)(traced.params["0.weight"]), to_numpy(expected)).relative < 1e-10


def test_a_loss_that_cannot_be_differentiated_is_named():
    batch = torch.ones(4, 3), torch.ones(4, 2)
    with pytest.raises(RuntimeError, match="grad can be implicitly created only for scalar outputs"):
        trace.from_torch(nn.Linear(3, 2), lambda out, y: out - y, batch)
    with pytest.raises(RuntimeError, match="element 0 of tensors does not require grad"):
        trace.from_torch(nn.Linear(3, 2), lambda out, y: (out.detach() - y).sum(), batch)


def test_packed_sequences_are_named_with_their_place():
    class Packed(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(2, 3)

        def forward(self, x, lengths):
            return self.lstm(nn.utils.rnn.pack_padded_sequence(x, lengths))[0].data

    with pytest.raises(RuntimeError, match=r"torch cannot trace Packed") as caught:
        trace.from_torch(Packed(), lambda out: out.sum(), ((torch.ones(3, 2, 2), torch.tensor([3, 2])),))
    assert "test_inputs.py:" in str(caught.value)


def test_random_draws_of_every_kind(x64):
    class Draws(nn.Linear):
        def forward(self, x):
            x = super().forward(x).transpose(0, 1)
            noise = torch.randn_like(x) + torch.rand(4, 3).T + torch.empty_like(x).exponential_()
            noise = noise + x.new_empty(4).normal_(1, 2).mean()
            keep = torch.bernoulli(torch.sigmoid(x.detach())) * torch.empty_like(x).uniform_(-1, 2)
            x = x * keep + noise * torch.randint(1, 5, (1,))
            return x + torch.randperm(3)[:, None] + torch.normal(x.detach(), 0.5)

    torch.manual_seed(0)
    module, x = Draws(2, 3).double(), torch.randn(4, 2, dtype=torch.float64)
    traced = trace.from_torch(module, lambda out: out.sum(), (x,))
    loss, aux = traced.loss_fn(traced.params, *arrays((x,)), generator=random.manual_seed(9))
    torch.manual_seed(9)
    assert distance(loss, to_numpy(module(x).sum())).relative < 1e-12
    assert float(random.rand(aux.generator, (1,))[0][0]) == torch.rand(1).item()
