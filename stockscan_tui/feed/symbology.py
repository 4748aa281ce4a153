"""Which symbol an instrument id stands for: from a file's metadata, by UTC date.

Ids are unique within one UTC day only, so every look-up names a date.
"""

from __future__ import annotations

from datetime import date

import databento_dbn as dbn

# (symbol, instrument id, first date, date after the last)
Interval = tuple[str, int, date, date]


class Symbology:
    """The metadata's mappings of one file."""

    def __init__(self, metadata: dbn.Metadata) -> None:
        self._intervals = _intervals(metadata)

    def __len__(self) -> int:
        return len(self._intervals)

    def on(self, day: date) -> dict[int, str]:
        """Return instrument id → symbol on the UTC date `day`, in no lasting order."""
        return {
            number: symbol for symbol, number, start, end in self._intervals if start <= day < end
        }


def _intervals(metadata: dbn.Metadata) -> list[Interval]:
    ids_in = str(metadata.stype_in) == "instrument_id"
    found = []
    for name, entries in metadata.mappings.items():
        for entry in entries:
            other = entry["symbol"]
            symbol, number = (other, name) if ids_in else (name, other)
            plain = number.isascii() and number.isdigit()
            if symbol and plain and int(number) < 2**32:
                found.append((symbol, int(number), entry["start_date"], entry["end_date"]))
    return found
