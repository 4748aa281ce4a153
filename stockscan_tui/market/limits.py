"""From when on a figure of the run's health is a warning or an alarm: one table for all."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum


class Level(IntEnum):
    """How a figure stands; the higher of two is the more urgent."""

    UNKNOWN = 0
    GOOD = 1
    WARNING = 2
    ALARM = 3

    @property
    def sign(self) -> str:
        """A sign for it that needs no colour."""
        return "–✓!✗"[self]

    @property
    def word(self) -> str:
        """A word for it."""
        return ("unknown", "good", "warning", "alarm")[self]


@dataclass(frozen=True, slots=True)
class Limit:
    """A figure and where it turns.

    Attributes:
        id: Its lasting name.
        title: What it is, in two or three words.
        unit: What its numbers are of, as in `%` or `ms`.
        warning: The first value that is a warning; NaN for none.
        alarm: The first value that is an alarm; NaN for none.
        falling: Whether it is low values that are bad: then a limit itself is still good.
        doc: What the figure means, for its line under the cursor and for the help.
    """

    id: str
    title: str
    unit: str
    warning: float
    alarm: float
    doc: str
    falling: bool = False

    def level(self, value: float) -> Level:
        """Return how a value stands; NaN is unknown."""
        if math.isnan(value):
            return Level.UNKNOWN
        for limit, level in ((self.alarm, Level.ALARM), (self.warning, Level.WARNING)):
            if value < limit if self.falling else value >= limit:
                return level
        return Level.GOOD

    @property
    def words(self) -> str:
        """Its limits in words, empty where it has none."""
        joint = "under" if self.falling else "from"
        turns = (("warning", self.warning), ("alarm", self.alarm))
        return ", ".join(
            f"{word} {joint} {_number(at)}{' ' * bool(self.unit)}{self.unit}"
            for word, at in turns
            if not math.isnan(at)
        )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:g}"


LIMITS = {
    limit.id: limit
    for limit in (
        Limit(
            "completeness", "completeness", "%", 99.9, 99.0,
            "minutes of all symbols that are traded, backfilled or quiet, of those that are over",
            falling=True,
        ),
        Limit(
            "verified", "verified", "%", 99.9, 99.0,
            "bars equal to Databento's own, or replaced by them, of the bars compared",
            falling=True,
        ),
        Limit(
            "free_disk", "free disk", "GB", 5.0, 1.0,
            "what is left on the disk that holds the database",
            falling=True,
        ),
        Limit(
            "lag", "lag", "ms", 1_000.0, 5_000.0,
            "p99 over the last minute of the time from the exchange's receipt to ours",
        ),
        Limit(
            "screen_lag", "screen lag", "ms", 1_000.0, 5_000.0,
            "p99 over the last minute of the time from a picture's making to its drawing",
        ),
        Limit(
            "bars", "bars a minute", "% of the usual", 75.0, 50.0,
            "symbols with a bar in the last minute that is over, against the usual for that time",
            falling=True,
        ),
        Limit(
            "down", "down", "s", 0.0, 10.0, "how long the feed has been down",
        ),
        Limit(
            "silence", "silence", "s", 13.0, 25.0,
            "how long nothing has come, not even a heartbeat; no alarm outside sessions",
        ),
        Limit(
            "open_gaps", "gaps not healed", "", 1.0, math.nan,
            "spans of the day that nothing has filled: see feed_gaps",
        ),
        Limit(
            "slow_reader", "slow-reader warnings", "", 1.0, math.nan,
            "the gateway says that this machine reads too slowly; those minutes are unknown",
        ),
        Limit(
            "queue", "writer queue", "batches", 5.0, 16.0,
            "batches of bars that wait for the disk",
        ),
        Limit(
            "batch", "batch time", "ms", 1_000.0, 5_000.0,
            "how long the last batch took to commit",
        ),
        Limit(
            "commit_age", "last commit", "s", 120.0, 600.0,
            "how long ago the last batch was committed, while records come",
        ),
        Limit(
            "late", "late records", "", math.nan, math.nan,
            "older than one before them; each corrected its own bar",
        ),
        Limit(
            "repeated", "repeated records", "", math.nan, math.nan,
            "came again in a replay and were passed over",
        ),
        Limit(
            "unmapped", "unmapped ids", "", 1.0, math.nan,
            "instruments that the feed never named; they stand as # and a number",
        ),
        Limit(
            "unknown_records", "unknown records", "", 1.0, math.nan,
            "of a type or length that this version does not know; passed over",
        ),
        Limit(
            "bad_times", "bad timestamps", "", 1.0, math.nan,
            "flagged, or a day ahead of all others; not believed",
        ),
        Limit(
            "bad_prices", "bad prices", "", 1.0, math.nan,
            "trades without a price, or with one that cannot be; left out",
        ),
        Limit(
            "wide", "wide spreads", "% of the quoted", math.nan, math.nan,
            "symbols whose quote is wider than 2 % of its mid, so that it sets no mark",
        ),
        Limit(
            "memory", "memory", "MB", 2_000.0, 6_000.0, "resident memory of this process",
        ),
        Limit(
            "missing", "missing", "minutes", 1.0, math.nan,
            "minutes of symbols of which Databento has a bar that we lack, not healed",
        ),
        Limit(
            "differing", "differing", "bars", 1.0, math.nan,
            "bars compared that are not equal to Databento's and were not replaced by them",
        ),
    )
}  # fmt: skip


def level_of(id_: str, value: float) -> Level:
    """Return how a value of a figure stands by its limits."""
    return LIMITS[id_].level(value)
