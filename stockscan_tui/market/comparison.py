"""A whole day's bars held against Databento's own, after the fact; pure arrays, any thread."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

Int64s = NDArray[np.int64]

MOST_TOLD = 1_000
FIELDS = ("open", "high", "low", "close", "volume")
BAR = "bar"
_NS = 1e9


@dataclass(frozen=True, slots=True, eq=False)
class DayBars:
    """One-minute bars of a day, in any order, a row each.

    `symbol` counts from 0, `minute` from 1970 (UTC); prices are in 1e-9 dollars.
    """

    symbol: Int64s
    minute: Int64s
    open: Int64s
    high: Int64s
    low: Int64s
    close: Int64s
    volume: Int64s

    @classmethod
    def of(cls, records: NDArray[Any]) -> DayBars:
        """Return the columns of an array whose fields have these names."""
        columns = {f.name: records[f.name].astype(np.int64) for f in fields(cls)}
        return cls(**columns)

    def __len__(self) -> int:
        return len(self.symbol)

    def where(self, rows: NDArray[Any]) -> DayBars:
        """Return some of the bars, by place or by yes and no."""
        return DayBars(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


@dataclass(frozen=True, slots=True)
class Difference:
    """A bar that is not as Databento has it.

    `symbol` counts as in `DayBars`, `minute` since 1970. `field` is one of `FIELDS`, or `bar`
    where one side has none: its volume stands on the other, NaN on this one. Prices are in dollars.
    """

    symbol: int
    minute: int
    field: str
    ours: float
    theirs: float


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """How many bars of each symbol came out how, shape (symbols,).

    `equal` and `differing` count bars that both sides have, `lacking` those that only Databento
    has, `surplus` those that only we have. `fields` says in how many bars each field differs;
    `differences` are the first `MOST_TOLD` of each kind.
    """

    equal: Int64s
    differing: Int64s
    lacking: Int64s
    surplus: Int64s
    fields: dict[str, int] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)

    @property
    def share(self) -> NDArray[np.float64]:
        """The equal part of each symbol's bars, 0 to 1; NaN where none were compared."""
        compared = self.equal + self.differing + self.lacking + self.surplus
        found = np.full(len(compared), np.nan)
        np.divide(self.equal, compared, out=found, where=compared > 0)
        return found


def compare(ours: DayBars, theirs: DayBars, symbols: int) -> Comparison:
    """Compare bars to the last digit.

    Args:
        ours: Our bars; each symbol and minute once.
        theirs: Databento's; several of one symbol and minute, a publisher's each, are one bar,
            whose open and close are not known.
        symbols: How many symbols there are; each bar's is below.
    """
    first = min((int(b.minute.min()) for b in (ours, theirs) if len(b)), default=0)
    span = max((int(b.minute.max()) for b in (ours, theirs) if len(b)), default=0) - first + 1
    theirs, several = _one_each(theirs, _cells(theirs, first, span), symbols * span)
    # A cell for each symbol and minute: no sorting, and a look-up for each bar.
    place = np.full(symbols * span, -1, np.int32)
    place[_cells(ours, first, span)] = np.arange(len(ours), dtype=np.int32)
    met = place[_cells(theirs, first, span)]
    both = met >= 0
    mine, their = met[both].astype(np.int64), np.flatnonzero(both)
    differ = {name: getattr(ours, name)[mine] != getattr(theirs, name)[their] for name in FIELDS}
    for name in ("open", "close"):
        differ[name] &= ~several[their]
    wrong = np.logical_or.reduce(list(differ.values()))
    alone = np.ones(len(ours), np.bool_)
    alone[mine] = False
    lacking, surplus = np.flatnonzero(~both), np.flatnonzero(alone)

    def counted(chosen: Int64s) -> Int64s:
        return np.bincount(chosen, minlength=symbols).astype(np.int64)

    return Comparison(
        equal=counted(ours.symbol[mine[~wrong]]),
        differing=counted(ours.symbol[mine[wrong]]),
        lacking=counted(theirs.symbol[lacking]),
        surplus=counted(ours.symbol[surplus]),
        fields={name: int(np.count_nonzero(flags)) for name, flags in differ.items()},
        differences=[
            *_fields(ours, theirs, mine, their, differ),
            *_alone(theirs, lacking, theirs=True),
            *_alone(ours, surplus, theirs=False),
        ],
    )


def _cells(bars: DayBars, first: int, span: int) -> Int64s:
    cells: Int64s = bars.symbol * span + (bars.minute - first)
    return cells


def _one_each(bars: DayBars, cells: Int64s, count: int) -> tuple[DayBars, NDArray[np.bool_]]:
    """Return one bar for each cell, and which of them are of several publishers."""
    newest = np.full(count, -1, np.int32)
    newest[cells] = np.arange(len(bars), dtype=np.int32)
    if (newest[cells] == np.arange(len(bars))).all():
        return bars, np.zeros(len(bars), np.bool_)
    order = np.argsort(cells, kind="stable")
    bars, cells = bars.where(order), cells[order]
    begins = np.flatnonzero(np.diff(cells, prepend=-1))
    one = bars.where(begins)
    joined = DayBars(
        symbol=one.symbol,
        minute=one.minute,
        open=one.open,
        high=np.maximum.reduceat(bars.high, begins),
        low=np.minimum.reduceat(bars.low, begins),
        close=one.close,
        volume=np.add.reduceat(bars.volume, begins),
    )
    return joined, np.diff(begins, append=len(bars)) > 1


def _fields(
    ours: DayBars,
    theirs: DayBars,
    mine: Int64s,
    their: Int64s,
    differ: dict[str, NDArray[np.bool_]],
) -> list[Difference]:
    found = []
    for name, flags in differ.items():
        scale = 1.0 if name == "volume" else _NS
        for at in np.flatnonzero(flags)[:MOST_TOLD].tolist():
            row, other = int(mine[at]), int(their[at])
            found.append(
                Difference(
                    symbol=int(ours.symbol[row]),
                    minute=int(ours.minute[row]),
                    field=name,
                    ours=float(getattr(ours, name)[row]) / scale,
                    theirs=float(getattr(theirs, name)[other]) / scale,
                )
            )
    return found


def _alone(bars: DayBars, rows: Int64s, *, theirs: bool) -> list[Difference]:
    found = []
    for row in rows[:MOST_TOLD].tolist():
        volume = float(bars.volume[row])
        sides = (np.nan, volume) if theirs else (volume, np.nan)
        found.append(Difference(int(bars.symbol[row]), int(bars.minute[row]), BAR, *sides))
    return found
