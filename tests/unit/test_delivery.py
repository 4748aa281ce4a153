"""What is told of alerts, and when: limits, storms, digests, mutes."""

from __future__ import annotations

import threading
import tracemalloc
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from stockscan_tui.clock import SystemClock
from stockscan_tui.delivery import Courier, Notice
from stockscan_tui.delivery.judge import Desk, Place
from stockscan_tui.delivery.mutes import Mutes
from stockscan_tui.delivery.parcel import Parcel
from stockscan_tui.market.calendar import SECOND_NS
from stockscan_tui.market.fired import Fired, packed
from stockscan_tui.market.vitals import Trouble
from stockscan_tui.scan.rules import Priority, Rule, Rules

# 10:31:07 in New York.
AT_NS = int(datetime(2026, 11, 20, 15, 31, 7, tzinfo=UTC).timestamp()) * SECOND_NS
DAY_NS = 86_400 * SECOND_NS
MOVE = Rule("move", move=3.0)
ALL = Rule("all", move=3.0, deliver=("toast", "bell", "desktop", "sound", "phone"))


def fired(symbol: str = "NVDA", rule: str = "move", after_s: float = 0.0) -> Fired:
    return Fired(AT_NS + int(after_s * SECOND_NS), symbol, rule, 181.2, packed([("chg", 3.4)]))


def many(count: int, rule: str = "move") -> list[Fired]:
    return [fired(f"S{number}", rule) for number in range(count)]


@dataclass
class Outlet:
    """Keeps what is handed out, and until when a toast stands by its id."""

    now_ns: int = 1_000 * SECOND_NS
    until_ns: dict[str, int] = field(default_factory=dict)
    shown: list[Notice] = field(default_factory=list)
    sent: list[tuple[str, Parcel]] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)

    def show(self, notice: Notice) -> None:
        self.shown.append(notice)
        if notice.kind not in {"bell", "desktop"}:
            self.until_ns[notice.id] = self.now_ns + round(notice.seconds * SECOND_NS)

    def send(self, channel: str, parcel: Parcel) -> None:
        self.sent.append((channel, parcel))

    def drop(self, channel: str, count: int) -> None:
        self.dropped[channel] += count

    def kinds(self) -> Counter[str]:
        return Counter(notice.kind for notice in self.shown)

    def of(self, *kinds: str) -> list[Notice]:
        return [notice for notice in self.shown if notice.kind in kinds]

    def standing(self) -> list[str]:
        """What stands as long as nothing has run out: the last text of each."""
        toasts = self.of("toast", "storm", "digest", "trouble")
        return list({notice.id: notice.text for notice in toasts}.values())

    def lines(self, channel: str) -> list[str]:
        return [parcel.message for name, parcel in self.sent if name == channel]


class Bench:
    """A desk with an outlet and a time that the test moves on."""

    def __init__(self, *rules: Rule, place: Place | None = None) -> None:
        self.outlet = Outlet()
        self.mutes = Mutes()
        self.desk = Desk(self.outlet, self.mutes, place or Place(notifies=True))
        self.desk.know(Rules(rules or (MOVE, ALL)))

    @property
    def now_ns(self) -> int:
        return self.outlet.now_ns

    def take(self, *alerts: Fired) -> Outlet:
        self.desk.take(self.now_ns, alerts)
        return self.outlet

    def pass_s(self, seconds: float) -> Outlet:
        """Go on, stopping wherever something is due."""
        end_ns = self.now_ns + int(seconds * SECOND_NS)
        while (due_ns := self.desk.due_ns) is not None and due_ns <= end_ns:
            self.outlet.now_ns = max(self.now_ns, due_ns)
            self.desk.tick(self.now_ns)
        self.outlet.now_ns = end_ns
        return self.outlet


def test_an_alert_is_told_by_the_channels_of_its_rule_alone() -> None:
    outlet = Bench().take(fired())
    assert outlet.kinds() == {"toast": 1, "bell": 1}
    assert not outlet.sent
    toast = outlet.of("toast")[0]
    assert (toast.title, toast.rule, toast.symbol, toast.seconds) == ("move", "move", "NVDA", 5.0)
    outlet = Bench().take(fired(rule="all"))
    assert outlet.kinds() == {"toast": 1, "bell": 1, "desktop": 1}
    assert [name for name, _ in outlet.sent] == ["sound", "phone"]


def test_three_toasts_stand_and_count_the_others_until_they_are_gone() -> None:
    bench = Bench()
    outlet = bench.take(*many(10))
    assert len(outlet.standing()) == 3
    assert outlet.standing()[2].endswith(" · and 7 more")
    assert outlet.of("toast")[-1].count == 8
    assert outlet.dropped["toast"] == 7
    bench.pass_s(5.1)
    bench.take(fired("LATER"))
    assert outlet.of("toast")[-1].text.startswith("LATER")
    assert "more" not in outlet.of("toast")[-1].text


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.floats(0, 7), st.lists(st.sampled_from(["move", "all", "halt", "late", "down"]))
        ),
        max_size=12,
    )
)
def test_never_more_than_three_toasts_stand(
    steps: list[tuple[float, list[str]]],
) -> None:
    bench = Bench(MOVE, ALL, replace(MOVE, name="halt", priority=Priority.HIGH))
    until_ns = bench.outlet.until_ns
    for after_s, kinds in steps:
        bench.pass_s(after_s)
        bench.desk.take(bench.now_ns, [fired(f"S{n}", kind) for n, kind in enumerate(kinds)])
        if "late" in kinds:
            bench.take(replace(fired(), late=True))
        if "down" in kinds:
            bench.desk.trouble(bench.now_ns, [Trouble("down", "It is down.", "It is up.")], [])
        assert sum(end_ns > bench.now_ns for end_ns in until_ns.values()) <= 3


def test_what_matters_more_takes_the_place_of_what_matters_less() -> None:
    urgent = replace(MOVE, name="halt", priority=Priority.HIGH)
    bench = Bench(MOVE, urgent)
    bench.take(*many(3))
    outlet = bench.take(fired("BIG", "halt"))
    assert len(outlet.standing()) == 3
    assert [text for text in outlet.standing() if text.startswith("BIG")] == [
        text for text in outlet.standing() if text.endswith("and 1 more")
    ]


def test_bell_and_sound_come_each_five_seconds_and_the_desktop_each_fifteen() -> None:
    bench = Bench()
    for number in range(40):
        bench.take(fired(f"S{number}", "all"))
        bench.pass_s(1.0)
    outlet = bench.pass_s(15.0)
    assert outlet.kinds()["bell"] == 8
    assert len(outlet.lines("sound")) == 8
    assert outlet.dropped["bell"] == outlet.dropped["sound"] == 32
    desktop = outlet.of("desktop")
    assert [notice.count for notice in desktop] == [1, 14, 15, 10]
    assert desktop[1].text.startswith("S14 ")
    assert desktop[1].text.endswith(" · and 13 more")
    assert len(outlet.lines("phone")) == 40


def test_ten_firings_of_a_rule_are_no_storm_and_eleven_are() -> None:
    bench = Bench()
    assert not bench.take(*many(10)).of("storm")
    storm = bench.take(fired("LAST")).of("storm")
    assert [notice.text for notice in storm] == ["move: 11 symbols"]
    spread = Bench()
    for number in range(30):
        spread.take(fired(f"S{number}"))
        spread.pass_s(0.5)
    assert not spread.outlet.of("storm")


def test_a_storm_is_one_line_that_grows_in_place() -> None:
    bench = Bench()
    for part in range(4):
        bench.take(*(fired(f"S{part}-{n}", "all") for n in range(50)))
        bench.pass_s(0.5)
    bench.take(*(fired(f"T{n}", "all") for n in range(14)))
    outlet = bench.pass_s(6.0)
    storm = outlet.of("storm")
    assert storm[-1].text == "all: 214 symbols"
    assert {notice.id for notice in storm} == {storm[0].id}
    assert not outlet.of("toast")
    # The outside hears of it when it begins and when it is over.
    assert outlet.lines("phone") == ["all: 50 symbols", "all: 214 symbols"]
    assert [parcel.count for name, parcel in outlet.sent if name == "phone"] == [50, 164]
    outlet = bench.take(fired("ALONE", "all"))
    assert outlet.of("toast")[-1].text.startswith("ALONE")


def test_a_storm_takes_the_places_of_its_own_alerts() -> None:
    bench = Bench()
    for number in range(11):
        bench.take(fired(f"S{number}"))
    assert [text for text in bench.outlet.standing() if "symbols" in text] == ["move: 11 symbols"]
    assert len(bench.outlet.standing()) == 3


def test_one_symbol_alone_makes_no_storm_of_symbols() -> None:
    bench = Bench()
    outlet = bench.take(*(fired(after_s=n) for n in range(12)))
    assert outlet.of("storm")[0].text == "move: 12 × NVDA"


def test_late_alerts_become_one_digest_without_sound_or_programs() -> None:
    bench = Bench()
    late = [replace(fired(f"S{n}", "all", -1740 + 12 * n), late=True) for n in range(37)]
    for alert in late:
        bench.take(alert)
        bench.pass_s(0.1)
    outlet = bench.pass_s(20)
    assert outlet.standing() == ["37 alerts while the feed was away, 10:02–10:09"]
    assert outlet.kinds() == {"digest": 1, "desktop": 1}
    assert not outlet.sent
    bench.take(late[0])
    assert bench.pass_s(3).standing()[-1] == "1 alert while the feed was away, 10:02"


def test_gated_muted_and_switched_off_alerts_are_not_told() -> None:
    off = replace(MOVE, name="off", enabled=False)
    bench = Bench(MOVE, ALL, off)
    bench.mutes.mute_symbol("NVDA", on=True)
    bench.mutes.mute_rule("all", on=True)
    outlet = bench.take(
        fired(),
        fired("AMD", "all"),
        replace(fired("AMD"), gated=True),
        replace(fired(), late=True),
        fired("AMD", "off"),
        fired("AMD", "gone"),
    )
    assert not bench.pass_s(30).shown
    assert not outlet.sent
    bench.mutes.mute_symbol("NVDA", on=False)
    assert bench.take(fired()).kinds()["toast"] == 1


def test_mutes_last_until_the_next_date() -> None:
    bench = Bench()
    bench.mutes.mute_symbol("NVDA", on=True)
    bench.mutes.mute_rule("all", on=True)
    bench.take(fired("AMD"))
    assert bench.mutes.muted() == (frozenset({"NVDA"}), frozenset({"all"}))
    bench.take(replace(fired(), ts_ns=AT_NS + DAY_NS))
    assert bench.mutes.muted() == (frozenset(), frozenset())
    assert [notice.symbol for notice in bench.outlet.of("toast")] == ["AMD", "NVDA"]


def test_troubles_of_the_feed_are_told_above_all_when_they_begin_and_when_they_end() -> None:
    bench = Bench()
    down = Trouble("down", "The feed is down\x1b[2J.", "The feed is back.")
    bench.take(*many(3))
    bench.pass_s(1)
    bench.desk.trouble(bench.now_ns, [down], [])
    said = bench.outlet.of("trouble")[-1]
    assert said.text.startswith("The feed is down�[2J.")
    assert said.priority is Priority.HIGH
    bench.pass_s(20)
    bench.desk.trouble(bench.now_ns, [], [down])
    outlet = bench.pass_s(20)
    assert outlet.of("trouble")[-1].text == "The feed is back."
    assert [notice.text for notice in outlet.of("desktop")] == [
        "The feed is down�[2J.",
        "The feed is back.",
    ]


def test_a_simulated_market_says_so_wherever_it_is_told() -> None:
    bench = Bench(place=Place(notifies=True, simulated=True))
    outlet = bench.take(fired(rule="all"))
    toast, desktop = outlet.of("toast")[0], outlet.of("desktop")[0]
    assert "SIMULATED" in toast.title
    assert desktop.text.startswith("SIMULATED NVDA")
    assert outlet.lines("phone")[0].startswith("SIMULATED NVDA")
    assert outlet.sent[-1][1].fill("{symbol}: {message}").startswith("NVDA: SIMULATED NVDA")


def test_without_a_screen_only_the_outside_is_told() -> None:
    bench = Bench(place=Place(screen=False, notifies=True))
    outlet = bench.take(fired(rule="all"))
    assert not outlet.shown
    assert {name for name, _ in outlet.sent} == {"sound", "phone", "desktop"}


def test_a_terminal_without_a_sequence_is_notified_by_a_program() -> None:
    outlet = Bench(place=Place()).take(fired(rule="all"))
    assert not outlet.of("desktop")
    assert "desktop" in {name for name, _ in outlet.sent}


def test_hostile_names_are_harmless_wherever_they_are_shown() -> None:
    evil = "A\x1b]0;x\x07\u202e\n"
    rule = replace(ALL, name=f"r{evil}")
    outlet = Bench(rule).take(fired(evil, rule.name))
    for notice in outlet.shown:
        assert (notice.title + notice.text).isprintable()
    assert outlet.lines("phone")[0].isprintable()


def test_a_hundred_thousand_alerts_cost_their_taker_nothing_and_are_one_line() -> None:
    alerts = [tuple(many(1000, "all")) for _ in range(100)]
    grown = threading.Event()

    def notify(notice: Notice) -> None:
        if notice.kind == "storm" and "1,000 symbols" in notice.text:
            grown.set()

    rules = Rules((ALL,))
    courier = Courier(rules, SystemClock(), notify, environ={})
    try:
        tracemalloc.start()
        for batch in alerts:
            courier.take(batch)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
        tracemalloc.stop()
        assert grown.wait(20)
    finally:
        courier.close()


def test_a_notice_that_cannot_be_shown_ends_nothing() -> None:
    told = threading.Event()

    def notify(notice: Notice) -> None:
        if notice.symbol == "BAD":
            raise RuntimeError("the screen is gone")
        told.set()

    with_toasts = Rules((replace(MOVE, deliver=("toast",)),))
    courier = Courier(with_toasts, SystemClock(), notify, environ={})
    try:
        courier.take([fired("BAD")])
        courier.take([fired("GOOD")])
        assert told.wait(20)
        assert courier.status()[0].failed == 1
    finally:
        courier.close()
        courier.take([fired()])
