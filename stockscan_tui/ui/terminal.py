"""The terminal as Textual drives it, but one that may stall, go away, or be stopped and come back.

Textual's own driver waits for ever on a terminal that takes nothing more, and takes a process that
was stopped for one that had given its terminal back before. POSIX only.
"""

from __future__ import annotations

import asyncio
import codecs
import os
import select
import signal
import sys
import termios
from contextlib import suppress
from itertools import chain
from typing import Any, Protocol, TextIO, cast

from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.events import Resize
from textual.message import Message

from stockscan_tui.log import LOG
from stockscan_tui.market.ascii import PLAIN

LOOK_S = 0.2
# So long a terminal that takes nothing holds up a program that was told to end.
PATIENCE_S = 1.0
KEY_POLL_S = 0.1
MOST_CELLS = 5_000
# Of the same width, so that columns stay columns.
_CANCEL = b"\x18"


class Leaver(Protocol):
    """An application that can be told to end."""

    @property
    def leaving(self) -> bool:
        """Whether it was told to."""

    def leave_soon(self) -> None:
        """Let it end."""


class Outlet:
    """What the screen is written to; it never fails, and waits for no terminal that is left.

    Args:
        stream: The terminal.
        app: Is told when the terminal has gone, and asked whether anybody still waits for it.
    """

    def __init__(self, stream: TextIO, app: Leaver) -> None:
        self._app = app
        self._encoding = stream.encoding or "utf-8"
        self._fd = _unblocked(stream.fileno())
        self._gone = False

    def write(self, text: str) -> None:
        """Write it all, unless the terminal has gone."""
        left = text.encode(self._encoding, PLAIN)
        waited_s = 0.0
        while left and not self._gone:
            try:
                left = left[os.write(self._fd, left) :]
                waited_s = 0.0
            except BlockingIOError:
                select.select([], [self._fd], [], LOOK_S)
                waited_s += LOOK_S
                if waited_s >= PATIENCE_S and self._app.leaving:
                    return self._discard()
            except OSError:
                self._gone = True
                self._app.leave_soon()
        return None

    def _discard(self) -> None:
        """Make room for what restores the terminal, where nobody reads what is before it."""
        with suppress(OSError, termios.error):
            termios.tcflush(self._fd, termios.TCOFLUSH)
            # Half a sequence may have been taken.
            os.write(self._fd, _CANCEL)

    def flush(self) -> None:
        """Do nothing: all is written at once."""

    def fileno(self) -> int:
        """Return its file descriptor."""
        return self._fd

    def close(self) -> None:
        """Let go of the terminal."""
        self._gone = True
        with suppress(OSError):
            os.close(self._fd)


def _unblocked(fd: int) -> int:
    """Return the terminal opened anew, so that it blocks nobody who shares the old descriptor."""
    try:
        return os.open(os.ttyname(fd), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        # It has no name here; then a stalled terminal is waited for.
        return os.dup(fd)


class LastingDriver(LinuxDriver):
    """Textual's driver for a terminal that may stall, go away, or be stopped and come back."""

    _outlet: Outlet | None = None

    def start_application_mode(self) -> None:
        """Take the terminal."""
        self._outlet = Outlet(sys.__stdout__ or sys.stdout, self._leaver)
        self._file = cast("Any", self._outlet)
        super().start_application_mode()  # type: ignore[no-untyped-call]
        loop = asyncio.get_running_loop()
        # A handler that runs in the midst of anything must not write to the screen.
        for number, handler in (
            (signal.SIGTSTP, self._give_back),
            (signal.SIGCONT, self._take_again),
        ):
            loop.add_signal_handler(number, handler)

    def close(self) -> None:
        """Let go of the terminal, which has been restored before."""
        super().close()
        if self._outlet is not None:
            self._outlet.close()
        self._outlet = None

    def run_input_thread(self) -> None:
        """Read keys until the terminal goes; no byte that it sends ends anything else."""
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        parser = XTermParser()
        while not self.exit_event.is_set():
            text = ""
            if select.select([self.fileno], [], [], KEY_POLL_S)[0]:
                read = self._read()
                if not read:
                    return self._leaver.leave_soon()
                text = decode(read)
            try:
                for message in chain(parser.feed(text) if text else (), parser.tick()):
                    self.process_message(message)
            except Exception as error:  # noqa: BLE001 - of a sequence that no terminal sends
                LOG.info("keys were not understood: %r", error)
                parser = XTermParser()
        return None

    def process_message(self, message: Message) -> None:
        """Hand a key, a mouse report or a size on, unless no terminal is of such a size."""
        if isinstance(message, Resize) and not 0 < max(message.size) <= MOST_CELLS:
            return
        super().process_message(message)

    def _read(self) -> bytes:
        """Return what was typed, nothing where the terminal has gone."""
        try:
            return os.read(self.fileno, 4096)
        except OSError:
            return b""

    @property
    def _leaver(self) -> Leaver:
        return cast("Leaver", self._app)

    def _give_back(self) -> None:
        """Stop, with the terminal as the shell had it."""
        if self._auto_restart and self._outlet is not None:
            self.suspend_application_mode()
            self._must_signal_resume = True
        os.kill(os.getpid(), signal.SIGSTOP)

    def _take_again(self) -> None:
        """Go on, with the whole screen drawn anew; whoever ran meanwhile may have changed it."""
        if not self._auto_restart:
            return
        if self._outlet is not None:
            self.suspend_application_mode()
        self.resume_application_mode()
        self._app.refresh(layout=True)
