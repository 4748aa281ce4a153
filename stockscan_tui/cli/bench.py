"""`stockscan bench`: what this machine does in a second, beside what else could do it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn, cast

from stockscan_tui.cli import tables
from stockscan_tui.cli.parser import BENCHES
from stockscan_tui.cli.signals import on_signals
from stockscan_tui.market.text import printable

if TYPE_CHECKING:
    from stockscan_tui.bench.figure import Figure, Peer

_HEADS = ("", "measured", "ratio", "result")
_RESULTS = {True: "same", False: "DIFFERS", None: ""}


def bench(given: argparse.Namespace) -> int:
    """Measure and print; returns the exit status, 1 where a peer came to another result."""
    from stockscan_tui.bench.catalogue import measured  # noqa: PLC0415
    from stockscan_tui.bench.machine import machine  # noqa: PLC0415

    on_signals(_interrupt)
    names = [name for name in BENCHES if not given.only or name in given.only]
    progress = _Progress()
    described = machine()
    if given.json:
        _write_line({"type": "machine", **described})
    figures: list[Figure] = []
    try:
        for figure in measured(names, progress.tell):
            figures.append(figure)
            if given.json:
                for line in _objects(figure):
                    _write_line(line)
    except KeyboardInterrupt:
        progress.tell("stopped")
    finally:
        progress.end()
    if figures and not given.json:
        sys.stdout.write(f"{_machine_text(described)}\n\n{_table(figures)}")
    differs = any(peer.same is False for figure in figures for peer in figure.peers)
    return 1 if differs else 0


def _interrupt() -> NoReturn:
    # What is cleaned up then is not to be broken off in its turn.
    on_signals(lambda: None)
    raise KeyboardInterrupt


# --- as JSON ------------------------------------------------------------------------------------


def _write_line(said: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(said, ensure_ascii=False, allow_nan=False) + "\n")
    sys.stdout.flush()


def _objects(figure: Figure) -> Iterator[dict[str, object]]:
    """Yield an object for each peer, one without a peer for a figure that has none."""
    own = {
        "type": "figure",
        "name": figure.name,
        "title": figure.title,
        "unit": figure.unit,
        "ours": figure.ours,
    }
    for peer in figure.peers:
        yield {
            **own,
            "peer": peer.value,
            "peer_name": peer.name,
            "ratio": figure.ratio(peer),
            "same": peer.same,
            "note": peer.note or figure.note,
        }
    if not figure.peers:
        yield {**own, "peer": None, "peer_name": None, "ratio": None, "same": None,
               "note": figure.note}  # fmt: skip


# --- as text ------------------------------------------------------------------------------------


def _machine_text(described: Mapping[str, object]) -> str:
    versions = cast("Mapping[str, str]", described["versions"])
    parts = [f"{described['cpu']}, {described['cores']} cores", f"{described['system']}"]
    if described["load"] is not None:
        parts.append(f"load {described['load']}")
    parts.append(f"Python {described['python']}")
    lines = [" · ".join(parts), " · ".join(f"{name} {of}" for name, of in versions.items())]
    return "\n".join(printable(line) for line in lines)


def _table(figures: Sequence[Figure]) -> str:
    rows: list[list[str]] = []
    for figure in figures:
        rows.append([figure.title, _amount(figure.ours, figure.unit), "", ""])
        rows.extend(_peer_cells(figure, peer) for peer in figure.peers)
    notes = [f"{figure.title}: {figure.note}\n" for figure in figures if figure.note]
    notes += [
        f"{peer.name}: {peer.note}\n" for figure in figures for peer in figure.peers if peer.note
    ]
    told = "".join(printable(note.rstrip()) + "\n" for note in dict.fromkeys(notes))
    return tables.aligned(_HEADS, rows) + (f"\n{told}" if told else "")


def _peer_cells(figure: Figure, peer: Peer) -> list[str]:
    ratio = figure.ratio(peer)
    shown = f"{ratio:.1f} ×" if ratio is not None else tables.NONE
    return [f"  {peer.name}", _amount(peer.value, figure.unit), shown, _RESULTS[peer.same]]


def _amount(value: float | None, unit: str) -> str:
    """Return a value with its unit, rates in thousands or millions."""
    if value is None:
        return tables.NONE
    if unit.endswith("/s"):
        return f"{value / 1e6:.2f} M/s" if value >= 1e5 else f"{value / 1e3:.1f} k/s"
    return f"{value:,.2f} {unit}" if value < 1e3 else f"{value:,.0f} {unit}"


class _Progress:
    """Says on standard error what is being measured: on a terminal in a line that goes."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()

    def tell(self, what: str) -> None:
        """Say it."""
        if self._terminal:
            sys.stderr.write(f"\r\x1b[K{what} …")
        else:
            sys.stderr.write(f"stockscan: {what}\n")
        sys.stderr.flush()

    def end(self) -> None:
        """Take the line away."""
        if self._terminal:
            sys.stderr.write("\r\x1b[K")
