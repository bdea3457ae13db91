"""Files of real torch read here, files written here read by real torch."""

import collections
import io
import os
import struct
import tarfile
import warnings
import zipfile
import zlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad import random, serialization
from jaxgrad.serialization import SerializationError, read_torch, write_torch
from jaxgrad.serialization._pickle.machine import Callables
from jaxgrad.serialization._pickle.rebuild import NAMES
from tests.serialization.files import EXTENDED, PLAIN, assert_same, everything, our_bytes, read, to_torch, torch_bytes


def test_the_allow_list_is_torchs():
    from torch._weights_only_unpickler import _get_allowed_globals

    allowed = set(_get_allowed_globals())
    assert set(NAMES) == allowed
    assert all(isinstance(value, Callables) or not callable(value) for value in NAMES.values())


@pytest.mark.parametrize("form", ["zip", "legacy"])
def test_what_torch_writes(form):
    obj = everything()
    assert_same(read(torch_bytes(obj, _use_new_zipfile_serialization=form == "zip")), obj)


def test_what_torch_writes_on_disk_mapped_and_not(tmp_path):
    obj, path = everything(), tmp_path / "model.v1.pt"
    path.write_bytes(torch_bytes(obj))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_same(read_torch(path), obj)
        mapped = read_torch(os.fspath(path), mmap=True)
    assert_same(mapped, obj)
    assert not mapped["base"].flags.writeable
    kept = read_torch(path)
    path.write_bytes(b"something else")  # in place, as torch.save does
    assert_same(kept, obj)


def test_what_is_written_here_torch_reads_to_the_last_bit(tmp_path):
    ours = read(torch_bytes(everything()))
    data = our_bytes(ours)
    assert_same(ours, to_torch(data))
    assert_same(read(data), to_torch(data))
    path = tmp_path / "again.pt"
    write_torch(path, ours)
    assert_same(ours, torch.load(path, weights_only=True, mmap=True))
    from torch.utils.serialization import config

    with config.patch({"load.calculate_storage_offsets": True}):
        assert_same(ours, torch.load(path, weights_only=True, mmap=True))
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert all(entry.filename.startswith("again/") for entry in archive.infolist())
        raw = path.read_bytes()
        for entry in archive.infolist():
            name, extra = struct.unpack_from("<HH", raw, entry.header_offset + 26)
            assert (entry.header_offset + 30 + name + extra) % 64 == 0


@pytest.mark.parametrize("name", ["модель.pt", "...pt", ".pt", "a b.ckpt", "no_ending"])
def test_names_of_files(name, tmp_path):
    write_torch(tmp_path / name, {"w": np.ones(3)})
    assert_same(read_torch(tmp_path / name), torch.load(tmp_path / name, weights_only=True))
    if name.strip(".") != "pt":  # torch's writer refuses these, or climbs out of its folder
        torch.save({"w": torch.ones(2)}, tmp_path / name)
        assert_same(read_torch(tmp_path / name), {"w": torch.ones(2)})


def test_sharing_survives_in_both_directions():
    base = torch.arange(12.0).reshape(3, 4)
    ours = read(torch_bytes({"base": base, "row": base[1], "column": base[:, 2]}))
    assert np.shares_memory(ours["base"], ours["row"])
    back = to_torch(our_bytes(ours))
    back["base"][1, 2] = 77
    assert back["row"][2] == 77 and back["column"][1] == 77
    tied = jnp.ones((2, 2))
    back = to_torch(our_bytes({"a": tied, "b": tied}))
    assert back["a"].data_ptr() == back["b"].data_ptr()
    big = np.zeros(100_000)
    assert len(our_bytes({"part": big[:3]})) < 3000  # not the whole that it is a part of


def test_arrays_of_every_dtype_from_jax_and_numpy():
    arrays = {np.dtype(d).name: np.arange(6).reshape(2, 3).clip(0, 1).astype(d) for d in [*PLAIN, *EXTENDED]}
    arrays |= {
        f"jax {n}": jnp.asarray(a) for n, a in arrays.items() if jnp.asarray(np.zeros(1, a.dtype)).dtype == a.dtype
    }
    arrays |= {"big": np.arange(3, dtype=">f4"), "reversed": np.arange(3)[::-1], "0-d": jnp.array(2.0)}
    theirs = to_torch(our_bytes(arrays))
    for name, array in arrays.items():
        assert_same(np.asarray(array).astype(np.asarray(array).dtype.newbyteorder("=")), theirs[name])


def test_jax_values_become_what_torch_has_for_them():
    back = to_torch(our_bytes({"generator": random.manual_seed(5), "scalar": np.float32(0.5), "n": np.int64(3)}))
    assert back["generator"].equal(torch.Generator().manual_seed(5).get_state())
    assert back["scalar"] == 0.5 and type(back["n"]) is int


def big_endian(data: bytes) -> bytes:
    """The same archive as a big-endian machine writes it."""
    turned = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(turned, "w") as new:
        for entry in old.infolist():
            content = old.read(entry)
            if "/data/" in entry.filename:
                content = np.frombuffer(content, "<f4").astype(">f4").tobytes()
            new.writestr(entry.filename, b"big" if entry.filename.endswith("byteorder") else content)
    return turned.getvalue()


def test_files_of_big_endian_machines_and_of_other_zip_writers():
    obj = {"w": torch.arange(6.0).reshape(2, 3), "v": torch.full((2,), 0.1)}
    data = big_endian(torch_bytes(obj))
    assert_same(read(data), obj)
    assert_same(read(data), to_torch(data))
    views = read(big_endian(torch_bytes([obj["w"], obj["w"][1]])))
    assert np.shares_memory(*views) and views[1].tolist() == [3.0, 4.0, 5.0]
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(torch_bytes(obj))) as old:
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
            for entry in old.infolist():
                new.writestr(entry.filename, old.read(entry))
    assert_same(read(packed.getvalue()), obj)


def test_files_without_checksums_and_of_later_protocols():
    obj = {"w": torch.ones(3), "n": {1: "ä"}, "b": b"ab"}
    torch.serialization.set_crc32_options(False)
    try:
        assert_same(read(torch_bytes(obj)), obj)
    finally:
        torch.serialization.set_crc32_options(True)
    for protocol in (3, 4, 5):
        assert_same(read(torch_bytes(obj, pickle_protocol=protocol)), obj)


def tar_file() -> bytes:
    """The form before torch 0.1.10, as its reader wants it (no torch of today writes it)."""
    import pickle

    class Named:
        def __init__(self, module, name):
            self.module, self.name = module, name

    class Pickler(pickle._Pickler):  # in Python, so that a name may be written without its object
        def save(self, obj, save_persistent_id=True):
            if isinstance(obj, Named):
                return self.write(f"c{obj.module}\n{obj.name}\n".encode())
            if isinstance(obj, tuple) and obj and obj[0] == "#":
                self.save(obj[1])
                return self.write(b"Q")
            return super().save(obj, save_persistent_id)

    def dumps(*objects):
        file = io.BytesIO()
        for obj in objects:
            Pickler(file, 2).dump(obj)
        return file.getvalue()

    numbers = np.arange(6, dtype="<f4")
    storages = dumps(1, (11, "cpu", Named("torch", "FloatStorage"))) + struct.pack("<q", 6) + numbers.tobytes()
    storages += dumps([(12, 11, 2, 3)])
    tensors = dumps(2, (21, 11, Named("torch", "FloatTensor")))
    tensors += struct.pack("<i4x5q", 2, 2, 3, 3, 1, 0)
    tensors += dumps((22, 12, Named("torch", "FloatTensor"))) + struct.pack("<i4x3q", 1, 2, 1, 1)
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:", format=tarfile.PAX_FORMAT) as archive:
        for name, data in {
            "storages": storages,
            "tensors": tensors,
            "pickle": dumps({"w": ("#", 21), "v": ("#", 22)}),
        }.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return file.getvalue()


def test_the_tar_form(tmp_path):
    path = tmp_path / "old.pt"
    path.write_bytes(tar_file())
    ours = read_torch(path)
    assert_same(ours, {"w": torch.arange(6.0).reshape(2, 3), "v": torch.tensor([3.0, 4.0])})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert_same(ours, torch.load(path, weights_only=False))


def test_sparse_and_meta_tensors():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        obj = {
            "coo": torch.eye(3).to_sparse(),
            "csr": torch.eye(3).to_sparse_csr(),
            "meta": torch.ones(2, 3, device="meta"),
        }
    ours = read(torch_bytes(obj))
    assert ours["meta"] == jax.ShapeDtypeStruct((2, 3), np.float32)
    assert ours["coo"].layout == "torch.sparse_coo" and ours["coo"].size == (3, 3)
    back = to_torch(our_bytes(ours))
    assert back["meta"].is_meta and back["meta"].shape == (2, 3) and back["meta"].is_contiguous()
    assert back["coo"].to_dense().equal(torch.eye(3)) and back["csr"].to_dense().equal(torch.eye(3))


def test_parameters_of_the_meta_device_go_both_ways():
    module = torch.nn.Linear(3, 2, device="meta", dtype=torch.bfloat16)
    ours = read(torch_bytes({"weight": module.weight, "state": module.state_dict()}))
    assert ours["weight"] == jax.ShapeDtypeStruct((2, 3), jnp.bfloat16) and list(ours["state"]) == ["weight", "bias"]
    back = to_torch(our_bytes(ours))["state"]
    assert {name: (each.device.type, each.dtype, each.shape) for name, each in back.items()} == {
        name: ("meta", torch.bfloat16, each.shape) for name, each in module.state_dict().items()
    }
    with pytest.raises(TypeError, match="torch has no dtype for key"):
        our_bytes(jax.eval_shape(lambda: jax.random.key(0)))


@pytest.mark.parametrize("layout", [torch.strided, torch.sparse_coo, torch.sparse_bsc, torch.jagged, torch._mkldnn])
def test_layouts_and_dtypes_as_keys_go_both_ways(layout):
    obj = {"layout": layout, torch.float32: 1, "kinds": {torch.int8, torch.bfloat16}}
    ours = read(torch_bytes(obj))
    assert ours["layout"] == str(layout) and ours[np.dtype("float32")] == 1
    assert to_torch(our_bytes(ours)) == obj


leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats()
    | st.text(max_size=5)
    | st.binary(min_size=1, max_size=5)
)
keys = st.text(max_size=4) | st.integers(-5, 5) | st.tuples(st.integers(0, 3), st.text(max_size=2))
trees = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(keys, inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(keys, inner, max_size=3).map(collections.OrderedDict)
    ),
    max_leaves=20,
)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(trees)
def test_any_plain_object_goes_through_both_ways(tree):
    assert_same(read(torch_bytes(tree)), tree)
    assert_same(to_torch(our_bytes(tree)), tree)
    assert_same(read(our_bytes(tree)), tree)


@pytest.mark.parametrize(
    "value, sentence",
    [
        (lambda: 0, "cannot write a function"),
        (frozenset({1}), "cannot write a frozenset"),
        (jax.random.key(0), "torch has no dtype for key"),
        (np.array(["a"]), "torch has no dtype for <U1"),
        (np.longdouble([1]), "torch has no dtype for"),
        (collections.namedtuple("Pair", "a b")(1, 2), "cannot write a Pair"),
    ],
)
def test_what_torch_would_not_read_is_not_written(tmp_path, value, sentence):
    path = tmp_path / "model.pt"
    write_torch(path, {"old": 1})
    with pytest.raises(TypeError, match=sentence):
        write_torch(path, {"new": value})
    assert read_torch(path) == {"old": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["model.pt"]


def test_wrong_arguments(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_torch(tmp_path / "none.pt")
    with pytest.raises(IsADirectoryError):
        write_torch(tmp_path, {})
    with pytest.raises(ValueError, match="f must be a file path in order to use the mmap argument"):
        read_torch(io.BytesIO(b""), mmap=True)
    with pytest.raises(EOFError):
        read_torch(io.BytesIO(b""))
    with pytest.raises(AttributeError, match="has no attribute 'read'"):
        read_torch({"a": 1})
    with pytest.raises(AttributeError, match="with a 'write' attribute, got dict"):
        write_torch({"a": 1}, "model.pt")
    with pytest.raises(RuntimeError, match="mmap can only be used with files saved with"):
        (tmp_path / "old.pt").write_bytes(torch_bytes({"a": torch.ones(1)}, _use_new_zipfile_serialization=False))
        read_torch(tmp_path / "old.pt", mmap=True)
    with pytest.raises(SerializationError, match="Invalid magic number; corrupt file"):
        read(b"a text")
    with pytest.raises(SerializationError, match="which has no counterpart here"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read(torch_bytes(torch.ones(2, dtype=torch.complex32)))


def test_a_script_module_is_refused_as_in_torch():
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), file)
    with pytest.raises(SerializationError, match="Cannot use ``weights_only=True`` with TorchScript archives"):
        read(file.getvalue())


def test_one_wrong_bit_of_the_data_is_noticed():
    data = bytearray(torch_bytes({"w": torch.arange(100.0)}))
    at = data.find(struct.pack("<f", 50.0))
    data[at] ^= 1
    assert zlib.crc32(data) != 0
    with pytest.raises(SerializationError, match="the file is corrupted"):
        read(bytes(data))
    assert serialization.SerializationError is SerializationError
