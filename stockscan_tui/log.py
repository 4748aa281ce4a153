"""The log file: what began, what ended, and what went wrong, in a file that rotates."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

from stockscan_tui.errors import UsageError

ROTATE_BYTES = 10_000_000
KEEP_FILES = 5
LOG = logging.getLogger("stockscan")
# Without a handler Python would write warnings to the terminal.
LOG.addHandler(logging.NullHandler())


def write_log(path: Path) -> None:
    """Let the log go to `path`, 10 MB a file, five files kept.

    Raises:
        UsageError: The file cannot be written.
    """
    try:
        handler = RotatingFileHandler(path, maxBytes=ROTATE_BYTES, backupCount=KEEP_FILES - 1)
    except OSError as error:
        raise UsageError(f"The log file {path} cannot be written: {error.strerror}.") from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)
