"""Torch's own list of core operations: each is in the table, or here with the reason why it is not."""

import pytest

pytest.importorskip("torch", reason="the reference is not installed")

import torch

from jaxgrad.trace.table import DRAWS, LAYOUT, TABLE

SYMBOLIC = "a size is a number, or a name, where it is read"
IN_PLACE = "torch's functional form stands in the graph instead"

NOT_HERE = {
    "_local_scalar_dense": "a Python number of a value: there is none while a graph is traced",
    "nonzero": "its shape depends on values",
    "sym_numel": SYMBOLIC,
    "sym_size.int": SYMBOLIC,
    "sym_storage_offset": SYMBOLIC,
    "sym_stride.int": SYMBOLIC,
    "_native_batch_norm_legit": IN_PLACE,
    "atan2.out": IN_PLACE,
    "resize_": IN_PLACE,
    "sym_is_contiguous": SYMBOLIC,
}


def core_operations():
    for name in torch._C._dispatch_get_all_op_names():
        room, _, rest = name.partition("::")
        packet, _, overload = rest.partition(".")
        if room == "aten" and hasattr(torch.ops.aten, packet):
            operation = getattr(getattr(torch.ops.aten, packet), overload or "default")
            if torch.Tag.core in operation.tags:
                yield rest


def test_every_core_operation_is_here_or_has_a_reason():
    names = set(core_operations())
    assert len(names) > 150
    assert names - set(TABLE) - set(DRAWS) - set(LAYOUT) == set(NOT_HERE)


def test_an_operation_stands_in_one_table():
    assert not set(TABLE) & set(DRAWS) and not set(TABLE) & set(LAYOUT) and not set(DRAWS) & set(LAYOUT)


def test_every_name_is_one_of_torchs():
    """A misspelt entry would never be used."""
    for name in {*TABLE, *DRAWS, *LAYOUT} - {"getitem"}:
        if not name.startswith("jaxgrad."):
            packet, _, overload = name.partition(".")
            assert hasattr(getattr(torch.ops.aten, packet), overload or "default"), name
