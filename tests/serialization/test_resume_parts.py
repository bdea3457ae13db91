"""Schedulers, averages, streams and the place in an epoch: half in one library, half in the other, through a file."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler as theirs

from jaxgrad import random
from jaxgrad.optim import lr_scheduler as ours
from jaxgrad.optim.swa_utils import SWALR, AveragedModel, get_ema_avg_fn
from jaxgrad.utils.data import DataLoader
from tests.serialization.files import our_bytes, read, to_torch, torch_bytes

STEPS = 50


def both(make):
    """``make(module, first)`` with torch's classes and an optimizer, and with ours and the base lr."""
    parameter = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([parameter], lr=0.1, momentum=0.9)
    return make(ours, 0.1), make(theirs, optimizer), optimizer


SCHEDULES = {
    "StepLR": lambda m, first: m.StepLR(first, 7, gamma=0.5),
    "MultiStepLR": lambda m, first: m.MultiStepLR(first, [3, 60, 80]),
    "ConstantLR": lambda m, first: m.ConstantLR(first, total_iters=60),
    "LinearLR": lambda m, first: m.LinearLR(first, total_iters=70),
    "ExponentialLR": lambda m, first: m.ExponentialLR(first, 0.97),
    "PolynomialLR": lambda m, first: m.PolynomialLR(first, 90, power=0.9),
    "CosineAnnealingLR": lambda m, first: m.CosineAnnealingLR(first, 30, eta_min=0.001),
    "CosineAnnealingWarmRestarts": lambda m, first: m.CosineAnnealingWarmRestarts(first, 10, T_mult=2),
    "LambdaLR": lambda m, first: m.LambdaLR(first, lambda epoch: 0.95**epoch),
    "MultiplicativeLR": lambda m, first: m.MultiplicativeLR(first, lambda epoch: 0.99),
    "CyclicLR": lambda m, first: m.CyclicLR(first, 0.01, 0.2, step_size_up=11, mode="triangular2"),
    "OneCycleLR": lambda m, first: m.OneCycleLR(first, 0.3, total_steps=120),
    "SequentialLR": lambda m, first: m.SequentialLR(
        *([first] if m is theirs else []),
        [m.LinearLR(first, total_iters=60), m.CosineAnnealingLR(first, 40)],
        [60],
    ),
    "ChainedScheduler": lambda m, first: m.ChainedScheduler(
        [m.ConstantLR(first, total_iters=60), m.ExponentialLR(first, 0.98)]
    ),
}


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.filterwarnings("ignore:The epoch parameter")
@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_goes_on_in_the_other_library(name):
    schedule, scheduler, optimizer = both(SCHEDULES[name])
    state = schedule.init()
    for _ in range(STEPS):
        optimizer.step()
        scheduler.step()
        state = schedule.step(state)
    file = torch_bytes({"scheduler": scheduler.state_dict(), "optimizer": optimizer.state_dict()})
    loaded = schedule.load_state_dict(read(file)["scheduler"])
    back = to_torch(our_bytes(schedule.state_dict(state)))
    _, again, fresh = both(SCHEDULES[name])
    fresh.load_state_dict(to_torch(file)["optimizer"])
    again.load_state_dict(back)
    for _ in range(STEPS):
        scheduler.step()
        fresh.step()
        again.step()
        loaded = schedule.step(loaded)
        assert schedule.get_last_lr(loaded) == scheduler.get_last_lr()[0] == again.get_last_lr()[0]


def test_the_plateau_and_swa(recwarn):
    schedule, scheduler, _ = both(lambda m, first: m.ReduceLROnPlateau(first, patience=2, factor=0.7))
    swa, torch_swa = SWALR(0.1, swa_lr=0.02, anneal_epochs=70), None
    state, swa_state = schedule.init(), swa.init()
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1)
    torch_swa = torch.optim.swa_utils.SWALR(optimizer, swa_lr=0.02, anneal_epochs=70)
    metrics = np.random.default_rng(0).random(2 * STEPS)
    for metric in metrics[:STEPS]:
        scheduler.step(metric)
        torch_swa.step()
    file = read(torch_bytes({"plateau": scheduler.state_dict(), "swa": torch_swa.state_dict()}))
    state, swa_state = schedule.load_state_dict(file["plateau"]), swa.load_state_dict(file["swa"])
    for metric in metrics[STEPS:]:
        scheduler.step(metric)
        torch_swa.step()
        state, swa_state = schedule.step(state, metric), swa.step(swa_state)
        assert schedule.get_last_lr(state) == scheduler.get_last_lr()[0]
        assert swa.get_last_lr(swa_state) == torch_swa.get_last_lr()[0]


def test_an_average_goes_on_in_the_other_library():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)).double()
    ema = torch.optim.swa_utils.get_ema_avg_fn(0.9)
    averaged = torch.optim.swa_utils.AveragedModel(model, avg_fn=ema)
    names = [name for name, _ in model.named_parameters()]

    def current():
        state = {name: jnp.asarray(value.numpy()) for name, value in model.state_dict().items()}
        return {n: state[n] for n in names}, {n: v for n, v in state.items() if n not in names}

    def move():
        with torch.no_grad():
            for value in model.parameters():
                value += torch.randn(value.shape, dtype=torch.float64)

    with jax.enable_x64(True):
        mine = AveragedModel(current(), avg_fn=get_ema_avg_fn(0.9))
        for _ in range(3):
            move()
            averaged.update_parameters(model)
            mine = mine.update_parameters(current())
        loaded = AveragedModel(current(), avg_fn=get_ema_avg_fn(0.9))
        loaded = loaded.load_state_dict(read(torch_bytes(averaged.state_dict())))
        back = torch.optim.swa_utils.AveragedModel(model, avg_fn=ema)
        report = back.load_state_dict(to_torch(our_bytes(mine.state_dict())))
        assert str(report) == "<All keys matched successfully>"
        for _ in range(3):
            move()
            averaged.update_parameters(model)
            back.update_parameters(model)
            loaded = loaded.update_parameters(current())
        for name, value in averaged.module.named_parameters():
            assert np.allclose(loaded.module[name], value.detach().numpy(), rtol=1e-13, atol=1e-13)
            assert torch.allclose(dict(back.module.named_parameters())[name], value, rtol=1e-13, atol=1e-13)
        assert int(loaded.n_averaged) == int(averaged.n_averaged) == 6


def test_a_stream_goes_on_in_the_other_library():
    torch.manual_seed(11)
    torch.randn(7), torch.rand(3)
    generator = random.from_state(read(torch_bytes({"rng": torch.get_rng_state()}))["rng"])
    drawn, generator = random.randn(generator, (40,))
    assert np.array_equal(drawn, torch.randn(40).numpy())
    torch.set_rng_state(to_torch(our_bytes({"rng": generator}))["rng"])
    drawn, _ = random.rand(generator, (9,))
    assert np.array_equal(drawn, torch.rand(9).numpy())


def test_an_epoch_goes_on_where_it_was_left():
    """The place in an epoch is the stream that it began with, and how many batches were taken."""
    samples = np.arange(20)
    reference = torch.utils.data.DataLoader(torch.arange(20), batch_size=3, shuffle=True)
    torch.manual_seed(5)
    began = torch.get_rng_state()
    batches = iter(reference)
    for _ in range(3):
        next(batches)
    file = read(torch_bytes({"began": began, "taken": 3}))
    loader = DataLoader(samples, batch_size=3, shuffle=True)
    mine, after = loader.epoch(random.from_state(file["began"]))
    rest = [np.asarray(batch).tolist() for batch in itertools.islice(mine, file["taken"], None)]
    assert rest == [batch.tolist() for batch in batches]
    del after
