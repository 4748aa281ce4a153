"""What the database knows of why symbols have the bars they have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from stockscan_tui.market.calendar import TradingDay
from stockscan_tui.market.snapshot import Snapshot
from stockscan_tui.report.picture import picture_of, tells
from stockscan_tui.scan.expression import Names
from stockscan_tui.scan.gates import Gates, gate_text
from stockscan_tui.scan.gating import refusing
from stockscan_tui.scan.reasons import Facts, Reason, explain, facts_of
from stockscan_tui.store.inquiry import Inquiry, SymbolDay
from stockscan_tui.store.reader import Reader


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of a symbol, and the reasons that follow from it."""

    facts: Facts
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """What keeps symbols off the board: gates by session, and what may stand in them."""

    gates: Gates
    names: Names


def why(
    reader: Reader,
    symbols: Sequence[str],
    day: TradingDay,
    board: Board,
    renames: Iterable[tuple[str, str, date | None]] = (),
) -> list[Answer]:
    """Return an answer for each symbol, known or not.

    Args:
        reader: Reads the database.
        symbols: Which ones.
        day: The session date.
        board: What keeps symbols off the board.
        renames: What trades as what since when: old name, new name, day (None for unknown).

    Raises:
        StockscanError: The database, or a gate, cannot be read.
    """
    inquiry = Inquiry(reader)
    stored = inquiry.symbols(day.session_date)
    picture = picture_of(stored, day, inquiry.dataset())
    known = inquiry.known(symbols)
    places = {symbol: row for row, symbol in enumerate(stored.symbol)}
    gaps = sum(not gap.healed_ns for gap in reader.gaps(day.session_date))
    begun = stored.first_ns[stored.bars > 0]
    since_ns = int(begun.min()) if len(begun) else 0
    renamed = [(old, new) for old, new, on in renames if on is None or on <= day.session_date]
    trades_as, traded_as = dict(renamed), {new: old for old, new in renamed}
    answers = []
    for symbol in symbols:
        facts = _facts(symbol, places.get(symbol), stored, picture, board)
        facts = replace(
            facts,
            gaps=gaps,
            since_ns=since_ns,
            known=symbol in known,
            renamed_to=trades_as.get(symbol, ""),
            renamed_from=traded_as.get(symbol, ""),
        )
        answers.append(Answer(facts, tuple(explain(facts))))
    return answers


def _facts(
    symbol: str, row: int | None, stored: SymbolDay, picture: Snapshot, board: Board
) -> Facts:
    dataset = picture.feed.dataset
    if row is None:
        return Facts(symbol, dataset, mapped=False)
    gate = gate_text(picture.session, dataset, board.gates)
    refused = refusing(gate, board.names, picture, row, tells)
    return replace(
        facts_of(picture, row, refused),
        first_ns=int(stored.first_ns[row]),
        remaps=int(stored.remaps[row]),
        elapsed=int(stored.elapsed[row]),
    )
