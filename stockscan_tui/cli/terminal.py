"""What the terminal can do, as far as it and the environment tell."""

from __future__ import annotations

import os
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from rich.cells import cell_len

from stockscan_tui.delivery.desktop import desktop_arguments, desktop_sequence
from stockscan_tui.doctor.finding import Finding, fail, ok, skipped, warn
from stockscan_tui.environment import without_key

# One of each kind that the screens draw.
GLYPHS = "≈★✓✗●○▁▄█▇▒░·×│┃╷╿▗▖▏⣀…—−→"
LEAST = (80, 24)
_ANSWER_S = 0.3
_PLACE = re.compile(rb"\x1b\[(\d+);(\d+)R")
# Terminals that are known to take no OSC 52, or not unless they are told to.
_NO_CLIPBOARD = frozenset({"Apple_Terminal"})

Ask = Callable[[str], bytes]


def terminal(
    environ: Mapping[str, str], *, at_terminal: bool, ask: Ask | None = None
) -> Sequence[Finding]:
    """Say what the terminal can do.

    Args:
        environ: The environment.
        at_terminal: Whether there is one.
        ask: Writes something to the terminal and returns what it answers; None for the real one.
    """
    if not at_terminal:
        return (skipped("terminal", "there is none: standard output goes elsewhere"),)
    term = environ.get("TERM", "")
    if term in ("", "dumb"):
        do = "Set TERM to what the terminal is, as in xterm-256color; --headless needs none."
        return (fail("terminal", f"TERM is {term or 'not set'!r}", do),)
    width, height = _size()
    program = environ.get("TERM_PROGRAM") or environ.get("LC_TERMINAL") or ""
    found = f"{width}×{height}, TERM={term}{f' ({program})' if program else ''}, {colours(environ)}"
    findings = [_sized(found, width, height), *_coloured(environ)]
    findings += _drawn(ask or _asked)
    findings += multiplexer(environ)
    findings.append(_abilities(environ))
    return findings


def _sized(found: str, width: int, height: int) -> Finding:
    if width < LEAST[0] or height < LEAST[1]:
        do = f"Make it {LEAST[0]}×{LEAST[1]} or larger to see every column."
        return warn("terminal", found, do)
    return ok("terminal", found)


def _size() -> tuple[int, int]:
    for stream in (sys.__stdout__, sys.__stdin__):
        with suppress(OSError, ValueError, AttributeError):
            found = os.get_terminal_size(stream.fileno())  # type: ignore[union-attr]
            return found.columns, found.lines
    return shutil.get_terminal_size()


def colours(environ: Mapping[str, str]) -> str:
    """Return how many colours the screens will have here."""
    if environ.get("NO_COLOR"):
        return "no colours (NO_COLOR)"
    if environ.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return "true colour"
    term = environ.get("TERM", "")
    if any(word in term for word in ("direct", "truecolor", "kitty", "ghostty", "alacritty")):
        return "true colour"
    return "256 colours" if "256color" in term else "16 colours"


def _coloured(environ: Mapping[str, str]) -> Sequence[Finding]:
    if colours(environ) != "16 colours":
        return ()
    do = "If it has more, set COLORTERM=truecolor, or TERM to one that ends in -256color."
    return (warn("terminal", "16 colours: themes look coarse", do),)


def _drawn(ask: Ask) -> Sequence[Finding]:
    """Have the glyphs drawn and ask where the cursor is then."""
    name = "glyphs"
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    if encoding != "utf8":
        do = "Set LANG to a UTF-8 locale, as in C.UTF-8."
        return (fail(name, f"output is {encoding or 'unknown'}, not UTF-8", do),)
    match = _PLACE.search(ask(f"\r{GLYPHS}\x1b[6n\r\x1b[K"))
    if match is None:
        return (skipped(name, "the terminal does not tell where its cursor is"),)
    cells, wanted = int(match[2]) - 1, cell_len(GLYPHS)
    if cells != wanted:
        do = "Choose a font and a setting for which ambiguous characters are one cell wide."
        found = f"the signs that the screens draw take {cells} cells here, not {wanted}"
        return (warn(name, found, do),)
    return (ok(name, f"{wanted} signs, each as wide as it should be"),)


def _asked(question: str) -> bytes:
    """Write to the terminal and return what it answers within a moment, empty for nothing."""
    try:
        import termios  # noqa: PLC0415 - not on Windows
        import tty  # noqa: PLC0415 - as above
    except ImportError:
        return b""
    try:
        number = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return b""
    try:
        if os.tcgetpgrp(number) != os.getpgrp():
            # In the background the system would stop this process.
            return b""
        before = termios.tcgetattr(number)
        try:
            tty.setcbreak(number)
            os.write(number, question.encode())
            return _answer(number)
        finally:
            termios.tcsetattr(number, termios.TCSAFLUSH, before)
    except (OSError, termios.error):
        return b""
    finally:
        os.close(number)


def _answer(number: int) -> bytes:
    said, end_s = b"", time.monotonic() + _ANSWER_S
    while not _PLACE.search(said) and len(said) < 256:
        left_s = end_s - time.monotonic()
        if left_s <= 0 or not select.select([number], [], [], left_s)[0]:
            break
        said += os.read(number, 64)
    return said


def multiplexer(environ: Mapping[str, str]) -> Sequence[Finding]:
    """Say what tmux is told that matters here, and that screen is there."""
    if environ.get("STY") and not environ.get("TMUX"):
        do = "tmux has more colours, and lets the mouse through."
        return (warn("multiplexer", "GNU screen", do),)
    if not environ.get("TMUX"):
        return ()
    delay, clipboard = _tmux("escape-time"), _tmux("set-clipboard")
    findings = []
    if delay.isdigit() and int(delay) > 50:
        do = "Put `set -sg escape-time 10` into ~/.tmux.conf."
        findings.append(warn("multiplexer", f"tmux holds each Esc back for {delay} ms", do))
    if clipboard == "off":
        do = "Put `set -g set-clipboard on` into ~/.tmux.conf."
        findings.append(warn("multiplexer", "tmux keeps `y` from the clipboard", do))
    return findings or (ok("multiplexer", f"tmux, Esc after {delay or '?'} ms"),)


def _tmux(option: str) -> str:
    program = shutil.which("tmux")
    if program is None:
        return ""
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(  # noqa: S603 - constant arguments
            [program, "show-options", "-gsv", option],
            capture_output=True, text=True, timeout=1, check=False, stdin=subprocess.DEVNULL,
            env=without_key(),
        )  # fmt: skip
        return done.stdout.strip()
    return ""


def _abilities(environ: Mapping[str, str]) -> Finding:
    """Say what of the desktop the terminal reaches; what it does not is no fault."""
    desktop = "nothing notifies the desktop"
    if desktop_sequence("a", "b", environ):
        desktop = "it notifies the desktop itself"
    elif found := desktop_arguments("a", "b", urgent=False):
        desktop = f"the desktop is notified by {os.path.basename(found[0])}"  # noqa: PTH119
    vte = environ.get("VTE_VERSION", "")
    lacks = environ.get("TERM_PROGRAM") in _NO_CLIPBOARD or (vte.isdigit() and int(vte) < 7600)
    copies = "`y` does not reach the clipboard (no OSC 52)" if lacks else "`y` copies by OSC 52"
    return ok("desktop", f"{desktop}; {copies}")
