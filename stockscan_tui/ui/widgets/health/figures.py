"""What the panel says: the figures of a picture in blocks, each with what it means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from stockscan_tui.market.batch import Gap
from stockscan_tui.market.calendar import SECOND_NS, Session
from stockscan_tui.market.completeness import (
    Share,
    rows_by_tier,
    share_of,
    verified_share,
    wide_share,
)
from stockscan_tui.market.judgement import ms, percent
from stockscan_tui.market.limits import LIMITS, Level
from stockscan_tui.market.snapshot import LIVE_PHASES, Integers, Phase, Snapshot
from stockscan_tui.market.text import printable
from stockscan_tui.market.troubles import GB, bars_level
from stockscan_tui.market.vitals import Lag
from stockscan_tui.ui import format as fmt
from stockscan_tui.ui.widgets.health.blocks import GAP_CELLS, Block, Entry
from stockscan_tui.ui.widgets.health.drawn import STYLE_OF, Pieces
from stockscan_tui.ui.widgets.health.pace import USUAL_ABOVE, USUAL_WITHIN, pace_chart

LABEL_CELLS = 15
MOST_GAPS = 20
MOST_PROBLEMS = 5
BOARD_ROWS = 50
TWO_FROM, THREE_FROM = 110, 170
MOST_CHART = 20


def figure(
    key: str, label: str, text: str, doc: str = "", *, value: float = math.nan, limit: str = ""
) -> Entry:
    """Return a figure by its label; its sign and style are those of its limit.

    Args:
        key: What it is known by.
        label: What stands before it.
        text: What it says; text from outside is to be made harmless before.
        doc: What it means; empty for what its limit says of itself.
        value: What its limit judges, NaN for unknown.
        limit: The limit's id, empty for none.
    """
    level = LIMITS[limit].level(value) if limit else Level.UNKNOWN
    turned = level > Level.GOOD
    sign = level.sign if turned else " "
    pieces: Pieces = (
        (f"{sign} ", STYLE_OF[level]),
        (f"{label:<{LABEL_CELLS}}", "dim"),
        (text, STYLE_OF[level] if turned else "plain"),
    )
    return Entry(key, pieces, label, _explained(doc, limit))


@lru_cache(maxsize=256)
def _explained(doc: str, limit: str) -> str:
    """Return what a figure means, with the words of its limit."""
    said = doc or (LIMITS[limit].doc if limit else "")
    words = LIMITS[limit].words if limit else ""
    return f"{said} · {words}" if words else said


def completeness(snapshot: Snapshot, board: Integers) -> Block:
    """Return the market's share, that of each tier of moves, and of the board's symbols."""
    coverage = snapshot.coverage
    head = f"{'':2}{'':11}{'symbols':>8}{'complete':>10}{'density':>9}{'missing':>9}{'unknown':>9}"
    parts: list[tuple[str, str, Share]] = [
        ("market", "all symbols that the feed has named", share_of(coverage))
    ]
    for name, rows in rows_by_tier(snapshot):
        doc = f"symbols that moved {name} against the previous close"
        parts.append((name, doc, share_of(coverage, rows)))
    parts.append(
        ("board", f"the first {BOARD_ROWS} rows of the board's list", share_of(coverage, board))
    )
    entries = tuple(_share_entry(name, doc, share) for name, doc, share in parts)
    return Block("completeness", picture=(((head, "dim"),),), wide=entries)


@lru_cache(maxsize=32)
def _share_doc(doc: str) -> str:
    return (
        f"{doc} · complete: traded, backfilled or quiet minutes of those that are over "
        f"({LIMITS['completeness'].words}) · density: those with a bar"
    )


def _share_entry(name: str, doc: str, share: Share) -> Entry:
    limit = LIMITS["completeness"]
    level = limit.level(share.complete * 100)
    complete, dense = percent(share.complete), percent(share.dense)
    pieces: Pieces = (
        (f"{level.sign if level > Level.GOOD else ' '} {name:<11}{share.symbols:>8,}", "plain"),
        (f"{complete:>10}", STYLE_OF[level]),
        (f"{dense:>9}", "plain"),
        (f"{fmt.count(share.missing):>9}", "warning" if share.missing else "dim"),
        (f"{fmt.count(share.unknown):>9}", "warning" if share.unknown else "dim"),
    )
    return Entry(("share", name), pieces, name, _share_doc(doc))


def pace(snapshot: Snapshot, width: int, rows: int) -> Block:
    """Return bars a minute against the usual, as a chart and in figures."""
    now = snapshot.vitals.pace
    level = bars_level(now)
    limit = LIMITS["bars"]
    sign = level.sign if level > Level.GOOD else " "
    said = f"{fmt.whole(now.now)} in the last minute · usual {fmt.whole(now.usual_now)}"
    if not math.isnan(now.share):
        said += f" · {now.share * 100:.0f} %"
    pieces: Pieces = ((f"{sign} ", STYLE_OF[level]), (said, STYLE_OF[level]
                                 if level > Level.GOOD else "plain"))  # fmt: skip
    source = f"the usual is {now.source}" if now.source else "nothing is known of the usual"
    doc = (
        f"{limit.doc}; {source} · {limit.words} · {USUAL_ABOVE} usual, not reached; "
        f"{USUAL_WITHIN} usual, passed"
    )
    chart = pace_chart(now, width, rows)
    told = Entry("pace", pieces, "bars a minute", doc)
    return Block("bars a minute", picture=chart, wide=(told,))


def feed(snapshot: Snapshot) -> Block:
    """Return how the feed stands, for how long, and what became of its gaps."""
    told, vitals, health = snapshot.feed, snapshot.vitals, snapshot.health
    live = told.phase in LIVE_PHASES
    state = fmt.link(told) if live else f"{told.phase.value}, {fmt.speed(told.speed)}"
    closed = snapshot.session is Session.CLOSED
    open_gaps = max(0, health.gaps - health.healed)
    quiet_limit = "" if closed or not live else "silence"
    entries = [
        figure("state", "state", state, "how the feed stands"),
        figure(
            "gaps", "gaps", f"{health.gaps:,}, {health.healed:,} healed", LIMITS["open_gaps"].doc,
            value=float(open_gaps), limit="open_gaps",
        ),
        figure(
            "since", "for", fmt.span(told.since_s) if live else fmt.MISSING,
            "how long the connection has stood so, in wall time",
        ),
        figure(
            "silence", "silence", _age(vitals.silent_s),
            "outside sessions silence is no alarm" if closed else LIMITS["silence"].doc,
            value=vitals.silent_s, limit=quiet_limit,
        ),
        figure(
            "down", "down for", fmt.span(told.since_s) if told.phase is Phase.DOWN else "—",
            value=told.since_s if told.phase is Phase.DOWN and not closed else math.nan,
            limit="down",
        ),
        figure(
            "slow", "slow reader", f"{vitals.slow_reader:,}",
            value=float(vitals.slow_reader), limit="slow_reader",
        ),
    ]  # fmt: skip
    return Block("feed", tuple(entries[2:]), wide=tuple(entries[:2]))


def gaps(snapshot: Snapshot) -> Block:
    """Return the gaps of the feed, the newest first, and the spans that are in doubt."""
    found = [_gap(gap) for gap in snapshot.vitals.gaps]
    told = {(gap.from_ns, gap.reason) for gap in snapshot.vitals.gaps}
    found += [
        _gap_entry(doubt.from_ns, doubt.to_ns, doubt.reason, Level.WARNING, "unknown")
        for doubt in reversed(snapshot.doubts)
        if (doubt.from_ns, doubt.reason) not in told
    ]
    if not found:
        doc = "spans of the day in which the feed was not whole, and how they healed"
        found = [Entry("no gap", (("  none", "dim"),), "gaps", doc)]
    return Block("gaps", wide=tuple(found[:MOST_GAPS]))


def _gap(gap: Gap) -> Entry:
    if not gap.to_ns:
        return _gap_entry(gap.from_ns, 0, gap.reason, Level.ALARM, "lasting")
    if gap.healed_ns:
        return _gap_entry(gap.from_ns, gap.to_ns, gap.reason, Level.GOOD, "replayed")
    return _gap_entry(gap.from_ns, gap.to_ns, gap.reason, Level.WARNING, "open")


_BECAME = {
    "lasting": "the feed has not come back from it yet",
    "replayed": "the gateway sent all of it again: no record is missing",
    "open": "nothing has replayed all of it; its minutes stay unknown until they are verified",
    "unknown": "of these minutes nothing says that all records came",
}


def _gap_entry(from_ns: int, to_ns: int, reason: str, level: Level, became: str) -> Entry:
    end = fmt.clock(to_ns) if to_ns else "…"
    lasted = fmt.span((to_ns - from_ns) / SECOND_NS) if to_ns else ""
    pieces: Pieces = (
        (f"{level.sign} {fmt.clock(from_ns)}–{end:<8} ", STYLE_OF[level]),
        (f"{lasted:>8} {became:<9}", "plain"),
        (printable(reason), "dim"),
    )
    doc = f"{printable(reason)} · {_BECAME[became]}"
    return Entry(("gap", from_ns, reason), pieces, f"{fmt.clock(from_ns)}–{end}", doc)


def verification(snapshot: Snapshot) -> Block:
    """Return how our bars compare with Databento's own."""
    found, coverage = snapshot.verification, snapshot.coverage
    share = verified_share(found)
    open_ones = max(0, found.differing + found.lacking + found.surplus - found.healed)
    elapsed = coverage.elapsed if coverage is not None else 0
    proved = coverage.proved if coverage is not None else 0
    fields = ", ".join(f"{name} {count:,}" for name, count in found.fields)
    wide = (
        figure("source", "against", printable(found.source) or "nothing",
               "whose bars ours are compared with: --verify FILE, or ohlcv-1m beside the feed"),
        figure("fields", "fields", fields or "none", "in which bars differed, and how often"),
    )  # fmt: skip
    entries = [
        figure("verified", "verified", percent(share), value=share * 100, limit="verified"),
        figure("proved", "minutes", f"{proved:,} of {elapsed:,}",
               "session minutes for which Databento's own bars were compared, of those over"),
        figure("equal", "equal", f"{found.equal:,}", "bars that both have, equal in every field"),
        figure("differing", "open", f"{open_ones:,}", value=float(open_ones), limit="differing"),
        figure("lacking", "lacking", f"{found.lacking:,}", "bars that only Databento has"),
        figure("surplus", "surplus", f"{found.surplus:,}", "bars that only we have"),
        figure("healed", "healed", f"{found.healed:,}", "bars replaced by Databento's, of these"),
        figure("differ", "differed", f"{found.differing:,}",
               "bars that both have, unlike in a field"),
    ]  # fmt: skip
    return Block("verification", tuple(entries), wide=wide)


def lag(snapshot: Snapshot, drawn: Lag) -> Block:
    """Return the time from the exchange to us, and from us to the screen."""
    came = snapshot.vitals.lag
    offset = "the least lag seen in the last minute: below zero this machine's clock is behind"
    entries = [
        *_lag_entries("came", "exchange → us", came, "lag"),
        figure("offset", "least lag", ms(came.least_ms), offset),
        *_lag_entries("drawn", "us → screen", drawn, "screen_lag"),
    ]
    return Block("lag", wide=tuple(entries))


def _lag_entries(key: str, label: str, found: Lag, limit: str) -> list[Entry]:
    text = f"p50 {ms(found.p50_ms):<9} p99 {ms(found.p99_ms):<9} max {ms(found.max_ms)}"
    return [figure(key, label, text, value=found.p99_ms, limit=limit)]


def store(snapshot: Snapshot) -> Block:
    """Return how the database fares."""
    found = snapshot.vitals.store
    free = found.free_bytes / GB if found.free_bytes >= 0 else math.nan
    flowing = snapshot.feed.phase in (Phase.LIVE, Phase.CATCHING_UP)
    age_s = found.commit_age_s if flowing and snapshot.session is not Session.CLOSED else math.nan
    size = f"{found.file_bytes / 1e6:,.1f} MB" if found.file_bytes >= 0 else fmt.MISSING
    entries = [
        figure("free", "free disk", f"{free:,.1f} GB" if found.free_bytes >= 0 else fmt.MISSING,
               value=free, limit="free_disk"),
        figure("size", "database", size, "the size of the database's file"),
        figure("queue", "queue", f"{found.queue:,} batch{'es' * (found.queue != 1)}",
               value=found.queue, limit="queue"),
        figure("batch", "last batch", ms(found.batch_ms), value=found.batch_ms, limit="batch"),
        figure("commit", "last commit", _ago(found.commit_age_s), value=age_s, limit="commit_age"),
        figure("rows", "bars written", f"{found.rows:,}", "bars committed since the run began"),
    ]  # fmt: skip
    return Block("store", tuple(entries))


def records(snapshot: Snapshot) -> Block:
    """Return the records by kind, and per second."""
    docs = {
        "quotes": "rows that carry a quote: mbp-1, tbbo, bbo; a trade may stand in one",
        "trades": "trades taken into bars, from records of their own or from rows of quotes",
        "control": "mappings, definitions, statistics, system messages, errors",
        "other": "ready-made bars, and what was passed over",
    }
    entries = [
        figure(flow.name, flow.name, f"{flow.records:,}  {fmt.count(flow.per_s)}/s",
               docs.get(flow.name, ""))
        for flow in snapshot.vitals.flows
    ]  # fmt: skip
    total = f"{snapshot.health.records:,}  {fmt.count(snapshot.health.records_per_s)}/s"
    entries.append(figure("records", "all", total, "every record since the run began"))
    return Block("records", wide=tuple(entries))


def counts(snapshot: Snapshot) -> Block:
    """Return what was late, odd or left out."""
    health, vitals = snapshot.health, snapshot.vitals
    wide = wide_share(snapshot) * 100
    rss = vitals.rss_mb
    numbers = (
        ("late", "late", health.late),
        ("repeated", "repeated", health.repeated),
        ("unmapped", "unmapped", health.unmapped),
        ("unknown_records", "unknown types", health.unknown_records),
        ("bad_times", "bad timestamps", health.bad_timestamps),
        ("bad_prices", "bad prices", health.bad_prices),
    )
    entries = [
        figure(name, label, f"{count:,}", value=float(count), limit=name)
        for name, label, count in numbers
    ]
    entries.append(
        figure("wide", "wide spreads", fmt.MISSING if math.isnan(wide) else f"{wide:.1f} %",
               value=wide, limit="wide")
    )  # fmt: skip
    entries.append(
        figure("memory", "memory", fmt.MISSING if math.isnan(rss) else f"{rss:,.0f} MB", value=rss,
               limit="memory")
    )  # fmt: skip
    return Block("counts", tuple(entries))


def problems(snapshot: Snapshot) -> Block:
    """Return the last sentences on what went wrong, the newest first."""
    told = snapshot.health.problems
    found = [
        Entry(("problem", said), (("! ", "warning"), (printable(said), "plain")), "trouble",
              printable(said))
        for said in told[: -MOST_PROBLEMS - 1 : -1]
    ]  # fmt: skip
    if not found:
        doc = "sentences on what went wrong since the run began"
        found = [Entry("no trouble", (("  none", "dim"),), "troubles", doc)]
    title = f"troubles, {len(told):,}" if told else "troubles"
    return Block(title, wide=tuple(found))


def arranged(
    snapshot: Snapshot, board: Integers, drawn: Lag, size: tuple[int, int]
) -> Sequence[Sequence[Block]]:
    """Return the blocks in as many columns as there is room for.

    Args:
        snapshot: The picture.
        board: The rows of the board's list, in order.
        drawn: The time from us to the screen.
        size: Width and height in cells.
    """
    width, height = size
    shares = completeness(snapshot, board[:BOARD_ROWS])
    compared, feed_, gaps_ = verification(snapshot), feed(snapshot), gaps(snapshot)
    machine = [lag(snapshot, drawn), store(snapshot), records(snapshot), counts(snapshot)]
    told = problems(snapshot)
    # Title, times and figure of the chart, a line between, and the title of the gaps.
    spare = height - len(gaps_.wide) - 5
    if width >= THREE_FROM:
        chart = pace(snapshot, (width - 2 * GAP_CELLS) // 3, min(max(spare, 9), MOST_CHART))
        return [[shares, compared, told], [chart, gaps_], [feed_, *machine]]
    if width >= TWO_FROM:
        spare -= len(shares.wide) + 3
        chart = pace(snapshot, (width - GAP_CELLS) // 2, min(max(spare, 5), MOST_CHART))
        return [[shares, chart, gaps_], [feed_, compared, *machine, told]]
    return [[shares, pace(snapshot, width, 4), feed_, gaps_, compared, *machine, told]]


def _age(seconds: float) -> str:
    return fmt.MISSING if math.isnan(seconds) else f"{seconds:.0f} s"


def _ago(seconds: float) -> str:
    return fmt.MISSING if math.isnan(seconds) else f"{fmt.span(seconds)} ago"
