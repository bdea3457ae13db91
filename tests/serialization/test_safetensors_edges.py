"""Safetensors files and indices that lead nowhere: a sentence, never a crash, an endless walk or a lost array."""

import json

import numpy as np
import pytest

from jaxgrad.serialization import SerializationError, read_safetensors, safetensors_metadata, write_safetensors

INDEX = "model.safetensors.index.json"


@pytest.mark.parametrize("read", [read_safetensors, safetensors_metadata])
@pytest.mark.parametrize("part", [INDEX, "other.json", "a\0b", "line\nbreak", "\ud800", "n" * 300, "é" * 200])
def test_an_index_names_only_files_of_data(tmp_path, part, read):
    (tmp_path / INDEX).write_text(json.dumps({"weight_map": {"w": part}}))
    with pytest.raises(SerializationError, match="the index puts 'w' into what is no safetensors file"):
        read(tmp_path / INDEX)


def test_a_name_twice_in_an_index_is_refused(tmp_path):
    write_safetensors(tmp_path / "a.safetensors", {"w": np.zeros(2)})
    write_safetensors(tmp_path / "b.safetensors", {"w": np.ones(2)})
    (tmp_path / INDEX).write_text('{"weight_map": {"w": "b.safetensors", "w": "a.safetensors"}}')
    with pytest.raises(SerializationError, match="index of the safetensors files is damaged"):
        read_safetensors(tmp_path / INDEX)


def test_an_index_of_good_parts_is_read(tmp_path):
    write_safetensors(tmp_path / "é.safetensors", {"v": np.zeros(2)})
    (tmp_path / INDEX).write_text(json.dumps({"weight_map": {"v": "é.safetensors"}}))
    assert read_safetensors(tmp_path / INDEX)["v"].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("size", [None, 8])
def test_the_name_of_the_metadata_is_not_an_arrays(tmp_path, size):
    path = tmp_path / "m.safetensors"
    with pytest.raises(ValueError, match="keeps the name __metadata__ for itself"):
        write_safetensors(path, {"__metadata__": np.ones(1), "w": np.ones(1)}, max_shard_size=size)
    assert not list(tmp_path.iterdir())
