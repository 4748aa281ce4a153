"""The program under test, in a process of its own: without a screen, or with one in a terminal."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import random
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

SIZE = (140, 40)
KEYS = (
    *(
        "j",
        "k",
        "G",
        "g",
        "\r",
        "\r",
        "\x1b",
        "\x1b",
        "\x1b",
        "c",
        "x",
        "h",
        "a",
        "r",
        "?",
        "w",
        "/",
    ),
    *("0", "1", "2", "3", "4", "5", "6", "s", "S", "F", "n", "i", "+", "-", "\t", "[", "{", "L"),
    *("\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D"),
)
FILTERS = ("chg > 3", "rvol > 2 and mark < 20", "NV AA", "", "vwap_pct > 0 and trades > 10")
COMMAND = (sys.executable, "-m", "stockscan_tui", "live")
END_S = 120.0

Line = dict[str, Any]


class Program(Protocol):
    """A life of the program."""

    pid: int

    def running(self) -> bool: ...
    def end(self, number: int) -> int: ...


class Headless:
    """A life without a screen.

    Args:
        arguments: Of `stockscan live`.
        environment: Its variables.
        take: Given each line of JSON, from a thread.
        errors: Gets its standard error.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        take: Callable[[Line], None],
        errors: Path,
    ) -> None:
        with errors.open("a", encoding="utf-8") as told:
            self._process = subprocess.Popen(
                [*COMMAND, "--headless", "--json", *arguments],
                stdout=subprocess.PIPE, stderr=told, text=True, env=environment,
            )  # fmt: skip
        self.pid = self._process.pid
        self._take = take
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def end(self, number: int) -> int:
        """Send it a signal that ends it; returns its exit status once it has.

        Raises:
            TimeoutExpired: It does not end.
        """
        self._process.send_signal(number)
        status = self._process.wait(END_S)
        self._reading.join()
        if self._process.stdout is not None:
            self._process.stdout.close()
        return status

    def _read(self) -> None:
        for line in self._process.stdout or ():
            if line.endswith("\n"):
                self._take(json.loads(line))


class OnScreen:
    """A life with a screen, in a pseudo-terminal in which somebody presses random keys.

    Args:
        arguments: Of `stockscan live`.
        environment: Its variables.
        seed: Of the keys.
        every_s: How often one is pressed.
    """

    def __init__(
        self, arguments: Sequence[str], environment: Mapping[str, str], seed: int, every_s: float
    ) -> None:
        self._descriptor, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", SIZE[1], SIZE[0], 0, 0))
        self._process = subprocess.Popen(
            [*COMMAND, *arguments], stdin=theirs, stdout=theirs, stderr=theirs,
            env={**environment, "TERM": "xterm-256color"}, start_new_session=True,
            # Where its exports go.
            cwd=environment["XDG_DATA_HOME"],
        )  # fmt: skip
        os.close(theirs)
        self.pid = self._process.pid
        self.keys = 0
        self.bytes_shown = 0
        self._tail = b""
        self._random = random.Random(f"keys {seed}")
        self._every_s = every_s
        self._using = threading.Thread(target=self._use, daemon=True)
        self._using.start()

    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def end(self, number: int) -> int:
        """Send it a signal that ends it; returns its exit status once it has.

        Raises:
            TimeoutExpired: It does not end.
        """
        self._process.send_signal(number)
        status = self._process.wait(END_S)
        self._using.join()
        os.close(self._descriptor)
        return status

    def last_words(self) -> str:
        """Return the end of what it wrote."""
        return self._tail[-2000:].decode(errors="replace")

    def _use(self) -> None:
        due_s = time.monotonic() + 5 * self._every_s
        while self.running() or select.select([self._descriptor], [], [], 0)[0]:
            wait_s = max(0.0, min(due_s - time.monotonic(), 0.5))
            if select.select([self._descriptor], [], [], wait_s)[0]:
                try:
                    shown = os.read(self._descriptor, 1 << 16)
                except OSError:
                    return
                self.bytes_shown += len(shown)
                self._tail = (self._tail + shown)[-4000:]
            if time.monotonic() >= due_s:
                due_s = time.monotonic() + self._every_s
                self._press()

    def _press(self) -> None:
        key = self._random.choice(KEYS)
        typed = key.encode()
        if key == "/":
            typed = f"/\x15{self._random.choice(FILTERS)}\r".encode()
        try:
            os.write(self._descriptor, typed)
        except OSError:
            return
        self.keys += 1


def stop_for(pid: int, seconds: float) -> None:
    """Let a process stand still."""
    os.kill(pid, signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(pid, signal.SIGCONT)
