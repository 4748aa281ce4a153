"""Symbols that were busy and fell silent in regular hours: a halt, perhaps; the engine's thread."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stockscan_tui.market import kernel as k
from stockscan_tui.market.arithmetic import plain
from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS
from stockscan_tui.market.compiled import compiled
from stockscan_tui.market.kernel import Int64s
from stockscan_tui.market.minutes import MinuteBars
from stockscan_tui.market.snapshot import Flags

BUSY_TRADES = 20
BUSY_MINUTES = 5
SILENT_NS = 60 * SECOND_NS
RESUMED_NS = 10 * MINUTE_NS


class Silence:
    """Who has fallen silent: at least 20 trades in 5 minutes, then nothing for 60 s.

    `whole_since_ns` is the instant since which the feed is known to have been whole: what it did
    not bring before that says nothing.
    """

    def __init__(self) -> None:
        self.whole_since_ns = 0
        self._broken = 0
        self._trades: Int64s = np.zeros(0, np.int64)
        self._silent: Flags = np.zeros(0, np.bool_)
        self._resumed_ns: Int64s = np.zeros(0, np.int64)

    def break_off(self) -> None:
        """The feed is no longer whole: nobody's silence says anything."""
        self._broken += 1

    def go_on(self, from_ns: int, to_ns: int, *, healed: bool) -> None:
        """A gap is over; where it did not heal, what was not heard in it means nothing."""
        self._broken = max(0, self._broken - 1)
        if not healed:
            self.whole_since_ns = max(self.whole_since_ns, to_ns)
            self._silent[:] = False
            self._resumed_ns[self._resumed_ns >= from_ns] = 0

    def freeze(self, count: int) -> Int64s:
        """Return all that is kept of `count` symbols, shape (3, count)."""
        self._grow(count)
        silent = self._silent[:count].astype(np.int64)
        return np.stack([self._trades[:count], silent, self._resumed_ns[:count]])

    def thaw(self, frozen: Int64s) -> None:
        """Take up what `freeze` returned."""
        self._trades, silent, self._resumed_ns = frozen.copy()
        self._silent = silent > 0

    def clear(self) -> None:
        """Begin a new day."""
        self._trades[:] = 0
        self._silent[:] = False
        self._resumed_ns[:] = 0

    def close_minute(
        self, rows: Int64s, closed: Sequence[MinuteBars], minute: int, *, regular: bool
    ) -> None:
        """Take the minute that just ended: who was heard in it, and how busy they were.

        Args:
            rows: The state of all symbols, shape (count, STATE_WIDTH).
            closed: The minutes that have closed, newest last.
            minute: The minute that ended, since 1970.
            regular: Whether it was of regular hours.
        """
        count = len(rows)
        self._grow(count)
        heard_ns = np.maximum(rows[:, k.TRADE_NS], rows[:, k.QUOTE_NS])
        heard = heard_ns >= minute * MINUTE_NS
        trades = np.zeros(count, np.int64)
        for bars in list(closed)[-BUSY_MINUTES:]:
            if bars.minute > minute - BUSY_MINUTES:
                trades[bars.slot] += bars.trades
        back = heard & self._silent[:count]
        self._resumed_ns[:count][back] = heard_ns[back]
        self._trades[:count][heard] = trades[heard]
        over_ns = (minute + 1) * MINUTE_NS
        silent = (
            self._quiet(heard_ns, self._trades[:count], over_ns)
            if regular
            else np.zeros(count, np.bool_)
        )
        self._silent[:count] = silent

    def signs(
        self, rows: Int64s, event_ns: int, *, regular: bool, slots: Int64s | None = None
    ) -> dict[str, Flags]:
        """Return who is silent at `event_ns` (`halt`) and who is back (`resumed`).

        Args:
            rows: The state of all symbols, or of `slots`.
            event_ns: When.
            regular: Whether it is in regular hours.
            slots: Whose rows they are; None for all symbols in order.
        """
        count = len(rows)
        self._grow(count if slots is None else int(slots.max(initial=-1)) + 1)
        halt, resumed = np.empty(count, np.bool_), np.empty(count, np.bool_)
        _signs(
            plain(np.arange(count) if slots is None else slots, np.int64),
            plain(rows[:, k.TRADE_NS], np.int64),
            plain(rows[:, k.QUOTE_NS], np.int64),
            self._trades,
            self._silent,
            self._resumed_ns,
            event_ns,
            self.whole_since_ns,
            regular,
            regular and not self._broken,
            halt,
            resumed,
        )
        return {"halt": halt, "resumed": resumed}

    def _quiet(self, heard_ns: Int64s, trades: Int64s, now_ns: int) -> Flags:
        if self._broken:
            return np.zeros(len(heard_ns), np.bool_)
        quiet = now_ns - np.maximum(heard_ns, self.whole_since_ns) >= SILENT_NS
        silent: Flags = quiet & (trades >= BUSY_TRADES)
        return silent

    def _grow(self, count: int) -> None:
        more = count - len(self._trades)
        if more > 0:
            more = max(more, len(self._trades) // 4)
            self._trades = np.concatenate([self._trades, np.zeros(more, np.int64)])
            self._silent = np.concatenate([self._silent, np.zeros(more, np.bool_)])
            self._resumed_ns = np.concatenate([self._resumed_ns, np.zeros(more, np.int64)])


@compiled
def _signs(
    slots: Int64s,
    trade_ns: Int64s,
    quote_ns: Int64s,
    trades: Int64s,
    silent: Flags,
    resumed_ns: Int64s,
    event_ns: int,
    whole_since_ns: int,
    regular: bool,
    told: bool,
    halt: Flags,
    resumed: Flags,
) -> None:
    """Tell who is silent and who is back, for rows of symbols; `told`: whether silence says any."""
    for row in range(len(slots)):
        slot = slots[row]
        heard_ns = max(trade_ns[row], quote_ns[row], whole_since_ns)
        halted = told and trades[slot] >= BUSY_TRADES and event_ns - heard_ns >= SILENT_NS
        halt[row] = halted
        back = resumed_ns[slot] > event_ns - RESUMED_NS or (silent[slot] and regular)
        resumed[row] = back and not halted
