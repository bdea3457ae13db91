"""A torch step in double precision that draws the random numbers of the single-precision one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

_OF_INTEGERS = {torch.ops.aten.randperm, torch.ops.aten.randint}
LOWER = {torch.float32, torch.float16, torch.bfloat16}


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """``torch.set_default_dtype`` for a while."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


class Doubles(TorchDispatchMode):
    """Every operation in float64, also where a model says ``float()`` or holds a float32 constant.

    A draw is made in the dtype it would have had, then widened: torch takes other words of its stream for a double.
    """

    def __init__(self, dtype: torch.dtype = torch.float32):
        super().__init__()
        self.own = dtype

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled here, and the guard costs more than most operations

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if torch.Tag.nondeterministic_seeded in func.tags:
            return self._draw(func, args, kwargs)
        if func._schema.is_mutable:
            return func(*args, **kwargs)
        args, kwargs = _mapped((args, kwargs), LOWER, torch.float64)
        return func(*args, **kwargs)

    def _draw(self, func: Any, args: Any, kwargs: Any) -> Any:
        if func._schema.is_mutable:
            target = args[0]
            if target.dtype != torch.float64:
                return func(*args, **kwargs)
            narrow = target.to(self.own)
            rest, named = _mapped((args[1:], kwargs), {torch.float64}, self.own)
            func(narrow, *rest, **named)
            return target.copy_(narrow)
        if "dtype" in kwargs or func.overloadpacket not in _OF_INTEGERS:
            kwargs = self._in_own(func, args, kwargs)
        before = torch.get_rng_state()
        wide, named = _mapped((args, kwargs), LOWER, torch.float64)
        result = func(*wide, **named)
        if torch.equal(torch.get_rng_state(), before):  # attention without dropout is among those that may draw
            return result
        torch.set_rng_state(before)
        args, kwargs = _mapped((args, kwargs), {torch.float64}, self.own)
        return _mapped(func(*args, **kwargs), LOWER, torch.float64)

    def _in_own(self, func: Any, args: Any, kwargs: Any) -> Any:
        """A draw that names no dtype has the default one."""
        has_dtype = any(each.name == "dtype" for each in func._schema.arguments)
        of_its_own = kwargs.get("dtype") is None and not any(isinstance(arg, torch.Tensor) for arg in args)
        return {**kwargs, "dtype": self.own} if has_dtype and of_its_own else kwargs


def _mapped(tree: Any, wrong: set[torch.dtype], right: torch.dtype) -> Any:
    """A tree of arguments with its tensors, and its dtypes, in another dtype."""
    if isinstance(tree, torch.Tensor):
        return tree.to(right) if tree.dtype in wrong else tree
    if isinstance(tree, torch.dtype):
        return right if tree in wrong else tree
    if isinstance(tree, tuple):
        return tuple(_mapped(each, wrong, right) for each in tree)
    if isinstance(tree, list):
        return [_mapped(each, wrong, right) for each in tree]
    if isinstance(tree, dict):
        return {key: _mapped(each, wrong, right) for key, each in tree.items()}
    return tree
