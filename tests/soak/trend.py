"""What the samples of a week come to, session by session, and whether they stay flat."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

# A line through the resident memory may rise by so much a session: the greater of the two.
SLOPE_SHARE = 0.02
SLOPE_KB = 5_000.0
# A session may add so many times to the database what the first one made of it; besides, its
# journal grows and is taken in.
GROWTH_TIMES = 1.25
JOURNAL_MB = 32.0
# The median lag of the later sessions may be so many times that of the earlier ones, or so much
# more. Its p99 is that of the catching up after faults, and of the machine's other work.
LAG_TIMES = 2.0
LAG_MORE_MS = 250.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One look; sizes in kB and bytes, `session` counted from 0, `place` within it from 0 to 1.

    `lag_ms` is NaN where there is none to tell: at night, or while it is catching up.
    """

    wall_s: float
    event_ns: int
    session: int
    place: float
    life: int
    state: str
    rss_kb: int
    pss_kb: int
    fds: int
    threads: int
    cpu_s: float
    database: int
    recordings: int
    log: int
    copy: int
    lag_ms: float
    queue: int
    records: int
    bars: int
    gaps: int
    completeness: float


@dataclass(frozen=True, slots=True)
class SessionFigures:
    """One session's row of the table; memory in MB, sizes in MB, `grown` since the one before."""

    session: int
    samples: int
    rss_median: float
    rss_most: float
    pss_median: float
    fds_median: float
    fds_most: int
    threads_median: float
    threads_most: int
    cpu_share: float
    database: float
    grown: float
    recordings: float
    log: float
    lag_p50: float
    lag_p99: float
    queue_most: int


def figures(samples: Sequence[Sample]) -> list[SessionFigures]:
    """Return a row for each session."""
    rows: list[SessionFigures] = []
    before = 0.0
    for session in sorted({sample.session for sample in samples}):
        mine = [sample for sample in samples if sample.session == session]
        # Up to the next session's begin it still takes in what the day came to.
        size = max(sample.database for sample in mine[-5:]) / 1e6
        lags = [sample.lag_ms for sample in mine if not math.isnan(sample.lag_ms)]
        rows.append(
            SessionFigures(
                session=session,
                samples=len(mine),
                rss_median=_median([s.rss_kb for s in mine]) / 1e3,
                rss_most=max(s.rss_kb for s in mine) / 1e3,
                pss_median=_median([s.pss_kb for s in mine]) / 1e3,
                fds_median=_median([s.fds for s in mine]),
                fds_most=max(s.fds for s in mine),
                threads_median=_median([s.threads for s in mine]),
                threads_most=max(s.threads for s in mine),
                cpu_share=_cpu(mine),
                database=size,
                grown=size - before,
                recordings=mine[-1].recordings / 1e6,
                log=mine[-1].log / 1e6,
                lag_p50=float(np.percentile(lags, 50)) if lags else math.nan,
                lag_p99=float(np.percentile(lags, 99)) if lags else math.nan,
                queue_most=max(s.queue for s in mine),
            )
        )
        before = size
    return rows


def slope_kb(samples: Sequence[Sample]) -> tuple[float, float]:
    """Return how many kB the resident memory rises a session, and its mean.

    A line is fitted through the samples after the first session, of the last life.
    """
    life = max(sample.life for sample in samples)
    kept = [s for s in samples if s.life == life and s.session > 0]
    if len(kept) < 10 or kept[-1].session == kept[0].session:
        return math.nan, math.nan
    at = np.array([s.session + s.place for s in kept])
    rss = np.array([s.rss_kb for s in kept], np.float64)
    return float(np.polyfit(at, rss, 1)[0]), float(rss.mean())


def failings(samples: Sequence[Sample]) -> list[str]:
    """Return what did not stay flat, in sentences."""
    rows = figures(samples)
    said: list[str] = []
    slope, mean = slope_kb(samples)
    if slope > max(SLOPE_SHARE * mean, SLOPE_KB):
        said.append(f"The resident memory rises by {slope / 1e3:.1f} MB a session.")
    life = max(sample.life for sample in samples)
    last = figures([sample for sample in samples if sample.life == life])[1:]
    for name in ("fds_median", "threads_median"):
        values = [asdict(row)[name] for row in last]
        if values and max(values) - min(values) > 2:
            said.append(f"{name} does not stay: {values}.")
    grown = [row.grown for row in rows]
    if max(grown[1:], default=0.0) > GROWTH_TIMES * grown[0] + JOURNAL_MB:
        said.append(f"The database's growth does not stay: {[round(g, 1) for g in grown]} MB.")
    lags = [row.lag_p50 for row in rows if not math.isnan(row.lag_p50)]
    early, late = (_median(part) for part in (lags[: len(lags) // 2], lags[len(lags) // 2 :]))
    if late > max(LAG_TIMES * early, early + LAG_MORE_MS):
        said.append(f"The lag does not stay: median {[round(lag) for lag in lags]} ms.")
    return said


def table(rows: Sequence[SessionFigures]) -> str:
    """Return the rows as lines for a person."""
    heads = {
        "session": "day", "rss_median": "RSS MB", "rss_most": "most", "pss_median": "PSS MB",
        "fds_median": "fds", "fds_most": "most", "threads_median": "threads",
        "threads_most": "most", "cpu_share": "cpu", "database": "db MB", "grown": "grown",
        "recordings": "rec MB", "log": "log MB", "lag_p50": "lag p50", "lag_p99": "p99 ms",
        "queue_most": "queue",
    }  # fmt: skip
    lines = ["".join(f"{head:>9}" for head in heads.values())]
    for row in rows:
        values = asdict(row)
        values["session"] += 1
        lines.append("".join(f"{_short(values[name]):>9}" for name in heads))
    return "\n".join(lines)


def _short(value: float) -> str:
    return f"{value:.2f}" if isinstance(value, float) and abs(value) < 10 else f"{value:.0f}"


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if len(values) else math.nan


def _cpu(samples: Sequence[Sample]) -> float:
    """Return the share of one core, over the lives' own spans."""
    used = took = 0.0
    for before, after in itertools.pairwise(samples):
        if before.life == after.life:
            used += after.cpu_s - before.cpu_s
            took += after.wall_s - before.wall_s
    return used / took if took else math.nan
