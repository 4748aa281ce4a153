"""The arguments of the command line, and what they mean.

Nothing heavy is imported here, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
import math
import re
from datetime import date, time
from pathlib import Path
from typing import NoReturn

from stockscan_tui.cli.help_text import MAIN, OF, Formatter
from stockscan_tui.errors import UsageError

SCHEMAS = ("mbp-1", "trades", "dual", "tbbo", "ohlcv-1m", "ohlcv-1s")
DATASET = "EQUS.MINI"
# Every symbol there is takes a hundredth of it.
_MOST_SYMBOLS_TEXT = 5_000_000
FORMATS = ("table", "json", "csv", "parquet")
SHELLS = ("bash", "zsh", "fish")
BENCHES = ("records", "replay", "minute", "board", "rules", "frame", "start", "live", "timer")

_DESCRIPTION = (
    "The whole US market in a terminal: movers, one-minute bars, and a local DuckDB file. "
    "Without a command: live if there is a key, else a screen that says what can be done."
)
_REPLAY = (
    "Plays DBN files (trades, mbp-1, tbbo, bbo or ohlcv of any DBN version, or a live capture) as "
    "one timeline, and keeps their one-minute bars in a DuckDB file."
)
_DEMO = (
    "Plays a simulated market of 12,000 symbols from 09:29, the pre-market done, through the live "
    "path: a gateway in a process of its own, over loopback."
)
_LIVE = (
    "Captures Databento's live feed: the whole market by default. What an earlier run of the day "
    "left is gone on with, and what was missed since is fetched."
)
_SIMULATE = (
    "A gateway on loopback that speaks Databento's live protocol, for `stockscan live --gateway` "
    "and for the official client. It prints `listening on HOST:PORT` and ends with its parent."
)
_REPORT = (
    "Says of a captured day, by symbol, how many bars it has and how complete they are: by default "
    "for the biggest movers; then the day's gaps, and the whole market. It can be asked while an "
    "instance captures."
)
_WHY = (
    "Says why symbols have few bars or none, or are not on the board, with the counts that say so."
)
_BACKTEST = (
    "Plays saved files, or the stored bars of captured days, with the rules of a file, and says "
    "for each rule how often it fired and what followed. Days are played by themselves, several "
    "at once; the output is a table, JSON, or a row a firing as CSV or Parquet."
)
_EXPORT = (
    "Writes captured bars, alerts or states of symbols as CSV, JSON (an object a line) or Parquet, "
    "with the columns of the database's views; times are UTC. It can be asked while an instance "
    "captures: a copy is read then, as by `report`."
)
_BENCH = """\
Measures in about a minute and a half what stockscan does on this machine, on a
simulated hour of two million records, each figure beside what else could do the
same work, and whether that came to the same result. What is not installed is
left out. Nothing of it stays on the disk.

  records  mbp-1 records in memory, to minute bars and full state
  replay   a .dbn.zst file, to bars in DuckDB
  minute   one minute of bars of all symbols into DuckDB
  board    the whole market filtered and in order
  rules    a hundred rules over all symbols
  frame    drawing the board
  start    from the command to the first board
  live     the live feed over loopback, records a second
  timer    how late the screen's timer is while the feed pours in
"""
_RULES = (
    "Checks a rules file, or lists its rules and those of the library. The file is rules.toml "
    "beside config.toml unless one is named. Exit status 1: it cannot be read."
)
_DOCTOR = (
    "Looks at all that a capture needs, from the key to the disk, and says what to do where "
    "something lacks; nothing is captured, written or paid for. Exit status 1: something failed."
)
_CONFIG = (
    "Prints every setting with its default or value and where that comes from, as a config file "
    "that can be used. Settings also come from variables (STOCKSCAN_THEME), and flags go first."
)
_COMPLETION = (
    "Prints a script that teaches a shell to complete commands, options, choices and file names."
)


class _Parser(argparse.ArgumentParser):
    """A parser whose refusals do not act on the terminal: a shell's * may have put names there."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and end with status 2."""
        from stockscan_tui.market.text import printable  # noqa: PLC0415 - only where it is needed

        said = printable(message).rstrip(".")
        self.exit(2, f"stockscan: {said[:1].upper()}{said[1:]}. See `{self.prog} --help`.\n")


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = _Parser(
        prog="stockscan", description=_DESCRIPTION, epilog=MAIN, formatter_class=Formatter
    )
    parser.add_argument("--version", action="store_true",
                        help="print its version and those it stands on")  # fmt: skip
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    live = _added(commands, "live", "capture the live feed", _LIVE)
    replay = _added(commands, "replay", "play saved DBN files", _REPLAY)
    demo = _added(commands, "demo", "play a simulated day", _DEMO)
    simulate = _added(commands, "simulate", "a gateway alone", _SIMULATE)
    report = _added(commands, "report", "how whole a captured day is", _REPORT)
    why = _added(commands, "why", "why a symbol has few or no bars", _WHY)
    backtest = _added(commands, "backtest", "try rules on saved days", _BACKTEST)
    export = _added(commands, "export", "captured bars as CSV, JSON or Parquet", _EXPORT)
    bench = _added(commands, "bench", "measure this machine, beside other tools", _BENCH)
    rules = _added(commands, "rules", "check or list rules", _RULES)
    doctor = _added(commands, "doctor", "what lacks, and what to do", _DOCTOR)
    settings = _added(commands, "config", "show every setting", _CONFIG)
    completion = _added(commands, "completion", "complete it in a shell", _COMPLETION)
    _add_live(live)
    _add_replay(replay)
    demo.add_argument("--seed", type=int, default=1, help="which day to simulate (default: 1)")
    demo.add_argument("--speed", metavar="X", help="event seconds per second, or max (default: 10)")
    _add_simulate(simulate)
    _add_report(report)
    _add_why(why)
    _add_backtest(backtest)
    _add_export(export)
    bench.add_argument("--only", action="append", default=[], choices=BENCHES, metavar="NAME",
                       help="this figure alone (several: again)")  # fmt: skip
    bench.add_argument("--json", action="store_true", help="one JSON object a line")
    _add_rules(rules)
    _add_doctor(doctor)
    settings.add_argument("--config", type=Path, metavar="PATH", help="the config file")
    settings.add_argument("--path", action="store_true", help="print the config file's path alone")
    completion.add_argument("shell", choices=SHELLS, help="whose script is printed")
    for command in (live, replay, demo):
        _add_common(command)
    return parser


def _added(
    commands: argparse._SubParsersAction[_Parser],
    name: str,
    line: str,
    description: str,
    *,
    below: str = "",
) -> _Parser:
    """Add a command, `below` another one, with its line in the list and a page of its own."""
    return commands.add_parser(
        name,
        help=line,
        description=description,
        epilog=OF[f"{below} {name}".strip()],
        formatter_class=Formatter,
    )


def _add_live(live: argparse.ArgumentParser) -> None:
    add = live.add_argument
    add("--dataset", default=DATASET, help=f"Databento's name of it (default: {DATASET})")
    add("--schema", choices=SCHEMAS, default="mbp-1",
        help="what is subscribed to; dual: quotes of mbp-1, trades of trades")  # fmt: skip
    add("--symbols", default="ALL_SYMBOLS", metavar="LIST",
        help="ALL_SYMBOLS (default), A,B,C or @FILE with one a line")  # fmt: skip
    add("--gateway", metavar="HOST:PORT", help="another gateway than Databento's")
    add("--trades-for", choices=("leaders",),
        help="subscribe to the trades of symbols as they enter the leaderboard")  # fmt: skip
    add("--record", type=Path, metavar="DIR", help="keep the raw records there, as DBN files")
    add("--save-every", type=float, default=5.0, metavar="SECONDS",
        help="how often all is saved (default: 5)")  # fmt: skip
    add("--backfill", action=argparse.BooleanOptionalAction, default=True,
        help="fetch the session so far, and bars that symbols lack")  # fmt: skip
    add("--verify", action=argparse.BooleanOptionalAction, default=True,
        help="hold every bar against Databento's own, by a second session")  # fmt: skip
    add("--tape-volume", action=argparse.BooleanOptionalAction,
        help="the whole tape's volume, by a second session")  # fmt: skip
    add("--prev-close", type=Path, metavar="FILE",
        help="previous closes: CSV symbol,close or DBN ohlcv-1d")  # fmt: skip
    _add_history(live)


def _add_history(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--history", metavar="URL", help="another host for closes, volumes and bars of before")
    add("--offline", action="store_true", help="ask nobody for them; what is kept is used")


def _add_replay(replay: argparse.ArgumentParser) -> None:
    add = replay.add_argument
    add("files", nargs="+", type=Path, metavar="FILE", help=".dbn or .dbn.zst")
    add("--speed", metavar="X",
        help="event seconds per second, or max (default: 60, max with --headless)")  # fmt: skip
    add("--from", dest="start_at", metavar="HH:MM",
        help="New York time up to which records are taken in at full speed")  # fmt: skip
    add("--prev-close", type=Path, metavar="FILE",
        help="previous closes: CSV symbol,close or DBN ohlcv-1d")  # fmt: skip
    add("--verify", type=Path, metavar="FILE",
        help="Databento's own bars (DBN ohlcv-1m) to hold ours against")  # fmt: skip
    _add_history(replay)


def _add_report(report: argparse.ArgumentParser) -> None:
    add = report.add_argument
    add("--date", type=parse_date, metavar="DATE", help="session date (default: the last one)")
    add("--since", type=parse_date, metavar="DATE", help="a line for each session date from then")
    add("--top", type=int, default=20, metavar="N", help="the N biggest movers (default: 20)")
    add("--over", type=float, default=20.0, metavar="PCT",
        help="only moves of so many percent and more (default: 20)")  # fmt: skip
    add("--symbols", metavar="LIST", help="these instead: A,B,C or @FILE with one a line")
    add("--format", choices=FORMATS, help="default: by the output's name, else table")
    add("--output", type=Path, metavar="FILE", help="write there instead of standard output")
    add("--verify", nargs="?", const="", metavar="FILE",
        help="hold the bars against Databento's: of an ohlcv-1m file, else by asking")  # fmt: skip
    add("--history", metavar="URL", help="another host to ask")
    _add_database(report)


def _add_why(why: argparse.ArgumentParser) -> None:
    add = why.add_argument
    add("symbols", nargs="+", metavar="SYMBOL", help="which ones")
    add("--date", type=parse_date, metavar="DATE", help="session date (default: the last one)")
    add("--format", choices=FORMATS[:2], help="table (default) or json")
    add("--output", type=Path, metavar="FILE", help="write there instead of standard output")
    _add_database(why)


def _add_backtest(backtest: argparse.ArgumentParser) -> None:
    add = backtest.add_argument
    add("rules", type=Path, metavar="RULES", help="a rules file")
    add("files", nargs="*", type=Path, metavar="FILE", help=".dbn or .dbn.zst")
    add("--since", type=parse_date, metavar="DATE",
        help="instead of files: the stored bars of each session date from then")  # fmt: skip
    add("--rule", action="append", default=[], metavar="NAME",
        help="this rule, on or off (several: again); default: all that are on")  # fmt: skip
    add("--jobs", type=int, default=0, metavar="N",
        help="play so many days at once (default: one a core)")  # fmt: skip
    add("--format", choices=FORMATS, help="default: by the output's name, else table")
    add("--output", type=Path, metavar="FILE", help="write there instead of standard output")
    add("--mark", choices=("auto", "trade", "mid"), help="what the price to go by is made from")
    add("--prev-close", type=Path, metavar="FILE",
        help="previous closes: CSV symbol,close or DBN ohlcv-1d")  # fmt: skip
    _add_history(backtest)
    _add_database(backtest)


def _add_export(export: argparse.ArgumentParser) -> None:
    add = export.add_argument
    add("what", choices=("bars", "alerts", "state"), help="which view of the database")
    add("--date", type=parse_date, metavar="DATE", help="session date (default: the last one)")
    add("--since", type=parse_date, metavar="DATE", help="all session dates from then")
    add("--until", type=parse_date, metavar="DATE", help="all session dates up to then, with it")
    add("--symbols", metavar="LIST", help="only these: A,B,C or @FILE with one a line")
    add("--format", choices=FORMATS[1:], help="default: by the output's name, else csv")
    add("--output", metavar="FILE", help="write there instead of standard output (-)")
    add("--force", action="store_true", help="replace a file that is there already")
    _add_database(export)


def _add_rules(rules: _Parser) -> None:
    actions = rules.add_subparsers(dest="action", metavar="ACTION", required=True)
    check = _added(actions, "check", "say what is wrong with a rules file",
                   "Says what is wrong with a rules file, with its line.",
                   below="rules")  # fmt: skip
    listed = _added(actions, "list", "list all rules, those of the library included",
                    "Lists all rules, on or off, those of the library included.",
                    below="rules")  # fmt: skip
    listed.add_argument("--json", action="store_true", help="as one JSON object")
    for action in (check, listed):
        action.add_argument("file", nargs="?", type=Path, metavar="FILE", help="the rules file")
        action.add_argument("--config", type=Path, metavar="PATH", help="the config file")
        action.add_argument("--log-file", type=Path, metavar="PATH", help="write a log there")


def _add_doctor(doctor: argparse.ArgumentParser) -> None:
    add = doctor.add_argument
    add("--json", action="store_true", help="one JSON object a line")
    add("--offline", action="store_true", help="ask nobody on the net")
    add("--gateway", metavar="HOST:PORT", help="another gateway than Databento's")
    add("--history", metavar="URL", help="another host than Databento's for what is past")
    add("--rules", type=Path, metavar="FILE", help="the rules file")
    add("--record", type=Path, metavar="DIR", help="where recordings are kept")
    _add_database(doctor)


def _add_database(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--dataset", default=DATASET, help=f"whose captured days (default: {DATASET})")
    add("--db", type=Path, metavar="PATH", help="the database file")
    add("--config", type=Path, metavar="PATH", help="the config file")
    add("--log-file", type=Path, metavar="PATH", help="write a log there")


def _add_simulate(simulate: argparse.ArgumentParser) -> None:
    add = simulate.add_argument
    add("--port", type=int, default=0, help="0 takes any free one (default)")
    add("--seed", type=int, default=1, help="which day to simulate (default: 1)")
    add("--symbols", type=int, metavar="N", help="how many symbols it has (default: 12000)")
    add("--sessions", type=int, default=1, metavar="N", help="so many session dates in a row")
    add("--night", type=float, metavar="SECONDS",
        help="what hours without a record take at most (with --sessions: 10)")  # fmt: skip
    add("--file", type=Path, metavar="FILE", help="play this DBN file instead")
    add("--speed", default="1", metavar="X", help="event seconds per second, or max (default: 1)")
    add("--from", dest="start_at", metavar="HH:MM",
        help="New York time at which its clock starts (default: the first record)")  # fmt: skip
    add("--clock", type=int, metavar="NS", help="the same in ns since 1970")
    add("--key", help="the only key that is let in (default: any)")
    add("--unlicensed", action="append", default=[], metavar="DATASET",
        help="refuse this dataset, as to a key without its licence: EQUS.SUMMARY")  # fmt: skip
    add("--live-only", action="store_true",
        help="without start= a session begins at the clock, as with Databento")  # fmt: skip
    add("--fault", action="append", default=[], metavar="SPEC",
        help="what goes wrong: reset@record=500, refuse=3, stall@after=20 …")  # fmt: skip
    add("--in-turn", action="store_true", help="connection n takes the n-th fault only")


def _add_common(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--rules", type=Path, metavar="FILE", help="the rules file")
    add("--mark", choices=("auto", "trade", "mid"), help="what the price to go by is made from")
    add("--db", type=Path, metavar="PATH", help="the database file")
    add("--config", type=Path, metavar="PATH", help="the config file")
    add("--log-file", type=Path, metavar="PATH", help="write a log there")
    add("--headless", action="store_true", help="no screen: print instead")
    add("--json", action="store_true", help="with --headless: JSON lines on standard output")
    add("--leaders", type=int, default=10, metavar="N", help="print the first N (default: 10)")
    add("--filter", default="", metavar="EXPR",
        help="only these symbols: 'chg > 5 and rvol > 3', 'NV AA'")  # fmt: skip
    add("--sort", metavar="METRIC[:asc]", help="order of the list (default: chg)")
    add("--gates", action="store_true", help="with --headless: keep noise off as the board does")
    add("--for", dest="for_s", type=float, default=math.inf, metavar="SECONDS",
        help="stop after that long")  # fmt: skip


def check(given: argparse.Namespace) -> None:
    """Refuse arguments that no command can go on with.

    Raises:
        UsageError: One of them is wrong.
    """
    if getattr(given, "seed", 0) < 0:
        raise UsageError("--seed takes 0 or more.")
    if not getattr(given, "top", 1) > 0:
        raise UsageError("--top takes 1 or more.")
    if not getattr(given, "sessions", 1) > 0:
        raise UsageError("--sessions takes 1 or more.")
    if getattr(given, "jobs", 0) < 0:
        raise UsageError("--jobs takes 1 or more.")
    if not getattr(given, "over", 0.0) >= 0:
        raise UsageError("--over takes a percentage of 0 or more.")
    if given.command not in ("live", "replay", "demo"):
        return
    if given.json and not given.headless:
        raise UsageError("--json goes with --headless.")
    if given.leaders < 0:
        raise UsageError("--leaders takes 0 or more.")
    if not 0 < getattr(given, "save_every", 1) < math.inf:
        raise UsageError("--save-every takes a number of seconds above 0.")
    if getattr(given, "tape_volume", None) and given.dataset != DATASET:
        raise UsageError(f"--tape-volume goes with --dataset {DATASET}, whose volume is a sample.")
    if not given.for_s > 0:
        raise UsageError("--for takes a number of seconds above 0.")


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


def parse_date(text: str) -> date:
    """Read a date, YYYY-MM-DD, for argparse.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no date as in 2026-11-20") from error


def parse_gateway(text: str) -> tuple[str, int]:
    """Read HOST:PORT.

    Raises:
        UsageError: It is something else.
    """
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise UsageError(f"--gateway takes HOST:PORT as in 127.0.0.1:13000, not {text!r}.")
    return host.strip("[]"), int(port)


def parse_symbols(text: str) -> tuple[str, ...]:
    """Read ALL_SYMBOLS (the empty tuple), A,B,C, or @FILE with symbols a line or by commas.

    Raises:
        UsageError: No symbol is named, or the file cannot be read.
    """
    if text == "ALL_SYMBOLS":
        return ()
    said = text
    if text.startswith("@"):
        try:
            with Path(text[1:]).open(encoding="utf-8-sig") as file:
                said = file.read(_MOST_SYMBOLS_TEXT + 1)
        except OSError as error:
            raise UsageError(f"--symbols: {text[1:]} cannot be read: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise UsageError(f"--symbols: {text[1:]} is not a text file.") from error
        if len(said) > _MOST_SYMBOLS_TEXT:
            raise UsageError(f"--symbols: {text[1:]} is too large for a list of symbols.")
    lines = (line.partition("#")[0] for line in said.splitlines())
    found = [name.strip().upper() for line in lines for name in line.split(",")]
    symbols = tuple(dict.fromkeys(name for name in found if name))
    if not symbols:
        raise UsageError("--symbols names no symbol.")
    if any(" " in name or "|" in name or not name.isprintable() for name in symbols):
        raise UsageError("--symbols takes names separated by commas or lines.")
    return symbols
