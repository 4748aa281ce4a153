"""`stockscan doctor`: looks at all that a capture needs, and says what to do where it lacks."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from stockscan_tui.cli.captured_day import LOOPBACK_HOSTS, LOOPBACK_KEY
from stockscan_tui.cli.desk import names_of
from stockscan_tui.cli.parser import parse_gateway
from stockscan_tui.cli.terminal import terminal
from stockscan_tui.config import cache_folder, config_path, live_database
from stockscan_tui.doctor import network, software, storage
from stockscan_tui.doctor.database_child import Reading
from stockscan_tui.doctor.files import Files
from stockscan_tui.doctor.finding import Check, Finding, State, examine
from stockscan_tui.feed.live import PORT, default_host
from stockscan_tui.market.text import printable

# The one check that takes as long as the database is large.
BLOCKS_S = 120.0
_NET = "See whether this machine has a net, and which name server (DNS) it asks."
_WIDTH = 22
_COLOURS = {State.OK: "32", State.WARN: "33", State.FAIL: "31", State.SKIPPED: "2"}


def doctor(given: argparse.Namespace) -> int:
    """Look at everything and say how it is; returns the exit status, 1 where something failed.

    Raises:
        UsageError: --gateway is no HOST:PORT.
    """
    reading = Reading((given.db or live_database(given.dataset)).expanduser().absolute())
    progress = _Progress()
    printer = _json if given.json else _Lines(coloured=_coloured())
    worst = State.OK
    try:
        for finding in examine(_checks(given, reading, progress.tell)):
            progress.clear()
            printer(finding)
            worst = State.FAIL if finding.state is State.FAIL else worst
    except KeyboardInterrupt:
        return 1
    finally:
        progress.clear()
        reading.close()
    if isinstance(printer, _Lines):
        printer.end()
    return 1 if worst is State.FAIL else 0


def _checks(
    given: argparse.Namespace, reading: Reading, progress: Callable[[float], None]
) -> Iterable[Check]:
    """Return all checks, in the order in which they are told."""
    target = _target(given)
    net = network.Network(target, network.ANSWER_S)
    files = Files(given.config, given.rules, names_of)
    at_terminal = sys.stdout.isatty() and not given.json
    return (
        Check("versions", software.versions),
        Check("key", lambda: network.key(needed=target.key != LOOPBACK_KEY)),
        Check("entitlement", net.entitlement, hangs=_NET),
        Check("gateway", net.gateway, hangs=_NET),
        Check("history", net.history, hangs=_NET),
        Check("clock", net.clock, hangs=_NET),
        Check("time zones", network.time_zones),
        *_disks(given, reading),
        Check("database", lambda: storage.database(_database(given), reading)),
        Check("database blocks", lambda: storage.blocks(reading, progress), BLOCKS_S),
        Check("compiled code", software.compiled),
        Check("memory", software.memory),
        Check("terminal", lambda: terminal(os.environ, at_terminal=at_terminal)),
        Check("config", files.config),
        Check("rules", files.rules),
        Check("watchlists", files.watchlists),
        Check("notifiers", lambda: files.notifiers(os.environ)),
    )


def _database(given: argparse.Namespace) -> Path:
    path: Path = given.db or live_database(given.dataset)
    return path


def _target(given: argparse.Namespace) -> network.Target:
    host, port = default_host(given.dataset), PORT
    if given.gateway:
        host, port = parse_gateway(given.gateway)
    key = network.key_of()
    if not key and given.gateway and host in LOOPBACK_HOSTS:
        key = LOOPBACK_KEY
    return network.Target(
        dataset=given.dataset,
        host=host,
        port=port,
        history=given.history,
        own_gateway=bool(given.gateway),
        key=key,
        offline=given.offline,
    )


def _disks(given: argparse.Namespace, reading: Reading) -> Sequence[Check]:
    data = _database(given).expanduser().absolute().parent
    record: Path | None = given.record

    def of_data() -> Sequence[Finding]:
        return storage.disk("data", data, lambda: storage.per_session(reading))

    def of_recordings() -> Sequence[Finding]:
        folder = record or data
        return storage.disk("recordings", folder, lambda: storage.per_recording(folder))

    return (
        Check("disk: data", of_data),
        Check("disk: cache", lambda: storage.disk("cache", cache_folder())),
        Check("disk: config", lambda: storage.disk("config", config_path().parent)),
        *((Check("disk: recordings", of_recordings),) if record is not None else ()),
    )


# --- how it is told -------------------------------------------------------------------------------


def _json(finding: Finding) -> None:
    said = {
        "type": "check",
        "name": finding.name,
        "state": finding.state.value,
        "found": printable(finding.found),
        "do": printable(finding.do),
    }
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def _coloured() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


class _Lines:
    """Prints a line for each finding, and under what is not good what to do.

    Args:
        coloured: Whether the words are in colour too.
    """

    def __init__(self, *, coloured: bool) -> None:
        self._coloured = coloured
        self._counts = dict.fromkeys(State, 0)

    def __call__(self, finding: Finding) -> None:
        """Print a finding."""
        self._counts[finding.state] += 1
        word = f"{finding.state.value:<7}"
        if self._coloured:
            word = f"\x1b[{_COLOURS[finding.state]}m{word}\x1b[0m"
        sys.stdout.write(f"{word}  {finding.name:<{_WIDTH}}{printable(finding.found)}\n")
        if finding.do:
            sys.stdout.write(f"{'':{9 + _WIDTH}}→ {printable(finding.do)}\n")
        sys.stdout.flush()

    def end(self) -> None:
        """Print what it came to."""
        counts = self._counts
        words = (
            f"{counts[State.OK]} ok",
            f"{counts[State.WARN]} to look at",
            f"{counts[State.FAIL]} failed",
            f"{counts[State.SKIPPED]} skipped",
        )
        sys.stdout.write(f"\n{', '.join(words)}\n")


class _Progress:
    """Shows on standard error how much of the database has been read; in a terminal alone."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._shown = -1

    def tell(self, done: float) -> None:
        """Show how far it is, from 0 to 1."""
        percent = int(done * 100)
        if self._live and percent != self._shown:
            self._shown = percent
            sys.stderr.write(f"\rreading the database: {percent} %\x1b[K")
            sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self._live and self._shown >= 0:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
