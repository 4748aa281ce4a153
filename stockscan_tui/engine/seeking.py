"""Moving a replay through time: what was asked for, where it has been, and what it goes back to."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stockscan_tui.engine.savepoints import Savepoints, Standing
from stockscan_tui.feed.seekable import SeekableCopy
from stockscan_tui.market import kernel as k
from stockscan_tui.market.calendar import MINUTE_NS
from stockscan_tui.market.snapshot import Integers
from stockscan_tui.market.state import Market

# Whichever comes first; a second of playing at full speed holds several millions.
SAVE_EVERY_RECORDS = 400_000
SAVE_EVERY_NS = 15 * MINUTE_NS


@dataclass(slots=True)
class Passed:
    """The minutes that have been passed so far, and how many records came in each."""

    minutes: list[int] = field(default_factory=list)
    records: list[int] = field(default_factory=list)
    _before: int = 0
    _arrays: tuple[Integers, Integers] | None = None

    def go_on_from(self, records: int) -> None:
        """Count the next minute's records from a count of all."""
        self._before = records

    def close(self, minute: int, records: int) -> None:
        """A minute (since 1970) is over, after so many records in all."""
        came, self._before = records - self._before, records
        if not self.minutes or minute > self.minutes[-1]:
            self.minutes.append(minute)
            self.records.append(came)
            self._arrays = None

    def arrays(self) -> tuple[Integers, Integers]:
        """Return minutes and records, oldest first."""
        if self._arrays is None:
            self._arrays = (np.array(self.minutes, np.int64), np.array(self.records, np.int64))
        return self._arrays


class Seeking:
    """What lets a replay be moved.

    Args:
        folder: Where images and copies of compressed files are kept while the run lasts.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._asked: deque[tuple[int | None, int]] = deque()
        self._copies: list[SeekableCopy] = []
        self._saved_records = 0
        self.points = Savepoints(folder / "images")
        self.passed = Passed()
        self.leap = 0

    def ask(self, ns: int) -> None:
        """Ask for an instant; from any thread."""
        self._asked.append((ns, 0))

    def ask_by(self, ns: int) -> None:
        """Ask to go on or back, from where the replay is or is being moved to; from any thread."""
        self._asked.append((None, ns))

    def goal_ns(self, standing_ns: int) -> int | None:
        """Return the instant that was asked for, None where nothing was asked since."""
        goal_ns = None
        while self._asked:
            to_ns, by_ns = self._asked.popleft()
            from_ns = standing_ns if goal_ns is None else goal_ns
            goal_ns = from_ns + by_ns if to_ns is None else to_ns
        return goal_ns

    def copy(self) -> SeekableCopy:
        """Return an empty copy for one file's records."""
        made = SeekableCopy(self._folder / f"records-{len(self._copies)}")
        self._copies.append(made)
        return made

    def due(self, market: Market, now_ns: int) -> bool:
        """Whether an image should be kept at this minute's close."""
        newest_ns = self.points.newest_ns
        if now_ns <= newest_ns or self.points.busy:
            return False
        came = int(market.ctl[k.RECORDS]) - self._saved_records
        return came >= SAVE_EVERY_RECORDS or now_ns - newest_ns >= SAVE_EVERY_NS

    def save(self, market: Market, standing: Standing) -> None:
        """Keep an image."""
        self._saved_records = int(market.ctl[k.RECORDS])
        self.points.save(market, standing)

    def close(self) -> None:
        """Remove all that was kept."""
        self.points.close()
        for copy in self._copies:
            copy.close()
