"""Gates: what a symbol has to meet to be on the board, by session. Texts only; `x` lifts them."""

from __future__ import annotations

from dataclasses import dataclass

from stockscan_tui.market.calendar import Session

SAMPLED = frozenset({"EQUS.MINI"})
FULL_TAPE = 25


def _shipped(spread_pct: int, trades: int, thousands: int, times: int = 1) -> str:
    # A missing spread or count of trades passes, hence no `<=` and `>=`.
    return (
        "mark >= 1 and not (warrant or unit or right or preferred) "
        f"and not spread_pct > {spread_pct} "
        f"and not trades < {trades} and dvol >= {thousands * times}k"
    )


@dataclass(frozen=True, slots=True)
class Gates:
    """The gates' expressions by session; an empty one lets every symbol through."""

    pre: str = _shipped(5, 5, 5)
    regular: str = _shipped(3, 20, 25)
    post: str = _shipped(5, 5, 5)


SHIPPED = Gates()
SHIPPED_FULL = Gates(
    pre=_shipped(5, 5, 5, FULL_TAPE),
    regular=_shipped(3, 20, 25, FULL_TAPE),
    post=_shipped(5, 5, 5, FULL_TAPE),
)


def gate_text(session: Session, dataset: str, gates: Gates = SHIPPED) -> str:
    """Return the gate of a session, that of regular hours while the market is closed.

    The dollars of a gate as shipped are for a sample of the tape, and 25 times as much for
    a dataset that is the whole of it. A gate that the user wrote stays as it is.
    """
    part = session.name.lower() if session in (Session.PRE, Session.POST) else "regular"
    text: str = getattr(gates, part)
    if dataset not in SAMPLED and text == getattr(SHIPPED, part):
        text = getattr(SHIPPED_FULL, part)
    return text
