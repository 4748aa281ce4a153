"""The application: it starts a player off its own thread, polls its pictures, and hands them on."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.timer import Timer

from stockscan_tui.clock import Clock
from stockscan_tui.errors import StockscanError
from stockscan_tui.market.calendar import SECOND_NS
from stockscan_tui.market.indicator import IndicatorKey
from stockscan_tui.market.metrics import MetricKey
from stockscan_tui.market.snapshot import LIVE_PHASES, Feed, Phase, Snapshot
from stockscan_tui.market.text import printable
from stockscan_tui.market.troubles import Told
from stockscan_tui.market.user_data import Own
from stockscan_tui.market.vitals import LagMeter
from stockscan_tui.scan.expression import parse
from stockscan_tui.scan.lists import Toplist, start_key
from stockscan_tui.scan.picking import Picker
from stockscan_tui.scan.rules import Rules
from stockscan_tui.store.recovery_files import was_told
from stockscan_tui.store.recovery_report import Recovered
from stockscan_tui.ui import format as fmt
from stockscan_tui.ui.alert_screens import AlertScreens
from stockscan_tui.ui.alerting import Alerting, Courier, Woken
from stockscan_tui.ui.app_base import LastingApp
from stockscan_tui.ui.commands import (
    ALERTS,
    BOARD,
    EVERYWHERE,
    HEALTH,
    REPLAY,
    RULES,
    SYMBOL,
    bindings,
)
from stockscan_tui.ui.desk import Desk
from stockscan_tui.ui.moving import Mover, refusal
from stockscan_tui.ui.palette import Everything
from stockscan_tui.ui.player import Player
from stockscan_tui.ui.ranking import Ranking
from stockscan_tui.ui.rule_screens import RuleScreens
from stockscan_tui.ui.ruling import RuleBook
from stockscan_tui.ui.screens.board import BoardScreen
from stockscan_tui.ui.screens.go_to import GoToScreen
from stockscan_tui.ui.screens.health import HealthScreen
from stockscan_tui.ui.screens.help import HelpScreen, Section
from stockscan_tui.ui.screens.leave import LeaveScreen
from stockscan_tui.ui.screens.opening import OpeningScreen
from stockscan_tui.ui.screens.recovered import RecoveredScreen
from stockscan_tui.ui.screens.symbol import Left, SymbolScreen
from stockscan_tui.ui.theme import DARK, THEMES, next_theme
from stockscan_tui.ui.widgets.alerts.recent import Wanted
from stockscan_tui.ui.widgets.alerts.toasts import ToastStack
from stockscan_tui.ui.widgets.timeline import TimelineBar

POLL_S = 0.25
OPENING_POLL_S = 0.05
# After a move through time it is looked at more often, until the market is there.
MOVED_POLL_S, MOVED_POLLS = 0.05, 20
# After alerts have fired it is looked again so soon for the picture that has them.
ALERT_POLL_S = 0.05
AT_REST_S = 2.5
TROUBLE_S = 30.0
PREPARE_S = 0.8
SPEEDS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 1000.0, math.inf)


@dataclass(slots=True)
class Opening:
    """What the thread that opens a player says meanwhile; read by the interface at its own pace."""

    doing: str = "opening …"
    progress: float | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)
    # What became of a damaged database: may grow while the player plays.
    recovered: Callable[[], Sequence[Recovered]] = tuple

    def say(self, doing: str, progress: float | None = None) -> None:
        """Say what is being done, and how far it is from 0 to 1."""
        self.doing, self.progress = doing, progress


Start = Callable[[Opening], Player]


class StockscanApp(LastingApp[int]):
    """The screen of a run.

    Args:
        start: Opens the player; called in a thread, may take its time and may fail.
        title: What is being opened, for the first screen.
        clock: Wall time.
        desk: Lists, gates, filters and columns, and where changes are kept.
        theme: The theme's name.
        at_rest: Called once, on the interface's thread, when the board has been up for a while.
        alerting: Who delivers alerts; None where nobody does. Its notices go to `alerting.tell`.
    """

    TITLE = "stockscan"
    ENABLE_COMMAND_PALETTE = True
    COMMANDS = {Everything}
    CSS_PATH: ClassVar[list[str]] = [  # type: ignore[assignment]
        "screens/board.tcss",
        "screens/symbol.tcss",
        "screens/help.tcss",
        "screens/opening.tcss",
        "screens/leave.tcss",
        "screens/columns.tcss",
        "screens/watchlists.tcss",
        "screens/save_list.tcss",
        "screens/export.tcss",
        "screens/go_to.tcss",
        "screens/recovered.tcss",
        "screens/health.tcss",
        "screens/alerts.tcss",
        "screens/rules.tcss",
        "screens/rule_from_filter.tcss",
        "widgets/timeline.tcss",
    ]
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(EVERYWHERE), *bindings(REPLAY)]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (14, "-short"), (36, "-tall"), (50, "-towering")]

    def __init__(
        self,
        start: Start,
        *,
        title: str,
        clock: Clock,
        desk: Desk | None = None,
        theme: str = DARK.name,
        at_rest: Callable[[], object] = lambda: None,
        alerting: Courier | None = None,
    ) -> None:
        super().__init__()
        self._start = start
        self._title = title
        self._clock = clock
        self._desk = desk or Desk()
        picker = Picker(self._desk.names, self._desk.gates)
        self._ranking = Ranking(MetricKey("chg"), picker=picker)
        self._ranking.chosen = self._desk.chosen
        self._wanted: frozenset[IndicatorKey] = frozenset()
        self._theme_name = theme
        self._at_rest = at_rest
        self._opening = Opening()
        self._player: Player | None = None
        self._failure: StockscanError | None = None
        self._crash: BaseException | None = None
        self._told = ""
        self._board: BoardScreen | None = None
        self._single: SymbolScreen | None = None
        self._symbol: SymbolScreen | None = None
        self._held: Snapshot | None = None
        self._shown: Snapshot | None = None
        self._shown_on: object = None
        self._troubles = Told()
        self._drawing = LagMeter()
        self._health: HealthScreen | None = None
        self.alerting = Alerting(self, clock, alerting)
        self._alerts = AlertScreens(self, self.alerting)
        self._alert_look: Timer | None = None
        self._alerts_due = False
        self._mover = Mover(clock)
        self._book = RuleBook(self._desk.rules, self._know_rules, lambda: picker.names)
        self._rules = RuleScreens(
            self, self._book, self._ranking, self._desk, clock, say=self._say,
            snapshot=lambda: self._shown, left=self._rules_left,
        )  # fmt: skip
        self._look_again: Timer | None = None
        self._recovered_told = 0
        self._for_s = math.inf
        self._opener = threading.Thread(target=self._open, name="stockscan-open", daemon=True)

    @property
    def player(self) -> Player | None:
        """The player, once it is open."""
        return self._player

    def leave_after(self, seconds: float) -> None:
        """Quit by itself after that long."""
        self._for_s = seconds

    def join_opening(self) -> None:
        """Wait until the thread that opens the player has ended; for after the screen is gone."""
        if self._opener.ident is not None:
            self._opener.join()
        if self._crash is not None:
            raise self._crash

    def _open(self) -> None:
        try:
            player = self._start(self._opening)
            player.on_fired(self.alerting.fired)
            self._player = player
            self._player.know_own(self._desk.read_own(self._desk.watchlist))
            self._book.begin()
        except StockscanError as error:
            self._failure = error
        except BaseException as error:  # noqa: BLE001 - raised again by join_opening
            self._crash = error
            self._failure = StockscanError(f"It broke off on a defect: {error!r}.")

    def copy_to_clipboard(self, text: str) -> None:
        """Copy a line: what is pasted into a shell must neither end a line nor act there."""
        super().copy_to_clipboard("\t".join(map(printable, text.split("\t"))))

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return our own theme variables, for Textual's themes that lack them."""
        return dict(DARK.variables)

    @property
    def _leaving_now(self) -> bool:
        """Whether the screens are being taken down, so that nothing can be shown any more."""
        return self._exit or self._closing or not self._running

    # --- life ----------------------------------------------------------------------------------

    def on_mount(self) -> None:
        for theme in THEMES:
            self.register_theme(theme)
        known = [theme.name for theme in THEMES]
        self.theme = self._theme_name if self._theme_name in self.available_themes else known[0]
        self.push_screen(OpeningScreen(self._title))
        # The first frame is painted before the heavy imports begin.
        self.call_after_refresh(self._opener.start)
        self.set_interval(OPENING_POLL_S, self._poll_opening)
        self.set_interval(POLL_S, self._poll)
        if math.isfinite(self._for_s):
            self.set_timer(self._for_s, self.action_leave)

    def _poll_opening(self) -> None:
        if self._leaving_now:
            return
        if self.leaving:
            self.action_leave()
        screen = self.screen
        if not isinstance(screen, OpeningScreen):
            return
        if self._failure is not None:
            screen.fail(str(self._failure))
            return
        player = self._player
        snapshot = player.snapshot() if player is not None else None
        if player is None or snapshot is None:
            screen.show(self._opening.doing, self._opening.progress)
        elif snapshot.feed.phase in (Phase.OPENING, Phase.PRIMING):
            when = fmt.clock(snapshot.event_ns)[:5]
            progress = snapshot.feed.progress if snapshot.feed.mode != "REPLAY" else None
            screen.show(f"taking in the day so far: {when} New York", progress)
        elif snapshot.feed.phase in LIVE_PHASES and not snapshot.session_date:
            screen.show(_waiting(snapshot.feed), None)
        else:
            self._begin_list(snapshot)
            self._board = BoardScreen(self._ranking, self._desk)
            self._single = SymbolScreen(self._ranking, player)
            self.install_screen(self._single, "symbol")
            # Begun below the board, and furnished when there is time, so that it opens at once.
            self.switch_screen(self._single)
            self.switch_screen(self._board)
            self.set_timer(PREPARE_S, self._single.prepare)
            self.set_timer(AT_REST_S, self._at_rest)
            self._rules.begin()
            self.call_after_refresh(self._poll)
        if player is not None and player.failure():
            screen.fail(player.failure())

    def _begin_list(self, snapshot: Snapshot) -> None:
        """Begin on the list that was asked for, or on that of the session."""
        key = start_key(snapshot.session)
        usual = [listed for listed in self._desk.lists if listed.key == key]
        start = self._desk.start or (usual or [*self._desk.lists])[0]
        self._ranking.show_list(start)

    def _poll(self) -> None:
        snapshot = self._player.snapshot() if self._player is not None else None
        if snapshot is None or self._board is None or not self._board.ready or self._leaving_now:
            return
        self._tell_troubles(snapshot)
        self._tell_recovered()
        self._show(snapshot)
        failure = self._player.failure() if self._player is not None else ""
        if failure and failure != self._told:
            self._told = failure
            self.notify(failure, severity="error", markup=False, timeout=60)

    def _show(self, snapshot: Snapshot) -> None:
        now_s = self._clock.now_ns() / 1e9
        if snapshot is not self._shown and snapshot.made_ns:
            self.call_after_refresh(self._measure_drawing, snapshot.made_ns)
        still = snapshot is self._shown and self.screen is self._shown_on and not self._held
        if still and (self._board is None or self._board.settled(now_s)):
            return
        self._shown, self._shown_on = snapshot, self.screen
        leapt = snapshot.leap != self._ranking.leap
        if leapt and self._held:
            self._let_go()
        if self._held:
            # The feed goes on behind what is looked at.
            snapshot = replace(
                self._held, feed=snapshot.feed, health=snapshot.health, vitals=snapshot.vitals
            )
        single = self._symbol
        if self._board is not None and (leapt or single is None):
            self._board.show(snapshot, now_s)
        if single is not None:
            single.show(snapshot, now_s)
        if self._alerts.shown is not None:
            self._alerts.shown.show(snapshot)
        if self._health is not None:
            self._health.show(snapshot, self._drawing.figures(self._clock.now_ns()))
        if self._rules.shown is not None:
            self._rules.shown.show(snapshot)
        focus = single.symbol if single is not None else self._ranking.name
        if self._player is not None and focus:
            self._player.focus(focus)
        if self._player is not None and self._board is not None and self._board.ready:
            wanted = self._board.wanted | self._rules.wanted
            if wanted != self._wanted:
                self._wanted = wanted
                self._player.want(wanted)

    def _measure_drawing(self, made_ns: int) -> None:
        """A picture is on the screen: note how long that took since it was made."""
        now_ns = self._clock.now_ns()
        self._drawing.note(now_ns, (now_ns - made_ns) / 1e6)

    def _tell_troubles(self, snapshot: Snapshot) -> None:
        """Say once of each trouble that it has begun, and that it is over."""
        begun, over = self._troubles.look(snapshot.vitals.troubles)
        if self.alerting.trouble(begun, over):
            return
        for trouble in begun:
            self.notify(
                printable(f"{trouble.sentence}."), title="✗ alarm", severity="error", markup=False,
                timeout=TROUBLE_S,
            )  # fmt: skip
        for trouble in over:
            self.notify(printable(f"{trouble.over}."), title="✓ over", markup=False)

    @property
    def recovered(self) -> Sequence[Recovered]:
        """What became of a damaged database, oldest first."""
        return self._opening.recovered()

    def _tell_recovered(self) -> None:
        """Show once what became of a damaged database."""
        if len(self.recovered) > self._recovered_told and isinstance(self.screen, BoardScreen):
            self.show_recovered()

    def show_recovered(self) -> None:
        """Show what became of a damaged database."""
        self._recovered_told = len(self.recovered)
        shown = tuple(self.recovered)

        async def seen(_closed: None) -> None:
            for each in shown:
                await asyncio.to_thread(was_told, each)

        self.push_screen(RecoveredScreen(shown), seen)

    # --- alerts --------------------------------------------------------------------------------

    def look(self) -> None:
        """Look at the newest picture."""
        self._poll()

    @on(Woken)
    def _woken(self) -> None:
        """Notices came, or alerts fired: their picture is made at once, and shown as soon."""
        if self._leaving_now or not self.alerting.work():
            return
        self._alerts_due = True
        if self._alert_look is None:
            self._look_for_alerts()

    def _look_for_alerts(self) -> None:
        """Look now and once more a little later, as long as alerts fire."""
        self._poll()
        due, self._alerts_due = self._alerts_due, False
        self._alert_look = self.set_timer(ALERT_POLL_S, self._look_for_alerts) if due else None

    @on(ToastStack.Clicked)
    def _toast_clicked(self, event: ToastStack.Clicked) -> None:
        if event.notice.kind == "trouble":
            self.action_health()
        else:
            self._alerts.open(event.notice.rule if event.notice.kind == "storm" else "")

    @on(Wanted)
    def _alert_clicked(self, event: Wanted) -> None:
        if event.fired is not None:
            self.open_symbol(event.fired.symbol)
        else:
            self._alerts.open()

    def action_alerts(self) -> None:
        """Show the alerts, those of a storm that is being told; or go back from there."""
        rules = self._rules.shown
        if rules is not None and rules is self.screen and self._alerts.shown is not None:
            rules.dismiss("")
        elif self._shown is not None:
            self._alerts.toggle()
            self.call_after_refresh(self._poll)

    # --- commands ------------------------------------------------------------------------------

    def action_health(self) -> None:
        """Show how feed, bars and machine are, or go back from there."""
        if isinstance(self.screen, HealthScreen):
            self.screen.action_back()
        elif self._health is None and self._shown is not None:
            self._health = HealthScreen(self._ranking)
            self.push_screen(self._health, self._health_left)
            self.call_after_refresh(self._poll)

    def action_rules(self) -> None:
        """Show the rules, or go back from there."""
        if self._shown is not None:
            self._rules.open()
            self.call_after_refresh(self._poll)

    def _rules_left(self, shown_list: str) -> None:
        if shown_list:
            self.show_list(shown_list)
        self._poll()

    def action_make_rule(self) -> None:
        """Make a rule of the filter that stands on the board."""
        if isinstance(self.screen, BoardScreen):
            self._rules.make()

    def _know_rules(self, rules: Rules) -> None:
        """Hand the rules on to whoever watches them; called from the thread that opens, too."""
        # Alerts of a rule that the courier does not know yet would not be delivered.
        self.alerting.know(rules)
        if self._player is not None:
            self._player.know_rules(rules)

    def _health_left(self, shown_list: str | None) -> None:
        """Go on with what was shown before, or with a list."""
        self._health = None
        if shown_list:
            self.show_list(shown_list)
        self._poll()

    def action_open(self) -> None:
        """Open the selected symbol."""
        if self._ranking.selected is not None and isinstance(self.screen, BoardScreen):
            self.open_symbol(self._ranking.name)

    def open_symbol(self, symbol: str) -> None:
        """Show a symbol on the whole screen."""
        snapshot = self._shown
        if self._symbol is not None:
            self._symbol.open(symbol)
        elif self._single is not None and snapshot is not None:
            self._symbol = self._single
            self._symbol.begin(symbol, self._held or snapshot, self._clock.now_ns() / 1e9)
            self.push_screen(self._symbol, self._symbol_left)

    def _symbol_left(self, left: Left | None) -> None:
        """Go on with the board: on the symbol's row if it is there, else on the one before."""
        if self._symbol is not None:
            self._symbol.end()
        self._symbol = None
        self._poll()
        if self._board is None or left is None:
            return
        self._ranking.jump_to(left.symbol)
        self._board.refresh_order()
        self._ranking.jump_to("")
        if left.shown_list:
            self._board.show_list(left.shown_list)
        self._alerts.symbol_left(left.shown_list)

    def action_help(self) -> None:
        """Show keys and metrics."""
        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.sections, self.toplists, self._desk.gates))

    async def action_next_theme(self) -> None:
        """Switch to the next theme."""
        await self.choose_theme(next_theme(self.theme))

    async def choose_theme(self, name: str) -> None:
        """Switch to a theme, and keep it."""
        from stockscan_tui.config import edit  # noqa: PLC0415 - tomlkit is needed here alone

        self.theme = name
        if self._board is not None:
            await self._board.keeping.keep(lambda: edit.set_theme(self._desk.config, name))

    @property
    def sections(self) -> Sequence[Section]:
        """The tables of commands, each with its title."""
        from stockscan_tui.ui.screens.columns import COLUMNS  # noqa: PLC0415
        from stockscan_tui.ui.screens.watchlists import WATCHLISTS  # noqa: PLC0415

        return (
            ("Everywhere", EVERYWHERE),
            ("Board", BOARD),
            ("Symbol", SYMBOL),
            ("Alerts, after a", ALERTS),
            ("Health panel, after h", HEALTH),
            ("Rules, after r", RULES),
            ("Through time", REPLAY),
            ("Columns, after c", COLUMNS),
            ("Watchlists, after W", WATCHLISTS),
        )

    @property
    def toplists(self) -> Sequence[Toplist]:
        """All lists."""
        return self._board.lists if self._board is not None else self._desk.lists

    def show_list(self, key_or_name: str) -> None:
        """Show a list of the board."""
        self._alerts.close()
        if self._symbol is not None:
            self._symbol.action_list(key_or_name)
        elif self._board is not None:
            self._board.show_list(key_or_name)

    def jump_to(self, symbol: str) -> None:
        """Select a symbol on the board; what hides it is lifted. On a symbol's screen, open it."""
        self._alerts.close()
        if self._symbol is not None:
            self._symbol.open(symbol)
            return
        board = self._board
        if board is None:
            return
        self._ranking.jump_to(symbol)
        board.refresh_order()
        if self._ranking.waits_for(symbol):
            self._ranking.picker.listed = parse("")
            self._ranking.picker.lifted = True
            board.choose(parse(f'"{symbol}"'))

    def know_own(self, own: Own) -> None:
        """Hand the user's watchlists and table on."""
        if self._player is not None:
            self._player.know_own(own)

    def action_pause(self) -> None:
        """Pause the replay, or go on; of a live feed hold the picture, and let go of it."""
        snapshot = self._player.snapshot() if self._player is not None else None
        if snapshot is not None and snapshot.feed.phase in LIVE_PHASES:
            if self._held:
                self._let_go()
            else:
                self._held = snapshot
                if self._board is not None:
                    self._board.hold(self._clock.now_ns() / 1e9)
            self._poll()
        elif self._player is not None and snapshot is not None:
            self._player.set_paused(snapshot.feed.phase is not Phase.PAUSED)

    def _let_go(self) -> None:
        self._held = None
        if self._board is not None:
            self._board.hold(None)

    def action_move_by(self, seconds: int) -> None:
        """Move the market on, or back, by so many seconds."""
        self._move(lambda player, s: self._mover.by(player, s, seconds * SECOND_NS))

    def action_move_to_alert(self, step: int) -> None:
        """Move to the next alert, or to the one before."""
        self._move(lambda player, s: self._mover.to_alert(player, s, step))

    def action_to_now(self) -> None:
        """Return from the past of a live run."""
        self._move(self._mover.to_now)

    def move_to(self, ns: int) -> None:
        """Move the market to an instant, in ns since 1970."""
        self._move(lambda player, s: self._mover.to(player, s, ns))

    def action_go_to(self) -> None:
        """Ask for a time, and move there."""
        snapshot = self._player.snapshot() if self._player is not None else None
        if snapshot is None or isinstance(self.screen, OpeningScreen | GoToScreen):
            return
        refused = refusal(snapshot)
        if refused or snapshot.timeline is None:
            self._say(refused)
            return
        asked = GoToScreen(self._mover.whereabouts(snapshot), snapshot.timeline)
        self.push_screen(asked, lambda ns: self.move_to(ns) if ns is not None else None)

    @on(TimelineBar.Sought)
    def _sought(self, event: TimelineBar.Sought) -> None:
        self.move_to(event.ns)

    @on(TimelineBar.PaceClicked)
    def _pace_clicked(self) -> None:
        self.action_pause()

    def _move(self, move: Callable[[Player, Snapshot], str]) -> None:
        """Move through time, look at once what comes of it, and say what is in the way."""
        snapshot = self._player.snapshot() if self._player is not None else None
        if self._player is None or snapshot is None or self._board is None:
            return
        refused = move(self._player, snapshot)
        if refused:
            self._say(refused)
            return
        if self._held:
            self._let_go()
        if self._look_again is not None:
            self._look_again.stop()
        self._look_again = self.set_interval(MOVED_POLL_S, self._poll, repeat=MOVED_POLLS)

    def say(self, sentence: str) -> None:
        """Say something for a while on the screen that is in front."""
        self._say(sentence)

    def _say(self, sentence: str) -> None:
        if self._symbol is not None and self.screen is self._symbol:
            self._symbol.say(sentence)
        elif self._board is not None and self.screen is self._board:
            self._board.say(sentence)
        elif self._alerts.shown is not None and self.screen is self._alerts.shown:
            self._alerts.shown.say(sentence)
        else:
            self.notify(sentence, severity="warning", markup=False)

    def action_faster(self) -> None:
        """Play faster."""
        self._change_speed(1)

    def action_slower(self) -> None:
        """Play slower."""
        self._change_speed(-1)

    def _change_speed(self, step: int) -> None:
        snapshot = self._player.snapshot() if self._player is not None else None
        if self._player is None or snapshot is None:
            return
        speed = snapshot.feed.speed
        if step > 0:
            faster = [s for s in SPEEDS if s > speed]
            self._player.set_speed(faster[0] if faster else math.inf)
        else:
            slower = [s for s in SPEEDS if s < speed]
            self._player.set_speed(slower[-1] if slower else SPEEDS[0])

    def action_ask_leave(self) -> None:
        """Quit; while a live feed is captured, ask first."""
        snapshot = self._player.snapshot() if self._player is not None else None
        live = snapshot is not None and snapshot.feed.mode == "LIVE"
        if live and self._failure is None and not self._player_failed():
            self.push_screen(LeaveScreen())
        else:
            self.action_leave()

    def _player_failed(self) -> bool:
        return self._player is not None and bool(self._player.failure())

    def action_leave(self) -> None:
        """Quit; whoever started the screen stops the player and saves what is in memory."""
        self._opening.cancelled.set()
        if self._player is not None:
            self._player.stop()
        self.exit(self._failure.exit_status if self._failure is not None else 0)


def _waiting(feed: Feed) -> str:
    """Return what a live feed that has brought nothing yet is waiting for."""
    if feed.message:
        return f"{printable(feed.message)}\n{fmt.link(feed)}"
    return (
        f"connected to {feed.title}, waiting for the first record …"
        if (feed.phase is Phase.LIVE)
        else f"connecting to {feed.title} …"
    )
