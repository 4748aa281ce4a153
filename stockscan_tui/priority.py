"""Lets a thread step back behind the screen, so that a key is answered while all cores are busy."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from contextlib import suppress

_NICENESS = 10
_QOS_CLASS_UTILITY = 0x11
_THREAD_PRIORITY_BELOW_NORMAL = -1


def step_back() -> None:
    """Lower the calling thread's priority; threads that it starts on Linux follow it.

    Where the system refuses, everything works as before, only less promptly.
    """
    with suppress(OSError, AttributeError):
        if sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        elif sys.platform == "darwin":
            ctypes.CDLL(None).pthread_set_qos_class_self_np(_QOS_CLASS_UTILITY, 0)
        elif sys.platform == "win32":
            kernel = ctypes.windll.kernel32
            kernel.SetThreadPriority(kernel.GetCurrentThread(), _THREAD_PRIORITY_BELOW_NORMAL)
