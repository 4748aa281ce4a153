"""The mark beside a symbol: one word for what is unusual about it, and the sentence behind it."""

from __future__ import annotations

from dataclasses import dataclass

from stockscan_tui.market.snapshot import CloseSource, Snapshot

_OFFICIAL = frozenset({CloseSource.FILE.value, CloseSource.DAILY.value})


@dataclass(frozen=True, slots=True)
class Mark:
    """A word beside a symbol.

    Attributes:
        word: What stands there, at most six cells.
        doc: What it means.
        sign: The yes-or-no metric that it shows; empty where it shows none.
        strong: Whether a trader has to see it at once.
    """

    word: str
    doc: str
    sign: str = ""
    strong: bool = False


# The most urgent first: there is room for one.
MARKS = (
    Mark("halt?", "busy, then neither trade nor quote for 60 s: a halt, perhaps", "halt", True),
    Mark("resum?", "back from such a silence within the last ten minutes", "resumed", True),
    Mark("split?", "an overnight move like a split that nothing confirms", "split", True),
    Mark("NEW", "no close in the last ten trading days", "new"),
    Mark("ssr?", "down 10 % on the close today or the day before: short sales restricted", "ssr"),
)
NOT_OFFICIAL = Mark("≈", "the previous close is not the official one of the day before")


def mark_of(snapshot: Snapshot, row: int) -> tuple[str, bool]:
    """Return the word beside a symbol, empty for none, and whether it is urgent."""
    fired = _alerts(snapshot, row)
    for mark in MARKS:
        flags = snapshot.signs.get(mark.sign)
        if fired and not mark.strong:
            break
        if flags is not None and flags[row]:
            return mark.word, mark.strong
    if fired:
        return f"!{min(fired, 999)}", True
    return (NOT_OFFICIAL.word, False) if _not_official(snapshot, row) else ("", False)


def explanation(snapshot: Snapshot, row: int) -> str:
    """Return what all marks of a symbol mean, empty where it has none."""
    found = [
        f"{mark.word} {mark.doc}"
        for mark in MARKS
        if (flags := snapshot.signs.get(mark.sign)) is not None and flags[row]
    ]
    fired = _alerts(snapshot, row)
    if fired:
        found.append(f"!{fired} alert{'s' * (fired > 1)} today")
    if not found and _not_official(snapshot, row):
        found = [f"{NOT_OFFICIAL.word} {NOT_OFFICIAL.doc}"]
    return " · ".join(found)


def _alerts(snapshot: Snapshot, row: int) -> int:
    return int(snapshot.alerts[row]) if row < len(snapshot.alerts) else 0


def _not_official(snapshot: Snapshot, row: int) -> bool:
    source = int(snapshot.close_source[row])
    if source == CloseSource.NONE.value:
        return False
    return source not in _OFFICIAL or bool(snapshot.close_age[row] > 1)
