"""Objects to put into files, and how what comes out is compared."""

import collections
import io
import warnings
from typing import Any

import ml_dtypes
import numpy as np
import torch

from jaxgrad import serialization

PLAIN = [np.bool_, np.uint8, np.int8, np.int16, np.int32, np.int64, np.uint16, np.uint32, np.uint64] + [
    np.float16,
    np.float32,
    np.float64,
    np.complex64,
    np.complex128,
]
EXTENDED = [
    ml_dtypes.bfloat16,
    ml_dtypes.float8_e4m3fn,
    ml_dtypes.float8_e4m3fnuz,
    ml_dtypes.float8_e5m2,
    ml_dtypes.float8_e5m2fnuz,
    ml_dtypes.float8_e8m0fnu,
]


def torch_bytes(obj: Any, **options: Any) -> bytes:
    """What torch.save writes."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save(obj, file, **options)
    return file.getvalue()


def our_bytes(obj: Any) -> bytes:
    file = io.BytesIO()
    serialization.write_torch(file, obj)
    return file.getvalue()


def read(data: bytes) -> Any:
    return serialization.read_torch(io.BytesIO(data))


def to_torch(data: bytes, **options: Any) -> Any:
    return torch.load(io.BytesIO(data), weights_only=True, **options)


def assert_same(ours: Any, theirs: Any, path: str = "") -> None:
    """An object of ours against one of torch: types, order, dtypes, shapes, bits."""
    if isinstance(theirs, torch.Tensor):
        assert isinstance(ours, np.ndarray), (path, type(ours))
        assert str(theirs.dtype) == f"torch.{ours.dtype.name}", (path, ours.dtype, theirs.dtype)
        assert tuple(theirs.shape) == ours.shape, (path, ours.shape, theirs.shape)
        plain = theirs.detach().resolve_conj().resolve_neg().contiguous()
        raw = plain.reshape(-1).view(torch.uint8).numpy() if plain.numel() else np.empty(0, np.uint8)
        assert np.ascontiguousarray(ours).tobytes() == raw.tobytes(), path
    elif isinstance(theirs, dict):
        assert type(ours) is type(theirs) and list(ours) == list(theirs), path
        for name in theirs:
            assert_same(ours[name], theirs[name], f"{path}.{name}")
    elif isinstance(theirs, torch.Size | torch.device | torch.dtype):
        assert str(ours) == str(theirs) or f"torch.{ours}" == str(theirs) or tuple(ours) == tuple(theirs), path
    elif isinstance(theirs, list | tuple):
        assert type(ours) is type(theirs) and len(ours) == len(theirs), path
        for i, (one, two) in enumerate(zip(ours, theirs, strict=True)):
            assert_same(one, two, f"{path}.{i}")
    else:
        assert type(ours) is type(theirs) and (ours == theirs or ours != ours), (path, ours, theirs)


def everything() -> dict[str, Any]:
    """Tensors and values of every kind that weights_only=True reads."""
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(4, 6, generator=generator)
    state = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3)).state_dict()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tensors = {str(d): torch.randint(0, 2, (2, 3), generator=generator).to(d) for d in _torch_dtypes()}
    return {
        **tensors,
        "state": state,
        "base": base,
        "row": base[1],
        "transposed": base.t(),
        "strided": base[::2, 1::2],
        "expanded": torch.ones(1).expand(3, 2),
        "scalar": torch.tensor(3),
        "empty": torch.empty(0, 4),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "buffer": torch.nn.Buffer(torch.ones(2)),
        "twice": [state["0.weight"], state["0.weight"]],
        "conjugate": torch.tensor([1 + 2j, 3j]).conj(),
        "negative": torch.tensor([1 + 2j, 3j]).conj().imag,
        "size": torch.Size([1, 2]),
        "device": torch.device("cuda:1"),
        "dtype": torch.bfloat16,
        "counter": collections.Counter("abca"),
        "plain": [None, True, False, 0, 255, 256, 65536, -1, -(2**40), 2**70, 1.5, float("inf"), float("nan"), 1 + 2j],
        "text": ("", "a", "ä\n€", b"\x00\xff", bytearray(b"xy"), {1, 2, "three"}, (), (1,), (1, (2, [3, {}]))),
        "long": {i: f"name {i}" for i in range(1200)},
        "rng": generator.get_state(),
    }


def _torch_dtypes() -> list[torch.dtype]:
    return [getattr(torch, np.dtype(dtype).name) for dtype in [*PLAIN, *EXTENDED]]
