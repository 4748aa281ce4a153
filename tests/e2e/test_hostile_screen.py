"""The screen over a file full of escape sequences and markup: every byte that the terminal gets."""

from __future__ import annotations

import base64
import os
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import wire

if sys.platform == "win32":
    pytest.skip("there are no pseudo-terminals", allow_module_level=True)

import fcntl
import pty
import struct
import termios

SYMBOLS = (
    "\x1b]0;OWNED\x07", "\x1b[31mRED", "[red]X[/red]", "[link=http://evil]L", "=CMD()", "T\tB\nN",
    "\x1b]52;c;T1dORUQ=\x07", "\x1bP+q544e\x1b\\", "[@click=app.quit]q[/]", "\x1b]8;;http://x\x07L",
    "A\u202eB", "\x9b2JC1", "\x9d0;OWNED\x9c", "Z\u200bW", "z" + "\u0301" * 20,
)  # fmt: skip
RULES = """
[[rule]]
name = "[red]RULE[/red]"
when = "trades >= 1"
cooldown = "1s"
message = "{symbol} [link=http://evil]m[/link] [@click=app.quit]q[/]"
deliver = ["toast", "desktop"]
priority = "high"
gates = false
"""
CONFIG = """
[filters]
low = "mark > 0"
[[list]]
key = "1"
name = "[red]LIST"
sort = "chg"
"""
# Through every screen, with a copy on each.
KEYS = (
    "1", "x", "j", "y", "y", "g", "y", "\r", "y", "n", "y", "\x1b", "a", "j", "y", "\x1b", "r", "y",
    "\x1b", "h", "y", "\x1b", "?", "\x1b", "W", "\x1b", "e", "\x1b", "/", "z", "\t", "\x1b", "\x10",
    "O", "\x1b",
)  # fmt: skip
ESCAPED = re.compile(
    rb"\x1b\[[0-9;:?<>=!$ ]*[@-~]"
    rb"|\x1b[()][0-9A-Z]|\x1b[=>78cDEM]"
    rb"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)"
)
# The pointer's shape, and the notification that a rule asks for.
KNOWN_STRINGS = re.compile(
    rb"\x1b\](22;[a-z-]*|52;c;[A-Za-z0-9+/=]*|99;i=stockscan:.*)(\x07|\x1b\\)"
)
LIMIT_S = 60.0


def metadata() -> bytes:
    """Return metadata with the symbols; what is not ASCII is put in place by its length."""
    names = {name: name if name.isascii() else "#" * 3 + f"{n}" for n, name in enumerate(SYMBOLS)}
    padded = {name: held.ljust(len(name.encode()), "#") for name, held in names.items()}
    raw = wire.metadata(symbols={held: n for n, held in enumerate(padded.values(), 1)})
    for name, held in padded.items():
        raw = raw.replace(held.encode(), name.encode())
    return raw


class Terminal:
    """A program at a pseudo-terminal, and all that it writes there."""

    def __init__(self, arguments: list[str], folder: Path) -> None:
        self._fd, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 140, 0, 0))
        environment = {**os.environ, "TERM": "xterm-kitty", "COLORTERM": "truecolor"}
        for name in ("CONFIG", "DATA"):
            environment[f"XDG_{name}_HOME"] = str(folder / name)
        for name in ("TMUX", "STY", "DATABENTO_API_KEY"):
            environment.pop(name, None)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "stockscan_tui", *arguments],
            stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=folder,
            start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        self.told = b""

    def read(self, quiet_s: float) -> bool:
        """Take what comes next; returns whether anything came within so long."""
        if not select.select([self._fd], [], [], quiet_s)[0]:
            return False
        try:
            more = os.read(self._fd, 1 << 16)
        except OSError:
            return False
        self.told += more
        return bool(more)

    def until(self, text: str) -> None:
        end_s = time.monotonic() + LIMIT_S
        while text.encode() not in ESCAPED.sub(b"", self.told):
            assert time.monotonic() < end_s
            assert self.process.poll() is None, self.told[-2_000:]
            self.read(1.0)

    def press(self, key: str) -> None:
        """Press a key and take what comes of it."""
        os.write(self._fd, key.encode())
        for _ in range(20):
            if not self.read(0.2):
                break

    def close(self) -> int:
        """End the program by a signal; returns its status."""
        self.process.terminate()
        end_s = time.monotonic() + LIMIT_S
        while self.process.poll() is None and time.monotonic() < end_s:
            self.read(0.5)
        while self.read(0.1):
            continue
        self.process.kill()
        os.close(self._fd)
        return self.process.wait()


def test_nothing_in_symbols_rules_and_names_acts_on_the_terminal(tmp_path: Path) -> None:
    rows = wire.random_rows(1, 3_000, len(SYMBOLS), minutes=20)
    file = tmp_path / "\x1b]0;OWNED\x07[red]day\u202e.dbn"
    wire.write(file, metadata(), rows)
    (tmp_path / "rules.toml").write_text(RULES)
    (tmp_path / "config.toml").write_text(CONFIG)
    terminal = Terminal(
        ["replay", file.name, "--offline", "--speed", "max", "--rules", "rules.toml",
         "--config", "config.toml", "--db", "\x1b]2;OWNED\x07.duckdb"],
        tmp_path,
    )  # fmt: skip
    try:
        terminal.until("RULE")
        for key in KEYS:
            if terminal.process.poll() is None:
                terminal.press(key)
            if key == "a":
                terminal.until("[red]X[/red]")
    finally:
        status = terminal.close()
    assert status == 0, terminal.told[-2_000:]
    check(terminal.told)


def check(told: bytes) -> None:
    """See that nothing but the program's own sequences was written, and no text within them."""
    for sequence in ESCAPED.findall(told):
        if sequence[:2] == b"\x1b[":
            continue
        if sequence[1:2] in b"]PX^_":
            known = KNOWN_STRINGS.fullmatch(sequence)
            assert known, sequence
            if sequence.startswith(b"\x1b]52"):
                copied = base64.b64decode(sequence[7:].rstrip(b"\x07\x1b\\")).decode()
                assert copied.replace("\t", "").isprintable() or "�" in copied
                assert not re.search("[\n\r\x1b\x07\x9b\u202e]", copied)
    assert len([each for each in ESCAPED.findall(told) if each.startswith(b"\x1b]52")]) >= 2
    rest = ESCAPED.sub(b"", told)
    assert b"\x1b" not in rest, re.findall(rb".{30}\x1b.{30}", rest)[:3]
    text = rest.decode()
    assert not re.search(
        "[\x00-\x06\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", text
    )
    # Markup stands there as text.
    for sign in ("[red]X[/red]", "[link=http", "[@click=app", "[red]LIST", "[red]RULE"):
        assert sign in text
    assert b"\x1b[5m" not in told
