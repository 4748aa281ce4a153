"""Live records to files: each once, whatever the network, the clock and the disk do."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time as wall
from collections.abc import Callable
from datetime import date, time
from pathlib import Path
from typing import Any

import databento_dbn as dbn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stockscan_tui.errors import InputError
from stockscan_tui.feed import recording
from stockscan_tui.feed.dbn_file import DbnFile
from stockscan_tui.feed.recorder import Recorder
from stockscan_tui.market.calendar import DAY_NS, MINUTE_NS, SECOND_NS, new_york_ns
from stockscan_tui.market.dbn import MBP1_DTYPE, RType
from tests import wire
from tests.playing import play, weekdays

SIZE = MBP1_DTYPE.itemsize
NAMES = {number: f"S{number}" for number in range(1, 6)}
MAPPINGS = b"".join(wire.mapping_record(number, name) for number, name in NAMES.items())
ROWS = wire.random_rows(3, 400, 5, 3)
# Many records share a time, so that a cut falls between two of them.
ROWS["ts_recv"] = ROWS["ts_recv"] // np.uint64(SECOND_NS) * np.uint64(SECOND_NS)


def as_bytes(*parts: wire.Records | bytes) -> NDArray[np.uint8]:
    return np.frombuffer(wire.joined(*parts), np.uint8)


def recorder_in(folder: Path, **options: Any) -> Recorder:
    return Recorder(folder, dataset="EQUS.MINI", calendar=weekdays(), **options)


def ended(recorder: Recorder) -> None:
    recorder.close(60)
    assert recorder.problems() == ()
    assert recorder.dropped == 0


def record(folder: Path, *connections: wire.Records, stream: str = "mbp-1") -> None:
    """Record connections one after the other, each in small pieces behind the mappings."""
    recorder = recorder_in(folder)
    for records in connections:
        recorder.begin(stream, 3, ts_out=False)
        recorder.add(stream, as_bytes(MAPPINGS))
        for start in range(0, len(records), 7):
            recorder.add(stream, as_bytes(records[start : start + 7]))
    ended(recorder)


def content(path: Path) -> bytes:
    """Return a file's bytes behind its metadata."""
    reader = DbnFile(path).blocks(threading.Event())
    return b"".join(bytes(block.data[block.start : block.end]) for block in reader)


def market_bytes(*paths: Path) -> bytes:
    """Return the files' whole market records in order of file."""
    found = []
    for path in paths:
        data, at = content(path), 0
        while at + 16 <= len(data) and at + data[at] * 4 <= len(data):
            length = data[at] * 4
            if data[at + 1] not in {RType.SYMBOL_MAPPING, RType.SYSTEM}:
                found.append(data[at : at + length])
            at += length
    return b"".join(found)


def mapped_ids(path: Path) -> list[int]:
    return [r.instrument_id for r in decoded(path) if isinstance(r, dbn.SymbolMappingMsg)]


def decoded(path: Path) -> list[Any]:
    """Return the file's records as the official decoder reads them."""
    file = DbnFile(path)
    decoder = dbn.DBNDecoder(has_metadata=False, ts_out=file.ts_out, input_version=file.version)
    decoder.write(content(path))
    return decoder.decode()


def files_in(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def moved(records: wire.Records, to_ns: int) -> wire.Records:
    """Return the records with the first one's second at `to_ns`, the others as far behind it."""
    later = records.copy()
    for name in ("ts_recv", "ts_event"):
        later[name] = later[name].astype(np.int64) + (to_ns - wire.OPEN_NS)
    return later


@settings(max_examples=40, deadline=None)
@given(cut=st.integers(0, len(ROWS)), back=st.integers(0, len(ROWS)), second=st.integers(0, 400))
def test_overlapping_connections_are_recorded_once(
    tmp_path_factory: pytest.TempPathFactory, cut: int, back: int, second: int
) -> None:
    folder = tmp_path_factory.mktemp("records")
    start = max(0, cut - back)
    # The gateway replays from an instant, never from between two records that share it.
    start = int(np.searchsorted(ROWS["ts_recv"], ROWS["ts_recv"][start])) if start < 400 else start
    record(folder, ROWS[:cut], ROWS[start : start + second], ROWS[start:])
    (path,) = files_in(folder)
    assert path.name == "EQUS.MINI-20260615-093000.mbp-1.dbn.zst"
    assert market_bytes(path) == ROWS.tobytes()
    assert [r.ts_recv for r in decoded(path) if isinstance(r, dbn.MBP1Msg)] == list(ROWS["ts_recv"])


def test_a_recording_replays_to_the_same_bars_and_reads_in_the_official_client(
    tmp_path: Path,
) -> None:
    from databento import DBNStore

    record(tmp_path / "records", ROWS[:250], ROWS[100:])
    (path,) = files_in(tmp_path / "records")
    original = wire.write(
        tmp_path / "original.dbn", wire.metadata(symbols={s: n for n, s in NAMES.items()}), ROWS
    )
    assert play(path).sink.bars == play(original).sink.bars
    store = DBNStore.from_bytes(path.read_bytes())
    assert store.dataset == "EQUS.MINI"
    assert str(store.schema) == "mbp-1"
    assert sum(isinstance(r, dbn.MBP1Msg) for r in store) == len(ROWS)


def test_a_new_session_date_begins_a_new_file_at_its_first_record(tmp_path: Path) -> None:
    half_to_four = new_york_ns(date(2026, 6, 16), time(3, 49))
    rows = moved(ROWS, half_to_four)
    record(tmp_path, rows)
    first, second = files_in(tmp_path)
    begins = new_york_ns(date(2026, 6, 16), time(3, 50))
    assert first.name == "EQUS.MINI-20260615-034900.mbp-1.dbn.zst"
    assert second.name.startswith("EQUS.MINI-20260616-0350")
    assert market_bytes(first) == rows[rows["ts_recv"] < begins].tobytes()
    assert market_bytes(second) == rows[rows["ts_recv"] >= begins].tobytes()
    assert mapped_ids(second) == list(NAMES)
    assert DbnFile(second).start_ns == rows["ts_recv"][rows["ts_recv"] >= begins][0]
    # Alone, each has the symbols of its records.
    assert set(play(second).sink.names) == set(NAMES.values())


def test_a_monday_that_begins_with_a_single_record_has_it_in_its_own_file(tmp_path: Path) -> None:
    friday = moved(ROWS[:50], new_york_ns(date(2026, 6, 12), time(19)))
    monday = moved(ROWS[50:], new_york_ns(date(2026, 6, 15), time(4)))
    recorder = recorder_in(tmp_path)
    recorder.begin("mbp-1", 3, ts_out=False)
    for part in (friday, monday[:1], monday[1:]):
        recorder.add("mbp-1", as_bytes(part))
    ended(recorder)
    assert [market_bytes(path) for path in files_in(tmp_path)] == [
        friday.tobytes(),
        monday.tobytes(),
    ]


@pytest.mark.parametrize("at", [0, 20, 399])
def test_a_time_far_ahead_moves_neither_day_nor_watermark(tmp_path: Path, at: int) -> None:
    rows = ROWS.copy()
    rows["ts_recv"][at] += np.uint64(500 * DAY_NS)
    record(tmp_path, rows[:300], rows[rows["ts_recv"] >= rows["ts_recv"][250]][1:])
    (path,) = files_in(tmp_path)
    found = np.frombuffer(market_bytes(path), MBP1_DTYPE)
    assert set(ROWS["ts_event"]) == set(found["ts_event"])
    assert path.name.startswith("EQUS.MINI-20260615-")


@settings(max_examples=40, deadline=None)
@given(share=st.floats(0, 1), before=st.integers(1, 399))
def test_a_restart_after_a_cut_file_continues_without_doubling(
    tmp_path_factory: pytest.TempPathFactory, share: float, before: int
) -> None:
    folder = tmp_path_factory.mktemp("records")
    recorder = recorder_in(folder, flush_s=0.001)
    recorder.begin("mbp-1", 3, ts_out=False)
    recorder.add("mbp-1", as_bytes(MAPPINGS, ROWS[:before]))
    ended(recorder)
    (cut,) = files_in(folder)
    raw = cut.read_bytes()
    cut.write_bytes(raw[: int(len(raw) * share)])
    try:
        kept = len(market_bytes(cut)) // SIZE
    except InputError:
        kept = 0
    again = recorder_in(folder)
    again.begin("mbp-1", 3, ts_out=False)
    again.add("mbp-1", as_bytes(ROWS))
    again.close(60)
    new = [path for path in files_in(folder) if path != cut]
    assert market_bytes(*new) == ROWS[kept:].tobytes()
    if kept:
        # The connection sent no mappings: the new file has those of the one that was cut.
        assert [mapped_ids(path) for path in new] == [list(NAMES)]


def test_a_third_run_knows_what_both_files_before_it_hold(tmp_path: Path) -> None:
    twin = int(np.flatnonzero(np.diff(ROWS["ts_recv"].astype(np.int64)) == 0)[40])
    for end in (twin, twin + 1, 230, 400):
        record(tmp_path, ROWS[:end])
    paths = files_in(tmp_path)
    assert len(paths) == 4
    # Two runs' first records are of one second: no file was written to twice.
    assert sum("-2." in path.name for path in paths) == 1
    stamps = np.frombuffer(market_bytes(*paths), MBP1_DTYPE)
    assert sorted(stamps.tobytes()[n : n + SIZE] for n in range(0, stamps.nbytes, SIZE)) == sorted(
        ROWS.tobytes()[n : n + SIZE] for n in range(0, ROWS.nbytes, SIZE)
    )


@pytest.mark.parametrize("rtype", [RType.OHLCV_1S, RType.OHLCV_1M])
def test_bars_of_a_minute_are_told_apart_by_their_order(tmp_path: Path, rtype: int) -> None:
    bars = wire.ohlcv(
        [(wire.OPEN_NS + n // 4 * MINUTE_NS, n % 4, 9, 9, 9, 9, n) for n in range(40)], rtype
    )
    record(tmp_path, bars[:18], bars[12:], stream="ohlcv-1s")
    (path,) = files_in(tmp_path)
    assert market_bytes(path) == bars.tobytes()
    assert DbnFile(path).schema == "ohlcv-1s"


@pytest.mark.parametrize("version", [1, 2, 3])
def test_send_times_and_versions_are_kept(tmp_path: Path, version: int) -> None:
    dtype = np.dtype([("row", MBP1_DTYPE), ("ts_out", "<u8")])
    rows = np.zeros(len(ROWS), dtype)
    rows["row"] = ROWS
    rows["row"]["length"] = dtype.itemsize // 4
    rows["ts_out"] = ROWS["ts_recv"] + np.uint64(5)
    recorder = recorder_in(tmp_path)
    recorder.begin("mbp-1", version, ts_out=True)
    recorder.add("mbp-1", as_bytes(rows))
    ended(recorder)
    (path,) = files_in(tmp_path)
    assert (DbnFile(path).version, DbnFile(path).ts_out) == (version, True)
    assert market_bytes(path) == rows.tobytes()
    assert [r.ts_out for r in decoded(path)] == rows["ts_out"].tolist()


def test_another_version_begins_another_file(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    for version, part in ((2, ROWS[:200]), (3, ROWS)):
        recorder.begin("mbp-1", version, ts_out=False)
        recorder.add("mbp-1", as_bytes(part))
    ended(recorder)
    paths = sorted(files_in(tmp_path), key=lambda path: DbnFile(path).version)
    assert [DbnFile(path).version for path in paths] == [2, 3]
    assert market_bytes(*paths) == ROWS.tobytes()


def test_streams_and_unknown_schemas_have_files_of_their_own(tmp_path: Path) -> None:
    trades = wire.trades([(wire.OPEN_NS + n, 1, 10, 1) for n in range(9)])
    recorder = recorder_in(tmp_path)
    for stream, records in (("trades", trades), ("a/b", ROWS)):
        recorder.begin(stream, 3, ts_out=False)
        recorder.add(stream, as_bytes(records))
    ended(recorder)
    other, plain = files_in(tmp_path)
    assert (other.name, plain.name) == (
        "EQUS.MINI-20260615-093000.a_b.dbn.zst",
        "EQUS.MINI-20260615-093000.trades.dbn.zst",
    )
    assert (DbnFile(other).schema, DbnFile(plain).schema) == ("", "trades")
    assert market_bytes(plain) == trades.tobytes()


def test_mappings_alone_make_a_file_by_their_own_time(tmp_path: Path) -> None:
    record(tmp_path, ROWS[:0])
    (path,) = files_in(tmp_path)
    assert content(path) == MAPPINGS
    assert path.name == "EQUS.MINI-20260615-093000.mbp-1.dbn.zst"


def test_a_night_outside_the_calendar_is_recorded_all_the_same(tmp_path: Path) -> None:
    rows = moved(ROWS, new_york_ns(date(2031, 3, 2), time(1)))
    record(tmp_path, rows)
    (path,) = files_in(tmp_path)
    assert path.name == "EQUS.MINI-20310301-010000.mbp-1.dbn.zst"
    assert market_bytes(path) == rows.tobytes()


@settings(max_examples=60, deadline=None)
@given(noise=st.binary(max_size=400), at=st.integers(0, len(ROWS)))
def test_no_bytes_can_stop_the_recording(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int
) -> None:
    folder = tmp_path_factory.mktemp("records")
    recorder = recorder_in(folder, flush_s=0.001)
    recorder.begin("mbp-1", 3, ts_out=False)
    recorder.add("mbp-1", as_bytes(ROWS[:at], noise))
    recorder.close(60)
    assert not recorder._thread.is_alive()
    assert ROWS[:at].tobytes() in b"".join(content(path) for path in files_in(folder))


def test_what_cannot_be_queued_is_dropped_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, go_on = threading.Event(), threading.Event()
    taking = recording.Track.take

    def held(self: recording.Track, pieces: list[NDArray[np.uint8]]) -> None:
        entered.set()
        assert go_on.wait(60)
        taking(self, pieces)

    monkeypatch.setattr(recording.Track, "take", held)
    recorder = recorder_in(tmp_path, capacity_bytes=150 * SIZE, flush_s=0.001)
    recorder.begin("mbp-1", 3, ts_out=False)
    recorder.add("mbp-1", as_bytes(ROWS[:100]))
    assert entered.wait(60)
    recorder.add("mbp-1", as_bytes(ROWS[100:200]))
    recorder.add("mbp-1", as_bytes(ROWS[200:250]))
    go_on.set()
    recorder.close(60)
    assert recorder.dropped == 1
    assert len(recorder.problems()) == 1
    assert "cannot keep up: 1 pieces" in recorder.problems()[0]
    (path,) = files_in(tmp_path)
    assert market_bytes(path) == wire.joined(ROWS[:100], ROWS[200:250])


def test_a_backlog_is_compressed_in_haste_to_the_same_records(tmp_path: Path) -> None:
    rows = np.concatenate([moved(ROWS, wire.OPEN_NS + n * 10 * MINUTE_NS) for n in range(40)])
    recorder = recorder_in(tmp_path, capacity_bytes=2 * SIZE * len(rows), flush_s=60)
    # Each connection is written by itself: the first while much waits, the last when little does.
    for part in (rows[:400], rows[400:-400], rows[-400:]):
        recorder.begin("mbp-1", 3, ts_out=False)
        recorder.add("mbp-1", as_bytes(part))
    ended(recorder)
    (path,) = files_in(tmp_path)
    assert market_bytes(path) == rows.tobytes()


class FullDisk:
    """Files that take so many bytes together and no more, until there is room again."""

    def __init__(self, room: int) -> None:
        self.full = threading.Event()
        self.went_on = threading.Event()
        self.room = room
        self._file: Any = None

    def on(self, file: Any) -> FullDisk:
        self._file = file
        return self

    def write(self, data: memoryview) -> int:
        if self.room <= 0:
            self.full.set()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        count = int(self._file.write(data[: self.room]))
        self.room -= count
        if self.full.is_set():
            self.went_on.set()
        return count

    def fileno(self) -> int:
        return int(self._file.fileno())

    def close(self) -> None:
        self._file.close()


@pytest.mark.parametrize("room", [0, 40, 5000])
def test_a_full_disk_is_told_once_and_recording_goes_on_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    disk = FullDisk(room)
    opening = Path.open

    def limited(self: Path, *arguments: Any, **named: Any) -> Any:
        file = opening(self, *arguments, **named)
        return disk.on(file) if arguments == ("xb",) else file

    monkeypatch.setattr(Path, "open", limited)
    recorder = recorder_in(tmp_path, flush_s=0.001)
    recorder.begin("mbp-1", 3, ts_out=False)
    recorder.add("mbp-1", as_bytes(MAPPINGS))
    while not disk.full.wait(0.001):
        recorder.add("mbp-1", as_bytes(ROWS[:60]))
    disk.room = 10**9
    while not disk.went_on.wait(0.001):
        recorder.add("mbp-1", as_bytes(ROWS[60:]))
    recorder.close(60)
    assert len(recorder.problems()) == 1
    assert "No space left on device" in recorder.problems()[0]
    assert recorder.dropped > 0
    # The newest file can be read alone; a failed one that held nothing is gone.
    newest = max(files_in(tmp_path), key=lambda path: path.stat().st_mtime_ns)
    assert mapped_ids(newest) == list(NAMES)
    assert market_bytes(newest).endswith(ROWS[-1:].tobytes())
    assert len(files_in(tmp_path)) == (2 if room == 5000 else 1)


def test_a_folder_that_vanishes_is_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "records"
    recorder = recorder_in(folder)
    folder.rmdir()
    recorder.begin("mbp-1", 3, ts_out=False)
    recorder.add("mbp-1", as_bytes(ROWS))
    ended(recorder)
    assert market_bytes(*files_in(folder)) == ROWS.tobytes()


@pytest.mark.skipif(os.name != "posix", reason="an open file cannot be removed")
def test_a_file_that_is_removed_while_it_grows_is_told_and_another_begun(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path, flush_s=0.001)

    def wait_until(reached: Callable[[], bool]) -> None:
        end = wall.monotonic() + 30
        while not reached():
            assert wall.monotonic() < end
            wall.sleep(0.001)

    recorder.begin("mbp-1", 3, ts_out=False)
    recorder.add("mbp-1", as_bytes(ROWS[:50]))
    wait_until(lambda: recorder.bytes_written > 0 and len(files_in(tmp_path)) == 1)
    files_in(tmp_path)[0].unlink()
    recorder.add("mbp-1", as_bytes(ROWS[50:60]))
    wait_until(lambda: len(recorder.problems()) > 0)
    (problem,) = recorder.problems()
    assert "the file was removed" in problem
    recorder.close(60)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(InputError, match=r"cannot be written to .*taken/records: Not a directory"):
        recorder_in(tmp_path / "taken" / "records")


CHILD = """
import sys
from pathlib import Path
from tests.unit.test_recorder import MAPPINGS, ROWS, as_bytes, recorder_in
recorder = recorder_in(Path(sys.argv[1]), flush_s=0.01)
recorder.begin("mbp-1", 3, ts_out=False)
recorder.add("mbp-1", as_bytes(MAPPINGS, ROWS))
while not recorder.bytes_written:
    pass
print("flushed", flush=True)
sys.stdin.read()
"""


def test_what_was_flushed_survives_sigkill(tmp_path: Path) -> None:
    from databento import DBNStore

    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"flushed\n"
        process.send_signal(signal.SIGKILL)
    (path,) = files_in(tmp_path)
    assert market_bytes(path) == ROWS.tobytes()
    store = DBNStore.from_bytes(path.read_bytes())
    assert sum(isinstance(r, dbn.MBP1Msg) for r in store) == len(ROWS)
