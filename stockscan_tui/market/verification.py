"""Our bars held against Databento's own, minute by minute, and replaced where they differ.

It belongs to the engine's thread. Databento's bars come from wherever there are some; once all of a
minute are known and ours is closed, the two are compared to the last digit, and the minute is
settled for every symbol: what has no bar in either was quiet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.market import coverage
from stockscan_tui.market import kernel as k
from stockscan_tui.market.compiled import compiled
from stockscan_tui.market.kernel import Int64s
from stockscan_tui.market.minutes import MinuteBars
from stockscan_tui.market.snapshot import Verification
from stockscan_tui.market.state import Market

# Columns of Databento's bars.
SLOT, MINUTE, OPEN, HIGH, LOW, CLOSE, VOLUME = range(7)
WIDTH = 7
FIELDS = ("open", "high", "low", "close", "volume")
# A publisher each has a bar of its own; of their sum neither open nor close is known.
MANY = 1 << 62


# Why `collect` stops, and the places of what it is told and returns.
NEED_BYTES, CONTROL, FULL, BROKEN = range(4)
AT, END, COUNT = range(3)
PLACES = 3


@compiled
def collect(buf: k.Bytes, place: Int64s, ids: k.UInt64s, rows: Int64s) -> int:
    """Take the ohlcv-1m records between `place[AT]` and `place[END]` into `rows`, by slot.

    Returns why it stopped: `NEED_BYTES`, `CONTROL` (a record for Python to decode stands there),
    `FULL`, or `BROKEN`. `place[COUNT]` is how many rows were taken; those without a slot are not.
    """
    at = place[AT]
    count = 0
    reason = NEED_BYTES
    while at + 16 <= place[END]:
        length = np.int64(buf[at]) * 4
        if length < 16:
            reason = BROKEN
            break
        if at + length > place[END]:
            break
        rtype = np.int64(buf[at + 1])
        if 0x12 <= rtype <= 0x18:
            reason = CONTROL
            break
        if rtype == 0x21 and length >= 56:
            if count == len(rows):
                reason = FULL
                break
            slot = k.find_slot(ids, k.u32(buf, at + 4))
            if slot >= 0:
                rows[count, SLOT] = slot
                rows[count, MINUTE] = k.i64(buf, at + 8) // k.MINUTE_NS
                for column in range(VOLUME - OPEN + 1):
                    rows[count, OPEN + column] = k.i64(buf, at + 16 + 8 * column)
                count += 1
        at += length
    place[AT] = at
    place[COUNT] = count
    return reason


@dataclass(frozen=True, slots=True)
class Difference:
    """A bar that is not as Databento has it.

    `field` is one of `FIELDS`, or `bar` where one side has none; prices in dollars, volume in
    shares, NaN for a side without a bar.
    """

    slot: int
    minute: int
    field: str
    ours: float
    theirs: float
    healed: bool


class Verifier:
    """Compares the bars of one market.

    Args:
        market: Whose bars they are.
        source: Whose they are compared with, in words.
        make_room: Takes the changed bars out of the market, so that more can change.
    """

    def __init__(self, market: Market, source: str, make_room: Callable[[], None]) -> None:
        self._market = market
        self._make_room = make_room
        self._waiting: dict[int, list[Int64s]] = {}
        market.verification = Verification(source=source)

    def add(self, bars: Int64s) -> None:
        """Take some of Databento's bars, shape (n, WIDTH): prices in 1e-9 dollars, by slot."""
        for minute in np.unique(bars[:, MINUTE]).tolist():
            self._waiting.setdefault(minute, []).append(bars[bars[:, MINUTE] == minute])

    def settle(self, minute: int) -> list[Difference]:
        """Compare a minute that is over, and all of whose bars have been added.

        Bars of ours that differ or lack are replaced by Databento's.
        """
        # What came late is in the bars before they are compared.
        self._make_room()
        pieces = self._waiting.pop(minute, [])
        theirs = _one_each(np.concatenate([np.zeros((0, WIDTH), np.int64), *pieces]))
        closed = self._market.minutes.closed
        ours = next((piece for piece in reversed(closed) if piece.minute == minute), None)
        found = list(self._compare(minute, theirs, ours))
        self._market.coverage.prove(minute)
        return found

    def forget(self) -> None:
        """Drop all that was added and not compared: it comes once more."""
        self._waiting.clear()

    def forget_before(self, minute: int) -> None:
        """Drop what was added of minutes that nobody will settle."""
        for early in [known for known in self._waiting if known < minute]:
            del self._waiting[early]

    def _compare(
        self, minute: int, theirs: Int64s, ours: MinuteBars | None
    ) -> Iterator[Difference]:
        own = _columns(minute, ours)
        order = np.argsort(own[:, SLOT])
        own = own[order]
        place = np.searchsorted(own[:, SLOT], theirs[:, SLOT])
        place = np.minimum(place, max(len(own) - 1, 0))
        both = (own[place, SLOT] == theirs[:, SLOT]) if len(own) else np.zeros(len(theirs), bool)
        mine = own[place[both]]
        differ = (mine[:, OPEN:] != theirs[both][:, OPEN:]) & (theirs[both][:, OPEN:] != MANY)
        wrong = both.copy()
        wrong[both] = differ.any(axis=1)
        surplus = own[~np.isin(own[:, SLOT], theirs[:, SLOT])]
        bad = wrong | ~both
        healed = np.zeros(len(theirs), np.bool_)
        had = np.zeros(len(theirs), np.int64)
        had[both] = mine[:, VOLUME]
        healed[bad] = self._replace(theirs[bad], had[bad])
        lost = theirs[bad & ~healed][:, SLOT]
        self._market.coverage.note(minute, lost, coverage.LACKING)
        self._market.coverage.verify(minute, theirs[~bad | healed][:, SLOT])
        self._count(int(both.sum() - wrong.sum()), int(wrong.sum()), int((~both).sum()),
                    len(surplus), int(healed.sum()))  # fmt: skip
        yield from self._fields_of(theirs[both], mine, differ, healed[both])
        for row, well in zip(theirs[~both], healed[~both], strict=True):
            volume = float(row[VOLUME])
            yield Difference(int(row[SLOT]), minute, "bar", np.nan, volume, bool(well))
        for row in surplus:
            yield Difference(int(row[SLOT]), minute, "bar", float(row[VOLUME]), np.nan, False)

    def _fields_of(
        self, theirs: Int64s, ours: Int64s, differ: NDArray[np.bool_], healed: NDArray[np.bool_]
    ) -> Iterator[Difference]:
        told = self._market.verification
        fields = dict(told.fields)
        for row, column in np.argwhere(differ).tolist():
            name = FIELDS[column]
            fields[name] = fields.get(name, 0) + 1
            scale = 1.0 if name == "volume" else 1e9
            yield Difference(
                slot=int(theirs[row, SLOT]),
                minute=int(theirs[row, MINUTE]),
                field=name,
                ours=float(ours[row, OPEN + column]) / scale,
                theirs=float(theirs[row, OPEN + column]) / scale,
                healed=bool(healed[row]),
            )
        self._market.verification = replace(told, fields=tuple(sorted(fields.items())))

    def _replace(self, rows: Int64s, had: Int64s) -> NDArray[np.bool_]:
        """Put Databento's bars in the place of ours, which had volumes of `had`.

        Returns which of them could be.
        """
        market = self._market
        replaced = np.zeros(len(rows), np.bool_)
        single = (rows != MANY).all(axis=1)
        wanted = np.ascontiguousarray(rows[single])
        done, told = 0, np.zeros(len(wanted), np.bool_)
        while done < len(wanted):
            before = done
            done = k.replace_bars(
                wanted, done, told, market.ctl, market.state, market.bars, market.dirty
            )
            if done < len(wanted):
                self._make_room()
                if done == before:
                    market.grow_bars()
        for row, volume in zip(wanted[told].tolist(), had[single][told].tolist(), strict=True):
            market.heal_session(row[SLOT], row[MINUTE], row[OPEN:VOLUME], row[VOLUME] - volume)
        if len(wanted):
            self._make_room()
        replaced[single] = told
        return replaced

    def _count(self, equal: int, differing: int, lacking: int, surplus: int, healed: int) -> None:
        figures = self._market.verification
        self._market.verification = replace(
            figures,
            equal=figures.equal + equal,
            differing=figures.differing + differing,
            lacking=figures.lacking + lacking,
            surplus=figures.surplus + surplus,
            healed=figures.healed + healed,
        )


def _columns(minute: int, ours: MinuteBars | None) -> Int64s:
    if ours is None:
        return np.zeros((0, WIDTH), np.int64)
    own = np.empty((len(ours.slot), WIDTH), np.int64)
    own[:, SLOT] = ours.slot
    own[:, MINUTE] = minute
    for column, name in enumerate(FIELDS[:-1], OPEN):
        own[:, column] = np.rint(getattr(ours, name) * 1e9)
    own[:, VOLUME] = ours.volume
    return own


def _one_each(bars: Int64s) -> Int64s:
    """Return one bar a symbol: the sum of its publishers' where there are several."""
    bars = bars[np.argsort(bars[:, SLOT], kind="stable")]
    first = np.flatnonzero(np.diff(bars[:, SLOT], prepend=-1))
    if len(first) == len(bars):
        return bars
    one = bars[first].copy()
    one[:, HIGH] = np.maximum.reduceat(bars[:, HIGH], first)
    one[:, LOW] = np.minimum.reduceat(bars[:, LOW], first)
    one[:, VOLUME] = np.add.reduceat(bars[:, VOLUME], first)
    several = np.diff(first, append=len(bars)) > 1
    one[several, OPEN] = one[several, CLOSE] = MANY
    return one
