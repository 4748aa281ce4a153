import hashlib
import json
import os
import shutil
import signal
import stat
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random

import duckdb
import pytest

from stockscan_tui.errors import StoreError
from stockscan_tui.store import recovery, recovery_files, recovery_process
from stockscan_tui.store.lock import beside
from stockscan_tui.store.reader import Reader
from stockscan_tui.store.recovery import Recovering
from stockscan_tui.store.recovery_files import (
    note_damage,
    note_path,
    untold,
    was_told,
    work_folder,
)
from stockscan_tui.store.recovery_report import Recovered, dump, load
from stockscan_tui.store.snapshot_file import snapshot_path
from stockscan_tui.store.writer import Writer
from tests.unit import damages
from tests.unit.damages import DATASET, MINUTES, SYMBOLS, Damage, Model, compared
from tests.unit.store_batches import Row, batch

LONG = int(os.environ.get("STOCKSCAN_DAMAGES", "0"))
HOW = Recovering()
OLD_MINUTE = 29_913_990
FILE: list[tuple[str, Damage]] = [
    ("", damages.flip), ("", damages.zero), ("", damages.cut), ("", damages.all_zeros),
    (".wal", damages.flip), (".wal", damages.zero), (".wal", damages.cut),
    (".wal", damages.all_zeros), (".wal", damages.noise),
]  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return damages.make_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(autouse=True)
def _in_process(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "in_processes" not in request.fixturenames:
        monkeypatch.setattr(recovery, "run_task", damages.in_process)


@pytest.fixture
def in_processes() -> None:
    """Let what is damaged be read as it is outside of tests, in a process of its own."""


def opened(path: Path, how: Recovering = HOW) -> tuple[Recovered, ...]:
    writer = Writer.open(path, dataset=DATASET, resume=True, recovering=how)
    writer.close(10)
    for each in writer.recovered:
        was_told(each)
    return writer.recovered


def digests(folder: Path) -> dict[str, str]:
    return {
        each.name: hashlib.sha256(each.read_bytes()).hexdigest()
        for each in folder.iterdir()
        if each.suffix not in (".json", ".txt", ".lock", ".owner") and each.is_file()
    }


def aside_of(path: Path) -> Path:
    (aside,) = path.parent.glob(f"{path.name}.damaged-*")
    return aside


def check_promise(model: Model, path: Path, kept: str, *, with_copy: bool) -> None:
    """Hold a recovered database against the one that was damaged.

    `kept` are the rows of the model's bars, as a condition, that must be there in any case.
    """
    with compared(model.path, path) as db:

        def count(query: str) -> int:
            return len(db.execute(query).fetchall())

        bar = "(symbol_id, ts, open, close, volume, trades, notional_dollars, first_ns, last_ns)"
        assert count(f"SELECT ts FROM now.bars ANTI JOIN was.bars USING {bar}") == 0  # noqa: S608
        assert count("SELECT symbol_id, ts FROM now.bars GROUP BY ALL HAVING count(*) > 1") == 0
        if with_copy:
            assert count("SELECT ts FROM copy.bars ANTI JOIN now.bars USING (symbol_id, ts)") == 0
        lost = "FROM was.bars ANTI JOIN now.bars USING (symbol_id, ts)"
        kept_rows = f"(SELECT symbol_id, ts FROM was.bars WHERE {kept})"  # noqa: S608
        assert count(f"SELECT ts FROM {kept_rows} ANTI JOIN now.bars USING (symbol_id, ts)") == 0  # noqa: S608
        newest = "(SELECT max(ts) FROM now.bars)"
        gaps = "SELECT 1 FROM now.gaps WHERE ts >= from_ts AND ts < to_ts"
        # What came after all that is there a live run fetches by itself.
        silent = f"SELECT ts {lost} WHERE ts <= {newest} AND NOT EXISTS ({gaps})"
        assert count(silent) == 0
        standing = count("SELECT * FROM now.checkpoints")
        assert standing == count("SELECT * FROM now.watermarks")
        if standing and count("SELECT * FROM now.bars"):
            last_day = "ts >= TIMESTAMP '2026-11-17 09:00:00'"
            assert count(f"SELECT ts {lost} WHERE {last_day} AND ts <= {newest}") == 0
            # The state is of the very transaction of the newest bars.
            state = db.execute("SELECT ts_recv_ns FROM now.watermarks").fetchall()[0][0]
            assert count("SELECT DISTINCT ts FROM now.bars WHERE ts >= '2026-11-17'") == state - 390
        ids = db.execute("SELECT list(id ORDER BY id) FROM now.symbols").fetchall()[0][0] or []
        assert ids == list(range(len(ids)))


def check_goes_on(path: Path) -> None:
    """A run writes and reads, and nothing is left of the recovery but the folder."""
    writer = Writer.open(path, dataset=DATASET, resume=True, recovering=HOW)
    assert writer.recovered == ()
    writer.put(batch(0, [Row(0, OLD_MINUTE + 9000)], symbols=("S0",)))
    assert writer.drain(20)
    assert len(writer.reader().bars("S0", (OLD_MINUTE + 9000) * 60 * 10**9, 2**62)) == 1
    writer.close(10)
    assert not work_folder(path).exists()
    assert not note_path(path).exists()


def damage_and_recover(model: Model, folder: Path, seed: int) -> None:
    random = Random(seed)
    path = model.put(folder)
    with_copy = random.random() < 0.5
    if not with_copy:
        snapshot_path(path).unlink()
    suffix, damage = FILE[seed % len(FILE)]
    place = damage(beside(path, suffix), random)
    if not suffix:
        note_damage(path, "a test did it")
    before = digests(folder)
    recovered = opened(path)
    if recovered:
        after = digests(aside_of(path))
        assert after == {name: before[name] for name in ("day.duckdb", "day.duckdb.wal")}
    if suffix:
        # All that was checkpointed is in blocks that nothing has happened to.
        kept = f"ts < make_timestamp({(OLD_MINUTE + 1440 + MINUTES - 390 - 40) * 60_000_000})"
    else:
        kept = damages.untouched_rows(model.path, place) if damage is damages.flip else "false"
    check_promise(model, path, kept, with_copy=with_copy)
    check_goes_on(path)


@pytest.mark.parametrize("seed", range(len(FILE)))
def test_what_is_undamaged_or_in_the_copy_is_there_afterwards(
    model: Model, tmp_path: Path, seed: int
) -> None:
    damage_and_recover(model, tmp_path, seed)


@pytest.mark.skipif(not LONG, reason="the long form is asked for by STOCKSCAN_DAMAGES")
def test_any_damage_is_recovered(model: Model, tmp_path: Path) -> None:
    for seed in range(100, 100 + LONG):
        folder = tmp_path / str(seed)
        folder.mkdir()
        try:
            damage_and_recover(model, folder, seed)
        except BaseException as error:
            raise AssertionError(f"seed {seed}") from error
        shutil.rmtree(folder)


@pytest.mark.usefixtures("in_processes")
def test_a_process_of_its_own_reads_what_is_damaged_and_the_lost_minutes_are_told(
    model: Model, tmp_path: Path
) -> None:
    path = model.put(tmp_path)
    snapshot_path(path).unlink()
    damages.a_block_of_bars(model.path, path, "ts")
    with pytest.raises(StoreError, match=r"is damaged: a block of its file.*next run with it"):
        Reader.open(path).columns("SELECT sum(volume) AS v, max(ts) AS t FROM bars WHERE open > 0")
    said: list[float | None] = []
    (found,) = opened(path, Recovering(say=lambda _what, done: said.append(done)))
    assert said[0] == 0.0
    assert said[-1] == 1.0
    (bars,) = (table for table in found.tables if table.table == "bars")
    assert bars.recovered + bars.lost == SYMBOLS * MINUTES
    assert bars.lost > 0
    text = "\n".join(found.lines())
    assert "2026-11-16, 09:30–" in text
    assert f"{bars.lost:,} lost" in text
    assert str(aside_of(path)) in text
    assert (aside_of(path) / "what-happened.txt").read_text() == text + "\n"
    assert load(dump(found)) == found
    assert found.as_json()["aside"] == str(aside_of(path))


@pytest.mark.usefixtures("in_processes")
def test_a_place_that_ends_the_process_is_passed_over(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = model.put(tmp_path)
    snapshot_path(path).unlink()
    note_damage(path, "a test did it")
    # Dies as it begins to read the closes' last range, twice: as a whole and in its parts.
    deadly = tmp_path / "python"
    deadly.write_text(
        f"#!{sys.executable}\n"
        "import os, sys, json\n"
        "job = json.loads(sys.argv[-1])\n"
        "if sys.argv[-2] == 'read' and len(job['lethal']) < 2:\n"
        "    at = [['runs', 0, 0], ['runs parts', 0, 0]][len(job['lethal'])]\n"
        "    print(json.dumps(dict(at=at)))\n"
        f"    sys.stdout.flush(); os.kill(os.getpid(), {int(signal.SIGKILL)})\n"
        f"os.execv({sys.executable!r}, [{sys.executable!r}, *sys.argv[1:]])\n"
    )
    deadly.chmod(deadly.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(sys, "executable", str(deadly))
    (found,) = opened(path)
    assert {table.table: table.lost for table in found.tables}["bars"] == 0
    assert not found.resumed
    assert damages.rows(path, "SELECT count(*) FROM bars") == [(SYMBOLS * MINUTES,)]


class Killed(BaseException):
    """What a SIGKILL is to the code that it hits."""


def test_a_kill_at_any_instant_leaves_what_can_be_recovered(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = recovery_files.sync
    steps = 0
    while True:
        folder = tmp_path / str(steps)
        folder.mkdir()
        path = model.put(folder)
        damages.a_block_of_bars(model.path, path, "ts")
        note_damage(path, "a test did it")
        before = digests(folder)
        left = [steps]

        def sync(place: Path, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            real(place)

        with monkeypatch.context() as patched:
            patched.setattr(recovery_files, "sync", sync)
            patched.setattr(recovery_files.Site, "undo", lambda _site: None)
            try:
                opened(path)
                killed = False
            except Killed:
                killed = True
        if killed:
            (_,) = opened(path)
        kept = digests(aside_of(path))
        assert kept == {name: before[name] for name in ("day.duckdb", "day.duckdb.wal")}
        check_promise(model, path, "false", with_copy=True)
        check_goes_on(path)
        shutil.rmtree(folder)
        if not killed:
            break
        steps += 1 if LONG else 4
    assert steps >= 6


def test_a_recovery_that_nobody_was_told_of_is_told_by_the_next_run(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = model.put(tmp_path)
    damages.a_block_of_bars(model.path, path, "ts")
    note_damage(path, "a test did it")
    real = Path.replace

    def replace(self: Path, target: Path) -> Path:
        moved = real(self, target)
        if target == path:
            raise Killed
        return moved

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", replace)
        patched.setattr(recovery_files.Site, "undo", lambda _site: None)
        with pytest.raises(Killed):
            opened(path)
    for _ in range(2):
        # Whoever is ended before it has told anybody leaves it to the next one.
        writer = Writer.open(path, dataset=DATASET, resume=True, recovering=HOW)
        writer.close(10)
        (found,) = writer.recovered
        assert str(aside_of(path)) in "".join(found.lines())
        assert untold(path) == [found]
    assert opened(path) == (found,)
    assert opened(path) == ()


def test_a_recovery_is_told_once_though_its_folder_was_moved(model: Model, tmp_path: Path) -> None:
    folder = tmp_path / "before"
    folder.mkdir()
    path = model.put(folder)
    damages.a_block_of_bars(model.path, path, "ts")
    note_damage(path, "a test did it")
    Writer.open(path, dataset=DATASET, resume=True, recovering=HOW).close(10)
    path = folder.rename(tmp_path / "after") / path.name
    (found,) = opened(path)
    assert found.aside == str(aside_of(path))
    assert opened(path) == ()


@pytest.mark.parametrize("spoilt", [
    {"seconds": None}, {"tables": [{"table": "bars", "recovered": "", "copied": 0, "lost": 0}]},
    {"affected": [{"session_date": "2026-11-17", "from_ns": 10**30, "to_ns": 0, "minutes": 1,
                   "bars": 1, "refetched": False}]},
])  # fmt: skip
def test_a_spoilt_report_of_a_recovery_ends_no_start(
    spoilt: dict[str, object], tmp_path: Path
) -> None:
    path = tmp_path / "day.duckdb"
    aside = beside(path, ".damaged-20261117-120000")
    aside.mkdir()
    (aside / "not-yet-told.txt").touch()
    said = json.loads(dump(Recovered(str(path), "a test", str(aside), 1.0)))
    (aside / "recovered.json").write_text(json.dumps(said))
    assert len(untold(path)) == 1
    (aside / "recovered.json").write_text(json.dumps({**said, **spoilt}))
    assert untold(path) == []


def test_breaking_off_leaves_everything_as_it_was(model: Model, tmp_path: Path) -> None:
    path = model.put(tmp_path)
    damages.a_block_of_bars(model.path, path, "ts")
    note_damage(path, "a test did it")
    before = digests(tmp_path)
    said: list[float | None] = []
    how = Recovering(say=lambda _what, done: said.append(done), cancelled=lambda: len(said) > 3)
    with pytest.raises(StoreError, match=r"not recovered: it was broken off.*as they were"):
        opened(path, how)
    assert digests(tmp_path) == before
    assert not [each for each in tmp_path.iterdir() if each.is_dir()]
    assert len(opened(path)) == 1


@pytest.mark.parametrize("step", ["sync", "clear"])
@pytest.mark.parametrize("met", [OSError(5, "Input/output error"), KeyboardInterrupt()])
def test_a_recovered_database_never_meets_the_damaged_ones_journal(
    step: str, met: BaseException, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever happens once it has taken its place."""
    path = model.put(tmp_path)
    damages.a_block_of_bars(model.path, path, "ts")
    note_damage(path, "a test did it")
    real, whole, replaced = Path.replace, recovery_files.sync, []

    def replace(self: Path, target: Path) -> Path:
        replaced.extend([target] * (target == path))
        return real(self, target)

    def sync(place: Path) -> None:
        if replaced and place == path.parent:
            raise met
        whole(place)

    def clear(_site: recovery_files.Site) -> None:
        raise met

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", replace)
        if step == "sync":
            patched.setattr(recovery_files, "sync", sync)
        else:
            patched.setattr(recovery_files.Site, "clear", clear)
        with suppress(StoreError, KeyboardInterrupt):
            opened(path)
    assert not beside(path, ".wal").exists()
    opened(path)
    check_goes_on(path)
    assert len(list(tmp_path.glob("*.damaged-*"))) == 1


def without_room(patched: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")._replace(free=1000)
    patched.setattr(shutil, "disk_usage", lambda _path: usage)


def without_process(patched: pytest.MonkeyPatch) -> None:
    patched.setattr(recovery, "run_task", recovery_process.run_task)
    patched.setattr(sys, "executable", "/bin/false")


@pytest.mark.parametrize(
    ("lack", "message"),
    [
        (without_room, "the disk has 0 MB left.*Its files are as they were"),
        (without_process, "could not be started"),
    ],
)
def test_what_cannot_be_recovered_now_is_not_taken_for_lost(
    model: Model,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lack: Callable[[pytest.MonkeyPatch], None],
    message: str,
) -> None:
    path = model.put(tmp_path)
    damages.all_zeros(path, Random(1))
    before = digests(tmp_path)
    with monkeypatch.context() as patched:
        lack(patched)
        with pytest.raises(StoreError, match=message):
            opened(path)
    assert digests(tmp_path) == before
    assert not [each for each in tmp_path.iterdir() if each.is_dir()]
    assert len(opened(path)) == 1


def refuse_text(path: Path) -> None:
    path.write_text("symbol,close\n" * 9000)


def refuse_newer(path: Path) -> None:
    with duckdb.connect(str(path)) as db:
        db.execute("UPDATE meta SET value = '999' WHERE name = 'schema_version'")


def refuse_other_dataset(path: Path) -> None:
    with duckdb.connect(str(path)) as db:
        db.execute("UPDATE meta SET value = 'OTHER' WHERE name = 'dataset'")


def refuse_other_program(path: Path) -> None:
    path.unlink()
    beside(path, ".wal").unlink()
    with duckdb.connect(str(path)) as db:
        db.execute("CREATE TABLE notes (t VARCHAR)")


def refuse_storage(version: int, path: Path) -> None:
    """Let the file's head say that it has another storage version; its checksum is right."""
    data = bytearray(path.read_bytes())
    struct.pack_into("<Q", data, 12, version)
    checksum = 5381
    for (word,) in struct.iter_unpack("<Q", data[8:4096]):
        checksum ^= word * 0xBF58476D1CE4E5B9 & (1 << 64) - 1
    struct.pack_into("<Q", data, 0, checksum)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (refuse_text, "not a DuckDB database"),
        (refuse_newer, "schema version 999.*Upgrade"),
        (partial(refuse_storage, 70), r"newer DuckDB \(storage version 70\).*Upgrade stockscan"),
        (partial(refuse_storage, 3), r"older DuckDB \(storage version 3\); this one reads 64 to"),
        (partial(refuse_storage, 999), r"newer DuckDB .*Upgrade stockscan"),
        (refuse_other_dataset, "holds dataset 'OTHER'"),
        (refuse_other_program, "not one that stockscan made"),
    ],
)
def test_what_is_not_ours_is_never_touched_damaged_or_not(
    model: Model, tmp_path: Path, prepare: Callable[[Path], None], message: str
) -> None:
    path = model.put(tmp_path)
    snapshot_path(path).unlink()
    prepare(path)
    note_damage(path, "a test did it")
    before = digests(tmp_path)
    with pytest.raises(StoreError, match=message):
        opened(path)
    assert digests(tmp_path) == before
    assert not [each for each in tmp_path.iterdir() if each.is_dir()]


def test_word_of_damage_that_is_none_is_forgotten(model: Model, tmp_path: Path) -> None:
    path = model.put(tmp_path)
    note_damage(path, "a mistake")
    assert opened(path) == ()
    assert not note_path(path).exists()
    assert not [each for each in tmp_path.iterdir() if each.is_dir()]


def test_a_second_recovery_keeps_what_the_first_one_set_aside(model: Model, tmp_path: Path) -> None:
    path = model.put(tmp_path)
    for _ in range(2):
        damages.all_zeros(path, Random(1))
        assert len(opened(path)) == 1
    assert len(list(tmp_path.glob("day.duckdb.damaged-*"))) == 2


def test_a_journal_without_its_database_is_set_aside_and_the_copy_takes_its_place(
    model: Model, tmp_path: Path
) -> None:
    path = model.put(tmp_path)
    path.unlink()
    before = digests(tmp_path)
    (found,) = opened(path)
    assert (
        "the copy day.duckdb.snapshot.duckdb took its place" in " ".join(found.lines()).casefold()
    )
    assert digests(aside_of(path)) == {"day.duckdb.wal": before["day.duckdb.wal"]}
    check_promise(model, path, "false", with_copy=True)


@pytest.mark.parametrize("copied", [False, True])
def test_an_emptied_database_beside_its_journal_is_set_aside_too(
    copied: bool, model: Model, tmp_path: Path
) -> None:
    path = model.put(tmp_path)
    path.write_bytes(b"")
    if not copied:
        snapshot_path(path).unlink(missing_ok=True)
    before = digests(tmp_path)
    (found,) = opened(path)
    names = ("day.duckdb", "day.duckdb.wal")
    assert digests(aside_of(path)) == {name: before[name] for name in names}
    assert found.cause
    check_goes_on(path)


def test_damage_met_while_writing_is_recovered_and_what_was_in_memory_is_written(
    model: Model, tmp_path: Path
) -> None:
    path = model.put(tmp_path)
    damages.a_block_of_bars(model.path, path, "open")
    writer = Writer.open(path, dataset=DATASET, resume=True, recovering=HOW, retry_s=0.01)
    assert [*writer.recovered] == []
    writer.put(batch(0, [Row(0, OLD_MINUTE + 9000)], symbols=("S0", "NEW")))
    assert writer.drain(20)
    first = "SELECT volume FROM bars WHERE symbol_id = 0 ORDER BY ts LIMIT 1"
    ((before,),) = damages.rows(model.path, first)
    writer.put(batch(1, late=[Row(0, OLD_MINUTE, volume=7), Row(1, OLD_MINUTE)]))
    writer.put(batch(2, [Row(1, OLD_MINUTE + 9001)]))
    assert writer.drain(30)
    assert len([*writer.recovered]) == 1
    reader = writer.reader()
    (after,) = reader.bars("S0", 0, (OLD_MINUTE + 1) * 60 * 10**9).volume.tolist()
    assert after == before + 7
    minutes = reader.bars("NEW", 0, 2**62).minute.tolist()
    assert minutes == [OLD_MINUTE, OLD_MINUTE + 9001]
    assert not writer.status().error
    writer.close(10)
