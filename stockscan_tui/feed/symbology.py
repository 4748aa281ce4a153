"""Which symbol an instrument id stands for: from a file's metadata, by UTC date.

Ids are unique within one UTC day only, so every look-up names a date.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import databento_dbn as dbn


@dataclass(frozen=True, slots=True)
class Interval:
    """One id's symbol from `start` up to but not including `end`."""

    instrument_id: int
    symbol: str
    start: date
    end: date


class Symbology:
    """The metadata's mappings of one file."""

    def __init__(self, metadata: dbn.Metadata) -> None:
        # The library's own order changes from run to run.
        self._intervals = sorted(_intervals(metadata), key=lambda i: (i.symbol, i.instrument_id))

    def __len__(self) -> int:
        return len(self._intervals)

    def on(self, day: date) -> dict[int, str]:
        """Return instrument id → symbol on the UTC date `day`."""
        return {i.instrument_id: i.symbol for i in self._intervals if i.start <= day < i.end}


def _intervals(metadata: dbn.Metadata) -> list[Interval]:
    ids_in = str(metadata.stype_in) == "instrument_id"
    found = []
    for name, entries in metadata.mappings.items():
        for entry in entries:
            other = entry["symbol"]
            symbol, number = (other, name) if ids_in else (name, other)
            if symbol and number.isdigit() and int(number) < 2**32:
                interval = Interval(int(number), symbol, entry["start_date"], entry["end_date"])
                found.append(interval)
    return found
