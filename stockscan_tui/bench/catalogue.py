"""All figures by name, and how they are measured one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from stockscan_tui.bench import drawing, live, ranking, replaying, starting, storing, taking
from stockscan_tui.bench.figure import Figure
from stockscan_tui.bench.material import Material, Scale
from stockscan_tui.errors import StockscanError

FIGURES: dict[str, Callable[[Material], Figure]] = {
    "records": taking.records,
    "replay": replaying.replay,
    "minute": storing.minute,
    "board": ranking.board,
    "rules": ranking.rules,
    "frame": drawing.frame,
    "start": starting.start,
    "live": live.rate,
    "timer": live.timer,
}


def measured(
    names: Sequence[str], say: Callable[[str], None], scale: Scale | None = None
) -> Iterator[Figure]:
    """Measure figures and yield each as it is there; what they are made of goes at the end.

    Args:
        names: Of `FIGURES`.
        say: Told what is done.
        scale: How much is measured.
    """
    with TemporaryDirectory(prefix="stockscan-bench-", ignore_cleanup_errors=True) as folder:
        material = Material(Path(folder), scale or Scale(), say)
        for place, name in enumerate(names, 1):
            say(f"{place} of {len(names)}: {name}")
            try:
                yield FIGURES[name](material)
            except StockscanError as error:
                yield Figure(name, name, "", None, note=str(error))
