"""Two processes of JAX beside two of torch's ``DistributedDataParallel``, both with gloo between them."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from tests.train.processes import fitted

pytest.importorskip("torch", reason="the reference is not installed")


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def two(side, folder):
    port, paths = str(free_port()), [folder / f"{side}{rank}.npz" for rank in range(2)]
    env = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}  # one device in each
    command = [sys.executable, "-m", "tests.train.processes", side]
    running = [
        subprocess.Popen([*command, str(rank), port, str(path)], cwd=Path(__file__).parents[2], env=env)
        for rank, path in enumerate(paths)
    ]
    try:
        assert [each.wait(timeout=240) for each in running] == [0, 0]
    finally:
        for each in running:
            each.kill()
    found = []
    for path in paths:
        with np.load(path) as arrays:
            found.append(dict(arrays))
    return found


@pytest.mark.exhaustive
def test_as_torchs_processes(tmp_path):
    ours, theirs = two("jax", tmp_path), two("torch", tmp_path)
    for axis in ("data", "fsdp"):
        for name, value in theirs[0].items():
            mine = ours[0][f"{axis}/{name}"]
            np.testing.assert_allclose(mine, value, rtol=1e-10, atol=1e-13, err_msg=f"{axis} {name}")
            np.testing.assert_array_equal(mine, ours[1][f"{axis}/{name}"])
    assert len(theirs[0]["losses"]) == 2 * 3
    with jax.enable_x64(True):  # one process with two devices
        alone = fitted(tmp_path / "alone")
    for each in ours:
        np.testing.assert_allclose(each["fitted/losses"], alone["losses"], rtol=1e-12)
        np.testing.assert_array_equal(each["fitted/stream"], alone["stream"])
    own = [each["1.running_mean"] for each in theirs]
    assert not np.array_equal(*own)  # in torch each process has its own; those of the first count
