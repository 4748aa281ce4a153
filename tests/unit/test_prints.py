"""The last trades of the symbol in focus, against the same bytes read by the official library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import databento_dbn as dbn
import numpy as np
import pytest

from stockscan_tui.clock import Clock
from stockscan_tui.engine.core import Options, Surroundings
from stockscan_tui.engine.replay import ReplayEngine
from stockscan_tui.feed.dbn_file import DbnFile
from stockscan_tui.feed.reference import PreviousCloses
from stockscan_tui.market import kernel as k
from stockscan_tui.market.calendar import SECOND_NS
from stockscan_tui.market.snapshot import MOST_PRINTS, Doubt, Feed, Health, Prints
from stockscan_tui.market.state import FAR_FUTURE_NS, Market
from stockscan_tui.market.symbols import InstrumentIds
from stockscan_tui.market.view import Photographer
from stockscan_tui.market.wholeness import Wholeness
from tests import wire
from tests.playing import ListSink, StillClock, weekdays

NAMES = ("AAA", "BBB", "CCC")
FEED = Feed("REPLAY", "test", "EQUS.MINI", "mbp-1")
SIDES = {"A": -1, "B": 1, "N": 0}

Print = tuple[int, float, int, int]


class Tape:
    """A market that takes records in, and pictures of it."""

    def __init__(self) -> None:
        self.market = Market()
        self.market.ctl[k.IN_SESSION] = 1
        self.ids = InstrumentIds()
        slots = self.market.slots(NAMES)
        self.ids.assign((slot + 1, slot) for slot in slots)
        self.photographer = Photographer(self.market, weekdays())

    def take(self, *parts: wire.Records) -> None:
        data = np.frombuffer(wire.joined(*parts), np.uint8)
        ctl = self.market.ctl
        ctl[k.POSITION], ctl[k.END], ctl[k.FINAL] = 0, len(data), 1
        ctl[k.STOP_NS] = FAR_FUTURE_NS
        while (reason := self.market.consume(data, self.ids)) == k.FLUSH:
            self.market.take_bars()
        assert reason == k.NEED_BYTES

    def prints(self, symbol: str | None = "AAA") -> Prints | None:
        health = Health()
        return self.photographer.take(
            event_ns=wire.OPEN_NS, feed=FEED, health=health, closes_known=True, focus=symbol
        ).prints


def listed(prints: Prints | None) -> list[Print]:
    assert prints is not None
    columns = (prints.ts_ns, prints.price, prints.size, prints.side)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def by_the_library(number: int, *parts: wire.Records) -> list[Print]:
    """Return the trades of an instrument as the official library reads them."""
    decoder = dbn.DBNDecoder(has_metadata=False, input_version=3)
    decoder.write(wire.joined(*parts))
    records: list[Any] = list(decoder.decode())
    return [
        (record.ts_recv, record.price / 1e9, record.size, SIDES[str(record.side)])
        for record in records
        if record.instrument_id == number and str(record.action) == "T"
    ]


def sided(records: wire.Records, seed: int = 1) -> wire.Records:
    """Return the records with sides by chance."""
    sides = np.array([b"A", b"B", b"N"])
    records["side"] = np.random.default_rng(seed).choice(sides, len(records))
    return records


def some_trades(count: int, number: int = 1) -> wire.Records:
    rows = [(wire.OPEN_NS + n * SECOND_NS, number, 20 + n / 100, 1 + n) for n in range(count)]
    return sided(wire.trades(rows), number)


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("kind", ["rows", "trades", "tbbo"])
def test_prints_are_the_last_trades_that_the_official_library_reads(kind: str, number: int) -> None:
    records = sided(wire.random_rows(7, 3_000, 3, minutes=30))
    records["size"] += 1
    if kind != "rows":
        parts = [some_trades(150, n) for n in (1, 2, 3)]
        records = np.concatenate(parts)[np.argsort(np.tile(np.arange(150), 3), kind="stable")]
    if kind == "tbbo":
        records = wire.rows_with_trade(records, 19, 21)
    tape = Tape()
    tape.market.focus_on(number - 1)
    tape.take(records)
    expected = by_the_library(number, records)
    assert listed(tape.prints(NAMES[number - 1])) == expected[-MOST_PRINTS:]
    assert len(expected) >= 150


def test_prints_go_on_over_many_blocks_and_the_oldest_leave() -> None:
    tape = Tape()
    tape.market.focus_on(0)
    trades = some_trades(1_000)
    for at in range(0, 1_000, 37):
        tape.take(trades[at : at + 37])
        seen = by_the_library(1, trades[: at + 37])
        assert listed(tape.prints()) == seen[-MOST_PRINTS:]


def test_a_picture_keeps_its_prints_when_the_market_goes_on() -> None:
    tape = Tape()
    tape.market.focus_on(0)
    trades = some_trades(600)
    tape.take(trades[:250])
    before = tape.prints()
    expected = listed(before)
    tape.take(trades[250:])
    assert listed(before) == expected


def test_a_late_trade_stands_where_it_came() -> None:
    tape = Tape()
    tape.market.focus_on(0)
    trades = some_trades(5)[[0, 3, 1, 4]]
    tape.take(trades)
    assert [row[2] for row in listed(tape.prints())] == [1, 4, 2, 5]


def test_a_trade_that_comes_by_two_schemas_is_printed_once() -> None:
    tape = Tape()
    tape.market.focus_on(0)
    trades = some_trades(60)
    for at in range(0, 60, 10):
        part = trades[at : at + 10]
        tape.take(wire.rows_with_trade(part), part)
    assert listed(tape.prints()) == by_the_library(1, trades)


def test_what_is_no_trade_or_does_not_count_is_not_printed() -> None:
    tape = Tape()
    tape.market.focus_on(0)
    bad = some_trades(4)
    bad["size"][0] = 0
    bad["price"][1:3] = [wire.NULL_PRICE, -1]
    tape.take(bad, wire.quotes([(wire.OPEN_NS + 9 * SECOND_NS, 1, 20.0, 20.1)]))
    assert listed(tape.prints()) == by_the_library(1, bad[3:])


def test_another_focus_begins_with_no_prints() -> None:
    tape = Tape()
    assert tape.prints() is None
    tape.market.focus_on(0)
    tape.take(some_trades(5), some_trades(5, 2))
    assert len(listed(tape.prints())) == 5
    tape.market.focus_on(0)
    assert len(listed(tape.prints())) == 5
    tape.market.focus_on(1)
    assert tape.prints("AAA") is None
    assert listed(tape.prints("BBB")) == []
    tape.take(some_trades(5), some_trades(3, 2))
    assert len(listed(tape.prints("BBB"))) == 3
    tape.market.focus_on(None)
    tape.take(some_trades(5, 2))
    assert tape.prints("BBB") is None
    assert tape.prints(None) is None


def test_a_replay_prints_the_trades_of_the_symbol_it_is_asked_for(tmp_path: Path) -> None:
    trades = np.sort(np.concatenate([some_trades(300), some_trades(300, 2)]), order="ts_recv")
    symbols = {name: number for number, name in enumerate(NAMES, start=1)}
    file = wire.write(tmp_path / "day.dbn", wire.metadata("trades", symbols), trades)
    clock: Clock = StillClock()
    engine = ReplayEngine(
        [DbnFile(file)],
        Surroundings(weekdays(), PreviousCloses(weekdays()), ListSink(), clock),
        Options(FEED),
    )
    engine.focus("BBB")
    engine.start()
    assert engine.join(60)
    snapshot = engine.snapshot()
    assert snapshot is not None
    assert snapshot.prints is not None
    assert snapshot.symbols[snapshot.prints.slot] == "BBB"
    assert listed(snapshot.prints) == by_the_library(2, trades)[-MOST_PRINTS:]
    day = weekdays().day(wire.DAY)
    assert snapshot.doubts == (Doubt(day.pre_ns, wire.OPEN_NS, "before the file"),)


def test_doubts_of_a_day_are_in_order_and_made_once_while_nothing_changes() -> None:
    calendar, wholeness = weekdays(), Wholeness()
    day, next_day = calendar.day(wire.DAY), calendar.next_day(wire.DAY)
    assert next_day is not None
    wholeness.begin_day(day)
    wholeness.doubt(day.post_ns, day.post_ns + 5, "cut")
    wholeness.doubt(day.pre_ns, day.pre_ns + 5, "late start")
    wholeness.doubt(day.start_ns - 9, day.start_ns - 1, "the day before")
    found = wholeness.doubts(day)
    assert [doubt.reason for doubt in found] == ["late start", "cut"]
    wholeness.doubt(day.post_ns, day.post_ns + 5, "cut")
    wholeness.settle(day.regular_ns, "never was")
    assert wholeness.doubts(day) is found
    wholeness.doubt(day.post_ns, day.post_ns + 7, "cut")
    assert wholeness.doubts(day)[1] == Doubt(day.post_ns, day.post_ns + 7, "cut")
    wholeness.settle(day.pre_ns, "late start")
    assert len(wholeness.doubts(day)) == 1
    wholeness.begin_day(next_day)
    assert wholeness.doubts(next_day) == ()
