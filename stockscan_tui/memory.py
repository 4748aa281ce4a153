"""How much memory the process has, and how what it no longer needs goes back to the system."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

# Of <malloc.h>.
_M_ARENA_MAX = -8


def resident_mb() -> float | None:
    """Return the resident memory in MB; the peak where only that is told, None where nothing is."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
        return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)
    except (OSError, ValueError, IndexError):
        pass
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e3), 1)


def give_back() -> None:
    """Have the C library give the pages that nothing uses back to the system, where it can.

    Threads that come and go with pieces of many sizes leave holes in its heaps; over days they are
    as much as what is in use.
    """
    trim = _of_glibc("malloc_trim")
    if trim is not None:
        trim(0)


def share_heaps() -> None:
    """Let all threads share two of the C library's heaps, before there are any threads.

    Each thread else has one of its own, whose holes no other thread fills.
    """
    option = _of_glibc("mallopt")
    if option is not None:
        option(_M_ARENA_MAX, 2)


@cache
def _of_glibc(name: str) -> Callable[..., Any] | None:
    """Return a function of glibc's, None with another library."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        function: Callable[..., Any] = getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError):
        return None
    return function
