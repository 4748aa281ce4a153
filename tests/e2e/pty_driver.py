"""A terminal that nobody looks at: runs a command, types, resizes, and reads what it wrote."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

# It makes the terminal its own, so that what the terminal signals reaches it.
_LOG_IN = "import os, sys; os.login_tty(0); os.execvp(sys.argv[1], sys.argv[1:])"
_MODE = re.compile(rb"\x1b\[\?([0-9;]+)([hl])")
_SEQUENCE = re.compile(
    rb"\x1b(\[[0-9;?<>=]*[a-zA-Z]|\][^\x07\x1b]*(\x07|\x1b\\)|P[^\x1b]*\x1b\\|[()].|.)", re.DOTALL
)
# What a program may leave on that a shell which comes after it would suffer from.
_LASTING = {1000: "mouse", 1002: "mouse", 1003: "mouse", 1004: "focus reports", 1006: "mouse",
            1015: "mouse", 1049: "alternate screen", 2004: "bracketed paste",
            2048: "size reports"}  # fmt: skip


class Terminal:
    """A command on a terminal of its own.

    Args:
        command: What is run.
        env: Its environment.
        rows: The terminal's height.
        columns: Its width.

    Attributes:
        process: The command's process, the leader of its session.
        written: All that it has written.
    """

    def __init__(
        self, command: Sequence[str], env: Mapping[str, str], rows: int = 36, columns: int = 120
    ) -> None:
        self._master, self._slave = pty.openpty()
        os.set_blocking(self._master, False)
        self.resize(rows, columns)
        self._attributes = termios.tcgetattr(self._slave)
        self.written = bytearray()
        self.process = subprocess.Popen(
            [sys.executable, "-c", _LOG_IN, *command],
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            env=dict(env),
        )

    def __enter__(self) -> Self:
        """Use it."""
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Leave nothing of it."""
        self.process.kill()
        self.process.wait()
        self.hang_up()

    def resize(self, rows: int, columns: int) -> None:
        """Give it another size; the program is told by SIGWINCH."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def hang_up(self) -> None:
        """Take the terminal away, as if its window were closed; a second call does nothing."""
        for each in (self._slave, self._master):
            with suppress(OSError):
                os.close(each)
        self._slave = self._master = -1

    def pump(self, timeout_s: float = 0.0) -> int:
        """Read what there is, after waiting for it at most so long; returns how many bytes came."""
        if not select.select([self._master], [], [], timeout_s)[0]:
            return 0
        got = os.read(self._master, 1 << 20)
        self.written += got
        return len(got)

    def type(self, keys: bytes, timeout_s: float = 30.0) -> None:
        """Write keys, and read meanwhile, so that neither side waits for the other.

        Raises:
            TimeoutError: The program does not read them.
        """
        end_s = time.monotonic() + timeout_s
        while keys:
            self.pump()
            if select.select([], [self._master], [], 0.05)[1]:
                with suppress(BlockingIOError):
                    keys = keys[os.write(self._master, keys[:4096]) :]
            if time.monotonic() > end_s:
                raise TimeoutError(f"{len(keys)} bytes were not read")

    def until(self, done: str | Callable[[], bool], timeout_s: float = 60.0) -> None:
        """Read until it has written `done` from now on, or until `done` says so.

        Raises:
            TimeoutError: It has not, or has ended before.
        """
        start = len(self.written)
        end_s = time.monotonic() + timeout_s
        while not (done() if callable(done) else done in plain(self.written[start:])):
            if not self.pump(0.1) and self.process.poll() is not None:
                raise TimeoutError(f"it ended with {self.process.returncode}: {self.tail()}")
            if time.monotonic() > end_s:
                raise TimeoutError(f"not seen: {done!r}; {self.tail()}")

    def settle(self, quiet_s: float = 0.3, timeout_s: float = 30.0) -> None:
        """Read until it writes nothing for that long."""
        end_s = time.monotonic() + timeout_s
        while self.pump(quiet_s) and time.monotonic() < end_s:
            pass

    def rest(self, timeout_s: float = 60.0) -> None:
        """Read until it does hardly anything: what was typed is worked off before it is drawn.

        Raises:
            TimeoutError: It goes on and on.
        """
        end_s = time.monotonic() + timeout_s
        spent_s = self._spent_s()
        while True:
            look_s = time.monotonic() + 1.0
            while (left_s := look_s - time.monotonic()) > 0:
                self.pump(left_s)
            before_s, spent_s = spent_s, self._spent_s()
            if spent_s - before_s < 0.25:
                return
            if time.monotonic() > end_s:
                raise TimeoutError(f"it does not come to rest: {self.tail()}")

    def _spent_s(self) -> float:
        """Return how long its first thread has run, or waited to; where nobody tells, never."""
        with suppress(OSError):
            told = Path(f"/proc/{self.process.pid}/schedstat").read_text("ascii").split()
            return (int(told[0]) + int(told[1])) / 1e9
        return 0.0

    def end(self, timeout_s: float = 60.0) -> int:
        """Read to its end; returns the exit status.

        Raises:
            TimeoutError: It does not end.
        """
        end_s = time.monotonic() + timeout_s
        while (status := self.process.poll()) is None:
            self.pump(0.05)
            if time.monotonic() > end_s:
                raise TimeoutError(f"it does not end: {self.tail()}")
        while self.pump():
            pass
        return status

    def left_on(self) -> set[str]:
        """Return what it has left of the terminal that a shell would suffer from."""
        modes: dict[int, bool] = {}
        for found in _MODE.finditer(self.written):
            for mode in found[1].split(b";"):
                modes[int(mode)] = found[2] == b"h"
        left = {_LASTING[mode] for mode, on in modes.items() if on and mode in _LASTING}
        if not modes.get(25, True):
            left.add("no cursor")
        if termios.tcgetattr(self._slave)[:4] != self._attributes[:4]:
            left.add("line discipline")
        return left

    def tail(self) -> str:
        """Return the end of what it wrote, without escape sequences."""
        return plain(self.written[-4000:])[-1500:]


def plain(data: bytes | bytearray) -> str:
    """Return text without escape sequences."""
    return _SEQUENCE.sub(b"", data).decode("utf-8", "replace")
