"""The API key: from the environment or a file of the user's own. It is never shown or logged."""

from __future__ import annotations

import os
import re

from stockscan_tui.config import places
from stockscan_tui.environment import KEY_VARIABLE
from stockscan_tui.errors import UsageError
from stockscan_tui.scan.watchlists import replace_text

_FORM = re.compile(r"db-[!-~]{29}")


def read_key() -> str:
    """Return the API key of the environment, else of the file `key`; empty where there is none.

    Raises:
        UsageError: The file cannot be read, or others than its owner can read it.
    """
    return os.environ.get(KEY_VARIABLE, "").strip() or _key_of_file()


def key_origin() -> str:
    """Return where `read_key` has its key from; empty where there is none.

    Raises:
        UsageError: As `read_key`.
    """
    if os.environ.get(KEY_VARIABLE, "").strip():
        return KEY_VARIABLE
    return "the key file" if _key_of_file() else ""


def save_key(key: str) -> None:
    """Keep an API key in the file `key` beside the config, readable by its owner alone.

    Raises:
        UsageError: It is no API key, or the file cannot be written.
    """
    key = key.strip()
    if not _FORM.fullmatch(key):
        raise UsageError(
            "This is no API key: one has 32 characters and begins with db-. Copy it from "
            "databento.com/portal/keys."
        )
    path = places.key_path()
    try:
        replace_text(path, f"{key}\n", mode=0o600)
    except OSError as error:
        raise UsageError(f"The key file {path} cannot be written: {error.strerror}.") from error


def _key_of_file() -> str:
    path = places.key_path()
    try:
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise UsageError(f"The key file {path} can be read by others. Run: chmod 600 {path}")
        return path.read_text("utf-8").strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise UsageError(f"The key file {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        # The error itself would hold the file's bytes.
        raise UsageError(f"The key file {path} is not a text file.") from None
