"""Recordings that are kept no longer."""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path

from stockscan_tui.feed.recording import plain


def remove_recordings(folder: Path, dataset: str, before: date) -> list[Path]:
    """Remove a dataset's recordings of session dates before one; returns those that went.

    Only files that bear the names that the recorder gives are looked at.

    Raises:
        OSError: The folder cannot be read, or a file not be removed.
    """
    name = re.compile(
        re.escape(plain(dataset)) + r"-(\d{8})-\d{6}(-\d+)?\.[A-Za-z0-9._-]+\.dbn\.zst", re.ASCII
    )
    gone = []
    for path in sorted(folder.iterdir()):
        found = name.fullmatch(path.name)
        day = _date(found[1]) if found is not None else None
        if day is not None and day < before and path.is_file() and not path.is_symlink():
            path.unlink()
            gone.append(path)
    return gone


def _date(text: str) -> date | None:
    try:
        return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 - a date alone
    except ValueError:
        return None
