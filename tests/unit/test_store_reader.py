from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import duckdb
import numpy as np
import pytest

from stockscan_tui.errors import StoreError
from stockscan_tui.market.batch import BarSource, Batch, CloseBatch, Watermark
from stockscan_tui.market.calendar import MINUTE_NS
from stockscan_tui.store.reader import Counts, Reader
from stockscan_tui.store.writer import Writer
from tests.unit.store_batches import MINUTE, Faults, Row, batch

DAY = date(2024, 1, 2)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "day.duckdb"
    writer = Writer.open(path, dataset="X")
    bars = [Row(s, MINUTE + m, volume=10 * m + s + 1) for m in range(4) for s in range(3)]
    writer.put(batch(0, bars, [Row(1, MINUTE, volume=5)], symbols=("A", "B", "C")))
    slots = np.arange(2, dtype=np.int32)
    for serial, (days, prices, official) in enumerate(
        [(3, [1.0, 2.0], True), (1, [3.0], False), (0, [4.0, 5.0], True)], start=1
    ):
        closes = CloseBatch(
            DAY - timedelta(days=days),
            slots[: len(prices)],
            np.array(prices),
            np.full(len(prices), official),
        )
        writer.put(Batch(serial, closes=(closes,), watermarks=(Watermark(1, 95, serial, 1),)))
    writer.close(10)
    return path


def test_bars_of_one_symbol_come_in_order_and_only_from_the_span(path: Path) -> None:
    reader = Reader.open(path)
    bars = reader.bars("B", 0, 2**62)
    assert bars.minute.tolist() == [MINUTE, MINUTE + 1, MINUTE + 2, MINUTE + 3]
    assert bars.volume.tolist() == [7, 12, 22, 32]
    assert bars.trades.tolist() == [2, 1, 1, 1]
    assert bars.notional.tolist() == [2000, 1000, 1000, 1000]
    assert bars.source.tolist() == [BarSource.TRADES] * 4
    start_ns = (MINUTE + 1) * MINUTE_NS
    start = datetime.fromtimestamp(start_ns // 10**9, timezone(timedelta(hours=-5)))
    for span in (
        (start_ns, start_ns + 2 * MINUTE_NS),
        (start_ns - 1, start_ns + MINUTE_NS + 1),
        (start, start.astimezone(UTC).replace(tzinfo=None) + timedelta(minutes=2)),
    ):
        assert reader.bars("B", *span).minute.tolist() == [MINUTE + 1, MINUTE + 2]
    assert len(reader.bars("'; DROP TABLE bars", 0, 2**62)) == 0
    assert reader.counts() == Counts(symbols=3, bars=12, alerts=0, gaps=0)
    reader.release()


def test_previous_close_is_the_latest_within_the_days_looked_at(path: Path) -> None:
    reader = Reader.open(path)
    before = DAY - timedelta(days=1)
    assert reader.previous_closes(DAY, DAY - timedelta(days=10)) == {
        "A": (3.0, before, False),
        "B": (2.0, DAY - timedelta(days=3), True),
    }
    assert reader.previous_closes(DAY, before) == {"A": (3.0, before, False)}
    assert reader.previous_closes(DAY - timedelta(days=9), DAY - timedelta(days=10)) == {}
    assert reader.watermarks() == (Watermark(1, 95, 3, 1),)
    reader.release()


def test_several_readers_may_have_a_database_that_nobody_writes(path: Path) -> None:
    first, second = Reader.open(path), Reader.open(path)
    assert first.counts() == second.counts()
    first.release()
    assert second.counts().bars == 12
    second.release()
    with pytest.raises(StoreError, match="has been closed"):
        second.counts()


def test_writers_reader_sees_commits_and_outlives_a_fatal_error(path: Path) -> None:
    faults = Faults()
    writer = Writer.open(path, dataset="X", capacity=1, retry_s=0, connect=faults)
    reader = writer.reader()
    assert reader.counts().bars == 12
    faults.plan = {"COMMIT": [duckdb.FatalException("checkpoint failed")]}
    writer.put(batch(0, [Row(0, MINUTE + 9)], symbols=("A",)))
    # With room for one, the second is taken when the first is committed.
    writer.put(batch(1))
    assert faults.opened == 2
    assert reader.counts().bars == 13
    writer.close(10)
    with pytest.raises(StoreError, match="closed at the moment"):
        reader.counts()
