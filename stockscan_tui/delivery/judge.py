"""Decides what is told of alerts and when: which toasts stand, what is joined, what is a storm.

The courier's thread owns it; times are of the monotonic clock, passed in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from stockscan_tui.delivery.digest import Digest
from stockscan_tui.delivery.mutes import Mutes
from stockscan_tui.delivery.notice import Kind, Notice
from stockscan_tui.delivery.parcel import SIMULATED, Parcel
from stockscan_tui.delivery.spacing import Joined, Spacing, urgency
from stockscan_tui.delivery.storm import Storm, Storms
from stockscan_tui.delivery.toasts import Toasts
from stockscan_tui.market.fired import Fired
from stockscan_tui.market.text import printable
from stockscan_tui.market.vitals import Trouble
from stockscan_tui.scan.rules import Priority, Rule, Rules

BELL_EVERY_S = 5.0
SOUND_EVERY_S = 5.0
DESKTOP_EVERY_S = 15.0
# The channels that are not of the user's own making.
BUILT_IN = ("toast", "bell", "desktop", "sound")
_FEED = Rule("feed", deliver=("toast", "bell", "desktop"), priority=Priority.HIGH)
_AWAY = Rule("late alerts")
_NONE = Fired(0, "", "", math.nan)


class Outlet(Protocol):
    """Where what was decided goes; none of it may block."""

    def show(self, notice: Notice) -> None:
        """Show, ring or write a notice."""
        ...

    def send(self, channel: str, parcel: Parcel) -> None:
        """Hand something to a channel; one that there is not is passed over."""
        ...

    def drop(self, channel: str, count: int) -> None:
        """Take note of what a limit kept back."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where a trader sits.

    Attributes:
        screen: Whether there is one that shows toasts and rings.
        notifies: Whether its terminal notifies the desktop by itself.
        simulated: Whether the market is a simulated one.
    """

    screen: bool = True
    notifies: bool = False
    simulated: bool = False


class Desk:
    """Takes alerts and hands out what is told.

    Args:
        outlet: Where it goes.
        mutes: What is told of no alert.
        place: Where it is told.
    """

    def __init__(self, outlet: Outlet, mutes: Mutes, place: Place) -> None:
        self._outlet = outlet
        self._mutes = mutes
        self._place = place
        self._rules: dict[str, Rule] = {}
        self._storms = Storms()
        self._digest = Digest()
        self._toasts = Toasts()
        self._desktop = Joined(DESKTOP_EVERY_S)
        self._bell = Spacing(BELL_EVERY_S)
        self._sound = Spacing(SOUND_EVERY_S)
        self._numbered = 0

    def know(self, rules: Rules) -> None:
        """Go by other rules from now on; any thread."""
        self._rules = {rule.name: rule for rule in rules.watched}

    @property
    def due_ns(self) -> int | None:
        """Return when `tick` has something to do, None for not before the next alert."""
        dues = (self._storms.due_ns, self._digest.due_ns, self._desktop.due_ns)
        return min((due for due in dues if due is not None), default=None)

    def take(self, now_ns: int, alerts: Sequence[Fired]) -> None:
        """Tell alerts, oldest first; those of a rule that is gone or off are not told."""
        self._end_storms(now_ns)
        toasts: list[Notice] = []
        for rule, found in self._sorted(now_ns, alerts):
            self._sound_for(now_ns, Parcel(rule, found[-1], simulated=self._place.simulated))
            known = self._storms.goes_on(rule.name)
            storm = self._storms.take(now_ns, rule, found)
            if storm is None:
                toasts += self._tell_each(rule, found)
            elif not known:
                self._tell_outside(storm)
        self._tick(now_ns, toasts)

    def trouble(self, now_ns: int, begun: Sequence[Trouble], over: Sequence[Trouble]) -> None:
        """Tell what is wrong with the feed, and what no longer is."""
        told = [(one.id, one.sentence) for one in begun] + [(one.id, one.over) for one in over]
        for _, sentence in told:
            parcel = Parcel(_FEED, _NONE, line=sentence, simulated=self._place.simulated)
            self._sound_for(now_ns, parcel)
            self._desktop.add(parcel)
        self._tick(now_ns, [self._toast(f"trouble/{i}", "trouble", _FEED, said, 1)
                            for i, said in told])  # fmt: skip

    def ring(self, now_ns: int) -> None:
        """Ring the bell, unless it has just been rung."""
        if not self._place.screen:
            return
        if self._bell.ready(now_ns):
            self._numbered += 1
            self._outlet.show(Notice(f"bell/{self._numbered}", "bell"))
        else:
            self._outlet.drop("bell", 1)

    def tick(self, now_ns: int) -> None:
        """Tell what has become due."""
        self._end_storms(now_ns)
        self._tick(now_ns, [])

    def _sorted(self, now_ns: int, alerts: Sequence[Fired]) -> list[tuple[Rule, list[Fired]]]:
        """Return what is to be told by rule, what matters most first; late ones are put aside."""
        self._mutes.meet(alerts)
        symbols, rules = self._mutes.muted()
        found: dict[str, list[Fired]] = {}
        for alert in alerts:
            rule = self._rules.get(alert.rule)
            if rule is None or alert.gated or alert.symbol in symbols or alert.rule in rules:
                continue
            if alert.late:
                self._digest.add(now_ns, alert, desktop="desktop" in rule.deliver)
            else:
                found.setdefault(alert.rule, []).append(alert)
        by_rule = [(self._rules[name], those) for name, those in found.items()]
        return sorted(by_rule, key=lambda pair: -urgency(Parcel(pair[0], pair[1][0])))

    def _tell_each(self, rule: Rule, alerts: Sequence[Fired]) -> list[Notice]:
        """Hand alerts to all channels but the toasts, and return those."""
        parcels = [Parcel(rule, alert, simulated=self._place.simulated) for alert in alerts]
        for parcel in parcels:
            self._hand_out(parcel)
        if "toast" not in rule.deliver:
            return []
        return [
            self._toast(parcel.fired.alert_id, "toast", rule, parcel.said, 1, parcel.fired.symbol)
            for parcel in parcels
        ]

    def _hand_out(self, parcel: Parcel) -> None:
        """Hand something to the desktop, programs and webhooks of its rule."""
        for channel in dict.fromkeys(parcel.rule.deliver):
            if channel == "desktop":
                self._desktop.add(parcel)
            elif channel not in BUILT_IN:
                self._outlet.send(channel, parcel)

    def _sound_for(self, now_ns: int, parcel: Parcel) -> None:
        """Ring or play for an alert, as its rule says."""
        if "bell" in parcel.rule.deliver:
            self.ring(now_ns)
        if "sound" in parcel.rule.deliver:
            if self._sound.ready(now_ns):
                self._outlet.send("sound", parcel)
            else:
                self._outlet.drop("sound", 1)

    def _tell_outside(self, storm: Storm) -> None:
        """Tell the outside how far a storm has grown."""
        storm.sent, new = storm.count, storm.count - storm.sent
        simulated = self._place.simulated
        self._hand_out(Parcel(storm.rule, storm.first, f"{storm.line}", new, simulated))

    def _end_storms(self, now_ns: int) -> None:
        for storm in self._storms.ended(now_ns):
            if storm.count > storm.sent:
                self._tell_outside(storm)
            if storm.changed:
                self._show(now_ns, self._lines([storm]))

    def _tick(self, now_ns: int, toasts: list[Notice]) -> None:
        """Show toasts and whatever else is due."""
        toasts = toasts + self._lines(self._storms.grown(now_ns))
        if (late := self._digest.ready(now_ns)) is not None:
            toasts.append(self._toast("digest", "digest", _AWAY, late.line, late.count))
            if late.desktop:
                self._desktop.add(Parcel(_AWAY, _NONE, late.line, late.count))
        self._show(now_ns, toasts)
        if (parcel := self._desktop.ready(now_ns)) is not None:
            self._notify_desktop(parcel)

    def _lines(self, storms: Sequence[Storm]) -> list[Notice]:
        return [
            self._toast(s.id, "storm", s.rule, s.line, s.count)
            for s in storms
            if "toast" in s.rule.deliver
        ]

    def _show(self, now_ns: int, toasts: Sequence[Notice]) -> None:
        if not self._place.screen or not toasts:
            return
        hidden = self._toasts.hidden
        for notice in self._toasts.show(now_ns, toasts):
            self._outlet.show(notice)
        self._outlet.drop("toast", self._toasts.hidden - hidden)

    def _notify_desktop(self, parcel: Parcel) -> None:
        if not (self._place.screen and self._place.notifies):
            self._outlet.send("desktop", parcel)
            return
        self._numbered += 1
        name = parcel.rule.name
        title = printable(f"stockscan · {name}")
        self._outlet.show(
            Notice(f"desktop/{self._numbered}", "desktop", title, parcel.message,
                   parcel.rule.priority, name, parcel.fired.symbol, parcel.count)
        )  # fmt: skip

    def _toast(
        self, key: str, kind: Kind, rule: Rule, text: str, count: int, symbol: str = ""
    ) -> Notice:
        title = f"{rule.name} · {SIMULATED}" if self._place.simulated else rule.name
        owner = rule.name if kind in {"toast", "storm"} else ""
        return Notice(key, kind, printable(title), printable(text), rule.priority, owner,
                      symbol, count)  # fmt: skip
