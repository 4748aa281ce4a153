"""The standard streams, which may be closed, full, cut off, or hold no more than ASCII."""

from __future__ import annotations

import errno
import io
import os
import stat
import sys
import threading
from contextlib import suppress

from stockscan_tui.errors import UsageError

# Of an error that names no file: what is printed does not arrive.
_UNWRITTEN = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


class _Told(io.TextIOWrapper):
    """Standard error: that nobody can be told something ends no capture."""

    def write(self, text: str, /) -> int:
        with suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            super().flush()


def prepare_streams() -> None:
    """Make the process's own streams such that using them breaks nothing."""
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            _open_nowhere(fd, name)
    from stockscan_tui.market.ascii import PLAIN  # noqa: PLC0415

    if sys.stdout is sys.__stdout__ and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors=PLAIN)
    if sys.stderr is sys.__stderr__ and isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr = _Told(
            sys.stderr.buffer, sys.stderr.encoding, PLAIN, line_buffering=True, write_through=True
        )


def guard_tracebacks() -> None:
    """Let the traceback of a defect, whichever thread it ends, do nothing to the terminal.

    An error's text may come from outside. What others have hooked in stays.
    """
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = lambda _kind, error, _trace: _tell_defect(error)
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = lambda met: _tell_defect(met.exc_value)
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = lambda met: _tell_defect(met.exc_value)


def _tell_defect(error: BaseException | None) -> None:
    if error is None or isinstance(error, (KeyboardInterrupt, SystemExit)):
        return
    from traceback import format_exception  # noqa: PLC0415

    from stockscan_tui.log import LOG  # noqa: PLC0415
    from stockscan_tui.market.text import printable  # noqa: PLC0415

    LOG.error("a defect", exc_info=error)
    lines = "".join(format_exception(error)).rstrip("\n").split("\n")
    sys.stderr.write("".join(f"{printable(line)}\n" for line in lines))


def _open_nowhere(fd: int, name: str) -> None:
    """Give what was closed somewhere to go: the next file opened would be taken for it."""
    try:
        os.fstat(fd)
    except OSError:
        opened = os.open(os.devnull, os.O_RDWR)
        if opened != fd:
            os.dup2(opened, fd)
            os.close(opened)
        setattr(sys, name, os.fdopen(fd, "r" if fd == 0 else "w", encoding="utf-8", closefd=False))
    else:
        mode = "r" if fd == 0 else "w"
        setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123


def has_terminal() -> bool:
    """Whether there is a terminal that a screen can be drawn on."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def check_terminal() -> None:
    """Refuse what cannot be drawn on.

    Raises:
        UsageError: There is no terminal, or one that can place no text.
    """
    if has_terminal():
        return
    if sys.stdin.isatty() and sys.stdout.isatty():
        raise UsageError(
            "The screen needs a terminal that can place text, and TERM=dumb says that this one "
            "cannot. Use --headless, or set TERM to what it is."
        )
    raise UsageError("The screen needs a terminal. Use --headless where there is none.")


def is_unwritten(error: OSError) -> bool:
    """Whether an error is that of the output, not of a file."""
    return error.filename is None and error.errno in _UNWRITTEN


def is_gone(error: OSError) -> bool:
    """Whether an error says that whoever read what is printed has gone: a pipe's end, a terminal.

    A terminal that has gone is no terminal any more, but still a device. While it is there, or
    where nobody reads, the same error is that of a disk.
    """
    if isinstance(error, BrokenPipeError):
        return True
    if error.errno != errno.EIO or error.filename is not None:
        return False
    fd = sys.stdout.fileno()
    found = os.fstat(fd)
    nowhere = os.stat(os.devnull).st_rdev  # noqa: PTH116
    return stat.S_ISCHR(found.st_mode) and not os.isatty(fd) and found.st_rdev != nowhere


def drop_output() -> None:
    """Let what is still to be printed go nowhere, the interpreter's last flush too."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
