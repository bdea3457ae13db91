"""A copy of a module that keeps the order of its attributes."""

from typing import Any

from flax import nnx


def clone(module: Any) -> Any:
    """``nnx.clone`` without its sorting: attributes keep the order in which they were set.

    Flax sorts attributes by name, so that a clone lists "bias" before "weight" and runs child "10" before child "2".

    Args:
        module: any NNX module; arrays are shared with the copy, variables are not.

    >>> class Two(nnx.Module):
    ...     def __init__(self):
    ...         self.weight, self.bias = nnx.Param(1.0), nnx.Param(2.0)
    >>> [name for name in vars(nnx.clone(Two())) if name[0] != "_"]
    ['bias', 'weight']
    >>> [name for name in vars(clone(Two())) if name[0] != "_"]
    ['weight', 'bias']
    """
    copy = nnx.clone(module)
    _reorder(module, copy, set())
    return copy


def _reorder(original: Any, copy: Any, seen: set[int]) -> None:
    if id(copy) in seen:
        return
    seen.add(id(copy))
    if isinstance(original, (list, tuple)):
        pairs = list(zip(original, copy, strict=True))
    elif isinstance(original, dict):
        pairs = [(original[key], copy[key]) for key in original]
        _refill(copy, original)
    elif isinstance(original, (nnx.Module, nnx.Pytree)):
        pairs = [(value, vars(copy)[name]) for name, value in vars(original).items() if name in vars(copy)]
        _refill(vars(copy), vars(original))
    else:
        return
    for inner, inner_copy in pairs:
        _reorder(inner, inner_copy, seen)


def _refill(copy: dict[Any, Any], original: dict[Any, Any]) -> None:
    in_order = {key: copy[key] for key in original if key in copy} | copy
    copy.clear()
    copy.update(in_order)
