"""Where an equation of a jaxpr comes from: the Python frames that were running when it was traced."""

import os
import re
from dataclasses import dataclass
from typing import Any, TypeAlias

import jax

from jaxgrad._core import operations
from jaxgrad._core.operations import is_grad_fn

Frames: TypeAlias = tuple[tuple[Any, int], ...]
"""Code object and instruction of every frame, the innermost first."""

_JAX = os.path.dirname(jax.__file__) + os.sep
_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_TRANSFORM = re.compile(r"\b(transpose|jvp|vmap|remat|checkpoint)(?=\()")
_MARKERS = {operations.__file__: "marked", os.path.join(_HERE, "autograd", "function.py"): "apply"}


@dataclass(frozen=True)
class Origin:
    """The frames of one equation, in three parts."""

    frames: Frames
    """All of them."""
    caller: Frames
    """Those outside of JAX: the line that called a JAX function, and what called that."""
    jax_functions: tuple[str, ...]
    """Names of the JAX functions in between, the one that was called first."""
    marked_from: Frames
    """Those outside of a marked operation (``jaxgrad._core.operations``); all if there is none."""


def origin(eqn: Any) -> Origin:
    """The frames of an equation; empty where JAX kept none."""
    traceback = eqn.source_info.traceback
    if traceback is None:
        return Origin((), (), (), ())
    codes, instructions = traceback.raw_frames()
    frames = tuple(zip(codes, instructions, strict=True))
    outside = next((i for i, (code, _) in enumerate(frames) if not _is_jax(code.co_filename)), len(frames))
    marker = [i for i, (code, _) in enumerate(frames) if _MARKERS.get(code.co_filename) == code.co_name]
    inside = tuple(code.co_name for code, _ in reversed(frames[:outside]))
    return Origin(frames, frames[outside:], inside, frames[marker[-1] + 1 :] if marker else frames)


def is_of_jax(jaxpr: Any) -> bool:
    """Whether a jaxpr is that of one of JAX's own functions (whose trace may stem from another call)."""
    return _is_jax(jaxpr.debug_info.func_filename or "")


def _is_jax(file: str) -> bool:
    return file.startswith(_JAX) or file.endswith(("contextlib.py", "functools.py"))


def mark(eqn: Any) -> str | None:
    """The outermost scope that is spelt like a ``grad_fn``."""
    return next((name for name in _scopes(eqn) if is_grad_fn(name)), None)


def scope(eqn: Any) -> str:
    """The named scopes of an equation without marks: ``encoder/layer0``."""
    return "/".join(name for name in _scopes(eqn) if not is_grad_fn(name))


def transforms(eqn: Any) -> set[str]:
    """The transformations that an equation went through: ``{"jvp", "transpose"}`` for one of the backward."""
    return set(_TRANSFORM.findall(str(eqn.source_info.name_stack)))


def _scopes(eqn: Any) -> list[str]:
    """``transpose(jvp(encoder))/layer0`` as encoder, layer0."""
    words = _TRANSFORM.sub("", str(eqn.source_info.name_stack)).replace("(", "").replace(")", "")
    return [name for name in words.split("/") if name]


def line(eqn: Any) -> str:
    """``file:line (function)`` of the call outside of JAX and of this library; '' where JAX kept no frames."""
    traceback = eqn.source_info.traceback
    if traceback is None:
        return ""
    frames = [
        f for f in traceback.frames if not f.file_name.startswith(_JAX) and not f.file_name.endswith("contextlib.py")
    ]
    users = [f for f in frames if not f.file_name.startswith(_HERE)] or frames
    if not users:
        return ""
    return f"{users[0].file_name}:{users[0].line_num} ({users[0].function_name.rsplit('.', 1)[-1]})"
