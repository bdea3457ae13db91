"""Training state in files: torch's own (``.pt``, read and written without torch), safetensors, and whole states.

- ``read_torch``, ``write_torch``: ``torch.load`` and ``torch.save`` for arrays; nothing in a file is executed
"""

from jaxgrad.serialization._pickle.names import Constant, Device, Size
from jaxgrad.serialization._pickle.rebuild import Sparse
from jaxgrad.serialization.errors import SerializationError
from jaxgrad.serialization.torch_file import read_torch, write_torch

__all__ = ["Constant", "Device", "SerializationError", "Size", "Sparse", "read_torch", "write_torch"]
