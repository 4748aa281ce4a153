"""The exchange's trading days, from exchange-calendars, kept in a small file.

That library needs pandas, which would cost every start a second and 80 MB. So it runs in a
process of its own, once for each of its versions, and its answer is kept in the cache folder.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from datetime import date, time, timedelta
from pathlib import Path

from stockscan_tui.environment import of_own_process
from stockscan_tui.errors import StockscanError
from stockscan_tui.market.calendar import Calendar

EXCHANGE = "XNYS"
FIRST_DAY = "2000-01-01"
TIMEOUT_S = 120


def load_calendar(folder: Path, needed: date) -> Calendar:
    """Return the calendar of the New York Stock Exchange, from `folder` where it is kept.

    Args:
        folder: Where the days are kept between runs; made if it is not there.
        needed: A date that the days must reach; they are made anew where they do not.

    Raises:
        StockscanError: The days cannot be made.
    """
    version = importlib.metadata.version("exchange-calendars")
    path = folder / f"trading-days-{version}.json"
    days = _read(path)
    if not days or days[-1][0] < needed + timedelta(days=14):
        made = _make()
        try:
            days = _parse(made)
        except (ValueError, AttributeError) as error:
            raise _not_made(f"it printed {made[:40]!r}") from error
        _keep(path, made)
    return Calendar(days)


def _read(path: Path) -> list[tuple[date, time]]:
    try:
        return _parse(path.read_text("utf-8"))
    except (OSError, ValueError, TypeError, AttributeError):
        # Unreadable or damaged: it is made again.
        return []


def _parse(text: str) -> list[tuple[date, time]]:
    found = json.loads(text)
    return [(date.fromisoformat(day), time.fromisoformat(end)) for day, end in found.items()]


def _make() -> str:
    command = [sys.executable, "-m", "stockscan_tui.feed.exchange"]
    try:
        done = subprocess.run(  # noqa: S603 - this very module
            command,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=True,
            env=of_own_process(),
        )
    except subprocess.CalledProcessError as error:
        said: list[str] = error.stderr.strip().splitlines() or [str(error)]
        raise _not_made(said[-1]) from error
    except (subprocess.SubprocessError, OSError) as error:
        raise _not_made(str(error)) from error
    return done.stdout


def _not_made(why: str) -> StockscanError:
    return StockscanError(
        f"The exchange calendar could not be made: {why}. Reinstall exchange-calendars."
    )


def _keep(path: Path, text: str) -> None:
    """Keep the days for the next start; without a writable folder they are made each time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.tmp")
        partial.write_text(text, "utf-8")
        partial.replace(path)
    except OSError:
        return


def _print_days() -> None:
    """Write {date: regular end in New York} as JSON to standard output."""
    import exchange_calendars  # noqa: PLC0415 - needs pandas: only ever in this process

    calendar = exchange_calendars.get_calendar(EXCHANGE, start=FIRST_DAY)
    ends = calendar.closes.dt.tz_convert("America/New_York")
    days = {str(day.date()): end.strftime("%H:%M") for day, end in ends.items()}
    sys.stdout.write(json.dumps(days))


if __name__ == "__main__":
    _print_days()
