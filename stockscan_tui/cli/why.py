"""`stockscan why`: why symbols have few bars or none, or are not on the board."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from stockscan_tui.cli import tables
from stockscan_tui.cli.captured_day import opened
from stockscan_tui.cli.parser import parse_symbols
from stockscan_tui.config import Config, cache_folder
from stockscan_tui.errors import UsageError
from stockscan_tui.market.text import printable

if TYPE_CHECKING:
    from stockscan_tui.report.why import Answer

_HEADS = ("symbol", "bars", "trades", "traded", "quiet", "missing", "unknown", "of", "last trade",
          "last quote")  # fmt: skip


def why(given: argparse.Namespace, config: Config) -> int:
    """Print an answer for each symbol; returns the exit status."""
    from stockscan_tui.cli.desk import desk_of  # noqa: PLC0415
    from stockscan_tui.feed.exchange import load_calendar  # noqa: PLC0415
    from stockscan_tui.report.capture import chosen_date  # noqa: PLC0415
    from stockscan_tui.report.why import Board  # noqa: PLC0415
    from stockscan_tui.report.why import why as answers_of  # noqa: PLC0415
    from stockscan_tui.store.inquiry import Inquiry  # noqa: PLC0415

    symbols = parse_symbols(",".join(given.symbols))
    if not symbols:
        raise UsageError("why takes symbols by their names.")
    kind = tables.format_of(given.format, given.output)
    desk = desk_of(argparse.Namespace(filter="", sort=None, config=given.config), config)
    with opened(given) as stored:
        on = chosen_date(Inquiry(stored.reader), given.date)
        day = load_calendar(cache_folder(), on).day(on)
        board = Board(config.gates, desk.names)
        answers = answers_of(stored.reader, symbols, day, board, _renames(config, on))
    if kind == "json":
        tables.write_json([_object(answer, on) for answer in answers], given.output)
    else:
        tables.write_text(_text(answers), given.output)
    return 0


def _renames(config: Config, on: date) -> list[tuple[str, str, date | None]]:
    """Return the renames of the config, and those that were fetched for the date; asks nobody."""
    from stockscan_tui.feed.daily import DailyCache, fetch_splits  # noqa: PLC0415
    from stockscan_tui.feed.splits import Splits  # noqa: PLC0415

    tables_of = Splits.from_tables(config.splits, config.renames)
    cache = DailyCache(cache_folder() / "reference")
    found = fetch_splits(None, cache, on, tables_of, say=lambda _said: None)
    return [(rename.old, rename.new, rename.day) for rename in found.renames]


def _text(answers: Sequence[Answer]) -> str:
    """Return a table of the counts, with the reasons under each symbol's."""
    lines = tables.aligned(_HEADS, [_cells(answer) for answer in answers]).splitlines()
    said = [lines[0]]
    for line, answer in zip(lines[1:], answers, strict=True):
        said.append(line)
        said += [f"    {printable(reason.sentence)}" for reason in answer.reasons]
    return "\n".join(said) + "\n"


def _cells(answer: Answer) -> list[str]:
    facts = answer.facts
    judged = facts.elapsed >= 0
    minutes = (facts.dense, facts.quiet, facts.missing, facts.unknown, facts.elapsed)
    return [
        printable(facts.symbol),
        tables.counted(facts.bars),
        tables.counted(facts.trades),
        *(tables.counted(count if judged else None) for count in minutes),
        tables.clock(facts.trade_ns),
        tables.clock(facts.quote_ns),
    ]


def _object(answer: Answer, on: date) -> dict[str, object]:
    facts = answer.facts
    judged = facts.elapsed >= 0
    return {
        "symbol": facts.symbol,
        "session_date": str(on),
        "known": facts.known,
        "mapped": facts.mapped,
        "bars": facts.bars,
        "trades": facts.trades,
        "elapsed": facts.elapsed if judged else None,
        "traded": facts.dense if judged else None,
        "quiet": facts.quiet if judged else None,
        "missing": facts.missing if judged else None,
        "unknown": facts.unknown if judged else None,
        "first": facts.first_ns or None,
        "last_trade": facts.trade_ns or None,
        "last_quote": facts.quote_ns or None,
        "spread_pct": None if math.isnan(facts.spread_pct) else facts.spread_pct,
        "prev_close": None if math.isnan(facts.prev_close) else facts.prev_close,
        "reasons": [{"code": each.code, "sentence": each.sentence} for each in answer.reasons],
    }
