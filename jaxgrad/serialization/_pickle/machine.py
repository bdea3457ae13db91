"""The pickle machine: a stack, a memo and forty instructions, none of which can reach a function of Python.

A pickle is a program. Python's own reader runs it with everything that can be imported; this one knows names only from
a table that it is given (the allow-list of ``torch.load(weights_only=True)``), and what stands in the table are
functions of this package that build arrays and plain containers. Instructions that only a protocol after torch's 2
has are known where they make plain data.
"""

import struct
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from jaxgrad._core.errors import explain
from jaxgrad.serialization._pickle.names import renamed
from jaxgrad.serialization.errors import SerializationError, refuse

WEIGHTS_ONLY = "Weights only load failed. "
_BLOCKED_MODULES = ("sys", "os", "posix", "nt")
_DICTS = (dict, OrderedDict, Counter)
_SCALARS = (str, int, float, complex, bytes, type(None), np.dtype)


class Callables:
    """What a name in a pickle stands for when it may be called: only through ``REDUCE`` and ``NEWOBJ``."""

    __slots__ = ("function", "name")

    def __init__(self, name: str, function: Callable[..., Any]):
        self.name, self.function = name, function


class Machine:
    """Reads one pickle.

    Args:
        data: the bytes; ``find`` and slices.
        at: where the pickle begins.
        names: what a global name stands for.
        load_storage: what a persistent id stands for.
        build: ``build(object, state)`` gives the object after ``BUILD``.
    """

    def __init__(
        self,
        data: Any,
        at: int,
        names: Mapping[str, Any],
        load_storage: Callable[[Any], Any] | None = None,
        build: Callable[[Any, Any], Any] | None = None,
    ):
        self.data, self.at, self.names = data, at, names
        self._load_storage, self._build = load_storage, build
        self._stack: list[Any] = []
        self._marks: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def load(self) -> Any:
        """The object; ``self.at`` is where the pickle ended.

        Raises:
            SerializationError: a name that is not allowed, an instruction that is not known, a program that is broken.
        """
        data = self.data
        try:
            while True:
                code = data[self.at]
                self.at += 1
                if code == 0x2E:  # STOP
                    return self._stack.pop()
                instruction = _INSTRUCTIONS.get(code)
                if instruction is None:
                    refuse(f"{WEIGHTS_ONLY}Unsupported operand {code}", got=f"instruction {code:#04x} at {self.at - 1}")
                instruction(self)
        except SerializationError:
            raise
        except Exception as error:  # a broken program may break any rule: a short stack, a bad key, a lone half
            raise SerializationError(
                explain(
                    f"{WEIGHTS_ONLY}The pickle is damaged", got=f"{type(error).__name__} at byte {self.at} of the file"
                )
            ) from None

    # --- reading ---

    def _take(self, count: int) -> bytes:
        taken = self.data[self.at : self.at + count]
        if len(taken) != count:
            refuse(f"{WEIGHTS_ONLY}Ran out of input", got=f"{len(taken)} bytes", expected=f"{count} bytes")
        self.at += count
        return bytes(taken)

    def _line(self) -> str:
        end = self.data.find(b"\n", self.at, self.at + 1000)
        if end < 0:
            refuse(f"{WEIGHTS_ONLY}The pickle is damaged", got="a name without an end")
        line = bytes(self.data[self.at : end]).decode("utf-8")
        self.at = end + 1
        return line

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    # --- instructions ---

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _mark(self) -> None:
        self._marks.append(self._stack)
        self._stack = []

    def _pop_mark(self) -> list[Any]:
        items, self._stack = self._stack, self._marks.pop()
        return items

    def _tuple(self, count: int) -> None:
        items = self._stack[-count:]
        if len(items) != count:
            raise IndexError
        self._stack[-count:] = [tuple(items)]

    def _append(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is not list:
            refuse(f"{WEIGHTS_ONLY}Can only append to lists, but got {type(target)}")
        target.extend(items)

    def _add(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is not set:
            refuse(f"{WEIGHTS_ONLY}Can only add to sets, but got {type(target)}")
        target.update(key(item) for item in items)

    def _set_items(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) not in _DICTS:
            refuse(
                f"{WEIGHTS_ONLY}Can only SETITEMS for dict, collections.OrderedDict, collections.Counter, "
                f"but got {type(target)}"
            )
        if len(items) % 2:
            raise IndexError
        for name, value in zip(items[::2], items[1::2], strict=True):
            target[key(name)] = value

    def _global(self, module: str, name: str) -> None:
        module, name = renamed(module, name)
        full = f"{module}.{name}"
        shown = ascii(full)[1:-1]
        if module in _BLOCKED_MODULES:
            refuse(f"{WEIGHTS_ONLY}Trying to load unsupported GLOBAL {shown} whose module {module} is blocked.")
        if full not in self.names:
            shown = shown.removeprefix("builtins.")
            refuse(
                f"{WEIGHTS_ONLY}Unsupported global: GLOBAL {shown} was not an allowed global by default.",
                expected="arrays, numbers, strings and plain containers of them",
                remedy="nothing of the file was executed. If you trust it, load it in torch with weights_only=False, "
                "and save what you need of it: a state_dict",
            )
        self._push(self.names[full])

    def _reduce(self) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        if type(function) is not Callables or type(arguments) is not tuple:
            refuse(f"{WEIGHTS_ONLY}Trying to call reduce for unrecognized function {_told(function)}")
        try:
            self._push(function.function(*arguments))
        except SerializationError:
            raise
        except Exception as error:
            refuse(f"{WEIGHTS_ONLY}{function.name} was given what it does not take", got=type(error).__name__)

    def _newobj(self) -> None:
        if type(self._stack[-2]) is not Callables:
            refuse(
                f"{WEIGHTS_ONLY}Can only create new object for nn.Parameter or classes allowlisted via "
                f"`add_safe_globals` but got {_told(self._stack[-2])}"
            )
        self._reduce()

    def _build_state(self) -> None:
        state, target = self._stack.pop(), self._stack.pop()
        if self._build is None:
            refuse(f"{WEIGHTS_ONLY}Can only build Tensor, Parameter, OrderedDict, but got {type(target)}")
        self._push(self._build(target, state))

    def _persistent(self) -> None:
        if self._load_storage is None:
            refuse(f"{WEIGHTS_ONLY}unsupported persistent id encountered")
        self._push(self._load_storage(self._stack.pop()))

    def _get(self, index: int) -> None:
        self._push(self._memo[index])

    def _put(self, index: int) -> None:
        self._memo[index] = self._stack[-1]

    def _protocol(self) -> None:
        version = self._take(1)[0]
        if version > 5:
            refuse(f"{WEIGHTS_ONLY}unsupported pickle protocol: {version}")

    def _stack_global(self) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        if type(name) is not str or type(module) is not str:
            refuse(f"{WEIGHTS_ONLY}STACK_GLOBAL requires str")
        self._global(module, name)

    def _string(self, form: str) -> None:
        self._push(str(self._take(self._number(form)), "utf-8", "surrogatepass"))

    def _bytes_string(self, form: str) -> None:  # a str of Python 2
        self._push(str(self._take(self._number(form)), "utf-8"))

    def _integer(self, form: str) -> None:
        self._push(int.from_bytes(self._take(self._number(form)), "little", signed=True))


def key(value: Any) -> Any:
    """A value that may be a key: a scalar, a dtype, or a flat tuple of scalars, whose hash costs what it weighs."""
    if isinstance(value, _SCALARS):
        return value
    if isinstance(value, tuple) and all(isinstance(each, _SCALARS) for each in value):
        return value
    refuse(f"{WEIGHTS_ONLY}unhashable type: '{type(value).__name__}'", expected="a number, a string, a tuple of them")


def _told(value: Any) -> str:
    return f"{value.name}" if type(value) is Callables else f"{type(value)}"


_INSTRUCTIONS: dict[int, Callable[[Machine], Any]] = {
    ord("("): Machine._mark,
    ord("]"): lambda m: m._push([]),
    ord("}"): lambda m: m._push({}),
    ord(")"): lambda m: m._push(()),
    0x8F: lambda m: m._push(set()),
    ord("N"): lambda m: m._push(None),
    0x88: lambda m: m._push(True),
    0x89: lambda m: m._push(False),
    ord("J"): lambda m: m._push(m._number("<i")),
    ord("K"): lambda m: m._push(m._number("<B")),
    ord("M"): lambda m: m._push(m._number("<H")),
    ord("G"): lambda m: m._push(m._number(">d")),
    0x8A: lambda m: m._integer("<B"),
    ord("X"): lambda m: m._string("<I"),
    0x8C: lambda m: m._string("<B"),
    0x8D: lambda m: m._string("<Q"),
    ord("U"): lambda m: m._bytes_string("<B"),
    ord("T"): lambda m: m._bytes_string("<I"),
    ord("B"): lambda m: m._push(m._take(m._number("<I"))),
    ord("C"): lambda m: m._push(m._take(m._number("<B"))),
    0x8E: lambda m: m._push(m._take(m._number("<Q"))),
    0x96: lambda m: m._push(bytearray(m._take(m._number("<Q")))),
    ord("t"): lambda m: m._push(tuple(m._pop_mark())),
    0x85: lambda m: m._tuple(1),
    0x86: lambda m: m._tuple(2),
    0x87: lambda m: m._tuple(3),
    ord("a"): lambda m: m._append([m._stack.pop()]),
    ord("e"): lambda m: m._append(m._pop_mark()),
    0x90: lambda m: m._add(m._pop_mark()),
    ord("s"): lambda m: m._set_items([m._stack.pop(-2), m._stack.pop()]),
    ord("u"): lambda m: m._set_items(m._pop_mark()),
    ord("c"): lambda m: m._global(m._line(), m._line()),
    0x93: Machine._stack_global,
    ord("R"): Machine._reduce,
    0x81: Machine._newobj,
    ord("b"): Machine._build_state,
    ord("Q"): Machine._persistent,
    ord("h"): lambda m: m._get(m._number("<B")),
    ord("j"): lambda m: m._get(m._number("<I")),
    ord("q"): lambda m: m._put(m._number("<B")),
    ord("r"): lambda m: m._put(m._number("<I")),
    0x94: lambda m: m._put(len(m._memo)),
    0x95: lambda m: m._take(8),
    0x80: Machine._protocol,
}
