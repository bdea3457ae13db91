"""Who called: the line of the user's that a warning belongs to, however many functions of this package lie between."""

import os
import sys
from types import FrameType

_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def users_level() -> int:
    """The ``stacklevel`` at which ``warnings.warn`` names the line that called into this package.

    >>> users_level()
    1
    """
    level = 1
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_HERE):
        frame, level = frame.f_back, level + 1
    return level
