"""A folder for what lives as long as a run; what a run that was killed left behind is removed."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from filelock import FileLock, Timeout

from stockscan_tui.config import cache_folder
from stockscan_tui.log import LOG
from stockscan_tui.market.text import printable

_LOCK = "lock"


class Scratch:
    """A new folder under the cache folder, for this user alone.

    Raises:
        OSError: It cannot be made.
    """

    def __init__(self) -> None:
        folder = cache_folder() / "moving"
        folder.mkdir(parents=True, exist_ok=True)
        _remove_left(folder)
        self.path = Path(tempfile.mkdtemp(dir=folder))
        # Not bound to a thread: the thread that opens is not always the one that closes.
        self._lock = FileLock(self.path / _LOCK, timeout=0, thread_local=False)
        self._lock.acquire()

    def close(self) -> None:
        """Remove it; a second call does nothing."""
        self._lock.release()
        shutil.rmtree(self.path, ignore_errors=True)


def _remove_left(folder: Path) -> None:
    """Remove the folders that nobody holds any more."""
    for left in folder.iterdir():
        lock = left / _LOCK
        if not lock.exists():
            continue
        try:
            with FileLock(lock, timeout=0):
                pass
        except (Timeout, OSError):
            continue
        LOG.info("removing %s of an earlier run", printable(left))
        shutil.rmtree(left, ignore_errors=True)
