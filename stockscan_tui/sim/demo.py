"""The demo's day, or days: made once, kept in the cache folder, and played like any saved file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

from stockscan_tui.errors import StockscanError
from stockscan_tui.sim.day import DayPlan, usual_volume
from stockscan_tui.sim.files import Progress, write_closes, write_day
from stockscan_tui.sim.place import DAY, GENERATOR, RECORDS, SYMBOLS, demo_path
from stockscan_tui.sim.universe import make_universe
from stockscan_tui.sim.week import Sessions, write_sessions

DAY_BEFORE = date(2026, 6, 12)


def demo_file(
    folder: Path,
    *,
    seed: int = 1,
    symbols: int = SYMBOLS,
    records: int = RECORDS,
    progress: Progress = lambda _done: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Path:
    """Return the demo's file, made now if it is not there; its closes stand beside it.

    Raises:
        CancelledError: `cancelled` said so.
        StockscanError: The file cannot be written.
    """
    try:
        return _kept(folder, seed, symbols, records, progress, cancelled)
    except OSError as error:
        raise _not_kept(folder, error) from error


def week_file(
    folder: Path,
    days: Sequence[date],
    *,
    seed: int = 1,
    symbols: int = SYMBOLS,
    records: int = RECORDS,
) -> Path:
    """Return the file of several session dates, made now if it is not there.

    It is not compressed: a gateway maps it into memory. `records` are those of each date.

    Raises:
        StockscanError: The file cannot be written.
    """
    stem = f"simulated-v{GENERATOR}-{seed}-{symbols}-{records}"
    path = folder / f"{stem}-{days[0]:%Y%m%d}-{len(days)}.mbp-1.dbn"
    if path.is_file():
        return path
    plans = [DayPlan(day, records) for day in days]
    try:
        _forget_older(folder)
        sessions = Sessions(make_universe(seed, symbols), plans, seed)
        write_sessions(path, sessions, records * len(days))
    except OSError as error:
        raise _not_kept(folder, error) from error
    return path


def _not_kept(folder: Path, error: OSError) -> StockscanError:
    return StockscanError(
        f"The simulated day cannot be kept in {folder}: {error.strerror}. "
        "Free some space there or make it writable."
    )


def _forget_older(folder: Path) -> None:
    """Let the days of an earlier generator go."""
    for old in folder.glob("simulated-*.dbn*"):
        if not old.name.startswith(f"simulated-v{GENERATOR}-"):
            old.unlink(missing_ok=True)


def _kept(
    folder: Path,
    seed: int,
    symbols: int,
    records: int,
    progress: Progress,
    cancelled: Callable[[], bool],
) -> Path:
    path = demo_path(folder, seed, symbols, records)
    stem = path.name.removesuffix(".mbp-1.dbn.zst")
    if path.is_file():
        return path
    _forget_older(folder)
    universe = make_universe(seed, symbols)
    plan = DayPlan(DAY, records, focus=0.7)
    usual = usual_volume(universe, plan, seed)
    write_closes(folder / f"{stem}.ohlcv-1d.dbn.zst", universe, DAY_BEFORE, usual)
    write_day(path, universe, plan, seed, progress=progress, cancelled=cancelled)
    return path
