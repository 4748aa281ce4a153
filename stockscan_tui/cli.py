"""The command line: it reads the arguments and starts a screen or a headless run.

Nothing heavy is imported before it is needed, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
import gc
import math
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from stockscan_tui.errors import StockscanError, UsageError

if TYPE_CHECKING:
    from stockscan_tui.config import Config
    from stockscan_tui.run.replay import ReplayRequest, ReplayRun
    from stockscan_tui.ui.app import Opening, StockscanApp

SCREEN_SPEED = 60.0
DEMO_SPEED = 10.0
DEMO_START = time(9, 29)
SWITCH_S = 0.0005

_DESCRIPTION = (
    "The whole US market in a terminal: movers, one-minute bars, and a local DuckDB file."
)
_EPILOG = """\
Keys on the screen: ? shows them all.

Exit status: 0 done (also when stopped by a signal), 1 failed, 2 wrong usage,
3 another instance holds the database.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.version:
        from importlib.metadata import version  # noqa: PLC0415

        sys.stdout.write(f"stockscan {version('stockscan-tui')}\n")
        return 0
    if given.command is None:
        parser.print_help()
        return 0
    try:
        return _dispatch(given)
    except StockscanError as error:
        from stockscan_tui.market.text import printable  # noqa: PLC0415

        sys.stderr.write(f"stockscan: {printable(str(error))}\n")
        return error.exit_status
    except BrokenPipeError:
        # Whoever read the output has gone; let the interpreter's last flush go nowhere too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stockscan",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    replay = commands.add_parser("replay", help="play saved DBN files", description=_REPLAY)
    replay.add_argument("files", nargs="+", type=Path, metavar="FILE", help=".dbn or .dbn.zst")
    replay.add_argument(
        "--speed",
        metavar="X",
        help="event seconds per second, or max (default: 60 on the screen, max with --headless)",
    )
    replay.add_argument(
        "--from",
        dest="start_at",
        metavar="HH:MM",
        help="New York time up to which records are taken in at full speed",
    )
    replay.add_argument(
        "--prev-close",
        type=Path,
        metavar="FILE",
        help="previous closes: CSV symbol,close or DBN ohlcv-1d",
    )
    demo = commands.add_parser("demo", help="play a simulated day", description=_DEMO)
    demo.add_argument("--seed", type=int, default=1, help="which day to simulate (default: 1)")
    demo.add_argument("--speed", metavar="X", help="event seconds per second, or max (default: 10)")
    for command in (replay, demo):
        _add_common(command)
    return parser


_REPLAY = (
    "Plays DBN files (trades, mbp-1, tbbo, bbo or ohlcv of any DBN version, or a live capture) as "
    "one timeline, and keeps their one-minute bars in a DuckDB file."
)
_DEMO = "Plays a simulated market of 12,000 symbols from 09:29, the pre-market done."


def _add_common(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--mark", choices=("auto", "trade", "mid"), help="what the price to go by is made from")
    add("--db", type=Path, metavar="PATH", help="the database file (default: one in the cache)")
    add("--config", type=Path, metavar="PATH", help="the config file")
    add("--log-file", type=Path, metavar="PATH", help="write a log there")
    add("--headless", action="store_true", help="no screen: play to the end and print")
    add("--json", action="store_true", help="with --headless: JSON lines on standard output")
    add("--leaders", type=int, default=10, metavar="N", help="print the first N (default: 10)")
    add("--filter", default="", metavar="EXPR", help="only symbols with these prefixes: 'NV AA'")
    add("--sort", default="chg", metavar="METRIC[:asc]", help="order of the list (default: chg)")
    add("--for", dest="for_s", type=float, default=math.inf, metavar="SECONDS",
        help="stop after that long")  # fmt: skip


def _dispatch(given: argparse.Namespace) -> int:
    if given.json and not given.headless:
        raise UsageError("--json goes with --headless.")
    if given.leaders < 0:
        raise UsageError("--leaders takes 0 or more.")
    if getattr(given, "seed", 0) < 0:
        raise UsageError("--seed takes 0 or more.")
    if not given.for_s > 0:
        raise UsageError("--for takes a number of seconds above 0.")
    from stockscan_tui.config import read_config  # noqa: PLC0415

    config = read_config(given.config)
    if given.log_file is not None:
        from stockscan_tui.log import write_log  # noqa: PLC0415

        write_log(given.log_file)
    play = _Play(given, config)
    return play.headless() if given.headless else play.screen()


def parse_speed(text: str) -> float:
    """Read a replay speed: a number above 0, or `max`.

    Raises:
        UsageError: It is neither.
    """
    if text == "max":
        return math.inf
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not 0 < speed < 1e6:
        raise UsageError(f"--speed takes a number above 0 or max, not {text!r}.")
    return speed


def parse_time(text: str) -> time:
    """Read a New York time of day, HH:MM or HH:MM:SS.

    Raises:
        UsageError: It is neither.
    """
    if not re.fullmatch(r"\d{1,2}:\d{2}(:\d{2})?", text):
        raise UsageError(f"--from takes a time as in 09:30, not {text!r}.")
    try:
        hour, minute, second = (*(int(part) for part in text.split(":")), 0)[:3]
        return time(hour, minute, second)
    except ValueError as error:
        raise UsageError(f"--from {text}: {error}.") from error


@dataclass(slots=True)
class _Play:
    """A `replay` or `demo` command."""

    given: argparse.Namespace
    config: Config

    def _speed(self) -> float:
        if self.given.speed is not None:
            return parse_speed(self.given.speed)
        if self.given.headless:
            return math.inf
        return DEMO_SPEED if self.given.command == "demo" else SCREEN_SPEED

    def _request(self, files: tuple[Path, ...], *, refresh_s: float) -> ReplayRequest:
        from stockscan_tui.run.replay import ReplayRequest  # noqa: PLC0415

        given = self.given
        demo = given.command == "demo"
        start_at = getattr(given, "start_at", None)
        return ReplayRequest(
            files=files,
            mode="DEMO" if demo else "REPLAY",
            simulated=demo,
            speed=self._speed(),
            start_at=DEMO_START if demo else parse_time(start_at) if start_at else None,
            prev_close=getattr(given, "prev_close", None),
            database=given.db,
            mark=given.mark or self.config.mark,
            keep_replays=self.config.keep_replays,
            refresh_s=refresh_s,
        )

    def _sort(self) -> tuple[str, bool]:
        name, _, direction = self.given.sort.partition(":")
        if direction not in ("", "asc"):
            raise UsageError(f"--sort takes METRIC or METRIC:asc, not {self.given.sort!r}.")
        return name, direction == "asc"

    def headless(self) -> int:
        """Play to the end without a screen; returns the exit status."""
        from stockscan_tui.clock import SystemClock  # noqa: PLC0415
        from stockscan_tui.headless import Report, play  # noqa: PLC0415
        from stockscan_tui.market.filters import parse_filter  # noqa: PLC0415
        from stockscan_tui.market.metrics import parse_metric  # noqa: PLC0415
        from stockscan_tui.run.replay import ReplayRun  # noqa: PLC0415

        name, ascending = self._sort()
        report = Report(
            as_json=self.given.json,
            leaders=self.given.leaders,
            sort=parse_metric(name),
            ascending=ascending,
            chosen=parse_filter(self.given.filter),
            for_s=self.given.for_s,
        )
        stop = Event()
        on_signals(stop.set)
        clock = SystemClock()
        files = self._files()
        run = ReplayRun(self._request(files, refresh_s=math.inf), clock)
        summary = play(run, report, clock, stop, sys.stdout)
        return 1 if summary.corrupt else 0

    def _files(self, opening: Opening | None = None) -> tuple[Path, ...]:
        if self.given.command == "replay":
            # One file by two names is played once: twice would double its volume.
            named = {os.path.realpath(path): path for path in reversed(self.given.files)}
            return tuple(reversed(named.values()))
        from stockscan_tui.config import cache_folder  # noqa: PLC0415
        from stockscan_tui.sim.demo import demo_file  # noqa: PLC0415

        folder = cache_folder() / "demo"
        if opening is None:
            return (demo_file(folder, seed=self.given.seed),)

        def tell(done: float) -> None:
            opening.say("simulating a day of 12,000 symbols, once", done)

        cancelled = opening.cancelled.is_set
        return (demo_file(folder, seed=self.given.seed, progress=tell, cancelled=cancelled),)

    def screen(self) -> int:
        """Show the screen until it is left; returns the exit status."""
        from stockscan_tui.clock import SystemClock  # noqa: PLC0415
        from stockscan_tui.market.filters import parse_filter  # noqa: PLC0415
        from stockscan_tui.market.metrics import parse_metric  # noqa: PLC0415
        from stockscan_tui.ui.app import StockscanApp  # noqa: PLC0415

        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise UsageError("The screen needs a terminal. Use --headless where there is none.")
        self._speed()
        name, ascending = self._sort()
        clock = SystemClock()
        app = StockscanApp(
            self._open,
            title=self._title(),
            clock=clock,
            sort=parse_metric(name),
            ascending=ascending,
            chosen=parse_filter(self.given.filter),
            theme=self.config.theme,
        )
        # A key passes through several threads on its way; at Python's own 5 ms each hand-over of
        # the interpreter would be felt while the engine runs at full speed.
        sys.setswitchinterval(SWITCH_S)
        on_signals(app.leave_soon)
        if math.isfinite(self.given.for_s):
            app.leave_after(self.given.for_s)
        status = app.run() or 0
        app.join_opening()
        return self._close(app, status)

    def _title(self) -> str:
        if self.given.command == "demo":
            return "a simulated market"
        return " ".join(path.name for path in self.given.files)

    def _open(self, opening: Opening) -> ReplayRun:
        """Make the run that the screen shows; in a thread of its own."""
        opening.say("loading the engine")
        from stockscan_tui.clock import SystemClock  # noqa: PLC0415
        from stockscan_tui.run.replay import ReplayRun  # noqa: PLC0415

        files = self._files(opening)
        opening.say("reading closes and opening the database")
        run = ReplayRun(self._request(files, refresh_s=0.1), SystemClock())
        # What was imported and read stays for the whole run: without this, the collector walks
        # it again and again, which holds a key up for 100 ms.
        gc.collect()
        gc.freeze()
        return run

    def _close(self, app: StockscanApp, status: int) -> int:
        """Save what is in memory and say what the run came to."""
        if app.player is None:
            return status
        from stockscan_tui.headless import summary_text  # noqa: PLC0415
        from stockscan_tui.market.text import printable  # noqa: PLC0415
        from stockscan_tui.run.common import Run  # noqa: PLC0415

        if isinstance(app.player, Run):
            summary = app.player.close()
            sys.stdout.write(summary_text(summary))
            for problem in summary.problems:
                sys.stderr.write(f"stockscan: {printable(problem)}\n")
            return 1 if summary.corrupt else status
        return status


def on_signals(stop: Callable[[], object]) -> None:
    """Let SIGINT, SIGTERM and SIGHUP call `stop` instead of ending the process."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, lambda *_: stop())
