"""Symbols whose numbers change from day to day: recordings do not pile up what held before."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stockscan_tui.market.calendar import DAY_NS
from tests import wire
from tests.unit.test_recorder import as_bytes, ended, mapped_ids, recorder_in

SYMBOLS = 6
# On each day symbol n has a number that another one had the day before, or a new one.
NUMBERS = [[10 * day + n if n % 2 else 100 + (n + day) % SYMBOLS for n in range(SYMBOLS)]
           for day in range(4)]  # fmt: skip


def test_a_days_recording_begins_with_the_numbers_of_that_day_alone(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    recorder.begin("mbp-1", 3, ts_out=False)
    for day, numbers in enumerate(NUMBERS):
        rows = wire.random_rows(day, 60, SYMBOLS, minutes=3)
        rows["instrument_id"] = np.array(numbers)[rows["instrument_id"] - 1]
        for name in ("ts_recv", "ts_event"):
            rows[name] += np.uint64(day * DAY_NS)
        told = [wire.mapping_record(number, f"S{n}") for n, number in enumerate(numbers)]
        recorder.add("mbp-1", as_bytes(b"".join(told), rows))
    ended(recorder)
    # Mappings that come before a day's first record stand in the file of the day before, too.
    last = sorted(tmp_path.glob("*.dbn.zst"))[-1]
    assert set(mapped_ids(last)) == set(NUMBERS[-1])
    assert len(mapped_ids(last)) == SYMBOLS
