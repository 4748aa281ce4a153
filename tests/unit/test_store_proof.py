"""Coverage, minutes' verdicts, differences and days' records in the database."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from stockscan_tui.market.batch import (
    Batch,
    CoverageBatch,
    DayRecord,
    DifferenceBatch,
    MinuteKinds,
)
from stockscan_tui.store.inquiry import Inquiry
from stockscan_tui.store.minute_kinds import NO_VERDICT, pack_kinds, unpack_kinds
from stockscan_tui.store.reader import Reader
from stockscan_tui.store.writer import Writer
from tests.unit.store_batches import MINUTE, stored

DAY = date(2024, 1, 2)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "day.duckdb"


def write(path: Path, *batches: Batch) -> None:
    writer = Writer.open(path, dataset="EQUS.MINI")
    for one in batches:
        writer.put(one)
    writer.close(10)


def slots(*numbers: int) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    return np.array(numbers, np.int32)


def coverage(traded: list[int], verified: list[int] | None = None) -> CoverageBatch:
    count = np.array(traded)
    return CoverageBatch(
        session_date=DAY,
        slot=np.arange(len(traded), dtype=np.int32),
        elapsed=10,
        traded=count,
        backfilled=count * 0,
        quiet=9 - count,
        missing=count * 0 + 1,
        unknown=count * 0,
        verified=None if verified is None else np.array(verified),
    )


def test_a_days_coverage_replaces_what_is_stored_of_its_symbols(path: Path) -> None:
    write(
        path,
        Batch(1, symbols=("A", "B"), coverage=(coverage([1, 2]),)),
        Batch(2, coverage=(coverage([5], [4]),)),
    )
    rows = stored(
        path, "SELECT symbol, traded, quiet, density, completeness, verified FROM coverage"
    )
    assert sorted(rows) == [("A", 5, 4, 0.5, 0.9, 4), ("B", 2, 7, 0.2, 0.9, None)]


def test_verdicts_of_a_minute_come_back_by_symbol(path: Path) -> None:
    first = MinuteKinds(DAY, MINUTE, np.array([0, 1, 2], np.uint8))
    later = MinuteKinds(DAY, MINUTE + 1, np.array([3, 4, 0, 2], np.uint8))
    write(
        path,
        Batch(1, symbols=("A", "B", "C"), kinds=(first,)),
        Batch(2, first_slot=3, symbols=("D",), kinds=(later,)),
    )
    minutes, kinds = read_kinds(path, ("D", "B", "nobody", "A", "C"))
    assert minutes.tolist() == [MINUTE, MINUTE + 1]
    none = NO_VERDICT
    assert kinds.tolist() == [[none, 1, none, 0, 2], [2, 4, none, 3, 0]]


def test_symbols_that_a_later_run_has_not_seen_keep_their_verdicts(path: Path) -> None:
    write(
        path,
        Batch(1, symbols=("A", "B"), kinds=(MinuteKinds(DAY, MINUTE, np.array([0, 3], np.uint8)),)),
    )
    write(
        path,
        Batch(1, symbols=("C", "A"), kinds=(MinuteKinds(DAY, MINUTE, np.array([1, 2], np.uint8)),)),
    )
    assert read_kinds(path, ("A", "B", "C"))[1].tolist() == [[2, 3, 1]]


def read_kinds(path: Path, symbols: tuple[str, ...]):  # type: ignore[no-untyped-def]
    reader = Reader.open(path)
    try:
        return reader.minute_kinds(DAY, symbols)
    finally:
        reader.release()


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 12_001])
def test_packed_verdicts_unpack_as_they_were(count: int) -> None:
    kinds = np.random.default_rng(count).integers(0, 8, count, dtype=np.uint8)
    unpacked = unpack_kinds(pack_kinds(kinds), count + 20)
    assert unpacked.tolist() == [*kinds.tolist(), *[NO_VERDICT] * 20]


def difference(minute: int, field: str, ours: float, *, healed: bool) -> DifferenceBatch:
    return DifferenceBatch(
        session_date=DAY,
        slot=slots(0),
        minute=np.array([minute]),
        field=(field,),
        ours=np.array([ours]),
        theirs=np.array([2.5]),
        healed=np.array([healed]),
    )


def test_a_difference_that_is_told_again_replaces_itself(path: Path) -> None:
    write(
        path,
        Batch(1, symbols=("A",), differences=(difference(MINUTE, "close", 2.0, healed=False),)),
        Batch(
            2,
            differences=(
                difference(MINUTE, "close", 2.0, healed=True),
                difference(MINUTE, "bar", np.nan, healed=False),
            ),
        ),
    )
    rows = stored(path, "SELECT symbol, field, ours, theirs, healed FROM bar_differences")
    assert sorted(rows) == [("A", "bar", None, 2.5, False), ("A", "close", 2.0, 2.5, True)]


def test_a_day_has_one_record(path: Path) -> None:
    write(
        path,
        Batch(1, days=(DayRecord(DAY, records=5), DayRecord(date(2024, 1, 3)))),
        Batch(2, days=(DayRecord(DAY, records=9, first_ns=1_700_000_000_000_000_000, equal=3,
                                 compared=4, verified=0.75, unmapped=2),)),
    )  # fmt: skip
    rows = stored(
        path,
        "SELECT records, epoch_ns(first_ts), last_ts, completeness, compared, equal, verified, "
        "unmapped FROM days ORDER BY session_date",
    )
    assert rows[0] == (9, 1_700_000_000_000_000_000, None, None, 4, 3, 0.75, 2)
    assert len(rows) == 2


def test_what_runs_of_one_day_counted_adds_up_unless_they_begin_anew(path: Path) -> None:
    def run(record: DayRecord, *, resume: bool) -> tuple[int, int, float]:
        writer = Writer.open(path, dataset="EQUS.MINI", resume=resume)
        writer.put(Batch(1, days=(record,)))
        writer.close(10)
        found: tuple[int, int, float] = stored(path, "SELECT records, bars, density FROM days")[0]
        return found

    assert run(DayRecord(DAY, records=5, bars=50, density=0.5), resume=True) == (5, 50, 0.5)
    assert run(DayRecord(DAY, records=3, bars=60, density=0.6), resume=True) == (8, 60, 0.6)
    assert run(DayRecord(DAY, records=2, bars=10, density=0.1), resume=False) == (2, 10, 0.1)


def test_verdicts_are_counted_as_of_the_last_minute_also_of_symbols_that_came_later(
    path: Path,
) -> None:
    def minute(number: int, *kinds: int) -> MinuteKinds:
        return MinuteKinds(DAY, MINUTE + number, np.array(kinds, np.uint8))

    stale = CoverageBatch(DAY, slots(0, 1), 1, *(np.zeros(2, np.int64) for _ in range(5)))
    write(
        path,
        Batch(1, symbols=("A", "B"), kinds=(minute(0, 0, 2), minute(1, 0, 4)), coverage=(stale,)),
        Batch(2, first_slot=2, symbols=("C",), kinds=(minute(2, 1, 3, 0),),
              coverage=(CoverageBatch(DAY, slots(2), 1, *(np.zeros(1, np.int64),) * 5),)),
    )  # fmt: skip
    reader = Reader.open(path)
    try:
        found = Inquiry(reader).symbols(DAY)
    finally:
        reader.release()
    assert list(found.symbol) == ["A", "B", "C"]
    assert found.elapsed.tolist() == [3, 3, 3]
    assert found.traded.tolist() == [2, 0, 1]
    assert found.backfilled.tolist() == [1, 0, 0]
    # C was not named in the first two minutes: one of them was whole, the other one not.
    assert found.quiet.tolist() == [0, 1, 1]
    assert found.unknown.tolist() == [0, 1, 1]
    assert found.missing.tolist() == [0, 1, 0]
