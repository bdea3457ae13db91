"""The whole recipe on eight virtual devices, killed at random moments, beside torch's replicas.

    python -m tests.train.recipe_killed NAME [--steps 200] [--kills 10]

The losses and states of each step are files, which a process writes that is killed.
``test_recipe.py`` does it in short.
"""

import argparse
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tests.models.side_by_side import as_torch
from tests.train.recipe import RECIPES, InTorch, compare_seen

ROOT = Path(__file__).parents[2]


def check(name, folder, steps, kills):
    """Every step within 1e-8 of torch's replicas; one that is done twice, or undisturbed, gives the same bits."""
    command = [sys.executable, "-m", "tests.train.recipe", name, str(steps)]
    for _ in range(kills):
        before = len(list(folder.glob("step-*.npz")))
        process = subprocess.Popen([*command, str(folder)], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        while process.poll() is None and len(list(folder.glob("step-*.npz"))) <= before + secrets.randbelow(6):
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        told = process.communicate()[1]
        assert process.returncode == -signal.SIGKILL, f"it ended by itself:\n{told}"
    subprocess.run([*command, str(folder)], cwd=ROOT, check=True)
    subprocess.run([*command, str(folder / "undisturbed")], cwd=ROOT, check=True)
    for i in range(1, steps + 1):
        assert seen_in(folder, i).keys() == seen_in(folder / "undisturbed", i).keys()
        for key, value in seen_in(folder, i).items():
            assert value.tobytes() == seen_in(folder / "undisturbed", i)[key].tobytes(), (i, key)
    build, criterion, examples = RECIPES[name]
    theirs = InTorch(build, criterion, [as_torch(each) for each in examples(8)], 0, replicas=8)
    last = compare_seen((seen_in(folder, i) for i in range(1, steps + 1)), theirs.run(steps))
    assert not [key for key, value in seen_in(folder, 1).items() if np.array_equal(value, last[key])]


def seen_in(folder, step):
    with np.load(folder / f"step-{step}.npz") as found:
        return dict(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--kills", type=int, default=10)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        check(chosen.name, Path(folder), chosen.steps, chosen.kills)
    told = f"{chosen.steps} steps, {chosen.kills} kills: equal to the undisturbed run and to torch's replicas"
    print(f"{chosen.name}: {told}")


if __name__ == "__main__":
    main()
