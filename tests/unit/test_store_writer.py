import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from threading import Event, Thread

import duckdb
import numpy as np
import pytest

from stockscan_tui.errors import StoreError
from stockscan_tui.market.batch import BarSource, Batch, CloseBatch, StateBatch, Watermark
from stockscan_tui.store.writer import Writer
from tests.unit.store_batches import MINUTE, Faults, Row, batch, stored

AT = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "day.duckdb"


def write(path: Path, *batches: Batch, resume: bool = False) -> None:
    writer = Writer.open(path, dataset="EQUS.MINI", resume=resume)
    for one in batches:
        writer.put(one)
    writer.close(10)


def test_contract_views_have_the_promised_columns_and_types(path: Path) -> None:
    write(path)
    columns: dict[str, list[str]] = {}
    for view, column, kind in stored(
        path,
        "SELECT table_name, column_name, data_type FROM duckdb_columns() "
        "WHERE table_name IN (SELECT view_name FROM duckdb_views() WHERE NOT internal) "
        "ORDER BY table_name, column_index",
    ):
        columns.setdefault(view, []).append(f"{column} {kind}")
    price, count = "DOUBLE", "BIGINT"
    assert columns == {
        "bars_1m": [
            "symbol VARCHAR",
            "ts TIMESTAMP",
            *(f"{name} {price}" for name in ("open", "high", "low", "close")),
            f"volume {count}",
            f"trades {count}",
            f"vwap {price}",
            "source VARCHAR",
        ],
        "symbol_state": [
            "symbol VARCHAR",
            "session_date DATE",
            *(f"{name} {price}" for name in ("mark", "last", "bid", "ask", "prev_close")),
            "prev_close_source VARCHAR",
            f"chg {price}",
            f"volume {count}",
            "tier UTINYINT",
            "updated_at TIMESTAMP",
            f"trades {count}",
            f"bars {count}",
            "dollars DOUBLE",
            "last_trade TIMESTAMP",
            "last_quote TIMESTAMP",
            f"remaps {count}",
        ],
        "alerts": [
            "alert_id VARCHAR",
            "ts BIGINT",
            "symbol VARCHAR",
            "rule VARCHAR",
            f"price {price}",
            "values VARCHAR",
            "late BOOLEAN",
            "gated BOOLEAN",
        ],
        "coverage": [
            "session_date DATE",
            "symbol VARCHAR",
            *(
                f"{name} {count}"
                for name in ("elapsed", "traded", "backfilled", "quiet", "missing", "unknown")
            ),
            "completeness DOUBLE",
            "density DOUBLE",
            f"verified {count}",
        ],
        "bar_differences": [
            "session_date DATE",
            "symbol VARCHAR",
            "ts TIMESTAMP",
            "field VARCHAR",
            "ours DOUBLE",
            "theirs DOUBLE",
            "healed BOOLEAN",
        ],
        "days": [
            "session_date DATE",
            "first_ts TIMESTAMP",
            "last_ts TIMESTAMP",
            *(f"{name} {count}" for name in ("records", "trades", "bars", "symbols", "elapsed")),
            "completeness DOUBLE",
            "density DOUBLE",
            *(f"{name} {count}" for name in ("gaps", "healed", "unknown", "compared", "equal")),
            *(f"{name} {count}" for name in ("differing", "lacking", "surplus")),
            "verified DOUBLE",
            f"late {count}",
            f"unmapped {count}",
        ],
        "feed_gaps": [
            "session_date DATE",
            "from_ts TIMESTAMP",
            "to_ts TIMESTAMP",
            "reason VARCHAR",
            "healed_at TIMESTAMP",
        ],
    }


def test_view_gives_prices_to_the_last_digit_and_no_vwap_for_ohlcv(path: Path) -> None:
    whole = Row(0, MINUTE, open=1, high=2**50, low=1, close=123_456_789_012_345, dollars=1_234)
    whole = Row(**{**vars(whole), "nanos": 500_000_000, "volume": 10, "trades": 3})
    bare = Row(1, MINUTE, trades=-1, dollars=-1, nanos=-1, source=BarSource.OHLCV)
    write(path, batch(0, [whole, bare], symbols=("AAPL", "BRK.B")))
    a, b = stored(path, "SELECT * FROM bars_1m ORDER BY symbol")
    assert a[:2] == ("AAPL", datetime(2023, 12, 31, 5, 20))  # noqa: DTZ001 - stored without a zone
    assert [round(price * 1e9) for price in a[2:6]] == [1, 2**50, 1, 123_456_789_012_345]
    assert a[6:] == (10, 3, 123.45, "trades")
    assert b[6:] == (100, None, None, "ohlcv")


def test_files_are_made_for_duckdb_1_5(path: Path) -> None:
    write(path)
    connection = duckdb.connect(str(path), read_only=True)
    tags = connection.execute("SELECT tags FROM duckdb_databases() WHERE NOT internal").fetchall()
    connection.close()
    assert tags[0][0]["storage_version"].startswith("v1.5.0")


def test_bars_replace_stored_bars_of_the_same_minute_and_leave_others(path: Path) -> None:
    old = [Row(slot, MINUTE + m, volume=1) for m in range(3) for slot in range(3)]
    new = [Row(slot, MINUTE + m, volume=2) for m in (1, 3) for slot in (0, 2)]
    write(path, batch(0, old, symbols=("A", "B", "C")), batch(1, new))
    volumes = stored(path, "SELECT symbol, epoch_us(ts) // 60000000, volume FROM bars_1m")
    expected = {(row.slot, row.minute): row.volume for row in [*old, *new]}
    assert sorted(volumes) == sorted(("ABC"[s], m, v) for (s, m), v in expected.items())


def test_symbols_keep_their_ids_when_slots_come_in_another_order(path: Path) -> None:
    write(path, batch(0, [Row(0, MINUTE), Row(1, MINUTE)], symbols=("A", "B")))
    write(
        path,
        batch(0, [Row(0, MINUTE + 1)], symbols=("C", "B")),
        batch(1, [Row(2, MINUTE + 1)], symbols=("A",), first_slot=2),
    )
    assert stored(path, "SELECT * FROM symbols ORDER BY id") == [(0, "A"), (1, "B"), (2, "C")]
    assert stored(path, "SELECT symbol FROM bars_1m ORDER BY ts, symbol") == [
        ("A",),
        ("B",),
        ("A",),
        ("C",),
    ]


def test_second_replay_leaves_the_same_rows_though_late_trades_came_without_a_bar(
    path: Path,
) -> None:
    batches = (
        batch(0, [Row(0, MINUTE + 9)], symbols=("A",)),
        batch(1, late=[Row(0, MINUTE), Row(0, MINUTE + 9, volume=5)]),
    )
    write(path, *batches)
    first = stored(path, "SELECT * FROM bars_1m ORDER BY ts")
    assert [row[6] for row in first] == [100, 105]
    write(path, *batches)
    assert stored(path, "SELECT * FROM bars_1m ORDER BY ts") == first


def test_resumed_run_adds_late_trades_to_the_bars_of_the_run_before(path: Path) -> None:
    write(path, batch(0, [Row(0, MINUTE)], symbols=("A",)))
    write(path, batch(0, late=[Row(0, MINUTE, volume=5)], symbols=("A",)), resume=True)
    assert stored(path, "SELECT volume FROM bars_1m") == [(105,)]


def test_states_closes_and_watermarks_replace_what_is_stored(path: Path) -> None:
    def day(serial: int, mark: float) -> Batch:
        slots = np.arange(2, dtype=np.int32)
        prices = np.array([mark, np.nan])
        states = StateBatch(
            session_date=date(2024, 1, 2),
            slot=slots,
            mark=prices,
            last=prices,
            bid=prices,
            ask=prices,
            prev_close=prices,
            prev_close_source=("daily", ""),
            chg=prices,
            volume=np.array([7, 0]),
            tier=np.array([4, 0], np.uint8),
            trades=np.array([3, 0]),
            bars=np.array([2, 0]),
            notional=np.array([10.5, np.nan]),
            trade_ns=np.array([int(AT.timestamp()) * 10**9, 0]),
            quote_ns=np.array([0, int(AT.timestamp()) * 10**9]),
            remaps=np.array([1, 0]),
            updated_ns=int(AT.timestamp()) * 10**9,
        )
        closes = CloseBatch(date(2024, 1, 2), slots, np.array([mark, 2.0]), np.array([True, False]))
        return Batch(
            serial,
            symbols=("A", "B"),
            states=(states,),
            closes=(closes,),
            watermarks=(Watermark(1, 95, serial, 2), Watermark(0, 95, 9, 1)),
        )

    write(path, day(0, 1.5), day(1, 2.5))
    at = AT.replace(tzinfo=None)
    assert stored(path, "SELECT * FROM symbol_state ORDER BY symbol") == [
        (
            "A",
            date(2024, 1, 2),
            2.5,
            2.5,
            2.5,
            2.5,
            2.5,
            "daily",
            2.5,
            7,
            4,
            at,
            3,
            2,
            10.5,
            at,
            None,
            1,
        ),
        (
            "B",
            date(2024, 1, 2),
            None,
            None,
            None,
            None,
            None,
            "",
            None,
            0,
            0,
            at,
            0,
            0,
            None,
            None,
            at,
            0,
        ),
    ]
    assert stored(path, "SELECT close, official FROM closes ORDER BY close") == [
        (2.0, False),
        (2.5, True),
    ]
    assert stored(path, "SELECT * FROM watermarks ORDER BY rtype") == [(0, 95, 9, 1), (1, 95, 1, 2)]


FULL = "Failed to commit: Could not write file: No space left on device"


@pytest.mark.parametrize("word", ["BEGIN", "INSERT", "DELETE", "UPDATE", "COMMIT"])
@pytest.mark.parametrize("kind", [duckdb.TransactionException, duckdb.FatalException])
@pytest.mark.parametrize("after", [False, True], ids=["undone", "done"])
def test_failed_statement_neither_loses_nor_repeats_a_batch(
    path: Path, word: str, kind: type[duckdb.Error], *, after: bool
) -> None:
    faults = Faults(after=after)
    writer = Writer.open(path, dataset="EQUS.MINI", capacity=1, retry_s=0, connect=faults)
    reader = writer.reader()
    writer.put(batch(0, [Row(0, MINUTE)], symbols=("A",)))
    # With room for one, the second is taken when the first is committed.
    writer.put(batch(1))
    assert reader.counts().bars == 1
    faults.plan = {word: [kind(FULL)]}
    late = [Row(0, MINUTE, volume=5), Row(1, MINUTE, volume=1)]
    writer.put(batch(2, [Row(1, MINUTE)], late, symbols=("B",), first_slot=1))
    assert faults.failed.wait(10)
    writer.put(batch(3, [Row(0, MINUTE + 1)], late=[Row(0, MINUTE, volume=7)]))
    writer.close(10)
    assert writer.status().rows_written == 6
    assert stored(path, "SELECT symbol, volume FROM bars_1m ORDER BY ts, symbol") == [
        ("A", 112),
        ("B", 101),
        ("A", 100),
    ]
    assert faults.opened == (2 if kind is duckdb.FatalException else 1)


def test_full_disk_is_shown_and_bars_go_in_once_there_is_room(path: Path) -> None:
    faults = Faults(plan={})
    retried = Event()
    writer = Writer.open(path, dataset="EQUS.MINI", retry_s=0, connect=faults)
    errors: list[duckdb.Error] = [duckdb.TransactionException(FULL) for _ in range(3)]
    statuses: list[str] = []

    def look(word: str) -> None:
        if word == "BEGIN":
            statuses.append(writer.status().error)
            if len(statuses) == 4:
                retried.set()

    faults.before = look
    faults.plan = {"COMMIT": errors}
    writer.put(batch(0, [Row(0, MINUTE)], symbols=("A",)))
    assert retried.wait(10)
    writer.close(10)
    assert statuses[0] == ""
    assert all("No space left on device" in status for status in statuses[1:])
    assert writer.status().error == ""
    assert writer.status().rows_written == 1
    assert stored(path, "SELECT count(*) FROM bars_1m") == [(1,)]


def test_close_tells_how_many_bars_a_full_disk_kept_out(path: Path) -> None:
    write(path, batch(0, [Row(0, MINUTE)], symbols=("A",)))
    faults = Faults()
    writer = Writer.open(path, dataset="EQUS.MINI", connect=faults)
    faults.plan = {"COMMIT": [duckdb.TransactionException(FULL) for _ in range(1000)]}
    bars = [Row(0, MINUTE + 1), Row(0, MINUTE + 2)]
    writer.put(batch(0, bars, late=[Row(0, MINUTE)], symbols=("A",)))
    assert faults.failed.wait(10)
    with pytest.raises(StoreError, match=r"3 bars were not written .*day.duckdb.*No space left"):
        writer.close(0.05)
    with pytest.raises(StoreError, match="takes no more bars"):
        writer.put(batch(2))
    write(path)
    assert stored(path, "SELECT count(*) FROM bars_1m") == [(1,)]


def test_put_waits_while_the_queue_is_full(path: Path) -> None:
    faults = Faults()
    stuck, free = Event(), Event()

    def hold(word: str) -> None:
        if word == "BEGIN":
            stuck.set()
            assert free.wait(10)

    writer = Writer.open(path, dataset="EQUS.MINI", capacity=2, connect=faults)
    faults.before = hold
    done: list[int] = []
    added = Event()

    def feed() -> None:
        for serial in range(4):
            writer.put(batch(serial, [Row(0, MINUTE + serial)], symbols=("A",)))
            done.append(serial)
            if serial == 1:
                added.set()

    feeder = Thread(target=feed)
    feeder.start()
    assert stuck.wait(10)
    assert added.wait(10)
    assert writer.status().queue == 2
    assert done == [0, 1]
    free.set()
    feeder.join(10)
    writer.close(10)
    assert stored(path, "SELECT count(*) FROM bars_1m") == [(4,)]


def test_defect_in_a_batch_ends_the_writer_loudly(path: Path) -> None:
    writer = Writer.open(path, dataset="EQUS.MINI")
    writer.put(batch(0, [Row(5, MINUTE)], symbols=("A",)))
    with pytest.raises(StoreError, match=r"1 bars were not written.*IndexError"):
        writer.close(10)


def test_store_does_without_pandas(path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from tests.unit.store_batches import MINUTE, Row, batch\n"
        "from stockscan_tui.store.writer import Writer\n"
        f"writer = Writer.open(Path({str(path)!r}), dataset='X')\n"
        "writer.put(batch(0, [Row(0, MINUTE)], [Row(0, MINUTE)], ('A',)))\n"
        "reader = writer.reader(); reader.bars('A', 0, 2**62); writer.close(10)\n"
        "print(sorted({'pandas', 'pyarrow', 'polars', 'databento'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stderr
