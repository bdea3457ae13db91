"""The names that a pickle may speak: Python 2's spelling brought to Python 3's, and torch's dtypes as numpy's.

The list of allowed names is that of ``torch.load(weights_only=True)``, whose file is ``_weights_only_unpickler.py``.
"""

import ml_dtypes
import numpy as np

_MODULES = {"__builtin__": "builtins", "copy_reg": "copyreg"}


def renamed(module: str, name: str) -> tuple[str, str]:
    """A name in Python 3's spelling; torch writes pickles for Python 2.

    >>> renamed("__builtin__", "set")
    ('builtins', 'set')
    """
    if module == "__builtin__" and name in ("xrange", "unicode"):
        return "builtins", {"xrange": "range", "unicode": "str"}[name]
    if module == "torch.tensor":
        return "torch._tensor", name
    return _MODULES.get(module, module), name


class Device(str):
    """A ``torch.device`` in a file, as its name: ``"cuda:0"``. Arrays are read to the host wherever they were.

    >>> Device("cuda:0") == "cuda:0"
    True
    """


class Constant(str):
    """A constant of torch that has no counterpart here, as its name: a layout, a quantized dtype.

    >>> Constant("torch.sparse_coo")
    'torch.sparse_coo'
    """


class Size(tuple[int, ...]):
    """A ``torch.Size`` in a file.

    >>> Size((2, 3))[0]
    2
    """


STORAGES: dict[str, np.dtype] = {
    "DoubleStorage": np.dtype(np.float64),
    "FloatStorage": np.dtype(np.float32),
    "HalfStorage": np.dtype(np.float16),
    "BFloat16Storage": np.dtype(ml_dtypes.bfloat16),
    "LongStorage": np.dtype(np.int64),
    "IntStorage": np.dtype(np.int32),
    "ShortStorage": np.dtype(np.int16),
    "CharStorage": np.dtype(np.int8),
    "ByteStorage": np.dtype(np.uint8),
    "BoolStorage": np.dtype(np.bool_),
    "ComplexDoubleStorage": np.dtype(np.complex128),
    "ComplexFloatStorage": np.dtype(np.complex64),
}
"""The classes of typed storages; every other dtype lies in an untyped storage of bytes."""

UNTYPED = ("torch.storage.UntypedStorage", "torch.storage.TypedStorage")

_PLAIN = "float64 float32 float16 int64 int32 int16 int8 uint8 uint16 uint32 uint64 bool complex64 complex128".split()
_EXTENDED = "bfloat16 float8_e4m3fn float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz float8_e8m0fnu".split()
DTYPES: dict[str, np.dtype] = {
    **{f"torch.{name}": np.dtype(name) for name in _PLAIN},
    **{f"torch.{name}": np.dtype(getattr(ml_dtypes, name)) for name in _EXTENDED},
}
"""Torch's dtypes that numpy (with ml_dtypes) has too."""

_SHELLS = [f"{sign}int{bits}" for sign in ("", "u") for bits in range(1, 8)]
_QUANTIZED = ["qint8", "qint32", "quint8", "quint4x2", "quint2x4"]
_SCHEMES = ["affine", "symmetric"]
CONSTANTS = tuple(
    f"torch.{name}"
    for name in [
        *_SHELLS,
        *_QUANTIZED,
        *("bits8", "bits16", "bits1x8", "bits2x4", "bits4x2"),
        *("complex32", "float4_e2m1fn_x2"),
        *(f"per_tensor_{scheme}" for scheme in _SCHEMES),
        *(f"per_channel_{scheme}" for scheme in _SCHEMES),
        "per_channel_affine_float_qparams",
    ]
)
"""Names that torch allows and that stand for something without a counterpart here."""

_KINDS = "Double Float Half BFloat16 Long Int Short Char Byte Bool ComplexDouble ComplexFloat".split()
_DENSE = [kind for kind in _KINDS if not kind.startswith("Complex")]
CLASSES = (
    *(f"torch.{place}{kind}Tensor" for place in ("", "cuda.") for kind in _DENSE),
    *(f"torch.{place}sparse.{kind}Tensor" for place in ("", "cuda.") for kind in _DENSE if kind != "Bool"),
)
"""Old classes of tensors, which a file may name and never calls."""

UNREADABLE_STORAGES = tuple(f"torch.Q{name}Storage" for name in ("Int8", "Int32", "UInt8", "UInt4x2", "UInt2x4"))


def storage_names() -> dict[str, np.dtype]:
    """Every typed storage by its full name, on the host and on a GPU."""
    return {f"torch.{place}{name}": dtype for place in ("", "cuda.") for name, dtype in STORAGES.items()}
