"""The tape of a simulated week, made once, and what the reference services know of its days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from stockscan_tui.sim.archive import Tables
from stockscan_tui.sim.day import DayPlan, usual_volume
from stockscan_tui.sim.universe import make_universe
from stockscan_tui.sim.week import Sessions, write_sessions
from tests.playing import weekdays

SUMMARY = "EQUS.SUMMARY"
DATASET = "EQUS.MINI"
# A week of winter: instrument ids change an hour before the post-market's end.
FIRST = date(2025, 12, 8)


@dataclass(frozen=True, slots=True)
class Material:
    """What a week is made of: `records` are those of each session."""

    sessions: int
    symbols: int
    records: int
    seed: int
    first: date = FIRST

    @property
    def days(self) -> list[date]:
        """The session dates."""
        calendar, days = weekdays(), [self.first]
        while len(days) < self.sessions:
            following = calendar.next_day(days[-1])
            assert following is not None
            days.append(following.session_date)
        return days


def tape_of(material: Material, folder: Path) -> Path:
    """Return the tape, made now if it is not there; its closes stand beside it."""
    stem = f"week-{material.first}-{material.sessions}-{material.symbols}-{material.records}"
    path = folder / f"{stem}-{material.seed}.mbp-1.dbn"
    if not path.exists() or not _closes(path).exists():
        plans = [DayPlan(day, material.records) for day in material.days]
        sessions = Sessions(make_universe(material.seed, material.symbols), plans, material.seed)
        write_sessions(path, sessions, material.records * material.sessions)
        np.save(_closes(path), np.stack([sessions.closes[day] for day in material.days]))
    return path


def tables_of(material: Material, tape: Path) -> Tables:
    """Return what the reference services tell of the days: official closes, usual volumes."""
    universe = make_universe(material.seed, material.symbols)
    days = material.days
    before = weekdays().previous(days[0])
    assert before is not None
    closes = dict(zip(days, np.load(_closes(tape)), strict=True)) | {before: universe.prev_close}
    usual = usual_volume(universe, DayPlan(days[0], material.records), material.seed)
    volumes = dict(zip(universe.symbols, usual.tolist(), strict=True))
    return Tables(
        closes={SUMMARY: {d: _by_symbol(universe.symbols, c.tolist()) for d, c in closes.items()}},
        volumes={DATASET: dict.fromkeys(_dates(before, days[-1]), volumes)},
    )


def _closes(tape: Path) -> Path:
    return tape.with_suffix(".closes.npy")


def _by_symbol(symbols: Sequence[str], values: Sequence[float]) -> dict[str, float]:
    return dict(zip(symbols, values, strict=True))


def _dates(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
