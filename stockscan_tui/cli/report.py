"""`stockscan report`: how whole the captured bars of a day are, or of many days."""

from __future__ import annotations

import argparse
import dataclasses
import math
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stockscan_tui.cli import tables
from stockscan_tui.cli.captured_day import history_of, opened, say
from stockscan_tui.cli.parser import parse_symbols
from stockscan_tui.config import Config
from stockscan_tui.errors import UsageError
from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS
from stockscan_tui.market.judgement import percent
from stockscan_tui.market.text import printable

if TYPE_CHECKING:
    from stockscan_tui.market.batch import DayRecord, Gap
    from stockscan_tui.report.capture import AskTheirs, DayReport, Part, SymbolRow, Verified

_TOLD = 20
_SYMBOL_HEADS = ("symbol", "chg %", "bars", "first", "last", "minutes", "density", "completeness",
                 "verified", "volume", "missing", "unknown")  # fmt: skip
_PART_HEADS = ("", "symbols", "bars", "density", "completeness", "verified", "missing", "unknown")
_DAY_HEADS = ("date", "bars", "symbols", "density", "completeness", "verified", "gaps", "healed",
              "unknown", "differ", "lacking", "surplus", "late", "unmapped")  # fmt: skip


def report(given: argparse.Namespace, config: Config) -> int:
    """Print the capture report; returns the exit status."""
    from stockscan_tui.report.capture import Wanted, report_day, report_days  # noqa: PLC0415

    kind = tables.format_of(given.format, given.output)
    symbols = parse_symbols(given.symbols) if given.symbols else ()
    if given.since and (given.date or symbols or given.verify is not None):
        raise UsageError("--since goes with neither --date nor --symbols nor --verify.")
    ask = _ask(given, config)
    with opened(given) as stored:
        if given.since:
            days = report_days(stored.reader, given.since)
            _write_days(days, kind, given.output)
            return 0
        wanted = Wanted(given.date, symbols, given.top, given.over)
        found = report_day(stored.reader, wanted, ask)
    _write_day(found, kind, given.output, wanted.over_pct, stored.age_s)
    return 0


def _ask(given: argparse.Namespace, config: Config) -> AskTheirs | None:
    from stockscan_tui.run.verifying import from_file, from_history  # noqa: PLC0415

    if given.verify is None:
        return None
    if given.verify:
        return from_file(Path(given.verify))
    return from_history(history_of(given, config), say)


def _write_day(
    found: DayReport, kind: str, output: Path | None, over_pct: float, age_s: float | None
) -> None:
    if kind == "json":
        tables.write_json({**_day_object(found), "age_s": _plain(age_s)}, output)
    elif kind == "table":
        tables.write_text(_day_text(found, over_pct, age_s), output)
    else:
        tables.write_columns(_symbol_columns(found.rows), kind, output)


# --- as JSON, CSV and Parquet -------------------------------------------------------------------


def _day_object(found: DayReport) -> dict[str, object]:
    return {
        "session_date": str(found.session_date),
        "dataset": found.dataset,
        "elapsed": found.elapsed,
        "symbols": [_object(row) for row in found.rows],
        "market": _object(found.market),
        "tiers": [_object(tier) for tier in found.tiers],
        "gaps": [_gap_object(gap) for gap in found.gaps],
        "record": _object(found.record) if found.record is not None else None,
        "verification": _verification_object(found.verification),
    }


def _object(said: Any) -> dict[str, object]:
    """Return a flat dataclass as an object, as JSON has it: times without their unit."""
    return {
        field.name.removesuffix("_ns"): _plain(getattr(said, field.name))
        for field in dataclasses.fields(said)
    }


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value) if isinstance(value, date) else value


def _gap_object(gap: Gap) -> dict[str, object]:
    return {
        "from": gap.from_ns,
        "to": gap.to_ns or None,
        "reason": gap.reason,
        "healed": gap.healed_ns or None,
    }


def _verification_object(found: Verified | None) -> dict[str, object] | None:
    if found is None:
        return None
    differences = [
        {
            "symbol": symbol,
            "ts": each.minute * MINUTE_NS,
            "field": each.field,
            "ours": _plain(each.ours),
            "theirs": _plain(each.theirs),
        }
        for symbol, each in found.differences
    ]
    counts = {name: getattr(found, name) for name in ("equal", "differing", "lacking", "surplus")}
    return {**counts, "fields": found.fields, "differences": differences}


def _symbol_columns(rows: Sequence[SymbolRow]) -> dict[str, Any]:
    from stockscan_tui.report.capture import SymbolRow  # noqa: PLC0415

    names = [field.name for field in dataclasses.fields(SymbolRow)]
    columns: dict[str, Any] = {}
    for name in names:
        values = [getattr(row, name) for row in rows]
        head = name.removesuffix("_ns")
        columns[head] = tables.instants(values) if head != name else tables.column(values)
    return columns


# --- as text ------------------------------------------------------------------------------------


def _day_text(found: DayReport, over_pct: float, age_s: float | None) -> str:
    elapsed = "no verdicts yet"
    if found.elapsed:
        over = "minute is over" if found.elapsed == 1 else "minutes are over"
        elapsed = f"{found.elapsed:,} session {over}"
    head = f"{printable(found.dataset)} · {found.session_date} · {elapsed}"
    if age_s is not None:
        head += f" · as of {age_s:.0f} s ago"
    parts = [head + "\n"]
    if found.rows:
        parts.append(tables.aligned(_SYMBOL_HEADS, [_symbol_cells(row) for row in found.rows]))
    else:
        parts.append(f"No symbol moved {over_pct:g} % or more; --over takes a smaller move.\n")
    parts.append(_gaps_text(found.gaps))
    lines = [_part_cells(part) for part in (found.market, *found.tiers) if part.symbols]
    parts.append(tables.aligned(_PART_HEADS, lines))
    if found.verification is not None:
        parts.append(_verification_text(found.verification))
    return "\n".join(parts)


def _symbol_cells(row: SymbolRow) -> list[str]:
    return [
        printable(row.symbol),
        tables.NONE if row.chg is None else f"{row.chg:+.2f}",
        tables.counted(row.bars),
        tables.clock(row.first_ns),
        tables.clock(row.last_ns),
        tables.counted(row.duration),
        _share(row.density),
        _share(row.completeness),
        _share(row.verified),
        tables.counted(row.volume),
        tables.counted(row.missing),
        tables.counted(row.unknown),
    ]


def _part_cells(part: Part) -> list[str]:
    return [
        part.name,
        tables.counted(part.symbols),
        tables.counted(part.bars),
        _share(part.density),
        _share(part.completeness),
        _share(part.verified),
        tables.counted(part.missing),
        tables.counted(part.unknown),
    ]


def _share(share: float | None) -> str:
    return percent(math.nan if share is None else share)


def _gaps_text(gaps: Sequence[Gap]) -> str:
    if not gaps:
        return "No gaps in the feed.\n"
    lines = []
    for gap in gaps:
        end = tables.clock(gap.to_ns) if gap.to_ns else "now"
        length = f", {(gap.to_ns - gap.from_ns) / SECOND_NS:.0f} s" if gap.to_ns else ""
        healed = f"healed at {tables.clock(gap.healed_ns)}" if gap.healed_ns else "not healed"
        span = f"{tables.clock(gap.from_ns)}–{end}{length}"
        lines.append(f"gap {span}: {printable(gap.reason)}; {healed}\n")
    return "".join(lines)


def _verification_text(found: Verified) -> str:
    lines = [
        f"Held against Databento's bars: {found.equal:,} verified, {found.differing:,} differ, "
        f"{found.lacking:,} lacking, {found.surplus:,} surplus.\n"
    ]
    if found.fields:
        fields = ", ".join(f"{name} in {count:,}" for name, count in found.fields.items())
        lines.append(f"They differ by {fields}.\n")
    for symbol, each in found.differences[:_TOLD]:
        at = tables.clock(each.minute * MINUTE_NS)
        said = f"ours {_value(each.ours)}, Databento's {_value(each.theirs)}"
        if not (math.isnan(each.ours) or math.isnan(each.theirs)):
            said += f", by {_value(each.ours - each.theirs)}"
        lines.append(f"  {printable(symbol)} {at} {each.field}: {said}\n")
    more = len(found.differences) - _TOLD
    if more > 0:
        lines.append("  … and more; --format json has them\n")
    return "".join(lines)


def _value(value: float) -> str:
    return "none" if math.isnan(value) else f"{value:,.9f}".rstrip("0").rstrip(".")


# --- many days ----------------------------------------------------------------------------------


def _write_days(days: Sequence[DayRecord], kind: str, output: Path | None) -> None:
    if kind == "json":
        tables.write_json({"days": [_object(day) for day in days]}, output)
    elif kind == "table":
        tables.write_text(tables.aligned(_DAY_HEADS, [_day_cells(day) for day in days]), output)
    else:
        tables.write_columns(_day_columns(days), kind, output)


def _day_columns(days: Sequence[DayRecord]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for field in dataclasses.fields(days[0]):
        values = [getattr(day, field.name) for day in days]
        head = field.name.removesuffix("_ns")
        if head != field.name:
            columns[head] = tables.instants(values)
        else:
            columns[head] = tables.column([_plain(value) for value in values])
    return columns


def _day_cells(day: DayRecord) -> list[str]:
    counts = (day.gaps, day.healed, day.unknown, day.differing, day.lacking, day.surplus, day.late,
              day.unmapped)  # fmt: skip
    return [
        str(day.session_date),
        tables.counted(day.bars),
        tables.counted(day.symbols),
        _share(day.density),
        _share(day.completeness),
        _share(day.verified),
        *map(tables.counted, counts),
    ]
