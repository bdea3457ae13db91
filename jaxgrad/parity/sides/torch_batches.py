"""Batches of tensors, and what micro-batches leave."""

from typing import Any

import numpy as np
import torch

from jaxgrad.parity.torch_side import to_numpy


def recorded(parts: Any) -> dict[str, np.ndarray]:
    """The tensors of a batch as the phase ``inputs``."""
    if isinstance(parts, dict):
        flat = parts
    else:
        flat = {str(i): each for i, each in enumerate(parts if isinstance(parts, tuple) else (parts,))}
    found: dict[str, np.ndarray] = {}
    for key, value in flat.items():
        if isinstance(value, torch.Tensor):
            found[key] = to_numpy(value)
        elif isinstance(value, dict | tuple):
            found |= {f"{key}.{inner}": array for inner, array in recorded(value).items()}
    return found


def micro_batch(parts: Any, i: int) -> Any:
    """The ``i``-th along the leading axis of every tensor."""
    if isinstance(parts, dict):
        return {key: micro_batch(each, i) for key, each in parts.items()}
    if isinstance(parts, tuple):
        return tuple(micro_batch(each, i) for each in parts)
    return parts[i] if isinstance(parts, torch.Tensor) else parts


def stacked(records: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """What was noted of each micro-batch, along a new leading axis where all have one shape."""
    if len(records) == 1:
        return records[0]
    same = {name: [each[name] for each in records if name in each] for name in records[0]}
    return {
        name: np.stack(arrays)
        for name, arrays in same.items()
        if len(arrays) == len(records) and len({array.shape for array in arrays}) == 1
    }
