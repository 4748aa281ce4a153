"""Consolidated volume out of statistics, held against the official library's own records."""

from __future__ import annotations

from typing import Any

import databento_dbn as dbn
import numpy as np
import pytest

from stockscan_tui.market.calendar import DAY_NS, MINUTE_NS, SECOND_NS
from stockscan_tui.market.consolidated import (
    BROKEN,
    CONTROL,
    NEED_BYTES,
    NEXT_DAY,
    ConsolidatedVolume,
)
from stockscan_tui.market.symbols import InstrumentIds
from stockscan_tui.sim import messages
from stockscan_tui.ui.figures import brief_figures
from tests import wire
from tests.playing import weekdays
from tests.ui.market import market

NOON_NS = wire.OPEN_NS + 150 * MINUTE_NS
NO_TIME = 2**64 - 1
NO_PRICE = 2**63 - 1
KINDS: dict[int, Any] = {1: dbn.StatMsgV1, 2: dbn.StatMsgV1, 3: dbn.StatMsg}
NULLS = {1: 2**31 - 1, 2: 2**31 - 1, 3: 2**63 - 1}
CLEARED: Any = dbn.StatType.CLEARED_VOLUME


def statistic(version: int, number: int, quantity: int, at_ns: int, **changed: Any) -> bytes:
    """Return a statistic as the official library lays it out."""
    fields: dict[str, Any] = {
        "publisher_id": 90,
        "instrument_id": number,
        "ts_event": at_ns - 1000,
        "ts_recv": at_ns,
        "ts_ref": NO_TIME,
        "price": NO_PRICE,
        "quantity": quantity,
        "stat_type": CLEARED,
        **changed,
    }
    return bytes(KINDS[version](**fields))


class Volumes:
    """What is known after some bytes, by symbol."""

    def __init__(self, version: int = 3) -> None:
        self.version = version
        self.ids = InstrumentIds()
        self.volume = ConsolidatedVolume(weekdays())
        self.volume.begin_day(weekdays().day(wire.DAY))
        self.volume.name(self.ids, [(7, "AAA"), (9, "BBB")])

    def take(self, *records: bytes) -> int:
        data = np.frombuffer(b"".join(records), np.uint8)
        at = 0
        while True:
            reason, at = self.volume.walk(data, at, len(data), self.ids, self.version)
            if reason != NEXT_DAY:
                return reason
            self.volume.turn()

    def known(self) -> list[float]:
        return list(self.volume.by_slot(["BBB", "NONE", "AAA"]).tolist())


@pytest.mark.parametrize("version", [1, 2, 3])
def test_the_newest_total_of_each_symbol_counts_in_every_version(version: int) -> None:
    volumes = Volumes(version)
    large = 2_000_000_000 if version < 3 else 9_000_000_000
    reason = volumes.take(
        statistic(version, 7, 300, NOON_NS),
        statistic(version, 9, large, NOON_NS, stat_flags=1),
        statistic(version, 7, 800, NOON_NS + 5),
        # What a replay repeats, and what says something else.
        statistic(version, 7, 300, NOON_NS),
        statistic(version, 7, 5, NOON_NS + 9, stat_type=dbn.StatType.OPEN_INTEREST),
        statistic(version, 7, NULLS[version], NOON_NS + 9),
        statistic(version, 7, 6, NOON_NS + 9, update_action=dbn.StatUpdateAction.DELETE),
        statistic(version, 8, 6, NOON_NS),
    )
    assert reason == NEED_BYTES
    assert volumes.known() == pytest.approx([large, np.nan, 800], nan_ok=True)
    assert (volumes.volume.taken, volumes.volume.newest_ns) == (3, NOON_NS + 5)


def test_a_total_may_fall_when_trades_are_broken() -> None:
    volumes = Volumes()
    volumes.take(statistic(3, 7, 900, NOON_NS), statistic(3, 7, 600, NOON_NS + SECOND_NS))
    assert volumes.known()[2] == 600


def test_a_total_without_its_time_of_receipt_counts_by_its_own_time() -> None:
    volumes = Volumes()
    volumes.take(statistic(3, 7, 900, NOON_NS, ts_recv=NO_TIME))
    assert volumes.known()[2] == 900
    assert volumes.volume.newest_ns == NOON_NS - 1000


def test_a_new_session_date_begins_with_nothing() -> None:
    volumes = Volumes()
    day = weekdays().day(wire.DAY)
    volumes.take(
        statistic(3, 7, 100, day.start_ns - 1),
        statistic(3, 9, 400, day.post_end_ns + MINUTE_NS),
    )
    assert volumes.known() == pytest.approx([400, np.nan, np.nan], nan_ok=True)
    volumes.take(statistic(3, 7, 25, day.start_ns + DAY_NS), statistic(3, 9, 500, NOON_NS))
    assert volumes.known() == pytest.approx([np.nan, np.nan, 25], nan_ok=True)


def test_a_time_that_cannot_be_does_not_turn_the_day() -> None:
    volumes = Volumes()
    volumes.take(statistic(3, 7, 100, NOON_NS), statistic(3, 9, 1, NOON_NS + 9 * DAY_NS))
    assert volumes.known() == pytest.approx([np.nan, np.nan, 100], nan_ok=True)


def test_an_id_may_come_to_stand_for_another_symbol() -> None:
    volumes = Volumes()
    volumes.take(statistic(3, 7, 100, NOON_NS))
    volumes.volume.name(volumes.ids, [(7, "CCC"), (10, "AAA")])
    volumes.take(statistic(3, 7, 30, NOON_NS + 1), statistic(3, 10, 125, NOON_NS + 1))
    found = volumes.volume.by_slot(["AAA", "CCC"])
    assert found.tolist() == [125, 30]


def test_messages_and_broken_records_are_left_to_whoever_asks() -> None:
    volumes = Volumes()
    first = statistic(3, 7, 100, NOON_NS)
    assert volumes.take(first, messages.system(NOON_NS, 0, "Heartbeat")) == CONTROL
    assert volumes.take(first, bytes(16)) == BROKEN
    for cut in range(len(first)):
        fresh = Volumes()
        assert fresh.take(first[:cut]) == NEED_BYTES
        assert fresh.volume.taken == 0


def test_records_carry_their_time_of_sending_in_eight_bytes_more() -> None:
    for version in (2, 3):
        volumes = Volumes(version)
        stamped = messages.stamped_one(statistic(version, 7, 77, NOON_NS), NOON_NS)
        assert volumes.take(stamped, stamped) == NEED_BYTES
        assert volumes.known()[2] == 77


def test_a_symbols_figures_show_it_where_it_is_known() -> None:
    volumes = np.full(60, np.nan)
    volumes[4] = 2_500_000.0
    for snapshot, known in ((market(), []), (market(tape_volume=volumes), ["2.50M"])):
        shown = [f.text for f in brief_figures(snapshot, 4) if f.label == "whole tape"]
        assert shown == known
        assert "whole tape" not in {f.label for f in brief_figures(snapshot, 5)}


def test_any_bytes_are_survived() -> None:
    rng = np.random.default_rng(3)
    volumes = Volumes()
    for _ in range(200):
        noise = rng.integers(0, 256, 400, dtype=np.uint8)
        noise[1::80] = 0x18
        volumes.take(noise.tobytes())
    assert volumes.known()[1] != volumes.known()[1]
