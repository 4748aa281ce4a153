"""What became of a damaged database, as a value and in the words of one screen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from stockscan_tui.market.calendar import new_york_time
from stockscan_tui.market.text import printable

UNKNOWN = -1
_TITLES = {
    "bars": "one-minute bars",
    "states": "states of symbols",
    "closes": "closes",
    "fired": "alerts",
    "verdicts": "coverage of symbols",
    "minute_verdicts": "verdicts of minutes",
    "differences": "differences from Databento",
    "gaps": "gaps of the feed",
    "day_records": "records of days",
    "symbols": "symbols",
}


@dataclass(frozen=True, slots=True)
class TableRows:
    """How many rows of a table were read, came from the copy, and are gone; -1 for not known."""

    table: str
    recovered: int
    copied: int
    lost: int


@dataclass(frozen=True, slots=True)
class Affected:
    """A part of a session date of which bars are lost.

    Times are ns since 1970, `from_ns` and `to_ns` the starts of the first and last minute, `bars`
    -1 where they cannot be counted; `refetched` says whether the run fetches the date anew.
    """

    session_date: date
    from_ns: int
    to_ns: int
    minutes: int
    bars: int
    refetched: bool


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a recovery came to.

    Attributes:
        database: The database's path.
        cause: What was wrong, in DuckDB's words or ours, without a full stop.
        aside: The folder that has the damaged files, complete.
        seconds: How long it took.
        tables: The tables that had rows or lost some, those with losses first.
        affected: The parts of session dates that lost bars.
        notes: Sentences on the journal, the copy and symbols.
        resumed: Whether a live run goes on from where the damaged database had come to.
    """

    database: str
    cause: str
    aside: str
    seconds: float
    tables: tuple[TableRows, ...] = ()
    affected: tuple[Affected, ...] = ()
    notes: tuple[str, ...] = ()
    resumed: bool = False

    @property
    def whole(self) -> bool:
        """Whether nothing is gone."""
        return not (self.affected or self.notes or any(each.lost for each in self.tables))

    def lines(self) -> tuple[str, ...]:
        """Return all of it as lines for a person, none with control characters."""
        said = [
            f"The database {self.database} was damaged: {self.cause}.",
            f"Saved aside, complete: {self.aside}",
            f"It was recovered in {self.seconds:.1f} s"
            + (", and nothing was lost." if self.whole else "."),
            *(_table_line(each) for each in self.tables),
            *(_affected_line(each) for each in self.affected),
            *self.notes,
            *self._what_now(),
        ]
        return tuple(printable(line) for line in said)

    def _what_now(self) -> list[str]:
        said = []
        if self.resumed:
            said.append(
                "A live run goes on from where the recovered bars end, and fetches what came since."
            )
        else:
            said.append("The session so far is fetched again, where the run can ask for it.")
        if any(not each.refetched for each in self.affected):
            said.append(
                "`stockscan report` shows the lost minutes as a gap of the feed, as unknown."
            )
        said.append("The folder is yours to keep or to delete; nothing reads it again.")
        return said

    def as_json(self) -> dict[str, object]:
        """Return it as JSON has it: times as ns since 1970, dates as text."""
        said = asdict(self)
        for each in said["affected"]:
            each["session_date"] = str(each["session_date"])
            each["from"], each["to"] = each.pop("from_ns"), each.pop("to_ns")
        for each in (*said["tables"], *said["affected"]):
            for name in ("recovered", "copied", "lost", "bars"):
                if each.get(name) == UNKNOWN:
                    each[name] = None
        return said


def dump(found: Recovered) -> str:
    """Return it as text that `load` reads."""
    said = asdict(found)
    for each in said["affected"]:
        each["session_date"] = str(each["session_date"])
    return json.dumps(said, indent=1)


def load(text: str) -> Recovered:
    """Return what `dump` wrote.

    Raises:
        ValueError: It is something else.
    """
    try:
        said: dict[str, Any] = json.loads(text)
        tables = tuple(TableRows(**each) for each in said.pop("tables"))
        affected = tuple(
            Affected(**{**each, "session_date": date.fromisoformat(each["session_date"])})
            for each in said.pop("affected")
        )
        notes = tuple(said.pop("notes"))
        found = Recovered(tables=tables, affected=affected, notes=notes, **said)
        # What cannot be told is none, either.
        found.lines()
        return found
    except (KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(str(error)) from error


def ordered(tables: Sequence[TableRows]) -> tuple[TableRows, ...]:
    """Return those that a person wants to read of: losses first, then by size."""
    told = [t for t in tables if t.table in _TITLES and (t.recovered or t.copied or t.lost)]
    return tuple(sorted(told, key=lambda t: (not t.lost, -t.recovered)))


def _table_line(table: TableRows) -> str:
    parts = [f"{table.recovered:,} recovered"]
    if table.copied:
        parts.append(f"{table.copied:,} from the copy")
    if table.lost:
        parts.append("some lost" if table.lost == UNKNOWN else f"{table.lost:,} lost")
    return f"  {_TITLES.get(table.table, table.table)}: {', '.join(parts)}"


def _affected_line(part: Affected) -> str:
    span = f"{new_york_time(part.from_ns):%H:%M}–{new_york_time(part.to_ns):%H:%M} New York"
    bars = "bars" if part.bars == UNKNOWN else f"{part.bars:,} bars"
    again = ", fetched again" if part.refetched else ""
    minutes = "minute" if part.minutes == 1 else "minutes"
    return f"  {part.session_date}, {span}: {bars} of {part.minutes} {minutes} lost{again}"
