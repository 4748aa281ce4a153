"""`stockscan simulate`: the gateway alone, in a process of its own."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import date

from stockscan_tui.cli.parser import parse_speed, parse_time

# Wall seconds, of a night between two sessions.
NIGHT_S = 10.0


def simulate(given: argparse.Namespace) -> int:
    """Serve until a signal or the parent's end; returns the exit status."""
    from stockscan_tui.config import cache_folder  # noqa: PLC0415
    from stockscan_tui.market.calendar import new_york_ns, new_york_time  # noqa: PLC0415
    from stockscan_tui.sim.demo import demo_file, week_file  # noqa: PLC0415
    from stockscan_tui.sim.faults import parse_fault  # noqa: PLC0415
    from stockscan_tui.sim.gateway import run_gateway  # noqa: PLC0415
    from stockscan_tui.sim.options import Options  # noqa: PLC0415
    from stockscan_tui.sim.place import SYMBOLS  # noqa: PLC0415
    from stockscan_tui.sim.tape import Tape  # noqa: PLC0415

    faults = tuple(parse_fault(text) for text in given.fault)
    start_at = parse_time(given.start_at) if given.start_at else None
    speed = parse_speed(given.speed)
    parent = os.getppid()
    file = given.file
    if file is None:
        count = given.symbols or SYMBOLS
        folder = cache_folder() / "demo"
        if given.sessions > 1:
            days = _session_dates(given.sessions)
            file = week_file(folder, days, seed=given.seed, symbols=count)
        else:
            file = demo_file(folder, seed=given.seed, symbols=count)
    tape = Tape.from_file(file)
    from_ns = given.clock
    if start_at is not None:
        from_ns = new_york_ns(new_york_time(tape.first_ns).date(), start_at)
    options = Options(
        port=given.port,
        key=given.key,
        unlicensed=frozenset(given.unlicensed),
        from_ns=from_ns,
        speed=speed,
        live_only=given.live_only,
        night_s=given.night if given.night or given.sessions == 1 else NIGHT_S,
        faults=faults,
        faults_in_turn=given.in_turn,
    )
    run_gateway(tape, options, sys.stdout, parent)
    return 0


def _session_dates(count: int) -> list[date]:
    """Return the demo's date and the trading days after it."""
    from stockscan_tui.config import cache_folder  # noqa: PLC0415
    from stockscan_tui.feed.exchange import load_calendar  # noqa: PLC0415
    from stockscan_tui.sim.place import DAY  # noqa: PLC0415

    calendar = load_calendar(cache_folder(), DAY)
    days = [DAY]
    while len(days) < count and (following := calendar.next_day(days[-1])) is not None:
        days.append(following.session_date)
    return days
