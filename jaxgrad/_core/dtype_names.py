"""How torch spells dtypes in its sentences."""

from typing import Any

import jax.numpy as jnp

_TORCH_NAMES = {
    "bool": "Bool",
    "uint8": "Byte",
    "int8": "Char",
    "int16": "Short",
    "int32": "Int",
    "int64": "Long",
    "uint16": "UInt16",
    "uint32": "UInt32",
    "uint64": "UInt64",
    "float16": "Half",
    "bfloat16": "BFloat16",
    "float32": "Float",
    "float64": "Double",
    "complex64": "ComplexFloat",
    "complex128": "ComplexDouble",
}

_C_NAMES = {
    "bool": "bool",
    "uint8": "unsigned char",
    "int8": "signed char",
    "int16": "short int",
    "int32": "int",
    "int64": "long int",
    "uint16": "short unsigned int",
    "uint32": "unsigned int",
    "uint64": "long unsigned int",
    "float16": "c10::Half",
    "bfloat16": "c10::BFloat16",
    "float32": "float",
    "float64": "double",
    "complex64": "c10::complex<float>",
    "complex128": "c10::complex<double>",
}


def torch_name(dtype: Any) -> str:
    """The name most of torch's sentences use: ``float64`` is ``Double``.

    >>> torch_name(jnp.float32)
    'Float'
    """
    name: str = jnp.dtype(dtype).name
    return _TORCH_NAMES.get(name, name)


def c_name(dtype: Any) -> str:
    """The name of the C++ type, which other sentences use: ``int64`` is ``long int``.

    >>> c_name(jnp.int16)
    'short int'
    """
    name: str = jnp.dtype(dtype).name
    return _C_NAMES.get(name, name)
