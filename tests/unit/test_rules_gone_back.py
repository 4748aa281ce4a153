"""Rules of a replay that goes back to before what it knows, and the engine that goes on."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import time
from pathlib import Path

import numpy as np
import pytest

from stockscan_tui.engine import seeking
from stockscan_tui.engine.warming import Warming
from stockscan_tui.market import image
from stockscan_tui.market import kernel as k
from stockscan_tui.market.calendar import MINUTE_NS
from stockscan_tui.market.fired import Fired
from stockscan_tui.market.state import Market
from stockscan_tui.scan.expression import parse
from stockscan_tui.scan.rules import Rule
from tests import wire
from tests.playing import weekdays
from tests.rule_steps import (
    CLOSES,
    SEEN,
    at,
    every,
    in_order,
    opened,
    prints,
    quotes,
)


def numbers(first: int, count: int, begin: str, end: str) -> wire.Records:
    """Return quotes of ids that no symbol is known of."""
    times = np.linspace(at(begin), at(end), count).astype(np.int64).tolist()
    return wire.quotes([(ns, first + n, 5.0, 5.0) for n, ns in enumerate(times)])


def test_a_replay_goes_back_to_before_symbols_came(tmp_path: Path) -> None:
    rows = in_order(
        every(7, "9:31", "9:40", "AAA", 10.0),
        # At half its close it looks like a split from its first mark on.
        every(1, "9:36:10", "9:40", "BBB", 10.0),
        numbers(100, 50, "9:36", "9:38"),
    )
    straight = opened(tmp_path, rows, rules=[SEEN])
    want = [straight.to(when) for when in ("9:36:12.5", "9:38:30", "9:39:30")]
    straight.end()
    moved = opened(tmp_path, rows, rules=[SEEN])
    moved.to("9:38:30")
    assert moved.to("9:31:30") == [each for each in want[0] if each[0] <= "9:31:30"]
    assert [moved.to(when) for when in ("9:36:12.5", "9:38:30", "9:39:30")] == want
    assert moved.end() == want[-1]
    assert {name for _, name, _ in want[-1]} == {"AAA", *(f"#{n}" for n in range(100, 150))}


def test_a_market_put_back_to_a_smaller_capacity_grows_and_is_put_on_again() -> None:
    """What an image leaves out holds every symbol of whatever image follows."""
    market = Market(k.MARK_AUTO, capacity=4)
    market.begin_day(weekdays().day(wire.DAY), wire.OPEN_NS)
    pieces = image.Pieces()
    small = taken(market, pieces)
    market.slots([f"S{n}" for n in range(20)])
    large = taken(market, pieces)
    assert market.capacity == 32
    put_back(market, small)
    assert market.capacity == 4
    market.slots([f"S{n}" for n in range(7)])
    assert market.capacity == 8
    put_back(market, large)
    market.slots([f"S{n}" for n in range(20)])
    roomy(market)
    market.slots([f"S{n}" for n in range(40)])
    roomy(market)


def taken(market: Market, pieces: image.Pieces) -> tuple[bytes, list[bytes]]:
    made = image.take(market, None, pieces)
    return made.head, [bytes(array) for array in made.arrays]


def put_back(market: Market, made: tuple[bytes, list[bytes]]) -> None:
    head, arrays = made

    def piece(number: int) -> image.Piece:
        raise AssertionError(number)

    image.restore(market, head, [memoryview(bytearray(array)) for array in arrays], piece, [])


def roomy(market: Market) -> None:
    """See that the compiled loops write to nothing that is not there."""
    capacity = market.capacity
    assert capacity >= market.count
    assert min(map(len, (market.touched, market.dirty, market.seen))) >= capacity
    assert len(market.levels) >= capacity * k.LEVEL_WIDTH
    assert len(market.instants) >= 3 * capacity * k.INSTANT_WIDTH
    assert len(market.instants) % k.INSTANT_WIDTH == 0


def test_a_listener_that_raises_ends_nothing_and_is_told_of_once(tmp_path: Path) -> None:
    def broken(fired: Sequence[Fired]) -> None:
        raise LookupError(f"no {fired[0].symbol}")

    rows = in_order(every(10, "9:31", "9:35", "AAA", 10.0), every(10, "9:33", "9:35", "BBB", 20.0))
    played = opened(tmp_path, rows, rules=[SEEN], listeners=[broken])
    last = len(played.to("9:32")), len(played.to("9:34:30"))
    problems = played.moved.engine.health().problems
    assert len(played.end()) == last[1] > last[0] > 0
    assert len([problem for problem in problems if "LookupError" in problem]) == 1


@pytest.mark.parametrize("start", [time(9, 32), time(9, 32, 20)])
def test_a_replay_that_starts_later_has_the_same_rules_after_it_was_before(
    start: time, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seeking, "SAVE_EVERY_NS", MINUTE_NS)
    rules = [
        SEEN,
        Rule("far", when=parse("chg >= 3"), cooldown_s=30),
        Rule("move", move=3.0, once_a_day=True),
        Rule("swing", move=3.0, cooldown_s=30),
        Rule("cross", when=parse("crosses_above(chg, 3)")),
        Rule("few", when=parse("alerts < 20 and mark > 0"), rearm=parse("mark > 0"), cooldown_s=7),
    ]
    rng = random.Random(5)
    rows = in_order(*(
        quotes([(f"9:{31 + second // 60}:{second % 60}", name, close * rng.choice((1, 1.02, 1.04)))
                for second in range(rng.randrange(5), 300, 5)])
        for name, close in CLOSES.items()
    ))  # fmt: skip
    stops = ("9:32:20", "9:32:40", "9:33:20", "9:35:30")
    straight = opened(tmp_path, rows, rules=rules, start_at=start)
    want = {stop: straight.to(stop) for stop in stops}
    told = straight.end()
    assert {rule for _, _, rule in told} == {rule.name for rule in rules}
    moved = opened(tmp_path, rows, rules=rules, start_at=start)
    for stop in ("9:33:20", "9:31:30", "9:32:20", "9:31:40", "9:32:40", "9:31:20", "9:35:30",
                 "9:31:10", "9:33:20", "9:32:20", "9:35:30"):  # fmt: skip
        assert moved.to(stop) == want.get(stop, []), stop
    assert moved.end() == told


@pytest.fixture
def slow_warming(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no indicator be ready before somebody waits for it."""
    waited: set[Warming] = set()
    wait = Warming.wait

    def wait_for(warming: Warming) -> None:
        wait(warming)
        waited.add(warming)

    monkeypatch.setattr(Warming, "wait", wait_for)
    monkeypatch.setattr(Warming, "ready", property(lambda warming: warming in waited))


def walk(seed: int) -> wire.Records:
    """Return prints of all symbols every ten seconds, at prices that wander."""
    rng = random.Random(seed)
    marks, rows = dict(CLOSES), []
    for second in range(0, 600, 10):
        for name in CLOSES:
            marks[name] *= 1 + rng.uniform(-0.01, 0.01)
            rows.append((f"9:{31 + second // 60}:{second % 60}", name, round(marks[name], 2)))
    return prints(rows)


@pytest.mark.usefixtures("slow_warming")
def test_rules_of_indicators_fire_the_same_however_long_those_take(tmp_path: Path) -> None:
    rules = [
        Rule("up", when=parse("rsi(2) > 60"), cooldown_s=20),
        Rule("cross", when=parse("crosses_above(ema(3), ema(2))")),
    ]
    rows = walk(3)
    straight = opened(tmp_path, rows, rules=rules)
    want = straight.to("9:40:30")
    straight.end()
    assert {rule for _, _, rule in want} == {"up", "cross"}
    moved = opened(tmp_path, rows, rules=rules)
    # By way of the beginning, and over closes of minutes at which nobody stops.
    for stop in ("9:36:30", "9:35:30", "9:40:30", "9:37:10"):
        assert moved.to(stop) == [each for each in want if each[0] <= stop]
    moved.end()


@pytest.mark.usefixtures("slow_warming")
def test_a_rule_of_an_indicator_that_is_new_in_a_replay_fires_for_nobody_it_is_true_for(
    tmp_path: Path,
) -> None:
    times = [f"9:{31 + n // 6}:{n % 6 * 10}" for n in range(60)]
    rising = prints([(when, "AAA", 10 + n / 100) for n, when in enumerate(times)])
    turning = prints([(when, "BBB", 20 + abs(35 - n) / 50) for n, when in enumerate(times)])
    rows = in_order(rising, turning)
    played = opened(tmp_path, rows, rules=[])
    played.to("9:35:30")
    played.know(Rule("up", when=parse("rsi(2) > 60"), once_a_day=True))
    played.to("9:40:30")
    # BBB turns at 9:36:50; a minute of gains after one of losses makes 50.
    assert played.end() == [("9:39:00", "BBB", "up")]
