"""The log file: what began, what ended, and what went wrong, in a file that rotates."""

from __future__ import annotations

import logging
import re
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from stockscan_tui.errors import UsageError

ROTATE_BYTES = 10_000_000
KEEP_FILES = 5
LOG = logging.getLogger("stockscan")
# The log is below `market.text`, whose `printable` takes out more.
_CONTROLS = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
# Without a handler Python would write warnings to the terminal.
LOG.addHandler(logging.NullHandler())


class _Harmless(logging.Formatter):
    """Writes lines that neither act on the terminal they are read in nor look like others."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the base's name
        """Return the line of a record; line ends within its message are none."""
        record.message = _harmless(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the base's name
        """Return a traceback, a line for each of its lines, moved to the right."""
        lines = super().formatException(ei).split("\n")
        return "\n".join(f"  {_harmless(line)}" for line in lines)


def _harmless(text: str) -> str:
    return _CONTROLS.sub("�", text)


def write_log(path: Path) -> None:
    """Let the log go to `path`, 10 MB a file, five files kept.

    Raises:
        UsageError: The file cannot be written.
    """
    try:
        handler = RotatingFileHandler(path, maxBytes=ROTATE_BYTES, backupCount=KEEP_FILES - 1)
    except OSError as error:
        raise UsageError(f"The log file {path} cannot be written: {error.strerror}.") from error
    handler.setFormatter(_Harmless())
    LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)
