"""Child processes that don't outlive a killed parent."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["dying_with_parent"]

# Set in the child before exec, because a Popen `preexec_fn` is unsafe (and warned about) in a process with threads.
_GUARD = """
import ctypes, os, sys
try:
    ctypes.CDLL(None).prctl(1, 9)
except (OSError, AttributeError):
    pass  # no such call on this system
os.execv(sys.argv[1], sys.argv[1:])
"""


def dying_with_parent(command: Sequence[str]) -> list[str]:
    """Return a command that, on Linux, is killed when the thread that started it ends, however that comes about.

    Parameters
    ----------
    command : sequence of str
        The program, by its full path, and its arguments.
    """
    return [sys.executable, "-ISc", _GUARD, *command]
