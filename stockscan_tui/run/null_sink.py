"""A sink for runs whose bars are kept elsewhere, or by nobody."""

from __future__ import annotations

from dataclasses import dataclass

from stockscan_tui.market.batch import Batch


@dataclass(frozen=True, slots=True)
class _Idle:
    queue: int = 0
    error: str = ""
    commits: int = 0
    rows_written: int = 0
    last_batch_ms: float = 0.0
    file_bytes: int = -1
    free_bytes: int = -1


class Nowhere:
    """A sink that keeps nothing."""

    def put(self, batch: Batch) -> None:
        """Drop it."""

    def status(self) -> _Idle:
        """Say that all is well."""
        return _Idle()
