"""Training state in files: torch's own (``.pt``, read and written without torch), safetensors, and whole states.

- ``load_torch``, ``save_torch``: the parameters and buffers of a model in one line
- ``read_torch``, ``write_torch``: ``torch.load`` and ``torch.save``; nothing in a file is executed
- ``state_dict``, ``load_state_dict``: torch's methods of a module, as functions
- ``save``, ``load``: a whole training state in one file
- ``read_safetensors``, ``write_safetensors``: the safetensors format, also in several files with an index

Which is for what: ``load_torch`` and ``save_torch`` where the file is shared with torch; ``save`` and ``load`` for a
state that is kept or sent as one file, written while the caller waits, from one process; ``train.Checkpoints`` (orbax)
for a run that may be killed, which writes beside the run, keeps the last ones, and takes arrays that lie on several
processes. All three give back the same numbers, bit for bit.
"""

from jaxgrad.serialization._pickle.names import Constant, Device, Size
from jaxgrad.serialization._pickle.rebuild import Sparse
from jaxgrad.serialization.errors import SerializationError
from jaxgrad.serialization.model_file import load_torch, save_torch
from jaxgrad.serialization.safetensors import read_safetensors, safetensors_metadata, write_safetensors
from jaxgrad.serialization.state_dict import Loaded, load_state_dict, state_dict
from jaxgrad.serialization.store import load, read_meta, save
from jaxgrad.serialization.torch_file import read_torch, write_torch

__all__ = [
    "Constant",
    "Device",
    "Loaded",
    "SerializationError",
    "Size",
    "Sparse",
    "load",
    "load_state_dict",
    "load_torch",
    "read_meta",
    "read_safetensors",
    "read_torch",
    "safetensors_metadata",
    "save",
    "save_torch",
    "state_dict",
    "write_safetensors",
    "write_torch",
]
