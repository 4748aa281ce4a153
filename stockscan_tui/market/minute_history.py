"""Cuts the minutes that have closed out of a market's log of bars; owned by the engine's thread."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np

from stockscan_tui.market import kernel as k
from stockscan_tui.market.arithmetic import notional_of
from stockscan_tui.market.batch import BarBatch
from stockscan_tui.market.kernel import Int64s
from stockscan_tui.market.minutes import Floats, Integers, MinuteBars, Minutes

KEPT_MINUTES = 128


class MinuteHistory:
    """The last minutes of a market, cut from its log of bars as they close."""

    def __init__(self) -> None:
        self.closed: deque[MinuteBars] = deque(maxlen=KEPT_MINUTES)
        self._head = 0
        self._room = 0
        self._sums: dict[tuple[str, int], Floats] = {}
        self._pieces: tuple[MinuteBars, ...] = ()
        self._fresh = False
        self._closes: Floats = np.zeros(0)
        self._streak: Floats = np.zeros(0)

    def streak(self, count: int) -> Floats:
        """Return how many bars in a row closed higher (lower, if negative), shape (count,)."""
        self._grow(count)
        return self._streak[:count].copy()

    def close(self, ctl: Int64s, bars: Int64s, minute: int) -> MinuteBars:
        """Keep the bars of `minute`, which is over, and return them."""
        piece = self._cut(ctl, bars, minute)
        self._head = int(ctl[k.BARS_HEAD])
        self._room = len(bars)
        if len(piece.slot):
            self._add(piece)
        self._forget()
        return piece

    def _add(self, piece: MinuteBars) -> None:
        """Keep a minute, and count on how many bars in a row have gone one way."""
        self.closed.append(piece)
        slot = piece.slot
        self._grow(int(slot.max()) + 1)
        step = np.sign(piece.close - self._closes[slot])
        before = self._streak[slot]
        on = step * before > 0
        self._streak[slot] = np.where(np.isnan(step), 0.0, np.where(on, before + step, step))
        self._closes[slot] = piece.close

    def _grow(self, count: int) -> None:
        more = count - len(self._closes)
        if more > 0:
            self._closes = np.concatenate([self._closes, np.full(more, np.nan)])
            self._streak = np.concatenate([self._streak, np.zeros(more)])

    def correct(self, batch: BarBatch) -> bool:
        """Let bars of minutes that were closed before be as they are now; returns whether any was.

        Bars that are as they were change nothing.
        """
        if not self.closed or not len(batch.minute) or batch.minute.min() > self.closed[-1].minute:
            return False
        newest = self.closed[-1].minute
        late = (batch.minute <= newest) & (batch.minute > newest - KEPT_MINUTES)
        places = {piece.minute: place for place, piece in enumerate(self.closed)}
        missing = []
        for minute in np.unique(batch.minute[late]).tolist():
            fresh = _piece(minute, batch, np.flatnonzero(batch.minute == minute))
            place = places.get(minute)
            if place is None:
                missing.append(fresh)
            else:
                self.closed[place] = _with(self.closed[place], fresh)
        if missing:
            # Minutes in which nothing at all had come.
            every = sorted((*self.closed, *missing), key=lambda piece: piece.minute)
            self.closed = deque(every, KEPT_MINUTES)
        if late.any():
            self._forget()
        return bool(late.any())

    def rescale(self, ratios: Floats) -> None:
        """Let earlier prices be those of today's shares: one of before is `ratios` of now."""
        self._grow(len(ratios))
        self._closes[: len(ratios)] /= ratios
        self.closed = deque((rescaled(piece, ratios) for piece in self.closed), KEPT_MINUTES)
        self._forget()

    def use_log(self, ctl: Int64s, bars: Int64s) -> None:
        """Cut the next minutes out of a log that was put back, which holds none of the next one."""
        self._head = int(ctl[k.BARS_HEAD])
        self._room = len(bars)

    def __getstate__(self) -> dict[str, object]:
        """Return all but what can be worked out anew."""
        return vars(self) | {"_sums": {}, "_pieces": (), "_fresh": False}

    def freeze(self, count: int) -> Floats:
        """Return what the streaks are counted on with, shape (2, count)."""
        self._grow(count)
        return np.stack([self._closes[:count], self._streak[:count]])

    def thaw(self, frozen: Floats) -> None:
        """Take up what `freeze` returned."""
        self._closes, self._streak = frozen.copy()

    def restore(self, batch: BarBatch) -> None:
        """Take stored bars as the minutes before the first."""
        for minute in np.unique(batch.minute)[-KEPT_MINUTES:].tolist():
            self.closed.append(_piece(minute, batch, np.flatnonzero(batch.minute == minute)))
        self._forget()

    def picture(self, ctl: Int64s, bars: Int64s, minute: int) -> Minutes:
        """Return the minutes as they stand while `minute` goes on."""
        pieces, sums = self.pieces()
        return Minutes(pieces, self._cut(ctl, bars, minute), sums)

    def pieces(self) -> tuple[tuple[MinuteBars, ...], dict[tuple[str, int], Floats]]:
        """Return the minutes that are over, and what was worked out over them."""
        if not self._fresh:
            self._pieces = tuple(self.closed)
            self._fresh = True
        return self._pieces, self._sums

    def _forget(self) -> None:
        self._fresh = False
        self._sums = {}

    def _cut(self, ctl: Int64s, bars: Int64s, minute: int) -> MinuteBars:
        """Return the bars of `minute` among those begun since the last minute's close."""
        log = bars.reshape(-1, k.BAR_WIDTH)
        head = int(ctl[k.BARS_HEAD])
        if self._room not in (0, len(bars)):
            begun = log
        elif self._head <= head:
            begun = log[self._head : head]
        else:
            begun = np.concatenate([log[self._head :], log[:head]])
        rows = begun[begun[:, k.BAR_MINUTE] == minute]
        return MinuteBars(
            minute=minute,
            slot=rows[:, k.BAR_SLOT].astype(np.int32),
            open=rows[:, k.BAR_OPEN] / 1e9,
            high=rows[:, k.BAR_HIGH] / 1e9,
            low=rows[:, k.BAR_LOW] / 1e9,
            close=rows[:, k.BAR_CLOSE] / 1e9,
            volume=rows[:, k.BAR_VOLUME].copy(),
            trades=np.maximum(rows[:, k.BAR_TRADES], 1),
            notional=notional_of(
                rows[:, k.BAR_DOLLARS],
                rows[:, k.BAR_NANOS],
                rows[:, k.BAR_HIGH] + rows[:, k.BAR_LOW] + rows[:, k.BAR_CLOSE],
                rows[:, k.BAR_VOLUME],
            ),
        )


def _piece(minute: int, batch: BarBatch, rows: Integers) -> MinuteBars:
    return MinuteBars(
        minute=minute,
        slot=batch.slot[rows].astype(np.int32),
        open=batch.open[rows] / 1e9,
        high=batch.high[rows] / 1e9,
        low=batch.low[rows] / 1e9,
        close=batch.close[rows] / 1e9,
        volume=batch.volume[rows],
        trades=np.maximum(batch.trades[rows], 1),
        notional=notional_of(
            batch.notional_dollars[rows],
            batch.notional_nanos[rows],
            batch.high[rows] + batch.low[rows] + batch.close[rows],
            batch.volume[rows],
        ),
    )


def rescaled(piece: MinuteBars, ratios: Floats) -> MinuteBars:
    """Return a minute in shares of which one of before is `ratios` by slot."""
    known = piece.slot < len(ratios)
    ratio = np.ones(len(piece.slot))
    ratio[known] = ratios[piece.slot[known]]
    if (ratio == 1.0).all():
        return piece
    return replace(
        piece,
        open=piece.open / ratio,
        high=piece.high / ratio,
        low=piece.low / ratio,
        close=piece.close / ratio,
        volume=np.round(piece.volume * ratio).astype(np.int64),
    )


def _with(piece: MinuteBars, newer: MinuteBars) -> MinuteBars:
    """Return a minute in which some symbols' bars are newer."""
    kept = ~np.isin(piece.slot, newer.slot)
    return MinuteBars(
        minute=piece.minute,
        slot=np.concatenate([piece.slot[kept], newer.slot]),
        open=np.concatenate([piece.open[kept], newer.open]),
        high=np.concatenate([piece.high[kept], newer.high]),
        low=np.concatenate([piece.low[kept], newer.low]),
        close=np.concatenate([piece.close[kept], newer.close]),
        volume=np.concatenate([piece.volume[kept], newer.volume]),
        trades=np.concatenate([piece.trades[kept], newer.trades]),
        notional=np.concatenate([piece.notional[kept], newer.notional]),
    )
