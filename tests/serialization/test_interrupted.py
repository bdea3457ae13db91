"""A file is there whole or not at all, and takes no more memory than it must."""

import io
import os
import subprocess
import sys
import tracemalloc

import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxgrad import nn, random, serialization
from jaxgrad.serialization import SerializationError, read_torch, write_torch
from jaxgrad.serialization._zip import writer
from jaxgrad.serialization.atomic import replacing
from tests.serialization.files import our_bytes, read, torch_bytes
from tests.serialization.test_torch_file import tar_file

OBJ = {"w": np.arange(50, dtype=np.float32), "b": np.ones((3, 2)), "n": [1, "two", 3.0]}
STATE = {"w": jnp.arange(20.0), "n": 3}


def test_cut_at_any_byte_a_file_is_refused(tmp_path):
    legacy = torch_bytes({"w": torch.arange(50.0), "n": 3}, _use_new_zipfile_serialization=False)
    for data, step in [
        (our_bytes(OBJ), 1),
        (torch_bytes({"w": torch.ones(5)}), 3),
        (legacy, 1),
        (tar_file().rstrip(b"\0"), 29),
    ]:
        for end in range(0, len(data) - 1, step):
            with pytest.raises(SerializationError):
                read(data[:end])
    serialization.write_safetensors(tmp_path / "t.safetensors", {"w": OBJ["w"], "b": OBJ["b"]}, {"a": "b"})
    serialization.save(tmp_path / "s", STATE, meta={"epoch": 1})
    cut = tmp_path / "cut.safetensors"
    for name, reader in [
        ("t.safetensors", serialization.read_safetensors),
        ("s", lambda path: serialization.load(path, like=STATE)),
    ]:
        data = (tmp_path / name).read_bytes()
        for end in range(0, len(data), 5):
            cut.write_bytes(data[:end])
            with pytest.raises(SerializationError):
                reader(cut)


def test_an_error_at_any_entry_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model.pt"
    write_torch(path, {"old": 1})
    count = len(OBJ) + 7
    original = writer.ArchiveWriter._put
    for fail_at in range(1, 2 * count):
        calls = []

        def put(self, data, calls=calls, fail_at=fail_at):
            calls.append(1)
            if len(calls) == fail_at:
                raise OSError("No space left on device")
            original(self, data)

        monkeypatch.setattr(writer.ArchiveWriter, "_put", put)
        with pytest.raises(OSError, match="No space left"):
            write_torch(path, OBJ)
        assert read_torch(path) == {"old": 1} and os.listdir(tmp_path) == ["model.pt"]


def test_the_data_is_on_the_disk_before_the_name_changes(tmp_path, monkeypatch):
    events = []
    paths = {}
    opened, synced, replaced = os.open, os.fsync, os.replace

    def note_open(path, *arguments, **options):
        descriptor = opened(path, *arguments, **options)
        paths[descriptor] = os.fspath(path)
        return descriptor

    monkeypatch.setattr(os, "open", note_open)
    monkeypatch.setattr(os, "fsync", lambda fd: (events.append(("fsync", paths[fd])), synced(fd))[1])
    monkeypatch.setattr(os, "replace", lambda a, b: (events.append(("replace", b)), replaced(a, b))[1])
    for write in (
        lambda path: write_torch(path, OBJ),
        lambda path: serialization.write_safetensors(path, {"w": OBJ["w"]}),
        lambda path: serialization.save(path, STATE),
    ):
        events.clear()
        path = str(tmp_path / "f")
        write(path)
        (first, temporary), second, third = events
        assert first == "fsync" and temporary.startswith(str(tmp_path / ".f."))
        assert second == ("replace", path) and third == ("fsync", str(tmp_path))


def test_links_and_permissions_stay(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    with replacing(link) as temporary, open(temporary, "w") as file:
        file.write("new")
    assert link.is_symlink() and target.read_text() == "new" and target.stat().st_mode & 0o777 == 0o640
    with pytest.raises(KeyboardInterrupt), replacing(target) as temporary:
        open(temporary, "w").close()
        raise KeyboardInterrupt
    assert target.read_text() == "new" and len(list(tmp_path.iterdir())) == 2


KILLS = """
import os, random, signal, sys, time
import numpy as np
from jaxgrad.serialization import read_torch, read_safetensors, write_torch, write_safetensors
folder, rounds = sys.argv[1], int(sys.argv[2])
choice = random.Random(0)
first, second = ({f"w{i}": np.full(20000, k, np.float32) for i in range(20)} for k in (1, 2))
pt, st = os.path.join(folder, "m.pt"), os.path.join(folder, "m.safetensors")
write_torch(pt, first), write_safetensors(st, first)
seen = set()
for _ in range(rounds):
    child = os.fork()
    if not child:
        while True:
            for state in (second, first):
                write_torch(pt, state), write_safetensors(st, state)
    time.sleep(choice.uniform(0.0, 0.2))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    for found in (read_torch(pt), read_safetensors(st)):
        values = {float(array[0]) for array in found.values()}
        assert len(found) == 20 and len(values) == 1 and values <= {1.0, 2.0}
        assert all((array == array[0]).all() for array in found.values())
        seen |= values
print(len(seen))
"""


@pytest.mark.parametrize("rounds", [pytest.param(12), pytest.param(500, marks=pytest.mark.exhaustive)])
def test_a_writer_that_is_killed_leaves_the_old_file_or_the_new(rounds, tmp_path):
    command = [sys.executable, "-W", "ignore", "-c", KILLS, str(tmp_path), str(rounds)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "2" or rounds < 100  # enough rounds meet both


def peak(fn):
    tracemalloc.start()
    try:
        result = fn()
        return tracemalloc.get_traced_memory()[1], result
    finally:
        tracemalloc.stop()


def test_memory(tmp_path):
    """Peak memory is at most 1.2 times the file; mapped, next to nothing; writing needs no copy."""
    arrays = {f"{i}": np.full((500, 500), i, np.float32) for i in range(12)}
    path, size = tmp_path / "large.pt", 12e6
    assert peak(lambda: write_torch(path, arrays))[0] < 0.1 * size
    used, found = peak(lambda: read_torch(path))
    assert used < 1.2 * size and np.array_equal(found["11"], arrays["11"])
    used, found = peak(lambda: read_torch(path, mmap=True))
    assert used < 0.05 * size and np.array_equal(found["11"], arrays["11"])
    legacy = tmp_path / "legacy.pt"
    legacy.write_bytes(
        torch_bytes({n: torch.from_numpy(a) for n, a in arrays.items()}, _use_new_zipfile_serialization=False)
    )
    assert peak(lambda: read_torch(legacy))[0] < 1.2 * size
    tensors = tmp_path / "t.safetensors"
    assert peak(lambda: serialization.write_safetensors(tensors, arrays))[0] < 0.1 * size
    assert peak(lambda: serialization.read_safetensors(tensors))[0] < 1.2 * size
    assert peak(lambda: serialization.read_safetensors(tensors, mmap=True))[0] < 0.05 * size


def test_a_model_takes_over_the_memory_that_was_read():
    model = nn.Linear(300, 400, rngs=nn.Rngs(random.manual_seed(0)))
    file = io.BytesIO()
    serialization.save_torch(file, model)
    params, _ = serialization.load_torch(io.BytesIO(file.getvalue()), model)
    assert np.array_equal(params["weight"], model.weight.get_value())
    array = serialization.source.aligned(4000).view(np.float32)
    assert array.ctypes.data % 64 == 0
