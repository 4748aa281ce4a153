"""A market at one minute's close, as bytes from which it can be put back exactly as it was.

An image lives within one run: it is the market's own objects, pickled, whose large arrays are not
copied but handed on beside it. What outlives a run is `checkpoint`. Minutes and marks that have
closed never change: an image names each by a number, and the bytes of a piece are kept once.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.market import kernel as k
from stockscan_tui.market.bar_log import put_bars
from stockscan_tui.market.calendar import MINUTE_NS
from stockscan_tui.market.kernel import Int64s
from stockscan_tui.market.minutes import MinuteBars
from stockscan_tui.market.state import Market

# The log of bars is kept as what changes in it; the others hold nothing at a minute's close, or
# only what the next records fill.
_LEFT_OUT = frozenset(
    {
        "symbols",
        "bars",
        "touched",
        "dirty",
        "late",
        "prints",
        "changes",
        "seen",
        "instants",
        "levels",
    }
)

Piece = MinuteBars | NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Image:
    """What `take` made.

    Attributes:
        head: The market's objects without their arrays.
        arrays: The arrays' memory, which the market goes on writing to.
        pieces: The closed minutes and marks that no image before had, by number.
        bars: The bars that changed since the image before, shape (bars, BAR_WIDTH).
    """

    head: bytes
    arrays: Sequence[memoryview]
    pieces: dict[int, Piece]
    bars: Int64s


class Pieces:
    """Numbers what never changes, so that it is kept once."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._held: dict[int, Piece] = {}
        self._next = 0
        self._used: dict[int, Piece] = {}
        self._new: dict[int, Piece] = {}

    def begin(self) -> None:
        """Begin to number the pieces of an image."""
        self._used, self._new = {}, {}

    def number(self, piece: Piece) -> int:
        """Return a piece's number."""
        number = self._numbers.get(id(piece))
        if number is None or self._held.get(number) is not piece:
            number, self._next = self._next, self._next + 1
            self._new[number] = piece
        self._used[number] = piece
        return number

    def end(self) -> dict[int, Piece]:
        """Hold on to the pieces of this image; returns those that are new."""
        self._held = self._used
        self._numbers = {id(piece): number for number, piece in self._held.items()}
        return self._new

    def hold(self, pieces: dict[int, Piece]) -> None:
        """Hold on to the pieces of an image that was put back, and to no others."""
        self._held = dict(pieces)
        self._numbers = {id(piece): number for number, piece in pieces.items()}

    def held(self, number: int) -> Piece | None:
        """Return a piece that is in memory."""
        return self._held.get(number)


class _Pickler(pickle.Pickler):
    def __init__(
        self,
        file: io.BytesIO,
        pieces: Pieces,
        marks: frozenset[int],
        keep: Callable[[pickle.PickleBuffer], object],
    ) -> None:
        super().__init__(file, protocol=5, buffer_callback=keep)
        self._pieces = pieces
        self._marks = marks

    def persistent_id(self, obj: Any) -> int | None:
        if isinstance(obj, MinuteBars) or id(obj) in self._marks:
            return self._pieces.number(obj)
        return None


class _Unpickler(pickle.Unpickler):
    def __init__(
        self, head: bytes, arrays: Sequence[memoryview], piece: Callable[[int], Piece]
    ) -> None:
        super().__init__(io.BytesIO(head), buffers=arrays)
        self._piece = piece

    def persistent_load(self, pid: int) -> Piece:
        return self._piece(pid)


def take(market: Market, beside: object, pieces: Pieces) -> Image:
    """Return a market as it is at a minute's close, with what else belongs to that instant.

    The arrays are still the market's own: whoever keeps the image copies them at once.

    Args:
        market: Nothing in it may be waiting to be taken.
        beside: Anything that can be pickled; `restore` returns it.
        pieces: Those of the images before.
    """
    parts = {name: part for name, part in vars(market).items() if name not in _LEFT_OUT}
    arrays: list[memoryview] = []
    target = io.BytesIO()
    marks = frozenset(id(array) for array in market.mark_history)
    pieces.begin()
    pickler = _Pickler(target, pieces, marks, lambda buffer: arrays.append(buffer.raw()))
    pickler.dump((market.count, market.symbols.remapped, parts, beside))
    return Image(target.getvalue(), arrays, pieces.end(), _changed(market))


def _changed(market: Market) -> Int64s:
    """Return the bars of the last hour that changed since this was asked last."""
    places = np.unique(np.concatenate([np.zeros(0, np.int64), *market.changes]))
    market.changes.clear()
    log: Int64s = market.bars.reshape(-1, k.BAR_WIDTH)[places]
    recent: Int64s = log[log[:, k.BAR_MINUTE] >= _oldest(market)]
    return recent


def _oldest(market: Market) -> int:
    return market.clock_ns // MINUTE_NS - k.KEPT_MINUTES - k.SPARE_MINUTES


def restore(
    market: Market,
    head: bytes,
    arrays: Sequence[memoryview],
    piece: Callable[[int], Piece],
    bars: Sequence[Int64s],
) -> object:
    """Let a market be as it was.

    Args:
        market: It knew no other symbols since than those it had then, and later ones.
        head: The image's head.
        arrays: Its arrays' memory, writable, which becomes the market's own.
        piece: Finds a piece by its number.
        bars: The changed bars of this image and those before, over an hour, oldest image first.

    Returns:
        What stood beside it.
    """
    # Written by this very process, into a folder that nobody else can write.
    count, remapped, parts, beside = _Unpickler(head, arrays, piece).load()
    focus = market.ctl[k.FOCUS]
    vars(market).update(parts)
    market.symbols.cut(count)
    market.symbols.remapped = remapped
    market.ctl[k.FOCUS] = focus
    market.ctl[k.PRINTS] = 0
    for counter in (k.TOUCHED_COUNT, k.DIRTY_COUNT, k.LATE_COUNT, k.SEEN_COUNT, k.INSTANTS):
        market.ctl[counter] = 0
    market.rows[:, k.TOUCHED] &= ~k.TOUCHED_SECOND
    market.changes.clear()
    market.sessions_version += 1
    put_bars(market, _newest(bars, _oldest(market)))
    market.minutes.use_log(market.ctl, market.bars)
    return beside


def _newest(pieces: Sequence[Int64s], oldest: int) -> Int64s:
    """Return each bar as the last piece has it, by minute and slot, from a minute on."""
    rows: Int64s = np.concatenate([np.zeros((0, k.BAR_WIDTH), np.int64), *pieces])
    rows = rows[rows[:, k.BAR_MINUTE] >= oldest]
    key = rows[:, k.BAR_MINUTE] << 32 | rows[:, k.BAR_SLOT]
    _, last = np.unique(key[::-1], return_index=True)
    newest: Int64s = rows[len(rows) - 1 - last]
    return newest
