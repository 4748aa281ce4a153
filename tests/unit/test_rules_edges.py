"""Rules whose values come late, that are switched off and on, or that wait."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Mapping, Sequence
from datetime import date, time
from pathlib import Path

import numpy as np
import pytest
import zstandard

from stockscan_tui.engine import seeking
from stockscan_tui.engine.core import ReferenceData
from stockscan_tui.engine.replay import ReplayEngine
from stockscan_tui.market import kernel as k
from stockscan_tui.market.calendar import MINUTE_NS, new_york_ns
from stockscan_tui.market.checkpoint import Place, freeze, thaw
from stockscan_tui.market.dbn import RType
from stockscan_tui.market.fired import Fired
from stockscan_tui.market.rule_memory import RuleMemory
from stockscan_tui.market.state import Market
from stockscan_tui.market.user_data import Own
from stockscan_tui.scan.expression import parse
from stockscan_tui.scan.rules import Rule
from tests import rule_steps, wire
from tests.playing import weekdays
from tests.rule_days import coarse, play
from tests.rule_oracle import Stated
from tests.rule_steps import (
    CLOSES,
    IDS,
    SEEN,
    at,
    every,
    in_order,
    opened,
    prints,
    quotes,
)

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
    assert any(each[1] == "AAA" and "9:40:03" < each[0] <= "9:40:06" for each in again)
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


def test_a_move_rule_for_all_is_for_a_symbol_that_is_new_whatever_others_are_for(
    tmp_path: Path,
) -> None:
    """One with a filter is for it from the next close on, at which it is looked at."""
    every_one = Rule("move", move=3.0, once_a_day=True)
    some = Rule("some", move=2.0, once_a_day=True, filter=parse("mark > 20"))
    new = wire.quotes([(at(when), 9, 20.9, 20.9) for when in ("9:31:10", "9:31:20", "9:32:20")])
    rows = in_order(every(5, "9:31", "9:33", "AAA", 10.0), new)
    for rules in ([every_one], [every_one, some]):
        played = opened(tmp_path, rows, rules=rules, closes={**CLOSES, "#9": 20.0})
        played.to("9:33")
        found = played.end()
        assert found[0] == ("9:31:10", "#9", "move")
        assert found[1:] == [("9:32:20", "#9", "some")] * (len(rules) > 1)


def test_a_move_rule_is_not_for_all_because_there_is_no_symbol_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As live, where changes are against previous closes from the beginning on.
    monkeypatch.setattr(ReplayEngine, "_closes_known", lambda _: True)
    monkeypatch.setattr(rule_steps, "IDS", {})
    rules = [
        Rule("dear", move=2.0, once_a_day=True, filter=parse("mark > 20")),
        Rule("own", move=2.0, once_a_day=True, scope="watchlist"),
        Rule("cheap", move=2.0, once_a_day=True, filter=parse("mark < 20")),
    ]
    times = ("9:31:10", "9:31:20", "9:32:20")
    rows = wire.quotes([(at(when), 9, 10.9, 10.9) for when in times])
    played = opened(tmp_path, rows, rules=rules, closes={"#9": 10.0})
    played.to("9:33")
    assert played.end() == [("9:32:20", "#9", "cheap")]


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
    want = [
        ("9:31:45", "AAA", "move"), ("9:31:46", "AAA", "far"),
        ("9:31:47", "BBB", "move"), ("9:31:48", "BBB", "far"),
    ]  # fmt: skip
    for closes, watched in itertools.product((None, {"BBB": 20.0}), (rules, rules[:1], rules[1:])):
        bars = daily(before, {"AAA": 10.0, "BBB": 20.0, "CCC": 40.0})
        played = opened(tmp_path, head, bars, tail, rules=watched, closes=closes)
        played.to("9:32:30")
        names = {rule.name for rule in watched}
        assert sorted(played.end()) == [each for each in want if each[2] in names]


def daily(day: date, closes: Mapping[str, float]) -> wire.Records:
    start_ns = new_york_ns(day, time(20)) // (24 * 60 * MINUTE_NS) * 24 * 60 * MINUTE_NS
    rows = [(start_ns, IDS[name], c, c, c, c, 1) for name, c in closes.items()]
    return wire.ohlcv(rows, rtype=RType.OHLCV_1D)


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
