"""What happens to the files of a folder, told by the kernel as it happens (inotify; Linux)."""

from __future__ import annotations

import ctypes
import os
import select
import struct
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

_KINDS = {0x2: "write", 0x40: "moved away", 0x80: "moved here", 0x100: "made", 0x200: "removed"}
_HEAD = struct.Struct("iIII")
_ENOUGH_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Seen:
    """One event: the file's name and what happened to it, as in "write"."""

    name: str
    kind: str


class Watch:
    """Watches folders, not those within them; a context manager. For one thread.

    Raises:
        OSError: The kernel has no inotify, or a folder is not there.
    """

    def __init__(self, *folders: Path) -> None:
        library = ctypes.CDLL(None, use_errno=True)
        begin = getattr(library, "inotify_init1", None)
        if begin is None:
            raise OSError("this kernel does not tell what happens to files")
        self._number = int(begin(os.O_NONBLOCK | os.O_CLOEXEC))
        self._waiting: deque[Seen] = deque()
        for folder in folders:
            if library.inotify_add_watch(self._number, os.fsencode(folder), sum(_KINDS)) < 0:
                raise OSError(ctypes.get_errno(), f"{folder} cannot be watched")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._number)

    def next(self, timeout_s: float) -> Seen | None:
        """Return the next event; None where none comes in time."""
        if not self._waiting and select.select([self._number], [], [], timeout_s)[0]:
            self._read()
        return self._waiting.popleft() if self._waiting else None

    def forget(self) -> None:
        """Let go what has come so far."""
        while self.next(0) is not None:
            self._waiting.clear()

    def _read(self) -> None:
        told = os.read(self._number, _ENOUGH_BYTES)
        place = 0
        while place < len(told):
            _, mask, _, size = _HEAD.unpack_from(told, place)
            place += _HEAD.size
            name = os.fsdecode(told[place : place + size].rstrip(b"\0"))
            place += size
            for bit, kind in _KINDS.items():
                if mask & bit:
                    self._waiting.append(Seen(name, kind))
