"""The screen on a terminal that is resized, flooded, stopped, stalled, taken away or unfit."""

from __future__ import annotations

import io
import os
import pty
import random
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pytest

from stockscan_tui.ui.screens.health import HealthScreen
from stockscan_tui.ui.screens.help import HelpScreen
from tests import wire
from tests.e2e.pty_driver import Terminal, plain
from tests.e2e.test_headless import COMMAND, environment
from tests.e2e.test_live_restart import bars_in
from tests.playing import bars_by_pandas
from tests.ui.driving import Stage, on_stage

if sys.platform == "win32":
    pytest.skip("terminals of POSIX", allow_module_level=True)

SYMBOLS = {f"S{n}": n for n in range(1, 21)}
NAMES = {number: symbol for symbol, number in SYMBOLS.items()}
# For the hand: STOCKSCAN_STORM=1000 resizes, and a hundred keys for each.
STORM = int(os.environ.get("STOCKSCAN_STORM", "40"))
HOSTILE = (
    b"\xff\xfe\xc3(", b"\xe2\x82", b"\xed\xa0\x80", b"\x1b[M\xff\xff\xff", b"\x1b[<;;M",
    b"\x1b[<99999;400;300M", b"\x1b[<99999999999999999999;0;0M", b"\x1b[48;0;0;0;0t",
    b"\x1b[48;99999;99999;0;0t", b"\x1b]52;c;", b"\x07", b"\x1bP", b"\x1b\\", b"\x00" * 50,
    b"\x1b[200~chg > 5 $(touch executed) \x1b[201~", b"\x1b[201~", b"\x1b[1114112;1u",
)  # fmt: skip


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("terminal") / "day.mbp-1.dbn.zst"
    return wire.write(path, wire.metadata(symbols=SYMBOLS), records())


def records() -> wire.Records:
    return wire.random_rows(1, 6_000, 20, minutes=30)


def shown(day: Path, folder: Path, *arguments: str, **variables: str) -> Terminal:
    """Replay the day on a terminal."""
    env = {**environment(folder), "TERM": "xterm-256color", "NO_COLOR": "1", **variables}
    # Where the compiled loop is kept already.
    env.pop("XDG_CACHE_HOME", None)
    command = [*COMMAND, "replay", str(day), "--db", str(folder / "bars.duckdb"), "--speed", "max"]
    # Of an option that is given twice the last counts.
    return Terminal([*command, *arguments], env)


def answers(terminal: Terminal) -> None:
    """See that keys are still answered."""
    terminal.resize(36, 120)
    # Screens lie over screens.
    for _ in range(4 if STORM <= 100 else 15):
        terminal.type(b"\x1b")
        terminal.settle()
    terminal.type(b"?")
    terminal.until("Everywhere", timeout_s=60 + STORM)
    terminal.type(b"\x1b")
    terminal.settle(1.0)


def left(terminal: Terminal) -> int:
    """Leave by key; returns the exit status."""
    for _ in range(4):
        terminal.type(b"q")
        with suppress(TimeoutError):
            return terminal.end(20)
        # On a busy machine it was taken for one key with the Esc before it.
        terminal.type(b"\x1b")
        terminal.settle(2.0)
    return terminal.end()


def test_no_size_and_no_bytes_end_the_screen(day: Path, tmp_path: Path) -> None:
    chance = random.Random(8)
    with shown(day, tmp_path) as terminal:
        terminal.until("complete")
        for rows, columns in ((5, 20), (1, 1), (1, 500), (2, 120), (200, 1)):
            terminal.resize(rows, columns)
            terminal.type(chance.choice((b"j", b"h", b"a", b"\r")))
            terminal.settle(0.1)
        for number in range(STORM):
            terminal.resize(chance.randint(1, 200), chance.randint(1, 500))
            terminal.type(HOSTILE[number % len(HOSTILE)])
            if STORM > 100:
                # What quits on purpose is not among them.
                keys = bytes(c for c in chance.randbytes(100) if c not in b"qQ\x03\x11")
                terminal.type(keys)
            terminal.pump(0.02)
        # All that was typed is worked off first.
        terminal.resize(36, 120)
        terminal.rest(timeout_s=30 + STORM)
        answers(terminal)
        assert left(terminal) == 0, terminal.tail()
        assert terminal.left_on() == set()
    assert not Path("executed").exists()


def test_screen_comes_back_after_being_stopped_and_draws_in_ascii(
    day: Path, tmp_path: Path
) -> None:
    with shown(day, tmp_path, PYTHONIOENCODING="ascii") as terminal:
        terminal.until("complete")
        terminal.settle()
        terminal.process.send_signal(signal.SIGTSTP)
        terminal.until(lambda: b"\x1b[?1049l" in terminal.written)
        terminal.settle()
        assert terminal.left_on() == set()
        # The second time whoever stops it does not let it give the terminal back.
        for stopped in (None, signal.SIGSTOP):
            if stopped is not None:
                terminal.process.send_signal(stopped)
            before = len(terminal.written)
            terminal.process.send_signal(signal.SIGCONT)
            terminal.until(lambda before=before: b"\x1b[?1049h" in terminal.written[before:])  # type: ignore[misc]
            terminal.settle()
        answers(terminal)
        terminal.process.send_signal(signal.SIGTERM)
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end() == 0
        assert terminal.left_on() == set()
    assert terminal.written.isascii()
    assert "---" in plain(terminal.written)


def test_what_was_captured_is_kept_when_the_terminal_goes(day: Path, tmp_path: Path) -> None:
    with shown(day, tmp_path) as terminal:
        terminal.until("end of file")
        terminal.hang_up()
        assert terminal.process.wait(30) == 0
    assert bars_in(tmp_path / "bars.duckdb") == bars_by_pandas(records(), NAMES)
    assert not (tmp_path / "bars.duckdb.owner").exists()


def test_without_a_screen_too(day: Path, tmp_path: Path) -> None:
    with shown(day, tmp_path, "--headless", "--speed", "300") as terminal:
        terminal.until("records")
        terminal.hang_up()
        assert terminal.process.wait(30) == 0
    wanted, kept = bars_by_pandas(records(), NAMES), bars_in(tmp_path / "bars.duckdb")
    newest = max(minute for _, minute in kept)
    assert {key: bar for key, bar in wanted.items() if key[1] < newest} == {
        key: bar for key, bar in kept.items() if key[1] < newest
    }
    assert not (tmp_path / "bars.duckdb.owner").exists()


class Leaver:
    """Stands for the application."""

    leaving = False

    def leave_soon(self) -> None:
        self.leaving = True


def outlet_on(descriptor: int, app: Leaver) -> Any:
    from stockscan_tui.ui.terminal import Outlet

    with io.TextIOWrapper(os.fdopen(os.dup(descriptor), "wb"), "utf-8") as stream:
        return Outlet(stream, cast("Any", app))


def test_writing_to_a_terminal_that_has_gone_tells_the_application_and_does_not_fail() -> None:
    master, slave = pty.openpty()
    app = Leaver()
    outlet = outlet_on(slave, app)
    outlet.write("before")
    os.close(master)
    outlet.write("after")
    assert app.leaving
    outlet.write("and again")
    outlet.close()
    os.close(slave)


def test_a_stalled_terminal_holds_nobody_up_who_leaves_and_is_restored() -> None:
    master, slave = pty.openpty()
    app = Leaver()
    outlet = outlet_on(slave, app)
    app.leaving = True
    outlet.write("x" * 1_000_000)
    outlet.write("\x1b[?25h")
    read = b""
    while not read.endswith(b"\x1b[?25h"):
        read += os.read(master, 1 << 16)
    assert len(read) < 100_000
    outlet.close()
    for each in (master, slave):
        os.close(each)


def ended(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a shell's command line, in which $S stands for the program."""
    env = {**environment(folder), "S": " ".join(COMMAND)}
    return subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, env=env, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        ("$S --version >&-", 0, ""),
        ("$S --version >/dev/full", 1, "What is printed cannot be written: No space left"),
        ("$S replay none.dbn <&-", 2, "Use --headless"),
        ("PYTHONIOENCODING=ascii $S simulate --help", 0, ""),
    ],
)
def test_streams_that_are_closed_full_or_narrow_break_nothing(
    command: str, status: int, said: str, tmp_path: Path
) -> None:
    done = ended(command, tmp_path)
    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_terminal_that_can_place_no_text_is_refused(day: Path, tmp_path: Path) -> None:
    with shown(day, tmp_path, TERM="dumb") as terminal:
        assert terminal.end() == 2
    assert "TERM=dumb" in plain(terminal.written)
    assert b"\x1b[" not in terminal.written


def test_keys_that_come_before_a_screen_has_closed_do_not_close_the_one_below() -> None:
    async def use(stage: Stage) -> None:
        await stage.pilot.press("h")
        await stage.until(lambda: isinstance(stage.app.screen, HealthScreen))
        await stage.pilot.press("question_mark")
        await stage.until(lambda: isinstance(stage.app.screen, HelpScreen))
        sheet = stage.app.screen
        sheet.dismiss(None)
        sheet.dismiss(None)
        sheet.dismiss(None)
        await stage.pilot.pause()
        assert isinstance(stage.app.screen, HealthScreen)
        health = stage.app.screen
        health.action_back()
        await stage.until(lambda: not health.is_running)
        # What a change of size had asked for comes after it has closed.
        health._draw()

    on_stage(use)
