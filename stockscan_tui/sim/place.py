"""Where the demo's day is kept. Light to import: it is looked up before all the rest."""

from __future__ import annotations

from datetime import date
from pathlib import Path

# Goes up when the same seed makes another day than before.
GENERATOR = 3
DAY = date(2026, 6, 15)
SYMBOLS = 12_000
RECORDS = 4_000_000


def demo_path(folder: Path, seed: int, symbols: int = SYMBOLS, records: int = RECORDS) -> Path:
    """Return the file of a simulated day, whether it is there or not."""
    return folder / f"simulated-v{GENERATOR}-{seed}-{symbols}-{records}.mbp-1.dbn.zst"
