"""Several simulated session dates in a row: their numbers, their prices, and their nights."""

from __future__ import annotations

import math
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from stockscan_tui.market.calendar import DAY_NS, MINUTE_NS, SECOND_NS, new_york_time, utc_date
from stockscan_tui.sim.day import DayPlan
from stockscan_tui.sim.demo import week_file
from stockscan_tui.sim.options import EventClock
from stockscan_tui.sim.tape import Tape
from stockscan_tui.sim.universe import make_universe
from stockscan_tui.sim.week import Sessions
from tests import wire
from tests.playing import play

# In winter the evening's last hour lies on the next UTC date.
DAYS = [date(2025, 12, 8), date(2025, 12, 9), date(2025, 12, 10)]
HOUR_NS = 60 * MINUTE_NS


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return week_file(tmp_path_factory.mktemp("week"), DAYS, seed=3, symbols=60, records=20_000)


def test_numbers_change_at_midnight_utc_and_the_symbols_stay(path: Path) -> None:
    tape = Tape.from_file(path)
    assert [utc_date(turn) for turn in tape.turns] == [day + timedelta(days=1) for day in DAYS]
    stream = tape.stream("mbp-1")
    assert stream is not None
    assert len(stream.records) == 60_000
    for epoch in range(4):
        begin, end = (stream.before(([0, *tape.turns, 2**62])[at]) for at in (epoch, epoch + 1))
        known = list(tape.symbols(epoch).values())
        assert np.isin(stream.records["instrument_id"][begin:end], known).all()
        assert epoch == 0 or tape.symbols(epoch) != tape.symbols(epoch - 1)
    played = play(path)
    assert played.outcome.health.unmapped == 0
    assert set(played.sink.names) <= set(tape.symbols(0))
    assert {new_york_time(minute * MINUTE_NS).date() for _, minute in played.sink.bars} == {*DAYS}


def test_a_session_begins_near_where_the_one_before_ended() -> None:
    universe = make_universe(3, 60)
    sessions = Sessions(universe, [DayPlan(day, 20_000) for day in DAYS], 3)
    for _ in sessions.rows():
        pass
    assert list(sessions.closes) == DAYS
    first, last = sessions.closes[DAYS[0]], sessions.closes[DAYS[2]]
    assert (first != universe.prev_close).any()
    assert 0.5 < np.median(last / first) < 2


def test_a_number_that_a_symbol_had_before_can_come_back(tmp_path: Path) -> None:
    days = [wire.DAY + timedelta(days=n) for n in range(4)]
    spans = {"S1": [(days[n], days[n + 1], number) for n, number in enumerate((1, 9, 1))]}
    rows = wire.random_rows(1, 10, 1, minutes=1)
    tape = Tape.from_file(wire.write(tmp_path / "x.dbn", wire.metadata(mappings=spans), rows))
    assert [tape.symbols(epoch) for epoch in range(3)] == [{"S1": 1}, {"S1": 9}, {"S1": 1}]


def test_only_the_nights_pass_quickly(path: Path) -> None:
    tape = Tape.from_file(path)
    nights = tape.silences(2 * HOUR_NS)
    assert len(nights) == 2
    assert all(7 * HOUR_NS < end - begin < 9 * HOUR_NS for begin, end in nights)
    now_s = [0.0]
    clock = EventClock(tape.first_ns, tape.last_ns, 600.0, nights, 5.0, lambda: now_s[0])
    clock.start()
    seen = []
    for tenth in range(3_400):
        now_s[0] = tenth / 10
        seen.append(clock.now_ns())
    steps = np.diff(seen)
    assert (steps > 0).all()
    quick = steps > 1.5 * 60 * SECOND_NS
    assert 95 <= quick.sum() <= 104
    slow = np.array(seen[:-1])[~quick]
    assert all(not ((slow > begin + DAY_NS // 200) & (slow < end - DAY_NS // 200)).any()
               for begin, end in nights)  # fmt: skip
    # One that starts anew within a night goes on from there.
    middle = sum(nights[0]) // 2
    later = EventClock(middle, tape.last_ns, 600.0, nights, 5.0, lambda: now_s[0])
    assert later.now_ns() == middle
    later.start()
    now_s[0] += 5.0
    assert later.now_ns() == pytest.approx(nights[0][1], abs=SECOND_NS)
    assert not math.isinf(later.due_ns())
