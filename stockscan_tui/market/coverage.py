"""The verdict of every symbol and session minute of the day; the engine's thread.

A verdict takes four bits, two minutes to a byte: a day of 12,000 symbols in 6 MB. What is known of
a symbol's own minute is kept apart from whether the feed was whole in it, so that a gap that heals
changes one row; how many minutes of each kind a symbol has is counted as they change.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.market.batch import BarBatch, BarSource
from stockscan_tui.market.calendar import MINUTE_NS, TradingDay
from stockscan_tui.market.compiled import compiled
from stockscan_tui.market.snapshot import CoverageFigures, Doubt

Int64s = NDArray[np.int64]
Codes = NDArray[np.uint8]

# What is known of a symbol's own minute.
NOTHING = 0
OWN = 1
FETCHED = 2
LACKING = 3
UNSURE = 4

# counts[kind, slot]
TRADED = 0
BACKFILLED = 1
QUIET = 2
MISSING = 3
UNKNOWN = 4
KINDS = 5

MOST_MINUTES = 960


@compiled
def _kind(code: int, doubtful: int) -> int:
    if code == FETCHED:
        return BACKFILLED
    if code == LACKING:
        return MISSING
    if code == UNSURE or doubtful != 0:
        return UNKNOWN
    return TRADED if code == OWN else QUIET


@compiled
def _code(codes: Codes, minute: int, slot: int) -> int:
    return int(codes[minute >> 1, slot] >> np.uint8(4 * (minute & 1))) & 15


@compiled
def _put(codes: Codes, minute: int, slot: int, code: int) -> None:
    shift = np.uint8(4 * (minute & 1))
    kept = codes[minute >> 1, slot] & ~(np.uint8(15) << shift)
    codes[minute >> 1, slot] = kept | (np.uint8(code) << shift)


@compiled
def _set(
    codes: Codes,
    counts: Int64s,
    doubtful: Codes,
    elapsed: int,
    minutes: Int64s,
    slots: Int64s,
    given: Codes,
) -> None:
    """Let (minute, slot) have a code; minutes that are over change their symbol's counts."""
    for i in range(len(slots)):
        minute = minutes[i]
        if minute < 0 or minute >= len(doubtful):
            continue
        slot = slots[i]
        # A trade that comes later does not make a fetched bar ours, nor a wrong one right.
        known = _code(codes, minute, slot)
        if given[i] == OWN and known in (FETCHED, UNSURE, LACKING):
            continue
        if given[i] == UNSURE and known == FETCHED:
            continue
        if minute < elapsed:
            counts[_kind(_code(codes, minute, slot), doubtful[minute]), slot] -= 1
            counts[_kind(given[i], doubtful[minute]), slot] += 1
        _put(codes, minute, slot, given[i])


@compiled
def _count_row(
    codes: Codes, counts: Int64s, minute: int, symbols: int, doubtful: int, sign: int
) -> None:
    """Add a minute to every symbol's counts, or take it away."""
    for slot in range(symbols):
        counts[_kind(_code(codes, minute, slot), doubtful), slot] += sign


@compiled
def _row(codes: Codes, minute: int, doubtful: int, kinds: Codes) -> None:
    for slot in range(len(kinds)):
        kinds[slot] = _kind(_code(codes, minute, slot), doubtful)


@dataclass(frozen=True, slots=True, eq=False)
class BarSources:
    """Which symbols have a bar of which minute (since 1970), and where from (`BarSource`).

    `lacking_slot` and `lacking_minute` are those of bars that differ from Databento's own, or are
    not there, and were not healed.
    """

    slot: Int64s
    minute: Int64s
    source: Codes
    lacking_slot: Int64s = field(default_factory=lambda: np.zeros(0, np.int64))
    lacking_minute: Int64s = field(default_factory=lambda: np.zeros(0, np.int64))


class Coverage:
    """Verdicts of one session date.

    `version` goes up with every change of what is shown.
    """

    def __init__(self) -> None:
        self.version = 0
        self.first = 0
        self.elapsed = 0
        self.minutes = 0
        self._codes: Codes = np.zeros((MOST_MINUTES // 2, 0), np.uint8)
        self._counts: Int64s = np.zeros((KINDS, 0), np.int64)
        self._verified: Int64s = np.zeros(0, np.int64)
        self._doubtful: Codes = np.zeros(0, np.uint8)
        self._proved: Codes = np.zeros(0, np.uint8)
        self._changed: set[int] = set()
        self._distrusted: set[int] = set()
        self._unsure: set[tuple[int, int]] = set()

    def unsure(self) -> list[tuple[int, int]]:
        """Return the (minute, slot) of named symbols whose trades had a doubtful time."""
        return sorted(pair for pair in self._unsure if pair[1] not in self._distrusted)

    def distrust(self, slot: int) -> None:
        """Let nothing be known of a symbol whose name nobody told."""
        self._distrusted.add(slot)

    def begin_day(self, day: TradingDay) -> None:
        """Begin a session date: nothing of it is over."""
        self.first = day.pre_ns // MINUTE_NS
        self.minutes = min((day.post_end_ns - day.pre_ns) // MINUTE_NS, MOST_MINUTES)
        self.elapsed = 0
        self._codes[:] = 0
        self._counts[:] = 0
        self._verified[:] = 0
        self._doubtful = np.zeros(self.minutes, np.uint8)
        self._proved = np.zeros(self.minutes, np.uint8)
        self._changed.clear()
        self._unsure.clear()
        self.version += 1

    def grow(self, count: int) -> None:
        """Make room for symbols; what is over of the day counts for new ones as it does for all."""
        have = self._codes.shape[1]
        if count <= have:
            return
        room = max(count, have + have // 4)
        self._codes = np.concatenate(
            [self._codes, np.zeros((len(self._codes), room - have), np.uint8)], axis=1
        )
        fresh = np.zeros((KINDS, room - have), np.int64)
        doubts = int(np.count_nonzero(self._doubtful[: self.elapsed]))
        fresh[UNKNOWN] = doubts
        fresh[QUIET] = self.elapsed - doubts
        self._counts = np.concatenate([self._counts, fresh], axis=1)
        self._verified = np.concatenate([self._verified, np.zeros(room - have, np.int64)])
        self.version += 1

    def take(self, bars: BarBatch) -> None:
        """Note the bars that there are now."""
        if not self.minutes or not len(bars):
            return
        self.grow(int(bars.slot.max()) + 1)
        code = np.where(bars.source == BarSource.BACKFILL, FETCHED, OWN).astype(np.uint8)
        self._note(bars.minute - self.first, bars.slot.astype(np.int64), code)

    def restore(self, bars: BarSources) -> None:
        """Take up the bars that an earlier run stored of the day, and those it could not heal."""
        for slot, minute, code in (
            (bars.slot, bars.minute, np.where(bars.source == BarSource.BACKFILL, FETCHED, OWN)),
            (bars.lacking_slot, bars.lacking_minute, np.full(len(bars.lacking_slot), LACKING)),
        ):
            if len(slot):
                self.grow(int(slot.max()) + 1)
                self._note(minute - self.first, slot, code.astype(np.uint8))

    def note(self, minute: int, slots: Int64s, code: int) -> None:
        """Let symbols have a code in a minute (since 1970)."""
        if len(slots):
            self.grow(int(slots.max()) + 1)
        places = np.full(len(slots), minute - self.first, np.int64)
        pairs = {(minute, slot) for slot in slots.tolist()}
        if code == UNSURE:
            self._unsure |= pairs
        else:
            self._unsure -= pairs
        self._note(places, slots.astype(np.int64), np.full(len(slots), code, np.uint8))

    def _note(self, places: Int64s, slots: Int64s, code: Codes) -> None:
        _set(self._codes, self._counts, self._doubtful, self.elapsed, places, slots, code)
        self._changed.update(np.unique(places).tolist())
        self.version += 1

    def pass_by(self, minute: int, count: int, doubts: Iterable[Doubt]) -> None:
        """Let all minutes before one (since 1970) be over; there are `count` symbols.

        Args:
            minute: The minute that goes on.
            count: The number of symbols.
            doubts: The spans in which the feed is not known to have been whole.
        """
        self.grow(count)
        self.doubt(doubts)
        end = min(max(minute - self.first, self.elapsed), self.minutes)
        if end == self.elapsed:
            return
        room = self._codes.shape[1]
        for place in range(self.elapsed, end):
            for slot in self._distrusted:
                self.note(self.first + place, np.array([slot]), UNSURE)
            _count_row(self._codes, self._counts, place, room, int(self._is_doubtful(place)), 1)
            self._changed.add(place)
        self.elapsed = end
        self.version += 1

    def doubt(self, doubts: Iterable[Doubt]) -> None:
        """Let the minutes of some spans be in doubt, and no others; proven ones are not."""
        wanted = np.zeros(self.minutes, np.uint8)
        for doubt in doubts:
            begin = max(0, doubt.from_ns // MINUTE_NS - self.first)
            wanted[begin : max(0, -(-doubt.to_ns // MINUTE_NS) - self.first)] = 1
        wanted[self._proved > 0] = 0
        for place in np.flatnonzero(wanted != self._doubtful).tolist():
            if place < self.elapsed:
                room = self._codes.shape[1]
                before, after = int(self._doubtful[place]), int(wanted[place])
                _count_row(self._codes, self._counts, place, room, before, -1)
                _count_row(self._codes, self._counts, place, room, after, 1)
                self._changed.add(place)
                self.version += 1
        self._doubtful = wanted

    def prove(self, minute: int) -> None:
        """Let a minute (since 1970) be settled: Databento's bars of it are known."""
        place = minute - self.first
        if not 0 <= place < self.minutes or self._proved[place]:
            return
        self._proved[place] = 1
        if self._doubtful[place] and place < self.elapsed:
            room = self._codes.shape[1]
            _count_row(self._codes, self._counts, place, room, 1, -1)
            _count_row(self._codes, self._counts, place, room, 0, 1)
        self._doubtful[place] = 0
        self._changed.add(place)
        self.version += 1

    def verify(self, minute: int, slots: Int64s) -> None:
        """Let the bars of some symbols of a minute (since 1970) equal Databento's."""
        place = minute - self.first
        if not len(slots) or not 0 <= place < self.minutes:
            return
        self.grow(int(slots.max()) + 1)
        self._verified[slots] += 1
        known = self._codes[place >> 1, slots] >> (4 * (place & 1)) & 15
        unsure = slots[known == UNSURE]
        for code in (NOTHING, OWN):
            self.note(minute, unsure, code)

    def verified(self, count: int) -> Int64s:
        """Return how many bars of each of `count` symbols equal Databento's."""
        self.grow(count)
        return self._verified[:count].copy()

    def take_up(self, proved: Iterable[int], verified: Int64s) -> None:
        """Take up what an earlier run had proved of the day."""
        self.grow(len(verified))
        self._verified[: len(verified)] = verified
        for minute in proved:
            self.prove(minute)

    @property
    def proved(self) -> Int64s:
        """The minutes (since 1970) that are settled."""
        return self.first + np.flatnonzero(self._proved.copy())

    def is_proved(self, minute: int) -> bool:
        """Whether a minute (since 1970) is settled."""
        place = minute - self.first
        return 0 <= place < self.minutes and bool(self._proved[place])

    def _is_doubtful(self, place: int) -> bool:
        return bool(self._doubtful[place])

    def figures(self, count: int) -> CoverageFigures:
        """Return how many minutes of each kind each of `count` symbols has."""
        self.grow(count)
        counts = self._counts[:, :count]
        return CoverageFigures(
            elapsed=self.elapsed,
            traded=counts[TRADED].copy(),
            backfilled=counts[BACKFILLED].copy(),
            quiet=counts[QUIET].copy(),
            missing=counts[MISSING].copy(),
            unknown=counts[UNKNOWN].copy(),
            verified=self._verified[:count].copy(),
            proved=int(np.count_nonzero(self._proved[: self.elapsed])),
        )

    def take_changed(self, count: int) -> tuple[tuple[int, Codes], ...]:
        """Return the minutes (since 1970) over that changed, with a kind for each symbol."""
        self.grow(count)
        found = []
        for place in sorted(self._changed):
            if 0 <= place < self.elapsed:
                kinds = np.zeros(count, np.uint8)
                _row(self._codes, place, int(self._doubtful[place]), kinds)
                found.append((self.first + place, kinds))
        self._changed = {place for place in self._changed if place >= self.elapsed}
        return tuple(found)

    def kinds(self, slot: int) -> Codes:
        """Return a kind for each minute of a symbol that is over."""
        found = np.zeros(self.elapsed, np.uint8)
        for place in range(self.elapsed):
            found[place] = _kind(_code(self._codes, place, slot), int(self._doubtful[place]))
        return found
