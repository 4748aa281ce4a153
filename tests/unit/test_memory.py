"""What the process no longer needs goes back to the system."""

from __future__ import annotations

import sys

import pytest

from stockscan_tui.memory import give_back, resident_mb

PIECE = 20_000
COUNT = 8_000


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc")
def test_holes_between_pieces_in_use_are_given_back() -> None:
    pieces: list[bytes | None] = [bytes([n % 256]) * PIECE for n in range(COUNT)]
    for at in range(COUNT):
        if at % 8:
            pieces[at] = None
    before = resident_mb()
    give_back()
    after = resident_mb()
    assert before is not None
    assert after is not None
    assert before - after > COUNT * PIECE / 1e6 / 4
    assert all(piece == bytes([n % 256]) * PIECE for n, piece in enumerate(pieces) if piece)
