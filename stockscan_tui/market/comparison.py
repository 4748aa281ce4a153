"""A whole day's bars held against Databento's own, after the fact; pure arrays, any thread."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Int64s = NDArray[np.int64]
Bars = NDArray[Any]

MOST_TOLD = 1_000
FIELDS = ("open", "high", "low", "close", "volume")
BAR = "bar"
_NS = 1e9


@dataclass(frozen=True, slots=True)
class Difference:
    """A bar that is not as Databento has it.

    `symbol` counts in the names that were compared, `minute` since 1970. `field` is one of
    `FIELDS`, or `bar` where one side has none: its volume stands on the other, NaN on this one.
    Prices are in dollars.
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
    def compared(self) -> Int64s:
        """How many bars of each symbol were compared."""
        total: Int64s = self.equal + self.differing + self.lacking + self.surplus
        return total

    @property
    def share(self) -> NDArray[np.float64]:
        """The equal part of each symbol's bars, 0 to 1; NaN where none were compared."""
        compared = self.compared
        found = np.full(len(compared), np.nan)
        np.divide(self.equal, compared, out=found, where=compared > 0)
        return found


def compare(ours: Bars, theirs: Bars, symbols: int) -> Comparison:
    """Compare bars to the last digit.

    Args:
        ours: Fields `symbol` (a number below `symbols`), `minute`, `open`, `high`, `low`, `close`
            (int64 in 1e-9 dollars) and `volume`; each symbol and minute once.
        theirs: The same; several rows of one symbol and minute, a publisher's each, are one bar,
            whose open and close are not known.
        symbols: How many symbols there are.
    """
    own, own_keys = _sorted(ours)
    other, other_keys = _sorted(theirs)
    first = np.flatnonzero(np.diff(other_keys, prepend=-1))
    several = np.diff(first, append=len(other)) > 1
    other, other_keys = _joined(other, first), other_keys[first]
    both = np.isin(own_keys, other_keys, assume_unique=True)
    met = np.isin(other_keys, own_keys, assume_unique=True)
    mine, their = own[both], other[met]
    differ = np.stack([mine[name] != their[name] for name in FIELDS], axis=1)
    differ[np.ix_(several[met], (0, 3))] = False
    wrong = differ.any(axis=1)

    def counted(rows: Bars) -> Int64s:
        return np.bincount(rows["symbol"], minlength=symbols).astype(np.int64)

    return Comparison(
        equal=counted(mine[~wrong]),
        differing=counted(mine[wrong]),
        lacking=counted(other[~met]),
        surplus=counted(own[~both]),
        fields=dict(zip(FIELDS, differ.sum(axis=0).tolist(), strict=True)),
        differences=[
            *_fields(mine, their, differ),
            *(_alone(row, theirs=True) for row in other[~met][:MOST_TOLD]),
            *(_alone(row, theirs=False) for row in own[~both][:MOST_TOLD]),
        ],
    )


def _sorted(bars: Bars) -> tuple[Bars, Int64s]:
    """Return bars by symbol and minute, and a number for each symbol and minute."""
    keys = bars["symbol"].astype(np.int64) << 32 | bars["minute"].astype(np.int64)
    if len(keys) and (np.diff(keys) < 0).any():
        order = np.argsort(keys, kind="stable")
        return bars[order], keys[order]
    return bars, keys


def _joined(bars: Bars, first: NDArray[np.intp]) -> Bars:
    """Return one bar for each run of rows with the same key, which begin at `first`."""
    if len(first) == len(bars):
        return bars
    one = bars[first]
    one["high"] = np.maximum.reduceat(bars["high"], first)
    one["low"] = np.minimum.reduceat(bars["low"], first)
    one["volume"] = np.add.reduceat(bars["volume"], first)
    return one


def _fields(ours: Bars, theirs: Bars, differ: NDArray[np.bool_]) -> list[Difference]:
    found = []
    for row, column in np.argwhere(differ)[:MOST_TOLD].tolist():
        name = FIELDS[column]
        scale = 1.0 if name == "volume" else _NS
        mine, their = float(ours[name][row]) / scale, float(theirs[name][row]) / scale
        at = ours[row]
        found.append(Difference(int(at["symbol"]), int(at["minute"]), name, mine, their))
    return found


def _alone(row: Any, *, theirs: bool) -> Difference:
    volume = float(row["volume"])
    sides = (np.nan, volume) if theirs else (volume, np.nan)
    return Difference(int(row["symbol"]), int(row["minute"]), BAR, *sides)
