"""Small file systems that fill up at a byte, and a process that may write no further.

A file system of its own wants mounts that only this process and its children see: `inside` starts
the whole run anew in such a place where that is permitted.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.torture.lives import Life

_MARK = "STOCKSCAN_TORTURE_MOUNTS"
_UNSHARES = (("unshare", "--mount"), ("unshare", "--map-root-user", "--mount"))
PAGE = 4096


def inside(arguments: list[str]) -> None:
    """Start this very run anew where it may mount; return where it may already, or never may."""
    if _MARK in os.environ:
        return
    os.environ[_MARK] = "0"
    for command in _UNSHARES:
        probe = [*command, "sh", "-c", "mount -t tmpfs -o size=64k none /mnt"]
        try:
            if subprocess.run(probe, capture_output=True, check=False).returncode:
                continue
        except OSError:
            return
        os.environ[_MARK] = "1"
        os.execvp(command[0], [*command, sys.executable, "-m", "tests.e2e.torture", *arguments])  # noqa: S606


def may_mount() -> bool:
    """Whether a file system can be mounted."""
    return os.environ.get(_MARK) == "1"


@dataclass
class SmallDisk:
    """A file system of some megabytes; its space goes and comes as it is told.

    Attributes:
        path: Where it is mounted; made if it is not there.
        megabytes: Its size.
    """

    path: Path
    megabytes: int = 48
    _mounted: bool = False

    def begin(self) -> None:
        """Mount it."""
        self.path.mkdir(parents=True, exist_ok=True)
        options = f"size={self.megabytes}m,mode=755"
        command = ["mount", "-t", "tmpfs", "-o", options, "none", str(self.path)]
        subprocess.run(command, check=True, capture_output=True)
        self._mounted = True

    def end(self) -> None:
        """Unmount it, with all that is on it."""
        if self._mounted:
            subprocess.run(["umount", "--lazy", str(self.path)], check=False, capture_output=True)
            self._mounted = False

    def fill(self, left: int, _life: Life) -> None:
        """Leave about `left` bytes: whole pages, for what is written next."""
        with (self.path / "ballast").open("ab") as file:
            while True:
                free = os.statvfs(self.path)
                size = max(1, free.f_bavail * free.f_frsize - left // PAGE * PAGE)
                try:
                    os.posix_fallocate(file.fileno(), 0, size)
                except OSError:
                    # Others have written meanwhile.
                    continue
                return

    def free(self, _life: Life) -> None:
        """Let there be space again."""
        (self.path / "ballast").unlink(missing_ok=True)


@dataclass
class Limit:
    """No file of one process may grow beyond a byte, as with a quota; for any user.

    Attributes:
        path: The folder of the file that is to meet the limit.
        name: How that file's name ends.
    """

    path: Path
    name: str
    _at: int = field(default=0)

    def begin(self) -> None:
        """Nothing is needed."""

    def end(self) -> None:
        """Nothing is left."""

    def fill(self, left: int, life: Life) -> None:
        """Let the file grow by `left` bytes at most, and no other beyond its size."""
        sizes = [
            path.stat().st_size for path in self.path.iterdir() if path.name.endswith(self.name)
        ]
        self._at = max(sizes, default=0) + left
        resource.prlimit(life.pid, resource.RLIMIT_FSIZE, (self._at, resource.RLIM_INFINITY))

    def free(self, life: Life) -> None:
        """Let files grow again."""
        if life.alive():
            unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            resource.prlimit(life.pid, resource.RLIMIT_FSIZE, unlimited)


Full = SmallDisk | Limit
