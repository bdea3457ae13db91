"""A traced candidate tells what each module returned, as torch's hooks do, and the first that differs is named."""

import copy
from contextlib import nullcontext

import numpy as np
import pytest

from jaxgrad import optim, parity, random, trace, train

torch = pytest.importorskip("torch", reason="the reference is not installed")
nn, F = torch.nn, torch.nn.functional


class Twice(nn.Module):
    """Calls modules twice, one of them in place, one for nothing; returns several things in one, and passes one on."""

    def __init__(self, second="none"):
        super().__init__()
        self.fc, self.act, self.gelu, self.same = nn.Linear(4, 4), nn.ReLU(inplace=True), nn.GELU(), nn.Identity()
        self.lstm, self.drop, self.head = nn.LSTM(4, 4, batch_first=True), nn.Dropout(0.3), nn.Linear(4, 3)
        self.second = second

    def forward(self, x):
        self.gelu.approximate = "none"
        h = self.gelu(self.act(self.fc(self.same(x))))
        self.head(h)
        self.gelu.approximate = self.second
        h = self.drop(self.gelu(self.act(self.fc(h))))
        return self.head(self.lstm(h[:, None])[0][:, 0])


def mlp(bias=0.0):
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Sequential(nn.Linear(5, 5), nn.Hardtanh(bias - 1, 1)))
    return nn.Sequential(*model, nn.Linear(5, 3))


def cnn(eps=1e-5):
    layers = nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3, eps=eps), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()
    return nn.Sequential(*layers, nn.Linear(12, 3))


MODELS = {
    "mlp": (mlp, (4,), {"bias": 0.9}, "2.1"),
    "cnn": (cnn, (2, 4, 4), {"eps": 1e-3}, "1"),
    "twice": (Twice, (4,), {"second": "tanh"}, "gelu@1"),
}


def pair(name, **wrong):
    build, shape, _, _ = MODELS[name]
    rng = np.random.default_rng(0)
    batches = [(rng.normal(size=(6, *shape)).astype(np.float32), rng.integers(0, 3, 6)) for _ in range(3)]
    torch.manual_seed(0)
    theirs, other = build(), build(**wrong)
    other.load_state_dict(theirs.state_dict())
    torch.manual_seed(7)
    reference = parity.from_torch(theirs, F.cross_entropy, torch.optim.SGD(theirs.parameters(), 0.05))
    traced = trace.from_torch(other, F.cross_entropy, batches[0])
    tx = optim.SGD(0.05)
    state = train.init_state(traced.params, tx, buffers=traced.buffers, generator=random.manual_seed(7))
    return reference, parity.from_jax(train.make_train_step(traced.loss_fn, tx), state), batches


@pytest.mark.parametrize("name", MODELS)
def test_the_outputs_are_those_that_hooks_see(name):
    reference, candidate, batches = pair(name)
    seen = reference.start(), candidate.start()
    for batch in batches:
        theirs, ours = (run.step(batch)["forward"] for run in seen)
        unused = {"lstm#1", "lstm#2", "head"} if name == "twice" else set()  # the graph has what the loss depends on
        assert list(ours) == [each for each in theirs if each not in unused]
        for each, value in ours.items():
            assert value.dtype == theirs[each].dtype, each
            np.testing.assert_allclose(value, theirs[each], rtol=1e-5, atol=1e-6, err_msg=each)
    if name == "twice":
        assert list(ours) == "same fc act gelu fc@1 act@1 gelu@1 drop lstm#0 head@1 model".split()


@pytest.mark.parametrize("mode", ["free", "module"])
@pytest.mark.parametrize("name", MODELS)
def test_the_first_module_that_differs_is_named(name, mode):
    reference, candidate, batches = pair(name)
    assert parity.compare(reference, candidate, batches, mode).ok
    _, _, wrong, module = MODELS[name]
    report = parity.compare(*pair(name, **wrong), mode)
    assert (report.first.step, report.first.phase, report.first.tensor) == (0, "forward", module), report.sentence
    if mode == "module":
        forward = [each for each in report.distances if each.phase == "forward" and each.step == 0]
        assert len(forward) > 3 and [each.tensor for each in forward if not each.ok] == [module]


def test_bisection_finds_it():
    reference, candidate, batches = pair("cnn", eps=1e-3)
    assert parity.bisect(reference, candidate, batches[0]).tensor == "1"


def test_watching_leaves_the_graph_as_it_was_and_a_file_keeps_it(tmp_path, monkeypatch):
    torch.manual_seed(0)
    module, x, y = Twice(), torch.randn(6, 4), torch.arange(6) % 3
    traced = trace.from_torch(copy.deepcopy(module), F.cross_entropy, (x, y))
    trace.save(traced, tmp_path / "twice.safetensors")
    assert trace.load(tmp_path / "twice.safetensors").graph.returned == traced.graph.returned
    monkeypatch.setattr("jaxgrad.trace.capture.noted", lambda *_: nullcontext())
    unwatched = trace.from_torch(module, F.cross_entropy, (x, y))
    assert unwatched.graph.returned == () and len(traced.graph.returned) == 11
    assert [node.op for node in unwatched.graph.nodes] == [node.op for node in traced.graph.nodes]
