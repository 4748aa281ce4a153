"""Every minute of every symbol has the verdict that is true, and not one quiet minute is called
missing nor one missing called quiet.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stockscan_tui.feed.bar_file import read_bars, write_bars
from stockscan_tui.feed.history import MINUTE_DTYPE, MinuteBars
from stockscan_tui.market import coverage as c
from stockscan_tui.market import kernel as k
from stockscan_tui.market.batch import BarBatch, BarSource
from stockscan_tui.market.calendar import MINUTE_NS, Session
from stockscan_tui.market.coverage import Coverage
from stockscan_tui.market.snapshot import Doubt
from stockscan_tui.market.state import Market
from stockscan_tui.market.symbols import InstrumentIds
from stockscan_tui.market.verification import Verifier
from tests import wire
from tests.playing import bars_by_pandas, play, weekdays
from tests.unit.test_market_state import at

DAY = weekdays().day(wire.DAY)
FIRST = DAY.pre_ns // MINUTE_NS
OPEN = DAY.regular_ns // MINUTE_NS
MINUTES = 40


def batch(slots: list[int], minutes: list[int], source: int) -> BarBatch:
    """Return bars of which only symbol, minute and source matter."""
    count = len(slots)
    ones = np.ones(count, np.int64)
    return BarBatch(
        slot=np.array(slots, np.int32),
        minute=np.array(minutes, np.int64),
        open=ones, high=ones, low=ones, close=ones, volume=ones, trades=ones,
        notional_dollars=ones, notional_nanos=ones, first_ns=ones, last_ns=ones,
        source=np.full(count, source, np.uint8),
    )  # fmt: skip


@dataclass
class Naive:
    """The same, kept in the plainest way."""

    codes: dict[tuple[int, int], int] = field(default_factory=dict)
    doubtful: set[int] = field(default_factory=set)
    proved: set[int] = field(default_factory=set)
    elapsed: int = 0

    def kind(self, slot: int, place: int) -> int:
        code = self.codes.get((slot, place), c.NOTHING)
        if code == c.FETCHED:
            return c.BACKFILLED
        if code == c.LACKING:
            return c.MISSING
        if place in self.doubtful and place not in self.proved:
            return c.UNKNOWN
        return c.TRADED if code == c.OWN else c.QUIET


BARS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 30)), max_size=6)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("own"), BARS),
        st.tuples(st.just("fetched"), BARS),
        st.tuples(st.just("lacking"), st.tuples(st.integers(0, 9), st.integers(0, 30))),
        st.tuples(st.just("pass"), st.integers(0, 35)),
        st.tuples(st.just("doubt"), st.tuples(st.integers(-5, 30), st.integers(0, 20))),
        st.tuples(st.just("prove"), st.integers(0, 30)),
    ),
    max_size=25,
)


@given(STEPS)
@settings(max_examples=200, deadline=None)
def test_counts_are_those_of_the_plainest_way(steps: list[tuple[str, Any]]) -> None:
    ours, naive = Coverage(), Naive()
    ours.begin_day(DAY)
    doubts: tuple[Doubt, ...] = ()
    for what, how in steps:
        match what, how:
            case (("own" | "fetched"), [*pairs]):
                source = BarSource.TRADES if what == "own" else BarSource.BACKFILL
                once = list(dict.fromkeys(pairs))
                ours.take(batch([s for s, _ in once], [FIRST + m for _, m in once], source))
                for pair in once:
                    if what == "fetched":
                        naive.codes[pair] = c.FETCHED
                    elif naive.codes.get(pair) not in (c.FETCHED, c.LACKING):
                        naive.codes[pair] = c.OWN
            case "lacking", (int(slot), int(place)):
                ours.note(FIRST + place, np.array([slot]), c.LACKING)
                naive.codes[slot, place] = c.LACKING
            case "pass", int(place):
                ours.pass_by(FIRST + place, 10, doubts)
                naive.elapsed = max(naive.elapsed, place)
            case "doubt", (int(begin), int(length)):
                span = Doubt((FIRST + begin) * MINUTE_NS, (FIRST + begin + length) * MINUTE_NS, "")
                doubts = (*doubts, span)
                ours.doubt(doubts)
                naive.doubtful.update(range(max(begin, 0), max(begin + length, 0)))
            case "prove", int(place):
                ours.prove(FIRST + place)
                naive.proved.add(place)
    figures = ours.figures(10)
    told = np.stack(
        [figures.traded, figures.backfilled, figures.quiet, figures.missing, figures.unknown]
    )
    truth = np.zeros((c.KINDS, 10), np.int64)
    for slot in range(10):
        kinds = [naive.kind(slot, place) for place in range(naive.elapsed)]
        truth[:, slot] = np.bincount(kinds, minlength=c.KINDS)
        assert ours.kinds(slot).tolist() == kinds
    np.testing.assert_array_equal(told, truth)
    assert (told.sum(axis=0) == figures.elapsed).all()
    assert figures.elapsed == naive.elapsed


def test_what_changed_is_told_once_and_whole() -> None:
    ours = Coverage()
    ours.begin_day(DAY)
    ours.take(batch([0, 1], [FIRST, FIRST + 2], BarSource.TRADES))
    ours.pass_by(FIRST + 2, 2, ())
    assert [(m - FIRST, k.tolist()) for m, k in ours.take_changed(2)] == [
        (0, [c.TRADED, c.QUIET]),
        (1, [c.QUIET, c.QUIET]),
    ]
    ours.pass_by(FIRST + 3, 2, ())
    assert [(m - FIRST, k.tolist()) for m, k in ours.take_changed(2)] == [(2, [c.QUIET, c.TRADED])]
    assert ours.take_changed(2) == ()


def test_a_half_day_has_its_own_minutes() -> None:
    half = weekdays().day(date(2026, 7, 2))
    ours = Coverage()
    ours.begin_day(half)
    assert ours.minutes == 780
    ours.pass_by(half.post_end_ns // MINUTE_NS + 50, 1, ())
    assert ours.figures(1).elapsed == 780


@dataclass(frozen=True)
class Seeded:
    """A day with known holes: what we are given, what Databento has, and what is true of it."""

    path: Path
    bars: MinuteBars
    truth: dict[tuple[str, int], int]
    quiet: int


SYMBOLS = {f"S{number:02}": number for number in range(1, 13)}
NAMES = {number: symbol for symbol, number in SYMBOLS.items()}


def seeded(folder: Path, seed: int) -> Seeded:
    """Return a day in which minutes are lost whole, in half, and for single symbols."""
    rng = np.random.default_rng(seed)
    rows = []
    for minute in range(MINUTES):
        for number in range(1, 12):
            # The eleventh hardly trades, the twelfth never does.
            for _ in range(int(rng.poisson(0.05 if number == 11 else 1.2))):
                ns = (OPEN + minute) * MINUTE_NS + int(rng.integers(0, MINUTE_NS))
                rows.append((ns, number, float(rng.integers(900, 1100)) / 100, 7))
    rows.sort()
    # The file has to begin and end with a record that is there.
    whole = wire.trades(
        [(OPEN * MINUTE_NS, 1, 10.0, 7), *rows, ((OPEN + MINUTES) * MINUTE_NS, 1, 10.0, 7)]
    )
    official = bars_by_pandas(whole, NAMES)
    minute_of = whole["ts_recv"].astype(np.int64) // MINUTE_NS - OPEN
    lost = (minute_of >= 10) & (minute_of < 13)
    half = (whole["ts_recv"].astype(np.int64) >= (OPEN + 20) * MINUTE_NS + MINUTE_NS // 2) & (
        minute_of == 20
    )
    single = (whole["instrument_id"] == 3) & (minute_of >= 25) & (minute_of < 28)
    kept = whole[~(lost | half | single)]
    ours = bars_by_pandas(kept, NAMES)
    keys = sorted(official)
    changed = [key for key in keys if 30 <= key[1] - OPEN < 33]
    for place, key in enumerate(changed):
        # One field of each differs: volume, high, low, in turn.
        bar = official[key]
        official[key] = [
            bar[0], bar[1] + (place % 3 == 1) * 10**7, bar[2] - (place % 3 == 2) * 10**7, bar[3],
            bar[4] + (place % 3 == 0), *bar[5:],
        ]  # fmt: skip
    # One that cannot be taken over, and one that only we have.
    absurd = next(key for key in keys if key[1] - OPEN == 35)
    official[absurd][4] = 2**40
    surplus = next(key for key in keys if key[1] - OPEN == 36)
    del official[surplus]
    truth = {}
    for key in {*official, *ours}:
        if key == absurd:
            truth[key] = c.MISSING
        elif key in official and official[key][:5] != ours.get(key, [])[:5]:
            truth[key] = c.BACKFILLED
        else:
            truth[key] = c.TRADED
    spans = {s: [(date(2026, 6, 1), date(2026, 7, 31), n)] for s, n in SYMBOLS.items()}
    path = wire.write(folder / "day.trades.dbn", wire.metadata(None, mappings=spans), kept)
    return Seeded(path, _as_file(official), truth, MINUTES)


def _as_file(official: dict[tuple[str, int], list[int]]) -> MinuteBars:
    names = tuple(SYMBOLS)
    bars = np.zeros(len(official), MINUTE_DTYPE)
    ordered = sorted(official.items(), key=lambda item: item[0][1])
    for row, ((symbol, minute), values) in zip(bars, ordered, strict=True):
        row["symbol"], row["minute"] = names.index(symbol), minute
        for name, value in zip(("open", "high", "low", "close", "volume"), values, strict=False):
            row[name] = value
    return MinuteBars(names, bars)


@pytest.mark.parametrize("seed", range(6))
def test_every_verdict_of_a_day_with_holes_is_true(tmp_path: Path, seed: int) -> None:
    day = seeded(tmp_path, seed)
    played = play(day.path, verify=day.bars)
    market = played.engine._market
    for symbol in SYMBOLS:
        slot = market.symbols.find(symbol)
        assert slot is not None
        told = market.coverage.kinds(slot)[OPEN - FIRST :].tolist()
        want = [day.truth.get((symbol, OPEN + at), c.QUIET) for at in range(len(told))]
        assert told == want, symbol
        # Nothing is said of what was before the file.
        assert set(market.coverage.kinds(slot)[: OPEN - FIRST]) == {c.UNKNOWN}
    figures = played.snapshot.verification
    # What was healed is what Databento has, in the store too.
    truth = {(day.bars.names[b["symbol"]], int(b["minute"])): b for b in day.bars.bars}
    for key, kind in day.truth.items():
        if kind == c.BACKFILLED:
            bar = truth[key]
            fields = [int(bar[name]) for name in ("open", "high", "low", "close", "volume")]
            assert played.sink.bars[key][:5] == fields
    kinds = list(day.truth.values())
    assert figures.equal + figures.healed + figures.surplus + 1 == len(kinds)
    assert figures.surplus == 1
    assert figures.healed == kinds.count(c.BACKFILLED)


def test_the_same_bars_verify_as_equal(tmp_path: Path) -> None:
    day = seeded(tmp_path, 1)
    without = play(day.path)
    bars = _as_file(without.sink.bars)
    figures = play(day.path, verify=bars).snapshot.verification
    assert figures.equal == len(bars.bars)
    assert (figures.differing, figures.lacking, figures.surplus, figures.healed) == (0, 0, 0, 0)


def test_a_late_trade_is_waited_for_a_minute(tmp_path: Path) -> None:
    minute = OPEN * MINUTE_NS
    on_time = [(minute + 10**9 * at, 1, 10.0, 5) for at in range(1, 170, 7)]
    late = [(minute + 30 * 10**9, 1, 11.0, 9)]
    spans = {"S01": [(date(2026, 6, 1), date(2026, 7, 31), 1)]}
    rows = np.concatenate([wire.trades(on_time[:12]), wire.trades(late), wire.trades(on_time[12:])])
    path = wire.write(tmp_path / "x.dbn", wire.metadata(None, mappings=spans), rows)
    official = bars_by_pandas(np.sort(rows, order="ts_recv"), {1: "S01"})
    figures = play(path, verify=_as_file(official)).snapshot.verification
    assert figures.equal == len(official)
    assert figures.healed == 0


def test_a_file_of_bars_reads_back_as_it_was_written(tmp_path: Path) -> None:
    day = seeded(tmp_path, 2)
    played = play(day.path)
    bars = played.sink.bars
    slots = {name: slot for slot, name in enumerate(played.sink.names)}
    prices = np.array(list(bars.values()), np.int64).T
    nothing = np.zeros(len(bars), np.int64)
    rows = BarBatch(
        slot=np.array([slots[symbol] for symbol, _ in bars], np.int32),
        minute=np.array([minute for _, minute in bars], np.int64),
        open=prices[0], high=prices[1], low=prices[2], close=prices[3],
        volume=prices[4], trades=prices[5],
        notional_dollars=nothing, notional_nanos=nothing, first_ns=nothing, last_ns=nothing,
        source=np.zeros(len(bars), np.uint8),
    )  # fmt: skip
    path = tmp_path / "bars.dbn"
    write_bars(path, "EQUS.MINI", played.sink.names, rows, wire.DAY)
    found = read_bars(path)
    read = {
        (found.names[b["symbol"]], int(b["minute"])): [
            int(b[name]) for name in ("open", "high", "low", "close", "volume")
        ]
        for b in found.bars
    }
    assert read == {key: row[:5] for key, row in bars.items()}


def test_a_bar_with_a_doubtful_time_is_unknown_until_it_is_verified(tmp_path: Path) -> None:
    minute = OPEN * MINUTE_NS
    rows = wire.trades([(minute + 10**10 * at, 1, 10.0, 5) for at in range(1, 40)])
    rows["flags"][2] = 8
    spans = {"S01": [(date(2026, 6, 1), date(2026, 7, 31), 1)]}
    path = wire.write(tmp_path / "x.dbn", wire.metadata(None, mappings=spans), rows)

    def first_of(verify: MinuteBars | None) -> list[int]:
        kinds = play(path, verify=verify).engine._market.coverage.kinds(0)
        found: list[int] = kinds[OPEN - FIRST :][:2].tolist()
        return found

    assert first_of(None) == [c.UNKNOWN, c.TRADED]
    assert first_of(_as_file(bars_by_pandas(rows, {1: "S01"}))) == [c.TRADED, c.TRADED]


def test_of_a_symbol_without_a_name_nothing_is_known(tmp_path: Path) -> None:
    rows = wire.trades([(OPEN * MINUTE_NS + 10**10 * at, 77, 10.0, 5) for at in range(1, 40)])
    path = wire.write(tmp_path / "x.dbn", wire.metadata(None), rows)
    kinds = play(path).engine._market.coverage.kinds(0)
    assert set(kinds.tolist()) == {c.UNKNOWN}


def test_what_lies_between_files_is_unknown(tmp_path: Path) -> None:
    """A file is whole from its start to its last record; nothing is said of other minutes."""
    spans = {"S01": [(date(2026, 6, 1), date(2026, 7, 31), 1)]}

    def part(name: str, day: date, first: int, end: int) -> Path:
        rows = [(at(f"09:{minute:02}:05", day), 1, 10.0, 5) for minute in range(first, end)]
        start_ns = at(f"09:{first:02}:00", day)
        metadata = wire.metadata(None, mappings=spans, start_ns=start_ns)
        return wire.write(tmp_path / name, metadata, wire.trades(rows))

    second = date(2026, 6, 16)
    played = play(
        [part("a.dbn", wire.DAY, 30, 35), part("b.dbn", wire.DAY, 50, 55),
         part("c.dbn", second, 40, 45)]
    )  # fmt: skip
    told = {
        each.session_date: (int(each.traded[0]), int(each.quiet[0]), int(each.unknown[0]))
        for batch in played.sink.batches
        for each in batch.coverage
    }
    # The end of the last file passes the minute it ends in.
    assert told == {wire.DAY: (10, 0, 950), second: (5, 0, 340)}


def test_the_last_minute_before_closed_hours_is_compared_too(tmp_path: Path) -> None:
    days = [wire.DAY, date(2026, 6, 16)]
    rows = [(at(clock, day), 1, 10.0, 5) for day in days for clock in ("19:58:05", "19:59:05")]
    spans = {"S01": [(date(2026, 6, 1), date(2026, 7, 31), 1)]}
    path = wire.write(tmp_path / "x.dbn", wire.metadata(None, mappings=spans), wire.trades(rows))
    official = bars_by_pandas(wire.trades(rows), {1: "S01"})
    last = ("S01", at("19:59:00") // MINUTE_NS)
    official[last][4] = 50
    played = play(path, verify=_as_file(official))
    assert played.sink.bars[last][4] == 50


def test_a_late_trade_that_was_not_taken_yet_is_no_difference() -> None:
    market, begin_ns = Market(), OPEN * MINUTE_NS
    market.begin_day(DAY, begin_ns)
    ids = InstrumentIds()
    ids.assign([(1, market.slots(["S01"])[0])])

    def apply(rows: list[tuple[int, int, float, int]]) -> None:
        data = np.frombuffer(wire.trades(rows).tobytes(), np.uint8).copy()
        market.ctl[k.POSITION], market.ctl[k.END], market.ctl[k.FINAL] = 0, len(data), True
        market.consume(data, ids)

    def make_room() -> None:
        market.take_bars()

    apply([(begin_ns + 5 * 10**9, 1, 10.0, 5)])
    make_room()
    market.close_minute()
    market.close_bars(OPEN)
    apply([(begin_ns + 65 * 10**9, 1, 10.0, 5), (begin_ns + 30 * 10**9, 1, 11.0, 7)])
    verifier = Verifier(market, "them", make_room)
    market.close_minute()
    market.close_bars(OPEN + 1)
    verifier.add(np.array([[0, OPEN, 10**10, 11 * 10**9, 10**10, 11 * 10**9, 12]], np.int64))
    assert verifier.settle(OPEN) == []
    assert market.verification.equal == 1


def test_a_bar_that_is_healed_after_its_session_counts_in_it(tmp_path: Path) -> None:
    clocks = ("15:57:05", "15:58:05", "15:59:05", "16:05:05", "16:10:05")
    rows = wire.trades([(at(clock), 1, 10.0 + n, 5) for n, clock in enumerate(clocks)])
    spans = {"S01": [(date(2026, 6, 1), date(2026, 7, 31), 1)]}
    ours = np.delete(rows, 2)
    path = wire.write(tmp_path / "x.dbn", wire.metadata(None, mappings=spans), ours)
    played = play(path, verify=_as_file(bars_by_pandas(rows, {1: "S01"})))
    whole = play(wire.write(tmp_path / "y.dbn", wire.metadata(None, mappings=spans), rows))
    for name in ("volume", "high_day", "regular_close"):
        assert played.value(name, "S01") == whole.value(name, "S01"), name
    regular = played.snapshot.sessions[Session.REGULAR]
    assert (int(regular.volume[0]), float(regular.high[0])) == (15, 12.0)
