"""Files made to do harm, and files damaged by chance: refused with a sentence, nothing executed, nothing made up."""

import collections
import io
import json
import os
import pickle
import struct
import subprocess
import time
import zipfile

import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxgrad import serialization
from jaxgrad.serialization import SerializationError
from tests.serialization.files import assert_same, our_bytes, read, torch_bytes
from tests.serialization.mutate import mutated, nothing_happens, pickle_of, repacked, with_pickle
from tests.serialization.programs import PROGRAMS
from tests.serialization.test_torch_file import tar_file


class Evil:
    """Whatever its function is, it is called when Python unpickles it."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def victim():
    state = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4)).state_dict()
    return {"model": state, "epoch": 3, "betas": (0.9, 0.999), "flags": torch.tensor([True, False])}


def refused(data, match="", read=read):
    with nothing_happens(), pytest.raises(SerializationError, match=match) as error:
        read(data)
    return str(error.value)


CALLS = {
    "os.system": (os.system, "touch hacked"),
    "eval": (eval, "open('hacked', 'w')"),
    "exec": (exec, "open('hacked', 'w')"),
    "open": (open, "hacked", "w"),
    "popen": (subprocess.Popen, ["touch", "hacked"]),
    "getattr": (getattr, os, "system"),
    "import": (__import__, "os"),
    "torch.load": (torch.load, "hacked"),
    "partial": (pickle.loads, pickle.dumps(0)),
    "map": (map, print, [1]),
}


@pytest.mark.parametrize("name", sorted(set(CALLS) - {"getattr"}))
@pytest.mark.parametrize("form", ["zip", "legacy", "protocol 4", "nested", "key"])
def test_calls(name, form, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    evil = Evil(*CALLS[name])
    obj = {"zip": evil, "nested": victim() | {"deep": [({"x": [evil]},)]}, "key": {(1, 2): evil}}.get(form, {"a": evil})
    options = {"legacy": {"_use_new_zipfile_serialization": False}, "protocol 4": {"pickle_protocol": 4}}
    text = refused(torch_bytes(obj, **options.get(form, {})), "was not an allowed global by default|is blocked")
    function = CALLS[name][0]
    assert function.__name__ in text or "posix" in text
    assert os.listdir(tmp_path) == []


def program(body: bytes) -> bytes:
    return with_pickle(our_bytes({"w": np.ones(3, np.float32)}), b"\x80\x02" + body)


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name):
    body, sentence = PROGRAMS[name]
    start = time.perf_counter()
    refused(program(body), sentence)
    assert time.perf_counter() - start < 2


def archive(entries, comment=b""):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as new:
        for name, data in entries:
            new.writestr(name, data)
        new.comment = comment
    return file.getvalue()


def test_archives(recwarn):
    good = our_bytes({"w": np.arange(3, dtype=np.float32)})
    for bad in ("../archive/data.pkl", "/etc/passwd", "archive/../../x", "archive\\..\\x", "archive/a\x00b"):
        raw = bytearray(archive([("archive/data.pkl", b"\x80\x02N."), ("archive/" + "x" * (len(bad) - 8), b"")]))
        raw = bytes(raw).replace(b"archive/" + b"x" * (len(bad) - 8), bad.encode()) if len(bad) > 8 else bytes(raw)
        refused(raw, "leads out of its folder|differ|cannot|folder")
    refused(archive([("a/data.pkl", b"\x80\x02N."), ("a/data.pkl", b"\x80\x02K\x01.")]), "two entries of one name")
    refused(archive([("a/other", b"")]), "failed locating file data.pkl")
    refused(repacked(good, {}, {"data/0": "archive/data/7"}), "failed locating file data/0")
    refused(repacked(good, {"data/0": b"\x00" * 4}), "another length")
    refused(repacked(good, {"byteorder": b"middle"}), "Unknown endianness type: middle")
    refused(good[:-1], "central directory")
    assert read(archive([("a/data.pkl", b"\x80\x02K\x05.")], comment=b"a note")) == 5
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as new:
        new.writestr("a/data.pkl", b"\x80\x02B\x00\x00\x00\x04" + b"\x00" * (64 << 20) + b".")
    refused(bomb.getvalue(), "packed suspiciously small")
    header = good.find(b"PK\x01\x02", good.find(b"PK\x01\x02") + 1)  # the second entry of the directory ...
    overlapping = bytearray(good)
    overlapping[header + 42 : header + 46] = struct.pack("<I", 0)  # ... is said to be where the first is
    refused(bytes(overlapping), "differ|overlap")


def safetensors_bytes(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(begin, end, shape=(2,), dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


SAFETENSORS = {
    "nothing": (b"", "header too small"),
    "a header beyond the file": (safetensors_bytes({}, length=1 << 20), "invalid header length"),
    "a header of exabytes": (safetensors_bytes({}, length=2**63), "header too large"),
    "no JSON": (safetensors_bytes(b"{,}"), "invalid JSON"),
    "not a dict": (safetensors_bytes([]), "invalid JSON"),
    "not utf-8": (safetensors_bytes(b'{"\xff": 1}'), "invalid JSON"),
    "deep JSON": (safetensors_bytes(b'{"a":' * 50000), "invalid JSON"),
    "a long number": (safetensors_bytes(b'{"a":' + b"9" * 10000 + b"}"), "invalid JSON"),
    "one name twice": (
        safetensors_bytes(b'{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":1}'),
        "invalid JSON",
    ),
    "metadata of numbers": (safetensors_bytes({"__metadata__": {"a": 1}}), "invalid JSON"),
    "overlapping": (safetensors_bytes({"a": entry(0, 8), "b": entry(4, 12)}, b"\x00" * 12), "invalid offset"),
    "a hole": (safetensors_bytes({"a": entry(0, 8), "b": entry(12, 20)}, b"\x00" * 20), "invalid offset"),
    "not covered": (safetensors_bytes({"a": entry(0, 8)}, b"\x00" * 12), "not fully covered"),
    "cut off": (safetensors_bytes({"a": entry(0, 8)}, b"\x00" * 7), "not fully covered"),
    "a wrong shape": (safetensors_bytes({"a": entry(0, 8, (3,))}, b"\x00" * 8), "invalid shape"),
    "an overflowing shape": (safetensors_bytes({"a": entry(0, 8, (2**62, 2**62, 2))}, b"\x00" * 8), "invalid shape"),
    "a negative shape": (safetensors_bytes({"a": entry(0, 8, (-2, -1))}, b"\x00" * 8), "invalid JSON"),
    "backwards": (safetensors_bytes({"a": entry(8, 0)}, b"\x00" * 8), "invalid offset"),
    "an unknown dtype": (safetensors_bytes({"a": entry(0, 8, dtype="F31")}, b"\x00" * 8), "no counterpart"),
    "a dtype that is a list": (safetensors_bytes({"a": entry(0, 8, dtype=[])}, b"\x00" * 8), "invalid JSON"),
    "bools of other bytes": (safetensors_bytes({"a": entry(0, 2, dtype="BOOL")}, b"\x02\x00"), "neither 0 nor 1"),
    "an empty tensor of absurd sizes": (safetensors_bytes({"a": entry(0, 0, (0, 2**62))}), "absurd"),
}


@pytest.mark.parametrize("name", SAFETENSORS)
def test_safetensors(name, tmp_path):
    data, sentence = SAFETENSORS[name]
    (tmp_path / "x.safetensors").write_bytes(data)
    with pytest.raises(SerializationError, match=sentence):
        serialization.read_safetensors(tmp_path / "x.safetensors")


def walk(tree):
    """Touch every number of what was read."""
    stack, total = [tree], 0
    while stack:
        node = stack.pop()
        if isinstance(node, np.ndarray):
            total += int(np.ascontiguousarray(node).reshape(-1).view(np.uint8).sum(dtype=np.int64)) if node.size else 0
        elif isinstance(node, dict):
            stack.extend([*node.keys(), *node.values()])
        elif isinstance(node, list | tuple | set | collections.Counter):
            stack.extend(node)
    return total


def chance(count, seed, tmp_path):
    """``count`` mutated files of every form; how many of them were still read."""
    rng = np.random.default_rng(seed)
    obj = victim()
    whole, legacy = torch_bytes(obj), torch_bytes(obj, _use_new_zipfile_serialization=False)
    instructions = pickle_of(whole)
    serialization.write_safetensors(
        tmp_path / "t.safetensors", {k: v.numpy() for k, v in obj["model"].items()}, {"a": "b"}
    )
    tensors = (tmp_path / "t.safetensors").read_bytes()
    header = 8 + int.from_bytes(tensors[:8], "little")
    state = {"w": jnp.arange(6.0), "n": 3}
    serialization.save(tmp_path / "s", state, meta={"epoch": 1})
    stored = (tmp_path / "s").read_bytes()
    tar = tar_file()
    target = tmp_path / "mutated.safetensors"

    def from_disk(reader):
        def run(data):
            target.write_bytes(data)
            return reader(target)

        return run

    kinds = {
        "zip": (lambda: mutated(whole, rng, legacy), read),
        "pickle": (lambda: with_pickle(whole, mutated(instructions, rng, tar)), read),
        "ours": (lambda: mutated(our_bytes(read(whole)), rng, whole), read),
        "legacy": (lambda: mutated(legacy, rng, whole), read),
        "tar": (lambda: mutated(tar, rng, legacy), read),
        "safetensors": (lambda: mutated(tensors, rng, whole), from_disk(serialization.read_safetensors)),
        "header": (
            lambda: (lambda h: struct.pack("<Q", len(h)) + h + tensors[header:])(mutated(tensors[8:header], rng)),
            from_disk(serialization.read_safetensors),
        ),
        "store": (lambda: mutated(stored, rng, tensors), from_disk(lambda p: serialization.load(p, like=state))),
    }
    names = list(kinds)
    survived = collections.Counter()
    for i in range(count):
        name = names[i % len(names)]
        make, reader = kinds[name]
        data = make()
        start = time.perf_counter()
        try:
            if name in ("safetensors", "header", "store"):
                found = reader(data)
            else:
                with nothing_happens():
                    found = reader(data)
        except SerializationError as error:
            assert len(str(error)) > 10 and len(str(error)) < 3000
        except RuntimeError as error:
            assert name == "store" and str(error).startswith("Error(s) in loading state:")
        else:
            survived[name] += 1
            walk(found)
            if name in ("zip", "ours"):  # their checksums tell
                assert_same(found, obj)
            if name == "store":
                assert np.array_equal(found[0]["w"], state["w"])
        assert time.perf_counter() - start < 5, (name, i)
    return survived


def test_files_changed_by_chance(tmp_path):
    survived = chance(480, seed=0, tmp_path=tmp_path)
    assert sum(survived.values()) < 240  # most changes hurt


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", range(1, 6))
def test_ten_thousand_files_changed_by_chance(seed, tmp_path):
    chance(2000, seed=seed, tmp_path=tmp_path)
