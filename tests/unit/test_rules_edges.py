"""Rules where something comes late, is switched off and on, or is gone back over."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path

import numpy as np
import pytest
import zstandard

from stockscan_tui.engine import seeking
from stockscan_tui.engine.core import Listener, Options, ReferenceData, Surroundings
from stockscan_tui.engine.replay import ReplayEngine
from stockscan_tui.engine.seeking import Seeking
from stockscan_tui.feed.dbn_file import DbnFile
from stockscan_tui.feed.reference import PreviousCloses
from stockscan_tui.market import image
from stockscan_tui.market import kernel as k
from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS, new_york_ns
from stockscan_tui.market.checkpoint import Place, freeze, thaw
from stockscan_tui.market.dbn import RType
from stockscan_tui.market.fired import Fired
from stockscan_tui.market.own import Own
from stockscan_tui.market.rule_memory import RuleMemory
from stockscan_tui.market.snapshot import Feed
from stockscan_tui.market.state import Market
from stockscan_tui.scan.expression import parse
from stockscan_tui.scan.gates import Gates
from stockscan_tui.scan.rules import Rule, Rules
from stockscan_tui.scan.rules.firing import fire
from tests import wire
from tests.moving import Moved, RestingClock
from tests.playing import ListSink, next_day, weekdays
from tests.rule_days import OnDisk, coarse, differences, play
from tests.rule_oracle import Stated, Want, wanted

OPEN_GATES = Gates("", "", "")
CLOSES = {"AAA": 10.0, "BBB": 20.0, "CCC": 40.0}
IDS = {name: number for number, name in enumerate(CLOSES, 1)}
SEEN = Rule("seen", when=parse("mark > 0"), rearm=parse("mark > 0"))


def at(text: str) -> int:
    """Return an instant of the day in New York, of `9:31` or `9:31:05.25`."""
    hour, minute, *second = text.split(":")
    whole = new_york_ns(wire.DAY, time(int(hour), int(minute)))
    return whole + round(float(second[0] if second else 0) * SECOND_NS)


def quotes(rows: Sequence[tuple[str, str, float]]) -> wire.Records:
    """Return records of (time, symbol, mark)."""
    return wire.quotes([(at(when), IDS[name], mark, mark) for when, name, mark in rows])


def prints(rows: Sequence[tuple[str, str, float]], size: int = 100) -> wire.Records:
    """Return trades of (time, symbol, price)."""
    return wire.rows_with_trade(
        wire.trades([(at(when), IDS[name], price, size) for when, name, price in rows])
    )


def in_order(*parts: wire.Records) -> wire.Records:
    rows: wire.Records = np.concatenate(parts)
    return rows[np.argsort(rows["ts_recv"], kind="stable")]


def every(seconds: int, begin: str, end: str, name: str, mark: float) -> wire.Records:
    """Return the same quote again and again."""
    times = range(at(begin), at(end), seconds * SECOND_NS)
    return wire.quotes([(ns, IDS[name], mark, mark) for ns in times])


@dataclass
class Played:
    """A replay that stands still until it is moved, and what it has told."""

    moved: Moved
    told: list[Fired]

    def to(self, when: str) -> list[tuple[str, str, str]]:
        """Go on, or back, to an instant; returns what had fired on the day by then."""
        return named(self.moved.to(at(when)).fired)

    def know(self, *rules: Rule) -> None:
        """Let other rules be watched from here on."""
        self.moved.engine.know_rules(Rules(rules))

    def end(self) -> list[tuple[str, str, str]]:
        """Stop, and return what was told."""
        self.moved.stop()
        return named(self.told)


def named(fired: Sequence[Fired]) -> list[tuple[str, str, str]]:
    """Return when which rules have fired for whom."""
    midnight = new_york_ns(wire.DAY, time(0))
    found = []
    for each in fired:
        seconds, ns = divmod(each.ts_ns - midnight, SECOND_NS)
        clock = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        found.append((clock + f"{ns / 1e9:.3f}"[1:] * (ns > 0), each.symbol, each.rule))
    return found


def opened(
    folder: Path,
    *parts: wire.Records | bytes,
    rules: Sequence[Rule],
    closes: Mapping[str, float] | None = CLOSES,
    start_at: time | None = None,
    own: Own | None = None,
    listeners: Sequence[Listener] = (),
) -> Played:
    """Open a file, paused before its first record, or at `start_at`."""
    number = len(list(folder.iterdir()))
    meta = wire.metadata("mbp-1", IDS, start_ns=at("4:00"))
    path = wire.write(folder / f"{number}.mbp-1.dbn", meta, *parts)
    images = folder / f"images-{number}"
    images.mkdir()
    told: list[Fired] = []
    sink, clock, moves = ListSink(), RestingClock(), Seeking(images)
    engine = ReplayEngine(
        [DbnFile(path)],
        Surroundings(
            calendar=weekdays(),
            closes=PreviousCloses(weekdays()),
            sink=sink,
            clock=clock,
            undated=closes,
        ),
        Options(
            Feed("REPLAY", "test", "EQUS.MINI", "mbp-1"),
            refresh_s=math.inf,
            behind_screen=True,
            rules=Rules(tuple(rules)),
            gates=OPEN_GATES,
            listeners=(*listeners, told.extend),
            own=own or Own(),
        ),
        speed=math.inf,
        start_at=start_at,
        seeking=moves,
    )
    engine.set_paused(True)
    engine.start()
    assert clock.resting.wait(60)
    return Played(Moved(engine, clock, sink, moves), told)


# --- the engine goes on --------------------------------------------------------------------------


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


def test_a_listener_that_raises_ends_nothing_and_is_told_of_once(tmp_path: Path) -> None:
    def broken(fired: Sequence[Fired]) -> None:
        raise LookupError(f"no {fired[0].symbol}")

    rows = in_order(every(10, "9:31", "9:35", "AAA", 10.0), every(10, "9:33", "9:35", "BBB", 20.0))
    played = opened(tmp_path, rows, rules=[SEEN], listeners=[broken])
    last = len(played.to("9:32")), len(played.to("9:34:30"))
    problems = played.moved.engine.health().problems
    assert len(played.end()) == last[1] > last[0] > 0
    assert len([problem for problem in problems if "LookupError" in problem]) == 1


# --- crossings -----------------------------------------------------------------------------------


def test_a_crossing_that_stands_twice_in_a_rule_fires_as_once(tmp_path: Path) -> None:
    """However many instants are evaluated together: a minute's at full speed, one at speed 1."""
    day = coarse(tmp_path, 51, 2_500, ((9, 28, 9, 33),))
    cross = "crosses_above(mark, vwap)"
    rules = [
        Rule("once", when=parse(f"{cross} and (trades > 20 or chg > 1)")),
        Rule("twice", when=parse(f"{cross} and trades > 20 or {cross} and chg > 1")),
        Rule("filter", when=parse(f"{cross} and trades > 20 or {cross} and chg > 1"),
             filter=parse(cross)),
        Rule("rearm", when=parse(f"{cross} and (trades > 20 or chg > 1)"),
             rearm=parse(f"{cross} or mark < vwap")),
    ]  # fmt: skip
    stated = [Stated(rule) for rule in rules]
    whole = by_rule(play(day, stated)[0])
    assert len(whole["once"]) > 20
    assert whole["twice"] == whole["filter"] == whole["once"]
    assert by_rule(play(day, stated, speed=1.0)[0]) == whole


def by_rule(fired: Sequence[Fired]) -> dict[str, list[tuple[int, str]]]:
    found: dict[str, list[tuple[int, str]]] = {}
    for each in fired:
        found.setdefault(each.rule, []).append((each.ts_ns, each.symbol))
    return found


# --- switched off and on -------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [
    Rule("far", when=parse("chg >= 3"), once_a_day=True),
    Rule("far", move=3.0, once_a_day=True),
], ids=["when", "move"])  # fmt: skip
def test_a_rule_that_fires_once_a_day_fires_once_however_often_it_is_switched(
    rule: Rule, tmp_path: Path
) -> None:
    rows = quotes([
        ("9:31", "AAA", 10.0), ("9:32", "AAA", 10.4), ("9:33", "AAA", 10.0),
        ("9:34", "BBB", 20.0), ("9:35", "AAA", 10.4), ("9:35", "BBB", 20.8),
        ("9:36", "AAA", 10.0), ("9:37", "BBB", 20.0),
    ])  # fmt: skip
    played = opened(tmp_path, rows, rules=[rule])
    played.to("9:33:10")
    played.know()
    played.to("9:34:10")
    played.know(rule)
    played.to("9:36:30")
    fired = [(name, each) for _, name, each in played.end()]
    assert fired == [("AAA", "far"), ("BBB", "far")]


@pytest.mark.parametrize("rule", [
    Rule("far", when=parse("chg >= 3"), cooldown_s=300),
    Rule("far", move=3.0, cooldown_s=300),
], ids=["when", "move"])  # fmt: skip
def test_a_cooldown_goes_on_while_a_rule_is_off(rule: Rule, tmp_path: Path) -> None:
    rows = quotes([
        ("9:31", "AAA", 10.0), ("9:32", "AAA", 10.4), ("9:33", "AAA", 10.0),
        ("9:34:30", "AAA", 10.0), ("9:35", "AAA", 10.4), ("9:35:30", "AAA", 10.0),
        ("9:38", "AAA", 10.4), ("9:39", "AAA", 10.4),
    ])  # fmt: skip
    played = opened(tmp_path, rows, rules=[rule])
    played.to("9:33:10")
    played.know()
    played.to("9:34:10")
    played.know(rule)
    played.to("9:38:30")
    second = 0 if rule.move else 1
    assert played.end() == [(f"9:{m}:0{second}", "AAA", "far") for m in (32, 38)]


def test_instants_of_before_a_rule_was_switched_off_are_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever was seen in the second in which it was is seen again afterwards."""
    monkeypatch.setattr(seeking, "SAVE_EVERY_NS", MINUTE_NS)
    rows = in_order(
        every(1, "9:31:00", "9:31:11", "AAA", 10.0),
        every(7, "9:32:00", "9:42", "BBB", 20.0),
        every(1, "9:40:03", "9:42", "AAA", 10.0),
    )
    played = opened(tmp_path, rows, rules=[SEEN])
    played.to("9:31:10.5")
    played.know()
    before = len(played.to("9:40:00.5"))
    played.know(SEEN)
    played.to("9:40:01")
    late = played.to("9:41")[before:]
    # Whoever it was true for then counts as fired: AAA is armed at 9:40:04, and fires after it.
    assert late[0] == ("9:40:05", "AAA", "seen")
    assert late == sorted(late)
    # An image of the time when nothing was watched.
    played.to("9:39:10")
    again = played.to("9:40:30")
    assert [each[0] for each in again if each[1] == "AAA" and each[0] > "9:32"][0] == "9:40:05"
    played.end()


# --- the leaderboard and watchlists --------------------------------------------------------------


def test_a_rule_for_the_leaderboard_fires_in_the_first_minute_of_a_session(tmp_path: Path) -> None:
    """And it is not for whom entered it later, once the replay is moved back."""
    rule = Rule("lead", when=parse("chg >= 20"), scope="toplist")
    rows = in_order(
        every(5, "9:27", "9:34", "BBB", 20.2),
        quotes([("9:28", "AAA", 11.0), ("9:30:00", "AAA", 11.0), ("9:30:07.5", "AAA", 12.5),
                ("9:30:30", "CCC", 60.0), ("9:31:20", "CCC", 60.1)]),
        prints([("9:27:30", "AAA", 11.0), ("9:27:30", "BBB", 20.2)]),
    )  # fmt: skip
    played = opened(tmp_path, rows, rules=[rule])
    assert played.to("9:30:40") == [("9:30:08", "AAA", "lead")]
    want = played.to("9:33")
    assert want == [("9:30:08", "AAA", "lead"), ("9:31:00", "CCC", "lead")]
    assert played.to("9:30:40") == want[:1]
    assert played.to("9:33") == want
    assert played.end() == want


def test_a_rule_for_a_watchlist_fires_from_the_first_record_on(tmp_path: Path) -> None:
    own = Own(frozenset({"AAA"}), {"few": frozenset({"BBB"})})
    rules = [
        Rule("own", when=parse("mark > 0"), scope="watchlist"),
        Rule("few", when=parse("mark > 0"), scope="watchlist:few"),
        Rule("move", move=3.0, once_a_day=True, scope="watchlist"),
        Rule("none", when=parse("mark > 0"), scope="watchlist:gone"),
    ]
    rows = quotes([("9:31:00", name, 1.1 * close) for name, close in CLOSES.items()]
                  + [("9:31:01", name, 1.1 * close) for name, close in CLOSES.items()]
                  + [("9:31:30", "AAA", 11.0)])  # fmt: skip
    played = opened(tmp_path, rows, rules=rules, own=own)
    played.to("9:31:20")
    assert played.end() == [
        ("9:31:00", "AAA", "move"),
        ("9:31:01", "AAA", "own"),
        ("9:31:01", "BBB", "few"),
    ]


# --- the same at any speed, and over moves --------------------------------------------------------


def test_a_short_sale_restriction_fires_at_its_own_second(tmp_path: Path) -> None:
    rows = in_order(
        prints([("9:31:05", "AAA", 10.0), ("9:31:40.5", "AAA", 9.0), ("9:31:50", "BBB", 20.0)]),
        every(5, "9:31", "9:33", "CCC", 40.0),
        quotes([("9:31:05", "AAA", 10.0), ("9:31:40", "AAA", 9.1)]),
    )
    rule = Rule("ssr", when=parse("ssr"))
    for stops in (["9:33"], ["9:31:06", "9:31:30", "9:31:41", "9:31:45", "9:33"]):
        played = opened(tmp_path, rows, rules=[rule])
        for stop in stops:
            played.to(stop)
        assert played.end() == [("9:31:41", "AAA", "ssr")]


def test_a_daily_bar_among_the_records_tells_moves_from_there_on(tmp_path: Path) -> None:
    before = weekdays().previous(wire.DAY)
    assert before is not None
    rules = [
        Rule("move", move=3.0, once_a_day=True),
        Rule("far", when=parse("chg >= 3"), once_a_day=True),
    ]
    # Twice its close looks like a split.
    head = quotes([("9:30:30", "CCC", 80.0), ("9:31", "BBB", 20.0), ("9:31:30", "AAA", 10.0)])
    tail = quotes([
        ("9:31:40", "CCC", 80.0), ("9:31:42", "AAA", 10.2), ("9:31:45", "AAA", 10.3),
        ("9:31:46", "BBB", 20.5), ("9:31:47", "BBB", 20.6), ("9:33", "BBB", 20.6),
    ])  # fmt: skip
    for closes in (None, {"BBB": 20.0}):
        played = opened(
            tmp_path, head, daily(before, {"AAA": 10.0, "BBB": 20.0, "CCC": 40.0}), tail,
            rules=rules, closes=closes,
        )  # fmt: skip
        played.to("9:32:30")
        assert sorted(played.end()) == [
            ("9:31:45", "AAA", "move"), ("9:31:46", "AAA", "far"),
            ("9:31:47", "BBB", "move"), ("9:31:48", "BBB", "far"),
        ]  # fmt: skip


def daily(day: date, closes: Mapping[str, float]) -> wire.Records:
    start_ns = new_york_ns(day, time(20)) // (24 * 60 * MINUTE_NS) * 24 * 60 * MINUTE_NS
    rows = [(start_ns, IDS[name], c, c, c, c, 1) for name, c in closes.items()]
    return wire.ohlcv(rows, rtype=RType.OHLCV_1D)


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


# --- what waits for a split, and what is damaged --------------------------------------------------


@pytest.mark.parametrize("rearm", ["", "chg < 1000"])
def test_what_waits_for_a_word_on_a_split_is_not_armed_again(rearm: str, tmp_path: Path) -> None:
    before = weekdays().previous(wire.DAY)
    assert before is not None
    rule = Rule("far", when=parse("chg >= 3"), rearm=parse(rearm) if rearm else None)
    rows = in_order(
        quotes([("9:31", "AAA", 10.4), ("9:31:02", "AAA", 10.4), ("9:33:10", "AAA", 10.4)]),
        every(5, "9:31", "9:33", "BBB", 20.0),
        every(10, "9:32:10", "9:32:40", "AAA", 10.4),
    )
    played = opened(tmp_path, rows, rules=[rule], closes=None)
    fired = []
    # Half of what it is looks like a split.
    for close, when in ((10.0, "9:32:05"), (5.0, "9:32:50"), (10.0, "9:33:30")):
        played.moved.engine.learn(ReferenceData(closes={before: {"AAA": close, "BBB": 20.0}}))
        fired = played.to(when)
    # With `rearm`, it was armed at 9:31:03, fired at 9:32, and is armed again after the wait.
    assert [each[0] for each in fired] == ["9:31:01", *["9:32:00", "9:33:11"] * bool(rearm)]
    played.end()


def test_damaged_memories_of_rules_are_refused_or_taken_and_break_nothing() -> None:
    market = Market(k.MARK_AUTO, capacity=16)
    market.slots([f"S{n}" for n in range(11)])
    day = weekdays().day(wire.DAY)
    market.begin_day(day, wire.OPEN_NS)
    market.ctl[k.CLOCK_NS] = wire.OPEN_NS
    memory = RuleMemory()
    memory.grow(11, 2)
    memory.last_ns[[2, 7]] = wire.OPEN_NS
    memory.disarmed[[2, 7]] = True
    memory.sides[1][:] = 1
    market.rule_memories = {"a\nmark > 1": memory, "b": RuleMemory(watched=True)}
    frozen = freeze(market, day, Place("mbp-1 of all", wire.OPEN_NS + MINUTE_NS, {}))
    assert thawed(frozen)
    raw = zstandard.ZstdDecompressor().decompress(frozen)
    size = int.from_bytes(raw[:8], "little")
    head = json.loads(raw[8 : 8 + size])
    tail = raw[8 + size :]
    fired_at = len(tail) - 2 * 11 - 2 * 2 * 8 - 2
    chance = random.Random(7)
    for _ in range(200):
        place = chance.randrange(fired_at, len(tail))
        bad = bytearray(tail)
        bad[place] ^= 1 << chance.randrange(8)
        thawed(packed(head, bytes(bad[: chance.choice((len(bad), place))])))
    slots = np.array([11, -1, 2**40])
    for slot in slots:
        bad = bytearray(tail)
        where = bytes(np.array([2, 7], np.int64))
        spot = tail.index(where)
        bad[spot : spot + 8] = np.int64(slot).tobytes()
        assert not thawed(packed(head, bytes(bad)))
    wrong: list[object] = [None, 3, {}, "x", [], -1, 10**12, 1.5, {"condition": 1}]
    for value in wrong:
        for name in ("condition", "count", "watched", "sides", "fired"):
            rules = [{**head["rules"][0], name: value}, head["rules"][1]]
            thawed(packed({**head, "rules": rules}, tail))
        thawed(packed({**head, "rules": [value]}, tail))
        thawed(packed({**head, "rules": value}, tail))
        thawed(packed({**head, "second_ns": value}, tail))


def packed(head: object, tail: bytes) -> bytes:
    told = json.dumps(head).encode()
    return zstandard.compress(len(told).to_bytes(8, "little") + told + tail)


def thawed(frozen: bytes) -> bool:
    return thaw(Market(k.MARK_AUTO, capacity=16), frozen, weekdays())
