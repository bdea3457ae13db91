"""Control-C between two steps, and not within one, where the state is neither the old nor the new."""

import signal
import threading
from types import FrameType
from typing import Any


class Interrupts:
    """In its ``with`` block the first SIGINT is remembered, and the next one interrupts at once, as always.

    Outside the main thread, where Python does not let signals be handled, nothing is changed.

    Attributes:
        asked: whether there was one.

    >>> with Interrupts() as interrupts:
    ...     signal.raise_signal(signal.SIGINT)
    ...     interrupts.asked
    True
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None
        self._handles = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> "Interrupts":
        if self._handles:
            self._before = signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *error: Any) -> None:
        if self._handles:
            signal.signal(signal.SIGINT, self._before)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.asked = True
        signal.signal(signal.SIGINT, self._before)
