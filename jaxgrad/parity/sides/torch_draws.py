"""Which operations of a torch step draw from the random stream, where in the code, and how much."""

import os
import sys
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from jaxgrad._core.caller import line_of
from jaxgrad.parity.record.model import Draw

_OURS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_TORCH = os.path.dirname(os.path.abspath(torch.__file__))


def calling_line() -> str:
    """``file.py:12 the line`` of the user's code that called torch; empty where we called it ourselves."""
    frame: Any = sys._getframe(1)
    inside = False
    while frame is not None:
        path = frame.f_code.co_filename
        if path.startswith(_TORCH):
            inside = True
        elif inside and path.startswith(_OURS):
            return ""
        elif not path.startswith((_OURS, "<frozen")):
            return line_of(frame)
        frame = frame.f_back
    return ""


class Draws(TorchDispatchMode):
    """Notes every operation that draws.

    Attributes:
        found: the draws of the step, in order.
        module: the path of the module that runs now; the hooks keep it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Draw] = []
        self.module = ""

    def taken(self) -> tuple[Draw, ...]:
        """The draws since this was last asked."""
        found, self.found = tuple(self.found), []
        return found

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled here, and the guard costs more than most operations

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if torch.Tag.nondeterministic_seeded not in func.tags:
            return func(*args, **(kwargs or {}))
        before = position(torch.get_rng_state().numpy())
        result = func(*args, **(kwargs or {}))
        after = position(torch.get_rng_state().numpy())
        name = str(func.overloadpacket).split(".")[-1]
        self.found.append(Draw(name, self.module, calling_line(), before, after))
        return result


def position(state: Any) -> int:
    """How many words of its block a generator has used, 0 to 624, read from its bytes."""
    left = int.from_bytes(state[8:12].tobytes(), "little", signed=True)
    return 625 - left
