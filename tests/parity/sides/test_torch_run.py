"""A recorded torch run is the plain loop, bit for bit, and leaves no trace; in float64 it is the same computation."""

import copy

import numpy as np
import pytest

from jaxgrad import parity

torch = pytest.importorskip("torch", reason="the reference is not installed")
nn, F = torch.nn, torch.nn.functional


class Noisy(nn.Module):
    """Draws in its forward, and holds a float32 constant that is no buffer."""

    def __init__(self):
        super().__init__()
        self.inner, self.scale = nn.Linear(4, 3), torch.full((3,), 0.1)

    def forward(self, x):
        h = self.inner(x).float()
        return h + self.scale * torch.randn_like(h) + torch.linspace(0, 1, 3)


def mlp(*middle):
    return nn.Sequential(nn.Linear(4, 8), *middle, nn.Linear(8, 3))


def tied():
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4))
    model[2].weight = model[0].weight
    model[0].bias.requires_grad_(False)
    return model


def groups(model):
    return [{"params": model[0].parameters(), "lr": 0.01}, {"params": model[-1].parameters(), "weight_decay": 0.1}]


RECIPES = {
    "dropout": (lambda: mlp(nn.Dropout(0.5)), lambda m: torch.optim.AdamW(m.parameters()), {}),
    "batch norm": (lambda: mlp(nn.BatchNorm1d(8), nn.ReLU()), lambda m: torch.optim.SGD(m.parameters(), 0.1, 0.9), {}),
    "noise": (Noisy, lambda m: torch.optim.SGD(m.parameters(), 0.1), {}),
    "tied": (tied, lambda m: torch.optim.Adam(m.parameters()), {}),
    "groups": (mlp, lambda m: torch.optim.Adam(groups(m)), {"clip": 0.5}),
    "accumulated": (mlp, lambda m: torch.optim.RMSprop(m.parameters()), {"accumulate": 2}),
    "values clipped": (mlp, lambda m: torch.optim.SGD(m.parameters(), 0.1), {"clip": {"value": 0.01}}),
    "steps": (
        mlp,
        lambda m: torch.optim.SGD(m.parameters(), 0.1),
        {"scheduler": lambda o: torch.optim.lr_scheduler.StepLR(o, 2)},
    ),
    "plateau": (
        mlp,
        lambda m: torch.optim.SGD(m.parameters(), 0.1),
        {"scheduler": lambda o: torch.optim.lr_scheduler.ReduceLROnPlateau(o, patience=0, threshold=1.0)},
    ),
    "scaled": (
        mlp,
        lambda m: torch.optim.SGD(m.parameters(), 0.1),
        {"scaler": lambda: torch.amp.GradScaler("cpu", init_scale=4.0, growth_interval=2), "clip": 1.0},
    ),
    "lbfgs": (mlp, lambda m: torch.optim.LBFGS(m.parameters(), max_iter=3), {}),
}


def made(name, dtype=None):
    build, optimizer_of, options = RECIPES[name]
    torch.manual_seed(3)
    model = build()
    model = model if dtype is None else model.to(dtype)
    optimizer = optimizer_of(model)
    options = dict(options)
    if "scheduler" in options:
        options["scheduler"] = options["scheduler"](optimizer)
    if "scaler" in options:
        options["scaler"] = options["scaler"]()
    return model, optimizer, options


def batches(name):
    rng = np.random.default_rng(0)
    lead = (2,) if "accumulate" in RECIPES[name][2] else ()
    classes = 4 if name == "tied" else 3
    xs = [rng.standard_normal((*lead, 6, 4)).astype(np.float32) for _ in range(4)]
    return [(x, rng.integers(0, classes, (*lead, 6))) for x in xs]


def plain_loop(model, optimizer, options, data):
    """What a user writes."""
    scaler, scheduler, clip = options.get("scaler"), options.get("scheduler"), options.get("clip")
    count = options.get("accumulate", 1)
    for x, y in data:
        pairs = list(zip(x, y, strict=True)) if count > 1 else [(x, y)]

        def closure(pairs=pairs):
            optimizer.zero_grad()
            total = 0.0
            for each, target in pairs:
                loss = F.cross_entropy(model(torch.from_numpy(each)), torch.from_numpy(target)) / count
                (loss if scaler is None else scaler.scale(loss)).backward()
                total += loss.detach()
            return total

        if isinstance(optimizer, torch.optim.LBFGS):
            optimizer.step(closure)
            continue
        total = closure()
        if scaler is not None:
            scaler.unscale_(optimizer)
        if isinstance(clip, float):
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        elif clip:
            nn.utils.clip_grad_value_(model.parameters(), clip["value"])
        if scaler is None:
            optimizer.step()
        else:
            scaler.step(optimizer)
            scaler.update()
        if isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            scheduler.step(float(total))
        elif scheduler is not None:
            scheduler.step()


@pytest.mark.parametrize("name", RECIPES)
def test_a_recorded_run_is_the_plain_loop(name):
    model, optimizer, options = made(name)
    untouched = copy.deepcopy(model.state_dict())
    reference = parity.from_torch(model, F.cross_entropy, optimizer, **options)
    stream = torch.get_rng_state()
    run = reference.start()
    records = [run.step(batch) for batch in batches(name)]
    assert torch.equal(torch.get_rng_state(), stream)
    assert all(torch.equal(value, untouched[key]) for key, value in model.state_dict().items())
    plain_loop(model, optimizer, options, batches(name))
    last = records[-1]
    for key, value in model.named_parameters():
        assert np.array_equal(last["params"][key], value.detach().numpy()), key
    for key, value in model.named_buffers():
        assert np.array_equal(last["buffers"][key], value.numpy()), key
    assert np.array_equal(last["generator"]["state"], torch.get_rng_state().numpy())
    again = reference.start()
    assert np.array_equal(again.step(batches(name)[0])["loss"]["loss"], records[0]["loss"]["loss"])


@pytest.mark.parametrize("name", [name for name in RECIPES if name not in ("noise", "lbfgs")])
def test_in_float64_it_is_the_double_model(name):
    model, optimizer, options = made(name)
    run = parity.from_torch(model, F.cross_entropy, optimizer, **options).start(float64=True)
    model, optimizer, options = made(name, torch.float64)
    native = parity.from_torch(model, F.cross_entropy, optimizer, **options).start()
    for batch in batches(name):
        one, other = run.step(batch), native.step(batch)
        for phase in ("forward", "loss", "grads", "params", "buffers"):
            for key, value in one[phase].items():
                assert value.dtype in (np.float64, np.int64), (phase, key)
                np.testing.assert_allclose(value, other[phase][key], rtol=1e-11, atol=1e-13, err_msg=f"{phase} {key}")


def test_in_float64_the_noise_of_float32_is_drawn_and_constants_are_wide():
    model, optimizer, _ = made("noise")
    reference = parity.from_torch(model, F.cross_entropy, optimizer)
    own, doubles = reference.start(), reference.start(float64=True)
    for batch in batches("noise"):
        one, other = own.step(batch), doubles.step(batch)
        assert other["forward"]["model"].dtype == np.float64
        np.testing.assert_allclose(one["forward"]["model"], other["forward"]["model"], rtol=1e-5, atol=1e-6)
        assert np.array_equal(one["generator"]["state"], other["generator"]["state"])
        assert one.draws[0].operation == "randn_like" and "torch.randn_like(h)" in one.draws[0].source


def test_phases_and_their_names():
    model, optimizer, options = made("groups")
    run = parity.from_torch(model, F.cross_entropy, optimizer, **options).start()
    record = run.step(batches("groups")[0])
    assert list(record["forward"]) == ["0", "1", "model"] and list(record["lr"]) == ["lr[0]", "lr[1]"]
    assert next(iter(record["clipped"])) == "total_norm"
    assert "exp_avg['0.weight']" in record["optimizer"]
    assert run.meta["optimizer"]["groups"][1]["params"] == ["1.weight", "1.bias"]
    assert run.meta["modules"]["0"] == {"class": "Linear", "options": {"in_features": 4, "out_features": 8}}


def test_a_frozen_parameter_has_no_gradient_and_a_tied_one_has_one_name():
    model, optimizer, _ = made("tied")
    run = parity.from_torch(model, F.cross_entropy, optimizer).start()
    record = run.step(batches("tied")[0])
    assert "0.bias" not in record["grads"] and "0.bias" in record["params"]
    assert "2.weight" not in record["params"]
    assert run.meta["tied"] == [["0.weight", "2.weight"]] and run.meta["frozen"] == ["0.bias"]


def test_a_loss_function_may_take_the_model_and_a_batch_may_be_a_dict():
    model, optimizer, _ = made("groups")

    def loss_fn(model, x, y):
        return F.cross_entropy(model(x), y)

    x, y = batches("groups")[0]
    by_output = parity.from_torch(model, F.cross_entropy, optimizer).start().step((x, y))
    by_model = parity.from_torch(model, loss_fn, optimizer).start()
    assert np.array_equal(by_model.step({"x": x, "y": y})["loss"]["loss"], by_output["loss"]["loss"])


def test_what_cannot_be_a_reference_is_refused():
    model, optimizer, _ = made("groups")
    with pytest.raises(TypeError, match=r"torch\.nn\.Module"):
        parity.from_torch(print, F.cross_entropy, optimizer)
    with pytest.raises(TypeError, match=r"torch\.optim\.Optimizer"):
        parity.from_torch(model, F.cross_entropy, None)
    with pytest.raises(ValueError, match="not the model's"):
        parity.from_torch(model, F.cross_entropy, torch.optim.SGD(nn.Linear(1, 1).parameters()))
    with pytest.raises(ValueError, match="accumulate"):
        parity.from_torch(model, F.cross_entropy, optimizer, accumulate=0)
