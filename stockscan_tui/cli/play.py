"""A command that plays a market: live, replay or demo, on a screen or without one."""

from __future__ import annotations

import argparse
import gc
import math
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import time
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from stockscan_tui.cli.captured_day import LOOPBACK_HOSTS, LOOPBACK_KEY
from stockscan_tui.cli.desk import desk_of, indicators_of, picker_of, rules_of, sort_of
from stockscan_tui.cli.parser import parse_gateway, parse_speed, parse_symbols, parse_time
from stockscan_tui.cli.signals import apart, on_signals
from stockscan_tui.cli.streams import check_terminal, drop_output
from stockscan_tui.cli.warming import Telling, warm
from stockscan_tui.cli.welcome import typed_key, warming_of
from stockscan_tui.config import Config, cache_folder, live_database, read_key
from stockscan_tui.errors import UsageError
from stockscan_tui.scan.gates import SAMPLED
from stockscan_tui.sim.place import demo_path

if TYPE_CHECKING:
    from stockscan_tui.clock import Clock
    from stockscan_tui.config.rules import RulesFile
    from stockscan_tui.delivery import Courier
    from stockscan_tui.delivery.notice import Notice
    from stockscan_tui.feed.live import Access
    from stockscan_tui.market.indicator import IndicatorKey
    from stockscan_tui.run.common import Run
    from stockscan_tui.run.reference import Sources
    from stockscan_tui.scan.rules import Rules
    from stockscan_tui.scan.rules.ruling import Ruling
    from stockscan_tui.store.recovery import Recovering
    from stockscan_tui.ui.app import Opening, StockscanApp

SCREEN_SPEED = 60.0
DEMO_SPEED = 10.0
DEMO_START = time(9, 29)
SWITCH_S = 0.0005
DATASET = "EQUS.MINI"
_LOOPBACK = ("127.", "localhost", "::1")


@dataclass(slots=True)
class Play:
    """A command and its config.

    Attributes:
        given: The parsed arguments.
        config: What the config file says.
    """

    given: argparse.Namespace
    config: Config
    _indicators: frozenset[IndicatorKey] = frozenset()
    _ruling: Ruling | None = None
    _stop: Event = field(default_factory=Event)

    def headless(self) -> int:
        """Play to the end without a screen; returns the exit status."""
        from stockscan_tui.clock import SystemClock  # noqa: PLC0415
        from stockscan_tui.headless import Report, play  # noqa: PLC0415
        from stockscan_tui.market.metrics import parse_metric  # noqa: PLC0415
        from stockscan_tui.scan.rules.ruling import Ruling  # noqa: PLC0415

        name, ascending = sort_of(self.given)
        name = name or "chg"
        picker, own = picker_of(self.given, self.config)
        self._indicators = indicators_of(picker, name)
        rules = rules_of(self.given, picker.names)
        if rules.problem:
            raise UsageError(rules.problem)
        report = Report(
            as_json=self.given.json,
            leaders=self.given.leaders,
            sort=parse_metric(name, (*picker.names.own, *picker.names.words)),
            ascending=ascending,
            picker=picker,
            for_s=self.given.for_s,
        )
        stop = self._stop
        on_signals(apart(stop.set))
        clock = SystemClock()
        sys.setswitchinterval(SWITCH_S)
        courier = self._courier(rules.rules, clock, lambda _notice: None, at_screen=False)

        def look(run: Run) -> None:
            if rules.look():
                _say_rules(rules)
                courier.know(rules.rules)
                run.know_rules(rules.rules)

        try:
            report = replace(report, look=look)
            listeners = (report.fired.extend, courier.take)
            self._ruling = Ruling(rules.rules, self.config.gates, picker.names, listeners, own)
            run = self._run(clock, refresh_s=math.inf)
            run.know_own(own)
            summary = play(run, report, clock, stop, sys.stdout)
        finally:
            courier.close()
        return 1 if summary.corrupt else 0

    def screen(self) -> int:
        """Show the screen until it is left; returns the exit status."""
        from stockscan_tui.clock import SystemClock  # noqa: PLC0415
        from stockscan_tui.ui.app import StockscanApp  # noqa: PLC0415

        check_terminal()
        self._check()
        # Where a shell exports them they hold the size of its start, and would stand for ever.
        for name in ("COLUMNS", "LINES"):
            os.environ.pop(name, None)
        from stockscan_tui.scan.rules import Rules  # noqa: PLC0415
        from stockscan_tui.scan.rules.ruling import Ruling  # noqa: PLC0415

        clock = SystemClock()
        desk = desk_of(self.given, self.config)
        rules = desk.rules.rules if desk.rules is not None else Rules()
        # There is no application yet that it could be bound to.
        courier = self._courier(rules, clock, lambda told: app.alerting.tell(told))  # noqa: PLW0108
        listeners = (courier.take,)
        own = desk.read_own(desk.watchlist)
        self._ruling = Ruling(rules, self.config.gates, desk.names, listeners, own)
        app = StockscanApp(
            self._open,
            title=self._title(),
            clock=clock,
            desk=desk,
            theme=self.config.theme,
            at_rest=_settle,
            alerting=courier,
        )
        # A key passes through several threads on its way; at Python's own 5 ms each hand-over of
        # the interpreter would be felt while the engine runs at full speed.
        sys.setswitchinterval(SWITCH_S)
        on_signals(apart(app.leave_soon))
        if math.isfinite(self.given.for_s):
            app.leave_after(self.given.for_s)
        left = app.run()
        # There is neither where it broke off on a defect.
        status = left if left is not None else 1 if app.return_code is None else app.return_code
        app.join_opening()
        courier.close()
        return self._close(app, status)

    def _watched(self) -> Ruling:
        from stockscan_tui.scan.rules.ruling import Ruling  # noqa: PLC0415

        return self._ruling or Ruling()

    def _courier(
        self,
        rules: Rules,
        clock: Clock,
        notify: Callable[[Notice], None],
        *,
        at_screen: bool = True,
    ) -> Courier:
        from stockscan_tui.delivery import Courier  # noqa: PLC0415

        simulated = self.given.command == "demo"
        return Courier(rules, clock, notify, simulated=simulated, at_screen=at_screen)

    def _check(self) -> None:
        """Refuse before there is a screen what would fail behind it."""
        if self.given.command == "live":
            self._key()
            parse_symbols(self.given.symbols)
        else:
            self._speed()

    def _speed(self) -> float:
        if self.given.speed is not None:
            return parse_speed(self.given.speed)
        if self.given.headless:
            return math.inf
        return DEMO_SPEED if self.given.command == "demo" else SCREEN_SPEED

    def _title(self) -> str:
        given = self.given
        if given.command == "demo":
            return "a simulated market"
        if given.command == "live":
            return f"{given.dataset} {given.schema}"
        return " ".join(path.name for path in given.files)

    # --- runs ---------------------------------------------------------------------------------

    def _run(self, clock: Clock, *, refresh_s: float, opening: Opening | None = None) -> Run:
        return {"live": self._live, "replay": self._replay, "demo": self._demo}[self.given.command](
            clock, refresh_s, opening
        )

    def _recovering(self, opening: Opening | None) -> Recovering:
        from stockscan_tui.store.recovery import Recovering  # noqa: PLC0415

        if opening is not None:
            return Recovering(say=opening.say, cancelled=opening.cancelled.is_set)
        return Recovering(say=Telling(), cancelled=self._stop.is_set)

    def _warm(self, opening: Opening | None) -> bool:
        """Have compiled what every market needs; returns whether anything was not yet.

        Raises:
            StoppedError: Nobody waits for it any more.
        """
        if opening is not None:
            return warm(opening.say, opening.cancelled.is_set, warming_of(self.given))
        return warm(Telling(), self._stop.is_set)

    def _replay(self, clock: Clock, refresh_s: float, opening: Opening | None) -> Run:
        from stockscan_tui.run.replay import ReplayRequest, ReplayRun  # noqa: PLC0415

        given = self.given
        if opening is not None:
            opening.say("reading closes and opening the database")
        # One file by two names is played once: twice would double its volume.
        named: dict[str, Path] = {os.path.realpath(path): path for path in reversed(given.files)}
        request = ReplayRequest(
            files=tuple(reversed(named.values())),
            speed=self._speed(),
            start_at=parse_time(given.start_at) if given.start_at else None,
            prev_close=given.prev_close,
            verify=given.verify,
            database=given.db,
            mark=given.mark or self.config.mark,
            keep_replays=self.config.keep_replays,
            refresh_s=refresh_s,
            indicators=self._indicators,
            ruling=self._watched(),
            recovering=self._recovering(opening),
            reference=self._sources(given, self._own_key(), dataset=""),
            say=opening.say if opening is not None else lambda _said: None,
            cancelled=opening.cancelled.is_set if opening is not None else lambda: False,
        )
        self._warm(opening)
        return ReplayRun(request, clock)

    def _demo(self, clock: Clock, refresh_s: float, opening: Opening | None) -> Run:
        from stockscan_tui.sim.process import begin_gateway  # noqa: PLC0415

        folder = cache_folder() / "demo"
        seed, speed = self.given.seed, self._speed()
        kept = demo_path(folder, seed)
        # It comes up while this process is still importing.
        gateway = begin_gateway(kept, speed, DEMO_START) if kept.is_file() else None
        from stockscan_tui.run.demo import DemoRequest, DemoRun  # noqa: PLC0415
        from stockscan_tui.sim.demo import demo_file  # noqa: PLC0415

        try:
            late = self._warm(opening)
        except BaseException:
            if gateway is not None:
                gateway.close()
            raise
        if late and gateway is not None:
            # Its clock has gone on meanwhile.
            gateway.close()
            gateway = None
        if opening is None:
            file = demo_file(folder, seed=seed)
        else:
            shown = opening

            def tell(done: float) -> None:
                shown.say("simulating a day of 12,000 symbols, once", done)

            cancelled = shown.cancelled.is_set
            file = demo_file(folder, seed=seed, progress=tell, cancelled=cancelled)
            shown.say("starting the gateway")
        request = DemoRequest(
            file=file,
            speed=speed,
            start_at=DEMO_START,
            database=self.given.db,
            mark=self.given.mark or self.config.mark,
            refresh_s=refresh_s,
            indicators=self._indicators,
            ruling=self._watched(),
            recovering=self._recovering(opening),
        )
        return DemoRun(request, clock, gateway)

    def _live(self, clock: Clock, refresh_s: float, opening: Opening | None) -> Run:
        from stockscan_tui.feed.live import PORT, Access, default_host  # noqa: PLC0415
        from stockscan_tui.run.housekeeping import Keep  # noqa: PLC0415
        from stockscan_tui.run.live import LiveRequest, LiveRun  # noqa: PLC0415

        given = self.given
        host, port = default_host(given.dataset), PORT
        if given.gateway:
            host, port = parse_gateway(given.gateway)
        if opening is not None:
            opening.say("opening the database")
        # Imported while nothing waits for it yet: the feed's thread needs it first.
        import stockscan_tui.feed.protocol  # noqa: F401, PLC0415

        access = Access(self._key(), given.dataset, host, port)
        request = LiveRequest(
            access=access,
            tape=self._tape(access),
            database=given.db or live_database(given.dataset),
            schema=given.schema,
            symbols=parse_symbols(given.symbols),
            backfill=given.backfill,
            verify=given.verify,
            save_s=given.save_every,
            record=given.record,
            trades_for_leaders=given.trades_for == "leaders",
            # With another gateway than Databento's, nobody else is asked but who is named.
            reference=self._sources(
                given,
                "" if given.gateway and not given.history else self._own_key(),
                given.dataset,
            ),
            prev_close=given.prev_close,
            mark=given.mark or self.config.mark,
            refresh_s=refresh_s,
            indicators=self._indicators,
            ruling=self._watched(),
            recovering=self._recovering(opening),
            keep=Keep(self.config.keep_bars, self.config.keep_alerts, self.config.keep_recordings),
        )
        self._warm(opening)
        return LiveRun(request, clock)

    def _tape(self, access: Access) -> Access | None:
        """Return where the whole tape's volume comes from; None for nowhere."""
        from stockscan_tui.feed.tape_volume import summary_access  # noqa: PLC0415

        elsewhere = bool(self.given.gateway)
        wish = self.config.tape_volume
        if self.given.tape_volume is not None:
            wish = "on" if self.given.tape_volume else "off"
        wanted = wish == "on" or (wish == "auto" and not elsewhere)
        if not wanted or access.dataset not in SAMPLED:
            return None
        return summary_access(access, same_gateway=elsewhere)

    def _sources(self, given: argparse.Namespace, key: str, dataset: str) -> Sources:
        """Return where reference data comes from; without a key from what is kept alone."""
        from stockscan_tui.feed.splits import Splits  # noqa: PLC0415
        from stockscan_tui.run.reference import Sources  # noqa: PLC0415

        if given.history and not key and urlsplit(given.history).hostname in LOOPBACK_HOSTS:
            key = LOOPBACK_KEY
        return Sources(
            folder=cache_folder() / "reference",
            dataset=dataset,
            tables=Splits.from_tables(self.config.splits, self.config.renames),
            key="" if given.offline else key,
            url=given.history,
            max_cost_usd=self.config.max_cost_usd,
        )

    def _own_key(self) -> str:
        """Return the key that was entered for this run, else the one that is kept."""
        return typed_key(self.given) or read_key()

    def _key(self) -> str:
        key = self._own_key()
        if key:
            return key
        gateway = self.given.gateway or ""
        if gateway and parse_gateway(gateway)[0].startswith(_LOOPBACK):
            return LOOPBACK_KEY
        raise UsageError(
            "There is no API key. Set DATABENTO_API_KEY to one of databento.com/portal/keys, or "
            "try `stockscan demo`."
        )

    # --- the screen ---------------------------------------------------------------------------

    def _open(self, opening: Opening) -> Run:
        """Make the run that the screen shows; in a thread of its own."""
        opening.say("loading the engine")
        from stockscan_tui.clock import SystemClock  # noqa: PLC0415

        run = self._run(SystemClock(), refresh_s=0.1, opening=opening)
        opening.recovered = lambda: run.recovered
        _settle()
        return run

    def _close(self, app: StockscanApp, status: int) -> int:
        """Save what is in memory and say what the run came to."""
        # What is never collected DuckDB's library reports as leaked, in forty lines.
        gc.unfreeze()
        if app.player is None:
            return status
        from stockscan_tui.headless import summary_text  # noqa: PLC0415
        from stockscan_tui.market.text import printable  # noqa: PLC0415
        from stockscan_tui.run.common import Run  # noqa: PLC0415

        if isinstance(app.player, Run):
            summary = app.player.close()
            try:
                sys.stdout.write(summary_text(summary))
                sys.stdout.flush()
            except OSError:
                # The terminal has gone.
                drop_output()
            for problem in summary.problems:
                sys.stderr.write(f"stockscan: {printable(problem)}\n")
            return 1 if summary.corrupt else status
        return status


def _say_rules(rules: RulesFile) -> None:
    """Say what became of a rules file that has changed."""
    from stockscan_tui.market.text import printable  # noqa: PLC0415

    on = len(rules.rules.watched)
    said = rules.problem or f"rules read again: {on} on"
    sys.stderr.write(f"stockscan: {printable(said)}\n")


def _settle() -> None:
    """Let what is there now be left out of collections.

    What was imported, read and built stays for the whole run; walked again and again, it would
    hold a key up for 30 to 100 ms.
    """
    gc.collect()
    gc.freeze()
