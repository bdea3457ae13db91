"""A traced module beside eager torch: loss, every gradient, every buffer, the generator; and whole training steps."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad import autograd, optim, random, trace, train
from jaxgrad.parity import distance
from jaxgrad.parity.torch_side import to_numpy
from tests.trace.models import cases, torch

STEPS = 5


def arrays(batch):
    return tuple(jnp.asarray(to_numpy(each)) for each in batch)


@pytest.mark.parametrize("name,module,loss_fn,batch", list(cases()), ids=[case[0] for case in cases()])
def test_training_is_torchs(name, module, loss_fn, batch, x64):
    traced = trace.from_torch(module, loss_fn, batch)
    tx = optim.SGD(0.05, momentum=0.9)
    state = train.init_state(traced.params, tx, buffers=traced.buffers, generator=random.manual_seed(7))
    step = train.make_train_step(traced.loss_fn, tx)
    start = {key: np.asarray(value) for key, value in traced.params.items()}

    optimizer = torch.optim.SGD(module.parameters(), 0.05, momentum=0.9)
    torch.manual_seed(7)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = loss_fn(module(batch[0]), *batch[1:])
        loss.backward()
        optimizer.step()
        state, metrics = step(state, arrays(batch))
        assert distance(metrics["loss"], to_numpy(loss)).relative < 1e-12
    for key, value in module.named_parameters():
        assert distance(state.params[key], to_numpy(value), start[key]).relative < 1e-10, key
    for key, value in module.named_buffers():
        assert distance(state.buffers[key], to_numpy(value)).relative < 1e-10, key
    assert float(random.rand(state.generator, (1,))[0][0]) == torch.rand(1).item()


def linear():
    torch.manual_seed(0)
    return torch.nn.Linear(3, 2), torch.nn.functional.mse_loss, (torch.randn(4, 3), torch.randn(4, 2))


def test_a_frozen_parameter_has_no_gradient():
    module, loss_fn, batch = linear()
    module.bias.requires_grad_(False)
    traced = trace.from_torch(module, loss_fn, batch)
    (_, _), grads = autograd.backward(traced.loss_fn, traced.params, *arrays(batch), has_aux=True)
    assert grads["bias"] is None
    loss_fn(module(batch[0]), batch[1]).backward()
    np.testing.assert_allclose(grads["weight"], to_numpy(module.weight.grad), rtol=1e-6)


def test_a_tied_parameter_stands_once_and_gets_the_sum(x64):
    module = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Tanh(), torch.nn.Linear(3, 3)).double()
    module[2].weight = module[0].weight
    batch = torch.randn(4, 3, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64)
    traced = trace.from_torch(module, torch.nn.functional.mse_loss, batch)
    assert list(traced.params) == [name for name, _ in module.named_parameters()]
    _, grads = autograd.backward(traced.loss_fn, traced.params, *arrays(batch), has_aux=True)
    torch.nn.functional.mse_loss(module(batch[0]), batch[1]).backward()
    assert distance(grads["0.weight"], to_numpy(module[0].weight.grad)).relative < 1e-12


def test_a_weight_with_a_history_is_copied_by_value(x64):
    """The older weight_norm keeps the weight that it computed, with its graph, which torch does not copy."""
    with pytest.warns(FutureWarning):
        module = torch.nn.utils.weight_norm(torch.nn.Linear(3, 2)).double()
    batch = torch.randn(4, 3, dtype=torch.float64), torch.randn(4, 2, dtype=torch.float64)
    loss = torch.nn.functional.mse_loss(module(batch[0]), batch[1])
    loss.backward()
    traced = trace.from_torch(module, torch.nn.functional.mse_loss, batch)
    _, grads = autograd.backward(traced.loss_fn, traced.params, *arrays(batch), has_aux=True)
    for key, value in module.named_parameters():
        assert distance(grads[key], to_numpy(value.grad)).relative < 1e-12, key


class Assigns(torch.nn.Linear):
    """Puts other tensors in the place of its buffers."""

    def __init__(self, grows=False):
        super().__init__(3, 3)
        self.grows = grows
        self.register_buffer("first", torch.ones(3))
        self.register_buffer("second", torch.zeros(3))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, x):
        x = super().forward(x) * self.first
        self.first, self.second = self.second, self.first
        self.first[0] = x.detach().mean()
        self.steps = self.steps + 1
        if self.grows:
            self.second = torch.cat([self.second, self.second])
        return x + self.steps


def test_a_buffer_that_is_assigned_to_changes(x64):
    module = Assigns().double()
    batch = torch.randn(4, 3, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64)
    traced = trace.from_torch(module, torch.nn.functional.mse_loss, batch)
    buffers = traced.buffers
    for _ in range(3):
        expected = torch.nn.functional.mse_loss(module(batch[0]), batch[1])
        loss, aux = traced.loss_fn(traced.params, *arrays(batch), buffers=buffers)
        buffers = aux.buffers
        assert distance(loss, to_numpy(expected)).relative < 1e-12
    for key, value in module.named_buffers():
        assert distance(buffers[key], to_numpy(value)).relative < 1e-12, key


def test_a_buffer_of_another_shape_is_refused():
    with pytest.raises(RuntimeError, match=r"the buffer second becomes torch.float32\[6\], and was torch.float32\[3\]"):
        trace.from_torch(Assigns(grows=True), torch.nn.functional.mse_loss, (torch.ones(4, 3), torch.ones(4, 3)))


def test_complex_numbers_of_a_size_and_an_angle(x64):
    class Polar(torch.nn.Linear):
        def forward(self, x):
            size, angle = super().forward(x).unbind(1)
            return torch.view_as_real(torch.polar(size, angle) ** 2)

    module = Polar(3, 2).double()
    batch = torch.randn(4, 3, dtype=torch.float64), torch.randn(4, 2, dtype=torch.float64)
    traced = trace.from_torch(module, torch.nn.functional.mse_loss, batch)
    _, grads = autograd.backward(traced.loss_fn, traced.params, *arrays(batch), has_aux=True)
    torch.nn.functional.mse_loss(module(batch[0]), batch[1]).backward()
    for key, value in module.named_parameters():
        assert distance(grads[key], to_numpy(value.grad)).relative < 1e-12, key


def test_the_module_does_not_change():
    module, loss_fn, batch = linear()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    module.eval()
    trace.from_torch(module, loss_fn, batch)
    assert not module.training
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    assert module.weight.grad is None


def test_a_batch_of_another_shape_is_traced_for_itself(tmp_path):
    module, loss_fn, batch = linear()
    traced = trace.from_torch(module, loss_fn, batch)
    longer = tuple(torch.stack([each, each + 1, each], 1) for each in batch)
    loss, _ = jax.jit(traced.loss_fn)(traced.params, *arrays(longer))
    np.testing.assert_allclose(loss, loss_fn(module(longer[0]), longer[1]).item(), rtol=1e-6)
    trace.save(traced, tmp_path / "both.safetensors")
    again = trace.load(tmp_path / "both.safetensors")
    assert again.loss_fn(again.params, *arrays(longer))[0] == traced.loss_fn(traced.params, *arrays(longer))[0]
    with pytest.raises(ValueError, match="has the shapes it was saved with") as caught:
        again.loss_fn(again.params, jnp.ones((5, 2, 3)), jnp.ones((5, 2, 2)))
    name = next(iter(traced.shapes.all()[1].graph.sizes))
    assert f"; or float32[{name},3,3], float32[{name},3,2] where {name} >= 2" in str(caught.value)


def test_drawing_without_a_generator_is_refused():
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Dropout(0.5))
    traced = trace.from_torch(module, torch.nn.functional.mse_loss, (torch.ones(4, 3), torch.ones(4, 2)))
    with pytest.raises(TypeError, match="draws random numbers"):
        traced.loss_fn(traced.params, jnp.ones((4, 3)), jnp.ones((4, 2)))


def test_a_branch_on_values_is_named():
    class Branch(torch.nn.Linear):
        def forward(self, x):
            return super().forward(x) if x.sum() > 0 else x

    with pytest.raises(RuntimeError, match="torch cannot trace Branch"):
        trace.from_torch(Branch(3, 3), torch.nn.functional.mse_loss, (torch.ones(4, 3), torch.ones(4, 3)))


def test_a_missing_operation_is_named_with_its_place():
    class Rare(torch.nn.Linear):
        def forward(self, x):
            return torch.special.bessel_j0(super().forward(x).detach()) + super().forward(x)

    module = torch.nn.Sequential(Rare(3, 3))
    with pytest.raises(NotImplementedError, match="not in the table") as caught:
        trace.from_torch(module, torch.nn.functional.mse_loss, (torch.ones(4, 3), torch.ones(4, 3)))
    assert "special_bessel_j0: 0 (test_from_torch.py:" in str(caught.value)


def test_not_a_module_is_refused():
    with pytest.raises(TypeError, match=r"needs a torch.nn.Module, got function"):
        trace.from_torch(torch.relu if False else (lambda x: x), torch.nn.functional.mse_loss, (torch.ones(1),))


def test_forward_alone(x64):
    _, module, _, (x, _) = next(iter(cases()))
    fn = trace.forward(module.eval(), x, training=False)
    out, aux = jax.jit(lambda p, x: fn(p, x))(fn.params, jnp.asarray(to_numpy(x)))
    assert distance(out, to_numpy(module(x))).relative < 1e-12
    assert aux.buffers.keys() == fn.buffers.keys()


def test_losses_that_torch_cannot_trace_alone(x64):
    for module, batch in (
        (torch.nn.CTCLoss(), (torch.randint(1, 4, (2, 2)), [5, 4], [2, 1])),
        (
            torch.nn.GaussianNLLLoss(full=True),
            (torch.randn(5, 2, 4, dtype=torch.float64), torch.rand(5, 2, 4).double()),
        ),
    ):
        base = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.LogSoftmax(-1)).double()
        x = torch.randn(5, 2, 3, dtype=torch.float64)
        lengths = [each for each in batch if isinstance(each, list)]
        tensors = [each for each in batch if not isinstance(each, list)]
        loss_fn = lambda out, *rest, module=module, lengths=lengths: module(out, *rest, *lengths)  # noqa: E731
        traced = trace.from_torch(base, loss_fn, (x, *tensors))
        (loss, _), grads = autograd.backward(traced.loss_fn, traced.params, *arrays((x, *tensors)), has_aux=True)
        theirs = loss_fn(base(x), *tensors)
        theirs.backward()
        assert distance(loss, to_numpy(theirs)).relative < 1e-12
        assert distance(grads["0.weight"], to_numpy(base[0].weight.grad)).relative < 1e-10


@pytest.mark.parametrize(("shape", "reduction"), [((3, 5), "mean"), ((3, 5), "sum"), ((5,), "mean")])
def test_margins_of_several_labels_are_the_kernels_not_the_decompositions(shape, reduction, x64):
    torch.manual_seed(3)
    module = torch.nn.Linear(4, 5).double()
    x, labels = torch.randn(*shape[:-1], 4, dtype=torch.float64), torch.randint(-1, 5, shape)
    loss_fn = partial(torch.nn.functional.multilabel_margin_loss, reduction=reduction)
    traced = trace.from_torch(module, loss_fn, (x, labels))
    (loss, _), grads = autograd.backward(traced.loss_fn, traced.params, *arrays((x, labels)), has_aux=True)
    theirs = loss_fn(module(x), labels)
    theirs.backward()
    assert distance(loss, to_numpy(theirs)).relative < 1e-12
    assert distance(grads["weight"], to_numpy(module.weight.grad)).relative < 1e-10
