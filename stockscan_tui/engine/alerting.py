"""Rules over the market as it goes on: what fires, in the order of event time.

Seconds are noted by the compiled path and evaluated together, a minute's at most: each as the
market stood when it ended, so that it makes no difference how many are evaluated at once. Move
rules fire on the very record. It belongs to the engine's thread; `know` may be called by any.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from stockscan_tui.engine.gatekeeper import Gatekeeper
from stockscan_tui.market import kernel as k
from stockscan_tui.market.arithmetic import differing, percent_over
from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS
from stockscan_tui.market.fired import Fired, packed
from stockscan_tui.market.instants import Instants, all_now, all_symbols
from stockscan_tui.market.metrics import MetricKey, indicator_of, values_of
from stockscan_tui.market.rule_memory import RuleMemory
from stockscan_tui.market.snapshot import Feed, Flags, Integers
from stockscan_tui.market.state import Market, first_marks
from stockscan_tui.market.view import Photographer
from stockscan_tui.scan.expression import Names, Pool, Shared, parse
from stockscan_tui.scan.gates import Gates
from stockscan_tui.scan.rules import Rule, Rules
from stockscan_tui.scan.rules.moves import Moves, Suspicious
from stockscan_tui.scan.rules.watch import Watched, in_scope, memories_of

LATE_NS = 60 * SECOND_NS
FLUSH_NS = 30_000_000
UNPACED_FLUSH_NS = 10 * FLUSH_NS
_CHANGE = MetricKey("chg")


class Prime(Enum):
    """For which rules what is true already does not fire."""

    NONE = "none"
    NEW = "new"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Ground:
    """What alerts are made of, besides the market.

    Attributes:
        photographer: Makes pictures of it.
        gates: What keeps noise off the board, and off delivery.
        names: What may stand in a gate besides metrics.
        feed: What is being played.
        closes_known: Whether changes are against previous closes.
        suspicious: Whether first marks of symbols look like a split, by slot.
        behind_ns: For how long what happened at an instant has been over, in ns.
    """

    photographer: Photographer
    gates: Gates
    names: Names
    feed: Callable[[], Feed]
    closes_known: Callable[[], bool]
    suspicious: Suspicious
    behind_ns: Callable[[int], int]


@dataclass(frozen=True, slots=True)
class _Moved:
    """A move rule that a record has fired."""

    watched: Watched
    price: int


@dataclass(frozen=True, slots=True)
class _Told:
    """What has fired, the rule's place among the rules, and the symbol's slot.

    `by_record` is for what a record has fired: it comes after the second that ends at its instant.
    """

    fired: Fired
    place: int
    slot: int
    by_record: bool = False


class Alerting:
    """The rules of one engine."""

    def __init__(self, market: Market, ground: Ground) -> None:
        self._market = market
        self._ground = ground
        self._rules = Rules()
        # The rules that were made known last, until they are taken up.
        self._wanted: deque[Rules] = deque(maxlen=1)
        self._watched: tuple[Watched, ...] = ()
        self._moves = Moves(market, (), ground.suspicious)
        self._moved: list[_Moved] = []
        self._rows: list[Integers] = []
        self._begun = False
        self._known = True
        self._pool = Pool()
        self._closed_ns = 0
        # Rules whose indicators are not kept yet, and whether they are primed once they are.
        self._unready: dict[str, bool] = {}
        self._suspects: Flags = np.zeros(0, np.bool_)
        # First marks as of the last minute's close.
        self._first: Integers = np.zeros(0, np.int64)
        self._gates = Gatekeeper(ground.gates, ground.names)
        self._fired: list[Fired] = []

    # --- any thread -------------------------------------------------------------------------

    def know(self, rules: Rules) -> None:
        """Let these rules be watched from the next second on, and no others."""
        self._wanted.append(rules)

    # --- the engine's thread ----------------------------------------------------------------

    @property
    def begun(self) -> bool:
        """Whether rules are watched."""
        return self._begun

    def begin(self, event_ns: int, prime: Prime) -> None:
        """Watch from now on.

        Args:
            event_ns: Now.
            prime: For which rules what is true already does not fire.
        """
        self._begun = True
        self._first = np.zeros(0, np.int64)
        # The last full minute is what windows and ages are as of.
        self._closed_ns = event_ns // MINUTE_NS * MINUTE_NS
        if prime is not Prime.NEW:
            # Else a market that was put back has them.
            self._market.closed_alerts[:] = self._market.alerts
            self._forget_members()
        self._take_up(event_ns, prime)

    def restored(self, event_ns: int) -> None:
        """The market has been put back, or on: go on from what rules remembered then."""
        self._rows, self._moved, self._fired = [], [], []
        self.begin(event_ns, Prime.NEW)

    def end(self) -> None:
        """Watch no more: the market has been put back to before rules were."""
        self._begun = False
        self._rows, self._moved, self._fired = [], [], []
        self._market.ctl[k.WATCHING] = self._market.ctl[k.LEVELS] = 0
        self._market.forget_seen()

    def look(self, event_ns: int) -> None:
        """Take up other rules, and those whose indicators have come to be kept."""
        if not self._begun:
            return
        if self._wanted or self._come_ready():
            self.flush()
            self._take_up(event_ns, Prime.NEW)

    def turn(self, event_ns: int) -> None:
        """Another session, or another day, has begun."""
        if self._begun:
            self._market.closed_alerts[:] = self._market.alerts
            self._closed_ns = event_ns // MINUTE_NS * MINUTE_NS
            self._first = np.zeros(0, np.int64)
            self._forget_members()
            self.relevel()

    def relevel(self) -> None:
        """Closes or splits are known that were not before."""
        if not self._begun:
            return
        if self._ground.closes_known() != self._known:
            self._take_up(self._closed_ns, Prime.NONE, known=self._rules)
        else:
            self._level()

    def true_now(self, event_ns: int) -> dict[str, Flags]:
        """Return for whom each rule is true, by its condition; those with crossings are left out.

        Nothing is remembered of it.
        """
        market = self._market
        if not self._begun or not market.count or not self._watched:
            return {}
        view = self._view(all_now(market, event_ns), whole=True)
        found = {}
        with Shared(self._pool.pure) as shared:
            for watched in self._watched:
                ready = watched.rule.condition not in self._unready
                if ready and not watched.crosses and market.session in watched.rule.sessions:
                    true = watched.holds(view, market.leaders, shared)
                    if watched.condition is None:
                        true = true & self._moves.beyond(watched)
                    found[watched.rule.condition] = true
        return found

    def excuse(self, before: Mapping[str, Flags], event_ns: int) -> None:
        """Let rules that reference data alone has made true be as if they had fired.

        Args:
            before: What `true_now` told before it was known.
            event_ns: Now.
        """
        now = self.true_now(event_ns) if before else {}
        excused = False
        for watched in self._watched:
            was, true = before.get(watched.rule.condition), now.get(watched.rule.condition)
            if was is None or true is None:
                continue
            new = true & ~watched.memory.disarmed[: len(true)]
            new[: len(was)] &= ~was
            watched.memory.disarmed[: len(true)] |= new
            watched.memory.last_ns[: len(true)][new] = event_ns
            excused |= bool(new.any())
        if excused:
            self._level()

    def add(self, slots: Sequence[int]) -> None:
        """Some symbols are new."""
        if self._begun and not self._known and self._ground.closes_known():
            self.flush()
            self.relevel()
        elif self._begun and self._market.ctl[k.LEVELS]:
            self._moves.add(slots)

    def moved(self) -> None:
        """A record has reached a level."""
        market = self._market
        slot, ts_ns = int(market.ctl[k.MOVED]) - 1, int(market.ctl[k.MOVED_NS])
        fired = self._moves.look(slot, ts_ns)
        if not fired:
            return
        row = np.zeros(k.INSTANT_WIDTH, np.int64)
        k.note_instant(market.state, market.bars, slot, ts_ns + 1, row, 0)
        row[k.INSTANT_NS] = ts_ns
        for watched, price in fired:
            self._moved.append(_Moved(watched, price))
            self._rows.append(row)

    @property
    def waiting(self) -> bool:
        """Whether there is anything to evaluate."""
        return int(self._market.ctl[k.INSTANTS]) > 0 or bool(self._moved)

    def flush(self) -> None:
        """Evaluate what waits: a minute's close, the seconds that are over since, and records."""
        market = self._market
        found: list[_Told] = []
        if market.ctl[k.INSTANTS]:
            found += self._evaluate(self._view(market.noted))
            market.ctl[k.INSTANTS] = 0
        if self._moved:
            found += self._tell_moves()
        self._take(found)

    def close_second(self, ns: int) -> None:
        """Let the second that ends at `ns` be over, and evaluate all there is."""
        if self._begun:
            self._market.close_second(ns)
            if int(self._market.ctl[k.SEEN_COUNT]):
                # There was no room.
                self.flush()
                self._market.close_second(ns)
            self.flush()

    def close_minute(self, boundary_ns: int) -> None:
        """Let all symbols be evaluated as they stand at a minute's close.

        That is done with the seconds that follow: until the next close, and as long as the session
        lasts, nothing changes of what they are evaluated on.
        """
        if not self._begun:
            return
        market = self._market
        self._closed_ns = boundary_ns
        market.closed_alerts[:] = market.alerts
        self._first = first_marks(market.rows)
        if self._come_ready():
            self._take_up(boundary_ns, Prime.NONE)
        watching = bool(market.ctl[k.WATCHING] and market.count)
        if watching and not market.note_close(boundary_ns):
            self.flush()
            market.note_close(boundary_ns)
        every = self._every(noted=watching)
        self._list_members(every)
        self._find_members(self._scoped(), every)
        self._level_some()

    def take_fired(self) -> list[Fired]:
        """Return what has fired since this was asked last, in the order of event time."""
        fired, self._fired = self._fired, []
        return fired

    # --- how ----------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Let the compiled path note what rules need."""
        ctl = self._market.ctl
        ctl[k.WATCHING] = any(watched.condition is not None for watched in self._watched)
        if not ctl[k.WATCHING]:
            self._market.forget_seen()

    def _take_up(self, event_ns: int, prime: Prime, *, known: Rules | None = None) -> None:
        """Take up the rules that are wanted, or those that are `known` already."""
        if known is None and self._wanted:
            self._rules = self._wanted.popleft()
        market, rules = self._market, self._rules.watched
        memories, new = memories_of(rules, market.rule_memories)
        market.rule_memories = memories
        for condition in new:
            memories[condition].members = None
        self._known = self._ground.closes_known()
        self._pool = Pool()
        self._watched = tuple(
            _watched(rule, memories[rule.condition], place, self._known, self._pool)
            for place, rule in enumerate(rules)
        )
        by_record = [watched for watched in self._watched if watched.condition is None]
        self._moves = Moves(market, by_record, self._ground.suspicious)
        fresh = self._fresh(prime, new)
        if fresh and market.count:
            self._prime(fresh, event_ns)
        self._level()
        self._watch()

    def _fresh(self, prime: Prime, new: Collection[str]) -> list[Watched]:
        """Return the rules that are to be primed now; one that is not ready is so later."""
        found, waiting = [], {}
        for watched in self._watched:
            condition = watched.rule.condition
            due = prime is Prime.ALL or (prime is Prime.NEW and condition in new)
            due = due or self._unready.get(condition, False)
            if not self._ready(watched.rule):
                waiting[condition] = due
            elif due:
                found.append(watched)
        self._unready = waiting
        return found

    def _ready(self, rule: Rule) -> bool:
        """Whether all indicators that a rule needs are kept."""
        needed = (indicator_of(key) for key in rule.keys)
        return all(key is None or key in self._market.indicators.keys for key in needed)

    def _come_ready(self) -> bool:
        """Whether a rule has come to be ready."""
        return any(
            watched.rule.condition in self._unready and self._ready(watched.rule)
            for watched in self._watched
        )

    def _prime(self, fresh: Iterable[Watched], event_ns: int) -> None:
        view = self._view(all_now(self._market, event_ns), whole=True)
        self._list_members(self._every())
        with Shared(self._pool.pure) as shared:
            for watched in fresh:
                if self._market.session not in watched.rule.sessions:
                    continue
                if watched.condition is None:
                    inside = watched.holds(view, self._market.leaders, shared)
                    self._moves.prime(watched, inside, event_ns)
                else:
                    watched.prime(view, self._market.leaders, shared)

    def _view(self, columns: Integers, *, whole: bool = False) -> Instants:
        return Instants(
            self._ground.photographer,
            columns,
            self._closed_ns,
            feed=self._ground.feed(),
            alerts=self._market.closed_alerts,
            closes_known=self._known,
            whole=whole,
        )

    def _evaluate(self, view: Instants) -> list[_Told]:
        """Return what fires at some rows, which are in the order of time."""
        market, waits = self._market, self._waits(view)
        fired = []
        with Shared(self._pool.pure) as shared:
            for watched in self._watched:
                unready = self._unready and watched.rule.condition in self._unready
                if watched.condition is None or unready:
                    continue
                if market.session in watched.rule.sessions:
                    at = watched.fire(view, market.leaders, shared, waits)
                    if len(at):
                        fired.append((watched, at))
        if not fired:
            return []
        shut = np.zeros(len(view.slot), np.bool_)
        rows = np.unique(np.concatenate([at for _, at in fired]))
        shut[rows] = ~self._gates.passes(self._view(view.columns[:, rows]))
        return [told for watched, at in fired for told in self._told(watched, view, at, shut)]

    def _waits(self, view: Instants) -> Flags | None:
        """Return which rows wait for a word on what looks like a split; None for none."""
        slot, waits = view.slot, view.split_suspect
        # Who has its first mark since the last minute's close was not looked at then.
        new = differing(slot, view.state(k.FIRST_MARK), view.state(k.MARK), self._first)
        if len(new):
            waits = waits.copy()
            waits[new] = self._ground.suspicious(slot[new], first_marks(view.states[new]))
        return waits if np.count_nonzero(waits) else None

    def _told(self, watched: Watched, view: Instants, at: Integers, shut: Flags) -> Iterator[_Told]:
        rule = watched.rule
        keys = sorted(rule.keys | {_CHANGE}, key=str)
        columns = [(str(key), values_of(key, view)[at].tolist()) for key in keys]
        names = self._market.symbols.names
        for place, row in enumerate(at.tolist()):
            slot = int(view.slot[row])
            fired = Fired(
                ts_ns=int(view.ns[row]),
                symbol=names[slot],
                rule=rule.name,
                price=float(view.mark[row]),
                values=packed((name, column[place]) for name, column in columns),
                gated=rule.gates and bool(shut[row]),
            )
            yield _Told(fired, watched.place, slot)

    def _tell_moves(self) -> list[_Told]:
        moved, columns = self._moved, np.stack(self._rows, axis=1)
        self._moved, self._rows = [], []
        view = self._view(columns)
        shut = ~self._gates.passes(view)
        names = self._market.symbols.names
        closes = view.prev_close
        found = []
        for row, each in enumerate(moved):
            slot, price = int(view.slot[row]), each.price / 1e9
            change = float(percent_over(np.array([price]), closes[row : row + 1])[0])
            rule = each.watched.rule
            fired = Fired(
                ts_ns=int(view.ns[row]),
                symbol=names[slot],
                rule=rule.name,
                price=price,
                values=packed((("chg", change), ("prev_close", float(closes[row])))),
                gated=rule.gates and bool(shut[row]),
            )
            found.append(_Told(fired, each.watched.place, slot, by_record=True))
        return found

    def _take(self, found: list[_Told]) -> None:
        """Count what has fired, in the order of time, then of the rules, then of the symbols."""
        market = self._market
        found.sort(
            key=lambda told: (told.fired.ts_ns, told.by_record, told.place, told.fired.symbol)
        )
        for told in found:
            fired = told.fired
            if self._ground.behind_ns(fired.ts_ns) > LATE_NS:
                fired = replace(fired, late=True)
            market.alerts[told.slot] += 1
            market.take_fired((fired,))
            self._fired.append(fired)

    # --- gates, leaderboards, levels ------------------------------------------------------------

    def _scoped(self) -> list[Watched]:
        """Return the move rules that are for some symbols only."""
        return [
            watched
            for watched in self._watched
            if watched.condition is None
            and (watched.rule.scope != "all" or not watched.rule.filter.empty)
        ]

    def _every(self, *, noted: bool = False) -> Instants | None:
        """Return all symbols at the last minute's close; None where no rule is for some alone.

        Args:
            noted: Whether that close was the last that was noted, and just now.
        """
        market = self._market
        if not market.count or not (self._scoped() or self._ranked()):
            return None
        if noted:
            return self._view(market.noted[:, -market.count :], whole=True)
        return self._view(all_symbols(market, self._closed_ns), whole=True)

    def _ranked(self) -> bool:
        """Whether a rule is for the leaderboard."""
        return any(watched.rule.scope == "toplist" for watched in self._watched)

    def _list_members(self, every: Instants | None) -> None:
        """Find out who is on the leaderboard."""
        if every is None or not self._ranked():
            return
        leaders = self._gates.leaders(every)
        self._market.leaders[:] = False
        self._market.leaders[: len(leaders)] = leaders

    def _level(self) -> None:
        """Set the prices that move rules wait for."""
        self._suspects = self._market.split_suspect[: self._market.count].copy()
        self._moves.level(self._members())

    def _level_some(self) -> None:
        """Set them for symbols that have come into a rule's filter, or left it, alone."""
        suspects = self._market.split_suspect[: self._market.count]
        if not np.array_equal(suspects, self._suspects):
            self._level()
        elif self._scoped():
            self._moves.move_members(self._members())

    def _members(self) -> dict[int, Flags]:
        """Return for whom each move rule is that is not for all, by the rule's place."""
        scoped = self._scoped()
        unknown = [watched for watched in scoped if watched.memory.members is None]
        if unknown:
            self._find_members(unknown, self._every())
        # One that is for all is also for those who are new before the next close.
        return {w.place: w.memory.members for w in scoped if w.memory.members is not None}

    def _find_members(self, scoped: Sequence[Watched], every: Instants | None) -> None:
        """Find out for whom some move rules are; that stays until the next close."""
        if every is None:
            for watched in scoped:
                watched.memory.members = np.zeros(0, np.bool_)
            return
        with Shared(self._pool.pure) as shared:
            for watched in scoped:
                members = in_scope(watched.rule, every, self._market.leaders)
                watched.memory.members = members & watched.passes(every, shared)

    def _forget_members(self) -> None:
        for memory in self._market.rule_memories.values():
            memory.members = None


def _watched(rule: Rule, memory: RuleMemory, place: int, closes_known: bool, pool: Pool) -> Watched:
    """Return a rule with what it is evaluated by, which is nothing where records fire it.

    Without previous closes there are no levels to wait for: a move is then looked at each second.
    """
    if rule.when is not None or closes_known:
        return Watched(rule, memory, place, rule.when, pool)
    back = rule.rearm_move or rule.move
    rule = replace(rule, rearm=parse(f"abs(chg) < {back:.6f}"))
    return Watched(rule, memory, place, parse(f"abs(chg) >= {rule.move:.6f}"), pool)
