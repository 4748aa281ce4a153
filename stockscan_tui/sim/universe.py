"""The symbols of a simulated market: their names, prices, habits and what the day holds for them.

Everything follows from a seed. Shares of the kinds and the spread of prices and activity are
chosen to look like the US market: a few symbols take most of the records, many hardly trade.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LETTERS = np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
_SUFFIXES = ("+", "=", "^", "-", ".B")
_SUFFIX_SHARE = 0.06
_FIFTH_LETTER_SHARE = 0.04


class Kind(IntEnum):
    """What a symbol does on the day."""

    CALM = 0
    RUNNER = 1
    FADE = 2
    SQUEEZE = 3
    GAPPER = 4
    WARRANT = 5
    QUIET = 6
    DEAD = 7
    SILENT = 8
    HALTED = 9


_SHARES = {
    Kind.RUNNER: 0.006,
    Kind.FADE: 0.006,
    Kind.SQUEEZE: 0.002,
    Kind.GAPPER: 0.02,
    Kind.QUIET: 0.30,
    Kind.DEAD: 0.05,
    Kind.SILENT: 0.02,
}


@dataclass(frozen=True, slots=True, eq=False)
class Universe:
    """One row per symbol, in alphabetical order.

    `weight` is each symbol's share of the records (sums to 1), `spread` its usual spread and
    `volatility` its standard deviation over a minute, both as fractions of the price; `gap` is
    where pre-market opens against the previous close.
    """

    symbols: tuple[str, ...]
    instrument_id: NDArray[np.int64]
    prev_close: Floats
    weight: Floats
    spread: Floats
    volatility: Floats
    gap: Floats
    kind: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.symbols)


def make_universe(seed: int, count: int, *, first_id: int = 1) -> Universe:
    """Return `count` symbols.

    Args:
        seed: Same seed, same universe.
        count: How many symbols.
        first_id: The smallest instrument id; ids are spread over four times the count.
    """
    rng = np.random.default_rng([seed, 1])
    symbols = _names(rng, count)
    kind = _kinds(rng, symbols)
    weight = rng.pareto(1.15, count) + 0.03
    weight[kind == Kind.QUIET] *= 0.05
    weight[kind == Kind.DEAD] *= 0.02
    weight[kind == Kind.SILENT] = 0
    lively = np.isin(kind, (Kind.RUNNER, Kind.FADE, Kind.SQUEEZE, Kind.HALTED))
    weight[lively] = np.maximum(weight[lively], np.quantile(weight, 0.97))
    prev_close = np.clip(np.exp(rng.normal(3.1, 1.2, count)), 0.4, 900.0)
    prev_close[kind == Kind.WARRANT] = rng.uniform(0.02, 1.5, int((kind == Kind.WARRANT).sum()))
    spread = np.clip(np.exp(rng.normal(-7.0, 1.0, count)), 0.0001, 0.03)
    spread[np.isin(kind, (Kind.QUIET, Kind.DEAD, Kind.WARRANT))] *= 8
    ids = rng.permutation(4 * count)[:count] + first_id
    return Universe(
        symbols=symbols,
        instrument_id=ids.astype(np.int64),
        prev_close=np.round(prev_close, 2),
        weight=weight / weight.sum(),
        spread=np.clip(spread, 0.0001, 0.08),
        volatility=_volatility(rng, kind),
        gap=_gaps(rng, kind),
        kind=kind,
    )


def _names(rng: np.random.Generator, count: int) -> tuple[str, ...]:
    """Return distinct tickers of one to five letters, some with a suffix or a fifth letter."""
    found: set[str] = set()
    while len(found) < count:
        missing = count - len(found)
        lengths = rng.choice((1, 2, 3, 4), missing, p=(0.002, 0.03, 0.318, 0.65))
        letters = rng.choice(_LETTERS, (missing, 4))
        roll = rng.random(missing)
        endings = rng.integers(0, len(_SUFFIXES), missing)
        for row, length, chance, ending in zip(letters, lengths, roll, endings, strict=True):
            name = "".join(row[:length])
            if chance < _SUFFIX_SHARE:
                name += _SUFFIXES[ending]
            elif chance < _SUFFIX_SHARE + _FIFTH_LETTER_SHARE:
                name = "".join(row) + "WUR"[ending % 3]
            found.add(name)
    return tuple(sorted(found))


def _kinds(rng: np.random.Generator, symbols: tuple[str, ...]) -> NDArray[np.int64]:
    count = len(symbols)
    kinds = np.array(list(_SHARES), np.int64)
    shares = np.array(list(_SHARES.values()))
    chosen = rng.choice(np.append(kinds, Kind.CALM), count, p=np.append(shares, 1.0 - shares.sum()))
    warrant = np.array([s[-1] in "+=^" or (len(s) == 5 and s[-1] in "WUR") for s in symbols])
    chosen[warrant] = Kind.WARRANT
    # One symbol of a plain name is halted, whatever the size of the universe.
    plain = np.flatnonzero(chosen == Kind.CALM)
    chosen[plain[len(plain) // 2] if len(plain) else 0] = Kind.HALTED
    return chosen.astype(np.int64)


def _volatility(rng: np.random.Generator, kind: NDArray[np.int64]) -> Floats:
    volatility = np.exp(rng.normal(-7.6, 0.6, len(kind)))
    volatility[np.isin(kind, (Kind.RUNNER, Kind.FADE, Kind.SQUEEZE, Kind.HALTED))] *= 5
    volatility[kind == Kind.WARRANT] *= 12
    calm: Floats = volatility
    return calm


def _gaps(rng: np.random.Generator, kind: NDArray[np.int64]) -> Floats:
    gap = rng.normal(0.0, 0.006, len(kind))
    big = np.isin(kind, (Kind.GAPPER, Kind.FADE, Kind.RUNNER))
    signs = np.where(rng.random(len(kind)) < 0.6, 1.0, -1.0)
    signs[kind == Kind.FADE] = 1.0
    gap[big] = (signs * (0.05 + rng.exponential(0.07, len(kind))))[big]
    gaps: Floats = np.clip(gap, -0.5, 1.5)
    return gaps
