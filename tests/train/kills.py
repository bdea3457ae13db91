"""A run that is killed again and again, and must give bit for bit what the undisturbed one gives.

    python -m tests.train.kills [--kills 100] [--seed 0]

kills (SIGKILL) a training process at random moments, some of them in the middle of a save, and starts it anew each
time; at the end every loss that any of the processes reported, and the final state, are compared with those of a
process that nobody disturbed. ``test_checkpoint.py`` does it in short.
"""

import argparse
import json
import os
import random as chance
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]


def recipe():
    """Everything that a state can have: shuffled data, dropout, BatchNorm, schedule, scaler, average."""
    from jaxgrad import amp, func, nn, optim, random, train
    from jaxgrad.nn import functional as F
    from jaxgrad.optim import swa_utils
    from jaxgrad.utils.data import DataLoader, TensorDataset

    rngs = nn.Rngs(random.manual_seed(0))
    layers = (nn.Linear(5, 8, rngs=rngs), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.25), nn.Linear(8, 3, rngs=rngs))
    model = nn.Sequential(*layers)
    params, buffers = func.extract(model)
    tx, schedule = optim.AdamW(lr=0.01), optim.lr_scheduler.CosineAnnealingLR(0.01, T_max=40)
    average = swa_utils.AveragedModel(params, avg_fn=swa_utils.get_ema_avg_fn(0.9))
    settings = {"schedule": schedule, "scaler": amp.GradScaler(init_scale=64.0, growth_interval=7), "average": average}
    loss_fn = train.supervised(model, F.cross_entropy)
    step = train.make_train_step(loss_fn, tx, clip_grad_norm=1.0, **settings)
    rng = np.random.default_rng(0)
    data = TensorDataset(rng.standard_normal((22, 5)).astype(np.float32), rng.integers(0, 3, 22))

    def fresh():
        return train.init_state(params, tx, buffers=buffers, generator=rngs.generator, **settings)

    return step, fresh, DataLoader(data, batch_size=4, shuffle=True)


STEPS_PER_EPOCH, PAUSE, LONGEST = 6, 0.03, 0.3
EPOCHS_PER_KILL = 2  # more steps than are done between two kills, so that the run does not end before


def train_on(folder, epochs, every=2, pause=0.0):
    """Train, or go on training; every loss is appended to a file as it is read."""
    import jax

    from jaxgrad import train

    step, fresh, loader = recipe()
    with open(os.path.join(folder, "losses"), "a") as file:

        def log(number, values):
            if "train/loss" in values:
                print(number, values["train/loss"].hex(), file=file, flush=True)
                time.sleep(pause)

        with train.Checkpoints(os.path.join(folder, "checkpoints"), every=every) as checkpoints:
            fitted = train.fit(step, fresh(), loader, epochs=epochs, checkpoints=checkpoints, log=log, show=False)
    leaves = [np.asarray(leaf).tobytes().hex() for leaf in jax.tree.leaves(fitted.state)]
    means = [record["loss"] for record in fitted.history]
    Path(folder, "end").write_text(json.dumps([leaves, means]))


def losses_in(folder):
    """``{step: loss}``; a step that was done twice must have given the same both times."""
    found = {}
    text = Path(folder, "losses").read_text() if Path(folder, "losses").exists() else ""
    for line in text.splitlines(keepends=True):
        if line.endswith("\n"):  # not one that the kill cut off
            number, loss = line.split()
            assert found.setdefault(int(number), loss) == loss, f"step {number} gave {found[int(number)]}, then {loss}"
    return found


def disturbed(folder, epochs, kills, seed):
    """Start, kill, start again; how many kills came within a save, by what they left."""
    moments, begun = chance.Random(seed), 0
    command = [sys.executable, "-m", "tests.train.kills", "--folder", str(folder), "--epochs", str(epochs)]
    for _ in range(kills):
        before = len(losses_in(folder))
        process = subprocess.Popen([*command, "--pause", str(PAUSE)], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        while process.poll() is None and len(losses_in(folder)) == before:
            time.sleep(0.02)
        try:
            process.wait(moments.uniform(0.0, LONGEST))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        told = process.communicate()[1]
        assert process.returncode == -signal.SIGKILL, f"it ended by itself:\n{told}"
        begun += any(".orbax-checkpoint-tmp" in each.name for each in Path(folder, "checkpoints").iterdir())
    subprocess.run(command, cwd=ROOT, check=True)
    return begun


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--folder")
    asked = parser.parse_args()
    epochs = asked.epochs or EPOCHS_PER_KILL * asked.kills
    if asked.folder:
        return train_on(asked.folder, epochs, pause=asked.pause)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        within = disturbed(one, epochs, asked.kills, asked.seed)
        train_on(other, epochs, every=10**6)
        assert losses_in(one) == losses_in(other) and len(losses_in(one)) == STEPS_PER_EPOCH * epochs
        assert Path(one, "end").read_bytes() == Path(other, "end").read_bytes()
        print(f"{asked.kills} kills, {within} within a save; {len(losses_in(one))} losses and the end: the same bits")


if __name__ == "__main__":
    main()
