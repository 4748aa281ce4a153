"""Live rules where closes, volumes and indicators come late, and over restarts without them."""

from __future__ import annotations

import math
import os
import random
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, time, timedelta
from pathlib import Path

import numpy as np
import pytest

from stockscan_tui.engine.core import Options, ReferenceData, StoredCloses, Surroundings
from stockscan_tui.engine.live import NEWS_WAIT_NS, LiveEngine, Saved
from stockscan_tui.engine.warming import StoredMinutes
from stockscan_tui.feed.pipe import Pipe
from stockscan_tui.feed.reference import PreviousCloses
from stockscan_tui.feed.stream import Stream
from stockscan_tui.market import kernel as k
from stockscan_tui.market.batch import Batch
from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS, new_york_ns
from stockscan_tui.market.checkpoint import read_header
from stockscan_tui.market.fired import Fired
from stockscan_tui.market.minutes import MinuteBars
from stockscan_tui.market.snapshot import MOST_FIRED, Feed, Snapshot
from stockscan_tui.market.user_data import Own
from stockscan_tui.scan.expression import parse
from stockscan_tui.scan.rules import Rule, Rules
from tests import wire
from tests.e2e.test_live_restart import stored
from tests.e2e.test_rules_restart import each_once, fired_in
from tests.playing import ListSink, weekdays
from tests.rule_days import COARSE, EVERY, STATED, coarse
from tests.rule_steps import CLOSES, IDS, OPEN_GATES, at

BEFORE = weekdays().previous(wire.DAY) or date.min


class StepClock:
    """A clock that a test sets, and that says when the engine has nothing to do."""

    def __init__(self, wall_ns: int) -> None:
        self.resting = threading.Event()
        self.passed_ns = 1
        self.start_ns = wall_ns

    def now_ns(self) -> int:
        self.passed_ns += 1_000
        return self.passed_ns

    def wall_ns(self) -> int:
        return self.start_ns + self.passed_ns

    def wait(self, event: threading.Event, timeout_s: float) -> None:
        self.resting.set()
        event.wait()


@dataclass
class Life:
    """A live engine that is fed by hand, and rests in between."""

    engine: LiveEngine
    clock: StepClock
    sink: ListSink
    pipe: Pipe
    told: list[Fired] = field(default_factory=list)

    def take(self, *parts: wire.Records | bytes, size: int = 1 << 16) -> None:
        """Let records come, so many bytes at once, and wait until they are applied."""
        data = wire.joined(*parts)
        for begin in range(0, len(data), size):
            piece = data[begin : begin + size]
            room = self.pipe.room()
            assert room is not None
            room[: len(piece)] = piece
            self.clock.resting.clear()
            self.pipe.wrote(len(piece))
            self.rest()

    def learn(self, **news: object) -> None:
        """Let reference data come."""
        self.clock.resting.clear()
        self.engine.learn(ReferenceData(**news))  # type: ignore[arg-type]
        self.rest()

    def know(self, *rules: Rule) -> None:
        """Let other rules be watched."""
        self.clock.resting.clear()
        self.engine.know_rules(Rules(rules))
        self.rest()

    def rest(self) -> None:
        while not self.clock.resting.wait(1):
            self.engine.outcome()
            assert self.engine.running

    def end(self) -> Snapshot:
        """Stop, and return the last picture."""
        self.engine.stop()
        assert self.engine.join(30)
        self.engine.outcome()
        picture = self.engine.snapshot()
        assert picture is not None
        return picture

    @property
    def fired(self) -> list[tuple[str, str]]:
        """For whom which rules have fired."""
        return [(each.symbol, each.rule) for each in self.told]


def life(
    rules: Sequence[Rule],
    ids: Mapping[str, int],
    *,
    saved: Saved | None = None,
    sink: ListSink | None = None,
    awaits: bool = False,
    kept: Iterable[Fired] | None = None,
    stored_minutes: StoredMinutes | None = None,
    stored_closes: StoredCloses | None = None,
    wall_ns: int = 0,
    own: Own | None = None,
) -> Life:
    """Begin to capture: what comes is the present."""
    sink, told = sink or ListSink(), list[Fired]()
    clock, stream = StepClock(wall_ns or wire.OPEN_NS), Stream("mbp-1")
    before = list(kept) if kept is not None else []

    def counts(begin_ns: int, end_ns: int) -> tuple[dict[str, int], dict[str, int]]:
        found = [each for each in before if begin_ns <= each.ts_ns < end_ns]
        by_symbol, by_rule = dict[str, int](), dict[str, int]()
        for each in found:
            by_symbol[each.symbol] = by_symbol.get(each.symbol, 0) + 1
            by_rule[each.rule] = by_rule.get(each.rule, 0) + 1
        return by_symbol, by_rule

    def last(begin_ns: int, end_ns: int) -> list[Fired]:
        return [each for each in before if begin_ns <= each.ts_ns < end_ns][-MOST_FIRED:]

    engine = LiveEngine(
        [stream],
        Surroundings(
            calendar=weekdays(),
            closes=PreviousCloses(weekdays()),
            sink=sink,
            clock=clock,
            stored_minutes=stored_minutes,
            stored_closes=stored_closes,
            stored_alerts=counts if kept is not None else None,
            stored_fired=last if kept is not None else None,
        ),
        Options(
            Feed("LIVE", "test", "EQUS.MINI", "mbp-1"),
            refresh_s=math.inf,
            save_s=1e-9,
            rules=Rules(tuple(rules)),
            gates=OPEN_GATES,
            listeners=(told.extend,),
            own=own or Own(),
        ),
        saved=saved,
    )
    if awaits:
        engine.await_news()
    pipe = stream.new_pipe()
    made = Life(engine, clock, sink, pipe, told)
    engine.start()
    made.rest()
    clock.resting.clear()
    pipe.begin(3, ts_out=False)
    made.rest()
    made.take(*(wire.mapping_record(number, name) for name, number in ids.items()))
    return made


def quotes(when: str, **marks: float) -> wire.Records:
    return wire.quotes([(at(when), IDS[name], mark, mark) for name, mark in marks.items()])


def prints(when: str, size: int, **prices: float) -> wire.Records:
    rows = [(at(when), IDS[name], price, size) for name, price in prices.items()]
    return wire.rows_with_trade(wire.trades(rows))


FAR = (
    Rule("far", when=parse("chg >= 3")),
    Rule("move", move=3.0, cooldown_s=1),
    Rule("last", move=3.0, price="last", once_a_day=True),
    Rule("both", when=parse("mark > 1"), filter=parse("abs(chg) >= 3")),
)


# --- closes and volumes ---------------------------------------------------------------------------


@pytest.mark.parametrize("begin", ["4:00", "9:31"])
@pytest.mark.parametrize("wait", ["awaited", "given up", "unawaited"])
def test_closes_that_come_late_fire_nobody_for_whom_a_rule_is_true_by_then(
    begin: str, wait: str
) -> None:
    """Who crosses afterwards fires."""
    hour, minute = (int(part) for part in begin.split(":"))
    clock = [f"{hour}:{minute + n:02}" for n in range(7)]
    run = life(FAR, IDS, awaits=wait != "unawaited")
    run.take(prints(f"{clock[0]}:10", 100, AAA=11.0, BBB=20.0, CCC=44.0))
    run.take(quotes(f"{clock[1]}:10", AAA=11.0, BBB=20.0, CCC=44.0))
    if wait == "given up":
        run.clock.passed_ns += NEWS_WAIT_NS
    run.take(quotes(f"{clock[2]}:10", AAA=11.0, BBB=20.0, CCC=44.0))
    run.learn(closes={BEFORE: CLOSES})
    run.take(prints(f"{clock[3]}:10", 100, AAA=11.0, BBB=20.0, CCC=44.0))
    run.take(quotes(f"{clock[3]}:20", AAA=11.0, BBB=20.0, CCC=44.0))
    run.take(quotes(f"{clock[4]}:10", AAA=11.0, BBB=20.0, CCC=40.0))
    assert run.fired == []
    run.take(prints(f"{clock[5]}:10", 100, AAA=11.0, BBB=21.0, CCC=40.0))
    run.take(quotes(f"{clock[5]}:20", AAA=11.0, BBB=21.0, CCC=44.0))
    run.take(quotes(f"{clock[6]}:10", AAA=11.0, BBB=21.0, CCC=44.0))
    run.end()
    every = {("BBB", rule.name) for rule in FAR}
    again = {("CCC", "far"), ("CCC", "move"), ("CCC", "both")}
    assert len(run.fired) == len(set(run.fired))
    assert set(run.fired) == every | again


def test_volumes_that_come_late_fire_nobody_for_whom_a_rule_is_true_by_then() -> None:
    rules = [Rule("busy", when=parse("rvol >= 2"))]
    run = life(rules, IDS, awaits=True)
    few = [prints(f"9:31:{n}", 1_000, AAA=10.0, BBB=20.0) for n in range(1, 31)]
    run.take(*few)
    run.learn(closes={BEFORE: CLOSES})
    run.take(quotes("9:32:10", AAA=10.0, BBB=20.0))
    run.take(quotes("9:32:20", AAA=10.0, BBB=20.0))
    run.learn(volumes={"AAA": 10_000.0, "BBB": 10_000_000.0})
    run.take(quotes("9:32:30", AAA=10.0, BBB=20.0))
    run.take(quotes("9:33:10", AAA=10.0, BBB=20.0))
    assert run.fired == []
    run.take(prints("9:33:20", 2_000_000, BBB=20.0))
    run.take(quotes("9:34:10", AAA=10.0, BBB=20.0))
    run.end()
    assert run.fired == [("BBB", "busy")]


# --- indicators -----------------------------------------------------------------------------------


def rising(before_minute: int, symbols: Sequence[str]) -> Iterator[MinuteBars]:
    """Return bars of two hours before, in which all but CCC rise."""
    count = len(symbols)
    slope = np.array([-0.01 if name == "CCC" else 0.01 for name in symbols])
    base = np.array([CLOSES[name] for name in symbols])
    for minute in range(before_minute - 120, before_minute):
        close = base * (1 + slope * (minute - before_minute) / 120)
        lots = np.full(count, 100, np.int64)
        slot = np.arange(count, dtype=np.int32)
        yield MinuteBars(minute, slot, close, close, close, close, lots, lots, close * 100)


def test_a_rule_whose_indicator_is_warmed_late_does_not_fire_for_whom_it_is_true_by_then() -> None:
    """Be it known from the start or in the day's middle."""
    go_on = threading.Event()

    def slow(before_minute: int, symbols: Sequence[str]) -> Iterator[MinuteBars]:
        assert go_on.wait(30)
        yield from rising(before_minute, symbols)

    first, later = Rule("high", when=parse("rsi(14) > 60")), Rule("up", when=parse("rsi(10) > 60"))
    run = life([first], IDS, stored_minutes=slow)
    for minute in range(31, 34):
        run.take(prints(f"9:{minute}:10", 100, AAA=10.5, BBB=20.5, CCC=39.0))
        assert run.fired == []
    go_on.set()
    warmed(run)
    for minute in range(34, 36):
        run.take(prints(f"9:{minute}:10", 100, AAA=10.5, BBB=20.5, CCC=38.0))
    go_on.clear()
    run.know(first, later)
    for minute in range(36, 38):
        run.take(prints(f"9:{minute}:10", 100, AAA=10.5, BBB=20.5, CCC=37.0))
    assert run.fired == []
    go_on.set()
    warmed(run)
    run.take(prints("9:38:10", 100, AAA=10.6, BBB=10.0, CCC=80.0))
    run.take(prints("9:39:10", 100, AAA=10.6, BBB=10.0, CCC=80.0))
    run.take(prints("9:40:10", 100, AAA=10.6, BBB=40.0, CCC=80.0))
    run.take(prints("9:41:10", 100, AAA=10.6, BBB=40.0, CCC=80.0))
    run.end()
    # CCC had been low; BBB went down and came back.
    assert run.fired[:2] == [("CCC", "high"), ("CCC", "up")]
    assert all(name in ("BBB", "CCC") for name, _ in run.fired)


def warmed(run: Life) -> None:
    """Wait until what is being warmed is ready to be taken over."""
    warming = run.engine._warming
    if warming is not None:
        warming.wait()


# --- restarts -------------------------------------------------------------------------------------

RULES = (
    *(each.rule for each in (*STATED, *EVERY)),
    Rule("strength", when=parse("rsi(14) > 55 and trades > 20"), cooldown_s=30),
    Rule("weakness", when=parse("rsi(14) < 45 or rsi(5) < 30"), rearm=parse("rsi(5) > 40")),
    Rule("busy", when=parse("rvol > 2"), rearm=parse("rvol < 3")),
    Rule("lead", when=parse("abs(chg) > 2"), scope="toplist", cooldown_s=20),
    Rule("own", when=parse("crosses_above(mark, vwap) or chg > 3 and crosses_above(mark, vwap)"),
         scope="watchlist"),
    Rule("own move", move=2.5, rearm_move=1.0, scope="watchlist:few"),
    # For whom it is changes within minutes, and is looked at when they close.
    Rule("some move", move=1.5, rearm_move=0.5, cooldown_s=3, filter=parse("chg(1m) > 0.4")),
    Rule("short", when=parse("ssr"), once_a_day=True),
    Rule("first ones", when=parse("alerts < 40"), rearm=parse("trades > 0"), cooldown_s=9),
)  # fmt: skip


@pytest.mark.parametrize("seed", range(int(os.environ.get("STOCKSCAN_RESTARTS", "3"))))
def test_restarts_without_closes_in_regular_hours_fire_what_a_straight_run_does(
    seed: int, tmp_path: Path
) -> None:
    """Closes and volumes are told some time after each start; what is stored of them is worse.

    The long form is for the hand: STOCKSCAN_RESTARTS=50.
    """
    chance = random.Random(f"late {seed}")
    day = coarse(tmp_path, 60 + seed, 4_000, ((9, 28, 9, 56),)).material
    rows = day.records
    rows["publisher_id"] = 95
    news = {"closes": {BEFORE: dict(day.closes)}, "volumes": dict(day.average)}
    own = Own(frozenset({"AAA", "CCC"}), {"few": frozenset({"BBB", "EEE"})})

    def worse(_before: date, _oldest: date) -> dict[str, tuple[float, date, bool]]:
        return {name: (close * 1.02, BEFORE, False) for name, close in day.closes.items()}

    straight = life(RULES, COARSE, awaits=True, own=own, kept=(), stored_closes=worse)
    straight.learn(**news)
    straight.take(rows)
    want = straight.end()
    assert {"strength", "weakness", "busy", "lead", "own", "own move", "some move"} <= {
        each.rule for each in straight.told
    }
    held, saved, kept = ListSink(), None, list[Fired]()
    marks: dict[int, bytes] = {}
    begin = 0
    for part in range(7):
        end = len(rows) if part == 6 else min(begin + chance.randrange(200, 900), len(rows))
        sink = ListSink(bars=dict(held.bars), spans=dict(held.spans))
        run = life(
            RULES, COARSE, awaits=True, own=own, saved=saved, sink=sink, kept=kept,
            stored_closes=worse,
        )  # fmt: skip
        told_at = begin if not begin else chance.randint(begin, end)
        run.take(rows[begin:told_at], size=4_000)
        run.learn(**news)
        run.take(rows[told_at:end], size=4_000)
        got = run.end()
        # It ends, or is killed after whatever batch was the last to be stored.
        whole = [at for at, batch in enumerate(sink.batches) if watches(batch)]
        batches = sink.batches[: whole[-1] + 1 if part == 6 else chance.choice(whole) + 1]
        kept += fired_in(batches)
        saved, held = stored(held, batches)
        for batch in batches:
            marks |= dict(batch.checkpoint.marks if batch.checkpoint is not None else ())
        saved = replace(saved, marks=list(marks.values()))
        begin = applied(saved, rows)
    assert begin == len(rows)
    assert each_once(kept) == each_once(straight.told)
    assert len(kept) == len(straight.told)
    assert got.fired_by_rule == want.fired_by_rule
    assert got.alerts.tolist() == want.alerts.tolist()
    assert got.fired == want.fired
    assert max(want.fired_by_rule.values()) > MOST_FIRED


def watches(batch: Batch) -> bool:
    """Whether a batch has a state in which rules were watched."""
    header = read_header(batch.checkpoint.state) if batch.checkpoint is not None else None
    return header is not None and bool(header.rules)


def applied(saved: Saved, rows: wire.Records) -> int:
    """Return how many of the rows had been applied to what was saved."""
    header = read_header(saved.state)
    assert header is not None
    (mark,) = (mark for mark in header.watermarks if mark[k.MARK_NS])
    first = np.searchsorted(rows["ts_recv"], np.uint64(mark[k.MARK_NS]))
    return int(first) + int(mark[k.MARK_COUNT])


def test_a_run_that_ended_before_rules_were_watched_leaves_that_to_the_next() -> None:
    first = life(FAR, IDS, awaits=True)
    first.take(quotes("9:31:10", AAA=11.0, BBB=20.0, CCC=40.0))
    first.end()
    saved, held = stored(ListSink(), first.sink.batches)
    second = life(FAR, IDS, awaits=True, saved=saved, sink=held)
    second.take(quotes("9:31:20", AAA=11.0, BBB=20.0, CCC=40.0))
    second.take(quotes("9:32:10", AAA=11.0, BBB=20.0, CCC=40.0))
    second.learn(closes={BEFORE: CLOSES})
    second.take(quotes("9:33:10", AAA=11.0, BBB=20.0, CCC=44.0))
    second.take(quotes("9:33:20", AAA=11.0, BBB=20.0, CCC=44.0))
    second.take(quotes("9:34:10", AAA=11.0, BBB=20.0, CCC=44.0))
    second.end()
    assert set(second.fired) == {("CCC", "far"), ("CCC", "move"), ("CCC", "both")}


def test_what_another_day_left_does_not_begin_rules() -> None:
    """By the clock it is the next day, at ten."""
    following = wire.DAY + timedelta(days=1)
    next_ns = new_york_ns(following, time(10))
    first = life(FAR, IDS, awaits=True)
    first.learn(closes={BEFORE: CLOSES})
    first.take(prints("9:31:10", 100, AAA=10.0, BBB=20.0, CCC=40.0))
    first.take(quotes("9:33:10", AAA=10.0, BBB=20.0, CCC=40.0))
    first.end()
    saved, held = stored(ListSink(), first.sink.batches)
    second = life(FAR, IDS, saved=saved, sink=held, wall_ns=next_ns)
    assert not second.engine._alerting.begun
    second.learn(closes={wire.DAY: CLOSES})
    for minute in range(3):
        ns = next_ns + minute * MINUTE_NS
        second.take(wire.quotes([(ns + n, IDS[name], 1.1 * close, 1.1 * close)
                                 for n, (name, close) in enumerate(CLOSES.items())]))  # fmt: skip
    assert second.engine._alerting._watched
    assert second.fired == []
    ns = next_ns + 3 * MINUTE_NS
    second.take(wire.quotes([(ns, IDS["AAA"], 10.0, 10.0), (ns + 2 * SECOND_NS, 1, 11.0, 11.0),
                             (ns + 4 * SECOND_NS, 1, 11.0, 11.0)]))  # fmt: skip
    second.take(wire.quotes([(ns + MINUTE_NS, 2, 22.0, 22.0)]))
    second.end()
    assert set(second.fired) == {("AAA", "far"), ("AAA", "move"), ("AAA", "both")}
