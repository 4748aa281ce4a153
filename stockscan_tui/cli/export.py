"""`stockscan export`: captured bars, alerts or states for other programs."""

from __future__ import annotations

import argparse
import io
import sys
from datetime import date
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, BinaryIO, NoReturn, cast

from stockscan_tui.cli.captured_day import opened, say
from stockscan_tui.cli.parser import FORMATS, parse_symbols
from stockscan_tui.cli.signals import on_signals
from stockscan_tui.errors import StockscanError, UsageError
from stockscan_tui.market.text import printable

if TYPE_CHECKING:
    from stockscan_tui.run.open_stored import Stored
    from stockscan_tui.store.export import Extract

_ENDINGS = {"jsonl": "json", "ndjson": "json"}
_TOLD_S = 0.25
_NAMED = 10


def export(given: argparse.Namespace) -> int:
    """Write what was captured to a file or to standard output; returns the exit status."""
    output = None if given.output in (None, "-") else Path(given.output)
    kind = _kind(given.format, output)
    _check_dates(given)
    if output is not None and output.exists() and not given.force:
        raise UsageError(f"{printable(output)} is there already. Name another, or add --force.")
    symbols = parse_symbols(given.symbols) if given.symbols else ()
    on_signals(_interrupt)
    try:
        with opened(given) as stored:
            _export(given, stored, kind, symbols, output)
    except KeyboardInterrupt:
        left = "" if output is None else f" {printable(output)} was not written."
        raise StockscanError(f"Stopped.{left}") from None
    return 0


def _interrupt() -> NoReturn:
    # What is cleaned up then is not to be broken off in its turn.
    on_signals(lambda: None)
    raise KeyboardInterrupt


def _kind(given: str | None, output: Path | None) -> str:
    """Return the format asked for, else the one that the output's name ends in, else `csv`."""
    ending = output.suffix.lower().lstrip(".") if output is not None else ""
    ending = _ENDINGS.get(ending, ending)
    chosen: str = given or (ending if ending in FORMATS[1:] else "csv")
    if chosen == "parquet" and output is None and sys.stdout.isatty():
        raise UsageError("Parquet is no text for a terminal. Name a file by --output.")
    return chosen


def _check_dates(given: argparse.Namespace) -> None:
    if given.date and (given.since or given.until):
        raise UsageError("--date goes with neither --since nor --until.")
    if given.since and given.until and given.since > given.until:
        raise UsageError(f"--since {given.since} is after --until {given.until}.")


def _export(
    given: argparse.Namespace,
    stored: Stored,
    kind: str,
    symbols: tuple[str, ...],
    output: Path | None,
) -> None:
    from stockscan_tui.run.open_stored import FRESH_S  # noqa: PLC0415
    from stockscan_tui.store.export import Extract, write_file, write_stream  # noqa: PLC0415

    # Of an older one it has been told already.
    if stored.age_s is not None and stored.age_s < FRESH_S:
        say(f"This is as of {stored.age_s:.0f} s ago: the database is being captured to.")
    first, last = _dates(given, stored)
    _tell_unknown(stored, symbols)
    wanted = Extract(given.what, first, last, symbols, kind)
    progress = _Progress(output is not None or not sys.stdout.isatty())
    try:
        if output is not None:
            rows = write_file(stored.reader, wanted, output, progress.tell, force=given.force)
        else:
            rows = write_stream(stored.reader, wanted, _standard_output(), progress.tell)
    finally:
        progress.clear()
    if not rows:
        say(_nothing(stored, wanted))
    if output is not None:
        say(f"{rows:,} rows of {_span(wanted)} written to {output}")


def _dates(given: argparse.Namespace, stored: Stored) -> tuple[date, date]:
    """Return the first and the last session date that is wanted."""
    from stockscan_tui.report.capture import chosen_date  # noqa: PLC0415
    from stockscan_tui.store.inquiry import Inquiry  # noqa: PLC0415

    if given.date:
        return given.date, given.date
    if given.since or given.until:
        return given.since or date.min, given.until or date.max
    last = chosen_date(Inquiry(stored.reader), None)
    return last, last


def _tell_unknown(stored: Stored, symbols: tuple[str, ...]) -> None:
    from stockscan_tui.store.export import known  # noqa: PLC0415

    found = known(stored.reader, symbols) if symbols else set()
    unknown = [symbol for symbol in symbols if symbol not in found]
    if unknown:
        more = f" and {len(unknown) - _NAMED:,} more" if len(unknown) > _NAMED else ""
        say(f"The database does not know {', '.join(unknown[:_NAMED])}{more}.")


def _nothing(stored: Stored, wanted: Extract) -> str:
    from stockscan_tui.store.export import extent  # noqa: PLC0415

    whole = extent(stored.reader, wanted.what)
    if whole is None:
        return f"The database holds no {wanted.what}."
    return f"There are no {wanted.what} like that; the database has {whole[0]} to {whole[1]}."


def _span(wanted: Extract) -> str:
    """Return the dates of an extract in words."""
    first, last = wanted.first, wanted.last
    if first == last:
        return str(first)
    if last == date.max:
        return f"{first} and later"
    return f"{last} and earlier" if first == date.min else f"{first} to {last}"


class _Progress:
    """A line on standard error that is written over, where that is a terminal.

    Args:
        shown: Whether nothing else is written to the terminal meanwhile.
    """

    def __init__(self, shown: bool) -> None:
        self._shown = shown and sys.stderr.isatty()
        self._told_s = monotonic()
        self._written = False

    def tell(self, rows: int, share: float) -> None:
        """Say how far it is."""
        if self._shown and monotonic() - self._told_s > _TOLD_S:
            self._told_s = monotonic()
            self._written = True
            sys.stderr.write(f"\r{rows:,} rows, {share:.0%} \x1b[K")
            sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self._written:
            sys.stderr.write("\r\x1b[K")


def _standard_output() -> BinaryIO:
    if sys.stdout.isatty():
        return cast("BinaryIO", io.BufferedWriter(_Terminal()))
    return sys.stdout.buffer


class _Terminal(io.RawIOBase):
    """Writes text to the terminal line by line, with nothing in it that could act on it."""

    def __init__(self) -> None:
        self._rest = b""

    def writable(self) -> bool:
        """Be a stream that is written."""
        return True

    def write(self, data: object) -> int:
        """Write the lines that are whole."""
        content = bytes(cast("bytes", data))
        *lines, self._rest = (self._rest + content).split(b"\n")
        for line in lines:
            sys.stdout.write(f"{printable(line.decode('utf-8', 'replace'))}\n")
        sys.stdout.flush()
        return len(content)
