"""Five lines that a glance takes in: feed, completeness, verification, disk, lag."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stockscan_tui.market.calendar import Session
from stockscan_tui.market.completeness import share_of, verified_share
from stockscan_tui.market.limits import Level, level_of
from stockscan_tui.market.snapshot import LIVE_PHASES, Phase, Snapshot
from stockscan_tui.market.troubles import GB, bars_level


@dataclass(frozen=True, slots=True)
class Judgement:
    """How one side of a run stands, in a sentence; text from outside stands in it as it came."""

    name: str
    level: Level
    sentence: str


def judge(snapshot: Snapshot) -> tuple[Judgement, ...]:
    """Return the five judgements of a picture, always in the same order."""
    return (_feed(snapshot), _complete(snapshot), _verified(snapshot), _disk(snapshot),
            _lag(snapshot))  # fmt: skip


def percent(share: float) -> str:
    """Return a part of a whole in percent, never rounded up: 100 % is all of it."""
    if math.isnan(share):
        return "—"
    return "100 %" if share >= 1.0 else f"{math.floor(share * 10_000) / 100:.2f} %"


def _feed(snapshot: Snapshot) -> Judgement:
    feed, session = snapshot.feed, snapshot.session
    if feed.phase not in LIVE_PHASES:
        return _played(snapshot)
    if session is Session.CLOSED and feed.phase is not Phase.CATCHING_UP:
        word = "closed; silence is no alarm until the next pre-market"
        return Judgement("feed", Level.GOOD, f"{word} · {feed.phase.value}")
    if feed.phase is Phase.DOWN:
        why = f": {feed.message}" if feed.message else ""
        retry = f", retry in {feed.retry_s:.0f} s" if feed.retry_s else ""
        return Judgement(
            "feed", level_of("down", feed.since_s), f"down for {feed.since_s:.0f} s{retry}{why}"
        )
    if feed.phase is Phase.SILENT:
        silent_s = snapshot.vitals.silent_s
        level = max(Level.WARNING, level_of("silence", silent_s))
        return Judgement("feed", level, f"silent for {silent_s:.0f} s, not even a heartbeat")
    if feed.phase is not Phase.LIVE:
        progress = f" {feed.progress * 100:.0f} %" if feed.phase is Phase.CATCHING_UP else ""
        return Judgement("feed", Level.WARNING, f"{feed.phase.value}{progress}")
    return _flowing(snapshot, "live")


def _played(snapshot: Snapshot) -> Judgement:
    phase = snapshot.feed.phase
    if phase is Phase.FAILED:
        return Judgement("feed", Level.ALARM, "the run has failed")
    if phase in (Phase.PLAYING, Phase.PAUSED):
        return _flowing(snapshot, phase.value)
    return Judgement("feed", Level.GOOD, "played to the end" if phase is Phase.ENDED
                     else phase.value)  # fmt: skip


def _flowing(snapshot: Snapshot, word: str) -> Judgement:
    """Return the judgement of a feed that is there, by what it brings."""
    pace = snapshot.vitals.pace
    level = bars_level(pace)
    said = [word, f"{snapshot.health.records_per_s:,.0f} records/s"]
    if not math.isnan(pace.now):
        usual = f", usual {pace.usual_now:,.0f}" if not math.isnan(pace.usual_now) else ""
        said.append(f"{pace.now:,.0f} bars/min{usual}")
    open_gaps = snapshot.health.gaps - snapshot.health.healed
    if open_gaps > 0:
        level = max(level, level_of("open_gaps", open_gaps))
        said.append("1 gap open" if open_gaps == 1 else f"{open_gaps} gaps open")
    return Judgement("feed", max(level, Level.GOOD), " · ".join(said))


def _complete(snapshot: Snapshot) -> Judgement:
    name = "completeness"
    share = share_of(snapshot.coverage)
    if math.isnan(share.complete):
        return Judgement(name, Level.UNKNOWN, "no minute of a session is over yet")
    said = [f"{percent(share.complete)} of all minutes known", f"density {percent(share.dense)}"]
    said += [f"{n:,} {word}" for n, word in ((share.missing, "missing"), (share.unknown, "unknown"))
             if n]  # fmt: skip
    return Judgement(name, level_of(name, share.complete * 100), " · ".join(said))


def _verified(snapshot: Snapshot) -> Judgement:
    name = "verification"
    found, coverage = snapshot.verification, snapshot.coverage
    share = verified_share(found)
    if not found.source:
        return Judgement(name, Level.UNKNOWN, "nothing to hold the bars against")
    if math.isnan(share):
        return Judgement(name, Level.UNKNOWN, f"no bar compared yet with {found.source}")
    compared = found.equal + found.differing + found.lacking + found.surplus
    said = [f"{percent(share)} of {compared:,} bars equal to {found.source}"]
    if coverage is not None and coverage.elapsed:
        said.append(f"{coverage.proved:,} of {coverage.elapsed:,} minutes")
    if found.healed:
        said.append(f"{found.healed:,} healed")
    return Judgement(name, level_of("verified", share * 100), " · ".join(said))


def _disk(snapshot: Snapshot) -> Judgement:
    store = snapshot.vitals.store
    if snapshot.health.store_error:
        return Judgement("disk", Level.ALARM, snapshot.health.store_error)
    if store.free_bytes < 0:
        return Judgement("disk", Level.UNKNOWN, "nothing is stored, or its disk does not say")
    free = store.free_bytes / GB
    level = max(level_of("free_disk", free), level_of("queue", store.queue))
    said = [f"{free:,.1f} GB free"]
    if store.file_bytes >= 0:
        said.append(f"database {store.file_bytes / 1e6:,.1f} MB")
    said.append(f"{store.rows:,} bars written")
    if store.queue:
        said.append(f"{store.queue} batch{'es' * (store.queue > 1)} to be written")
    return Judgement("disk", level, " · ".join(said))


def _lag(snapshot: Snapshot) -> Judgement:
    lag = snapshot.vitals.lag
    if not lag.samples:
        word = "none to tell: this market keeps a time of its own"
        if snapshot.feed.phase in LIVE_PHASES and not snapshot.feed.simulated:
            word = "nothing came in the last minute"
        return Judgement("lag", Level.UNKNOWN, word)
    said = f"p50 {ms(lag.p50_ms)} · p99 {ms(lag.p99_ms)} · max {ms(lag.max_ms)}"
    if lag.least_ms < 0:
        said += f" · this clock is behind by {ms(-lag.least_ms)} or more"
    return Judgement("lag", level_of("lag", lag.p99_ms), said)


def ms(value: float) -> str:
    """Return a time in ms in few cells, as in 3.2 ms or 1,450 ms."""
    if math.isnan(value):
        return "—"
    return f"{value:.1f} ms" if abs(value) < 10 else f"{value:,.0f} ms"
