"""`stockscan --version`: what a report of a defect has to say first, on one line."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from stockscan_tui import __version__

_BESIDE = {"duckdb": "DuckDB", "textual": "Textual", "databento": "databento", "numba": "numba"}


def version_text() -> str:
    """Return the versions of stockscan, Python and what it stands on; nothing of it is imported."""
    beside = [f"{shown} {_version(name)}" for name, shown in _BESIDE.items()]
    return f"stockscan {__version__} ({', '.join([_python(), *beside])})"


def _python() -> str:
    return f"Python {platform.python_version()}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
