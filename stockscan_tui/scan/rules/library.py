"""The rules that are shipped; all are off until rules.toml switches them on.

New highs and breaks are crossings: a symbol that stands there from the first look on has not come
there, and does not fire. What counts in a window counts the minute that goes on, too.
"""

from __future__ import annotations

from dataclasses import replace

from stockscan_tui.market.calendar import Session
from stockscan_tui.scan.expression import parse
from stockscan_tui.scan.rules.rule import Priority, Rule

_REGULAR = frozenset({Session.REGULAR})
_SHARES = "not warrant and not unit and not right"
_ACTIVE = f"trades >= 50 and dvol >= 100k and {_SHARES}"
_MOVED = f"trades >= 20 and dvol >= 100k and {_SHARES}"
_MINUTE_S = 60.0


def _rule(
    name: str,
    when: str,
    doc: str,
    *,
    filter: str = _ACTIVE,  # noqa: A002
    rearm: str = "",
    minutes: float = 15,
    regular: bool = True,
    once: bool = False,
    priority: Priority = Priority.NORMAL,
) -> Rule:
    rule = Rule(
        name,
        parse(when),
        filter=parse(filter),
        rearm=parse(rearm) if rearm else None,
        cooldown_s=0.0 if once else minutes * _MINUTE_S,
        once_a_day=once,
        priority=priority,
        enabled=False,
        doc=doc,
        shipped=True,
    )
    return replace(rule, sessions=_REGULAR) if regular else rule


def _move(name: str, percent: int, priority: Priority) -> Rule:
    return Rule(
        name,
        move=float(percent),
        filter=parse(_MOVED),
        once_a_day=True,
        priority=priority,
        enabled=False,
        doc=f"The mark is {percent} % or more from the previous close, either way; on the very "
        "record that takes it there, once a day.",
        shipped=True,
    )


def _opening_range(minutes: int) -> tuple[Rule, Rule]:
    up = (
        f"The mark rises over the high of the first {minutes} minutes of regular hours; once a day."
    )
    down = (
        f"The mark falls under the low of the first {minutes} minutes of regular hours; once a day."
    )
    return (
        _rule(f"opening range breakout {minutes}",
              f"crosses_above(mark, or_high({minutes}m))", up, once=True),
        _rule(f"opening range breakdown {minutes}",
              f"crosses_below(mark, or_low({minutes}m))", down, once=True),
    )  # fmt: skip


_MOVES = (
    _move("move", 3, Priority.LOW),
    _move("move 5", 5, Priority.NORMAL),
    _move("move 10", 10, Priority.HIGH),
    _move("move 20", 20, Priority.HIGH),
    _rule("gap up", "gap >= 4 and minutes_open 0..30",
          "It opens 4 % or more over the previous close; in the first half hour.",
          filter=_MOVED, once=True),
    _rule("gap down", "gap <= -4 and minutes_open 0..30",
          "It opens 4 % or more under the previous close; in the first half hour.",
          filter=_MOVED, once=True),
    _rule("running up", "chg(5m) >= 3 and dvol(5m) >= 50k and trades(5m) >= 20",
          "The mark is 3 % or more over that of five minutes ago, on 20 trades and $50k since; "
          "again after it was under 1.5 %.",
          filter=_SHARES, rearm="chg(5m) < 1.5", regular=False),
    _rule("running down", "chg(5m) <= -3 and dvol(5m) >= 50k and trades(5m) >= 20",
          "The mark is 3 % or more under that of five minutes ago, on 20 trades and $50k since; "
          "again after it was over −1.5 %.",
          filter=_SHARES, rearm="chg(5m) > -1.5", regular=False),
)  # fmt: skip

_VOLUMES = (
    _rule("volume spike 2",
          "volume(1m) >= 3 * (volume(3m) - volume(1m)) and volume(3m) > volume(1m) "
          "and minutes_open >= 4",
          "The last finished minute and the one that goes on have together three times the volume "
          "of the two minutes before them, or more, all of regular hours; on 20 trades and $50k.",
          filter=f"trades(1m) >= 20 and dvol(1m) >= 50k and {_ACTIVE}"),
    _rule("volume spike 10", "bar_rvol >= 5 and minutes_open >= 11",
          "The last finished minute has five times the mean volume of the ten minutes before it, "
          "or more, all of regular hours; on 20 trades and $50k; again after it was under twice.",
          filter=f"trades(1m) >= 20 and dvol(1m) >= 50k and {_ACTIVE}", rearm="bar_rvol < 2"),
    _rule("relative volume", "rvol >= 3",
          "Today's volume is three times what is usual by this time of day, or more; once a day.",
          regular=False, once=True),
)  # fmt: skip

_EXTREMES = (
    _rule("new high", "crosses_above(high(5m) * 1.0000001, high(day))",
          "A trade makes the day's high (pre-market counts) after five minutes or more in which "
          "none did; a run of new highs fires once."),
    _rule("new low", "crosses_below(low(5m) * 0.9999999, low(day))",
          "A trade makes the day's low (pre-market counts) after five minutes or more in which "
          "none did; a run of new lows fires once."),
    _rule("pre-market high", "crosses_above(high(regular), high(pre))",
          "The high of regular hours rises over that of pre-market, having been under it; not by "
          "the first trade, and once a day.", once=True),
    _rule("pre-market low", "crosses_below(low(regular), low(pre))",
          "The low of regular hours falls under that of pre-market, having been over it; not by "
          "the first trade, and once a day.", once=True),
    _rule("near high", "crosses_above(hod_pct(day), -0.5) and range_pct(day) >= 3",
          "The mark comes within 0.5 % of the day's high, which is 3 % or more over the low; again "
          "after it was 2 % away.", rearm="hod_pct(day) < -2", minutes=30),
    _rule("near low", "crosses_below(lod_pct(day), 0.5) and range_pct(day) >= 3",
          "The mark comes within 0.5 % of the day's low, which is 3 % or more under the high; "
          "again after it was 2 % away.", rearm="lod_pct(day) > 2", minutes=30),
)  # fmt: skip

_RANGES = (*_opening_range(5), *_opening_range(15), *_opening_range(30))

_VWAPS = (
    _rule("vwap cross up", "crosses_above(mark, vwap) and minutes_open >= 5",
          "The mark rises over vwap, from five minutes after the open on; again after it was "
          "0.25 % under it.", rearm="vwap_pct <= -0.25"),
    _rule("vwap cross down", "crosses_below(mark, vwap) and minutes_open >= 5",
          "The mark falls under vwap, from five minutes after the open on; again after it was "
          "0.25 % over it.", rearm="vwap_pct >= 0.25"),
    _rule("vwap reject",
          "high(5m) >= vwap * 0.999 and high(15m) <= vwap * 1.001 and vwap_pct <= -0.5 "
          "and minutes_open >= 15",
          "From below it came within 0.1 % of vwap in the last five minutes and is 0.5 % or more "
          "under it again, no trade of 15 minutes having been 0.1 % over it; again after it was "
          "near once more.", rearm="vwap_pct >= -0.1"),
    _rule("vwap hold",
          "low(5m) <= vwap * 1.001 and low(15m) >= vwap * 0.999 and vwap_pct >= 0.5 "
          "and minutes_open >= 15",
          "From above it came within 0.1 % of vwap in the last five minutes and is 0.5 % or more "
          "over it again, no trade of 15 minutes having been 0.1 % under it; again after it was "
          "near once more.", rearm="vwap_pct <= 0.1"),
)  # fmt: skip

_TRENDS = (
    _rule("ema cross up", "crosses_above(ema(9), ema(20))",
          "The exponential average of 9 one-minute closes rises over that of 20."),
    _rule("ema cross down", "crosses_below(ema(9), ema(20))",
          "The exponential average of 9 one-minute closes falls under that of 20."),
    _rule("rsi high", "rsi(14) >= 70",
          "The relative strength index of 14 one-minute bars is 70 or more; again after it was "
          "under 60.", rearm="rsi(14) < 60"),
    _rule("rsi low", "rsi(14) <= 30",
          "The relative strength index of 14 one-minute bars is 30 or less; again after it was "
          "over 40.", rearm="rsi(14) > 40"),
    _rule("bars up", "streak >= 5 and range_pct(5m) >= 0.5",
          "Five minute bars in a row or more closed higher than the one before, over a range of "
          "0.5 % or more."),
    _rule("bars down", "streak <= -5 and range_pct(5m) >= 0.5",
          "Five minute bars in a row or more closed lower than the one before, over a range of "
          "0.5 % or more."),
    _rule("halt", "halt",
          "Twenty trades or more in five minutes, then neither trade nor quote for 60 s in regular "
          "hours while the feed is whole: probably halted.",
          filter=_SHARES, minutes=5, priority=Priority.HIGH),
    _rule("resume", "resumed",
          "It trades or quotes again after such a silence, within ten minutes.",
          filter=_SHARES, minutes=5, priority=Priority.HIGH),
)  # fmt: skip

# Those that a demo shows.
DEMO = ("move 5", "running up", "running down", "halt", "resume")
LIBRARY: tuple[Rule, ...] = (*_MOVES, *_VOLUMES, *_EXTREMES, *_RANGES, *_VWAPS, *_TRENDS)
