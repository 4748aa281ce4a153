"""Desktop notifications: the terminal's own escape sequence, or a program where it has none."""

from __future__ import annotations

import html
import shutil
import sys
import threading
from collections.abc import Callable, Mapping, Sequence

from stockscan_tui.delivery.parcel import Parcel
from stockscan_tui.delivery.program import Program
from stockscan_tui.delivery.tally import DeliveryError
from stockscan_tui.market.text import printable

_LONGEST = 200
_TIMEOUT_S = 5.0
_OSC, _END = "\x1b]", "\x1b\\"
# iTerm2's own; its text alone, so that the title stands before it.
_ITERM = frozenset({"iTerm.app"})
_NOTIFY = frozenset({"WezTerm", "ghostty", "WarpTerminal"})
_NOTIFY_TERMS = ("foot", "xterm-ghostty", "wezterm", "contour")


def desktop_sequence(title: str, text: str, environ: Mapping[str, str]) -> str:
    """Return the escape sequence by which this terminal notifies the desktop.

    Kitty has OSC 99, iTerm2 OSC 9, WezTerm, Ghostty, foot, contour, Warp and Windows Terminal have
    OSC 777. Whether a multiplexer lets one through cannot be known, so that it has none.

    Args:
        title: What it is about; whatever could end or change the sequence is taken out.
        text: What is told; likewise.
        environ: The environment that tells which terminal this is.

    Returns:
        The sequence, empty for a terminal that is not known to have one.
    """
    term, program = environ.get("TERM", ""), environ.get("TERM_PROGRAM", "")
    if environ.get("TMUX") or environ.get("STY") or term.startswith(("tmux", "screen")):
        return ""
    title, text = _clean(title), _clean(text)
    if environ.get("KITTY_WINDOW_ID") or term.startswith("xterm-kitty"):
        return f"{_OSC}99;i=stockscan:d=0;{title}{_END}{_OSC}99;i=stockscan:p=body;{text}{_END}"
    if program in _ITERM or environ.get("LC_TERMINAL") == "iTerm2":
        return f"{_OSC}9;{title}: {text}{_END}"
    if program in _NOTIFY or term.startswith(_NOTIFY_TERMS) or environ.get("WT_SESSION"):
        return f"{_OSC}777;notify;{title};{text}{_END}"
    return ""


def desktop_arguments(
    title: str, text: str, *, urgent: bool, which: Callable[[str], str | None] = shutil.which
) -> list[str]:
    """Return the program that notifies the desktop, with its arguments; empty where there is none.

    Args:
        title: What it is about.
        text: What is told.
        urgent: Whether it matters much.
        which: Finds a program.
    """
    title, text = printable(title), printable(text)
    if found := which("notify-send"):
        urgency = "critical" if urgent else "normal"
        # The body is markup there.
        body = html.escape(text, quote=False)
        return [found, "--app-name=stockscan", f"--urgency={urgency}", "--", title, body]
    if sys.platform == "darwin" and (found := which("osascript")):
        script = ("on run argv", _APPLE, "end run")
        lines = [part for line in script for part in ("-e", line)]
        return [found, *lines, "--", title, text]
    return []


_APPLE = "display notification (item 2 of argv) with title (item 1 of argv)"


class DesktopSender:
    """Notifies the desktop by a program; its channel's thread owns it.

    Args:
        find: Finds the program: `desktop_arguments`, or a test's own.
    """

    def __init__(self, find: Callable[[str, str, bool], Sequence[str]] | None = None) -> None:
        self._find = find or (lambda title, text, high: desktop_arguments(title, text, urgent=high))
        self._program = Program()

    def send(self, parcel: Parcel, stop: threading.Event) -> None:
        """Notify the desktop.

        Raises:
            DeliveryError: There is no program for it, or it failed.
        """
        if stop.is_set():
            return
        urgent = parcel.rule.priority.value == "high"
        arguments = self._find(f"stockscan · {parcel.rule.name}", parcel.message, urgent)
        if not arguments:
            raise DeliveryError(
                "This terminal is not known to notify the desktop, and there is no notify-send."
            )
        self._program.run(arguments, _TIMEOUT_S)

    def abort(self) -> None:
        """End what runs."""
        self._program.abort()


def _clean(text: str) -> str:
    """Return text that neither ends a sequence nor is taken for one of its parameters."""
    safe = printable(text).replace(";", ",")
    return safe if len(safe) <= _LONGEST else f"{safe[: _LONGEST - 1]}…"
