"""The one thread that writes the database, and the queue in front of it.

`put`, `status`, `reader` and `close` may be called from any thread; the ledger and its connection
belong to the writer's thread once it runs.
"""

from __future__ import annotations

import atexit
import math
import shutil
import stat
from collections import deque
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Condition, Event, Lock, Thread
from time import perf_counter
from typing import Protocol
from weakref import WeakSet

import duckdb

from stockscan_tui.errors import StoreError
from stockscan_tui.log import LOG
from stockscan_tui.market.batch import Batch
from stockscan_tui.market.calendar import MINUTE_NS
from stockscan_tui.market.text import printable
from stockscan_tui.store.anew import identity, write_anew
from stockscan_tui.store.database import (
    Connect,
    DamagedError,
    NotDatabaseError,
    connect_file,
    damage_words,
    damaged,
    give_back_blocks,
    is_damage,
    one_line,
    open_database,
)
from stockscan_tui.store.ledger import Ledger, new_run
from stockscan_tui.store.lock import Hold
from stockscan_tui.store.pruning import Limits
from stockscan_tui.store.reader import Reader
from stockscan_tui.store.recovery import Recovering, look_after, recover
from stockscan_tui.store.recovery_files import note_damage, untold
from stockscan_tui.store.recovery_report import Recovered
from stockscan_tui.store.schema import migrate
from stockscan_tui.store.snapshot_file import SnapshotFile

_EXIT_TIMEOUT_S = 5.0
# How often the disk is looked at, in seconds.
_LOOK_S = 3.0
# So long a recovery in the midst of a run is not tried again.
_RECOVER_AGAIN_S = 60.0


@dataclass(frozen=True, slots=True)
class WriterStatus:
    """How the writing goes.

    `queue` counts the batches that are not yet committed, `rows_written` the bars that are;
    `error` is a sentence while the database does not take what it is given, else empty. `commits`
    counts the batches that are in; `file_bytes` is the file's size and `free_bytes` what is left
    on its disk, as of a few seconds ago, -1 where that is not known.
    """

    queue: int = 0
    rows_written: int = 0
    last_batch_ms: float = 0.0
    error: str = ""
    commits: int = 0
    file_bytes: int = -1
    free_bytes: int = -1


class _Holder(Protocol):
    """Who holds a cursor of the database."""

    @property
    def asking(self) -> Lock: ...

    def release(self) -> None: ...


class Writer:
    """The writer of one database; made by `Writer.open`, ended by `close`.

    Attributes:
        recovered: The recoveries of the database since it was opened, and those before it that
            nobody has been told of, oldest first.
    """

    def __init__(
        self,
        path: Path,
        dataset: str,
        hold: Hold,
        *,
        capacity: int,
        resume: bool,
        retry_s: float,
        connect: Connect,
        recovering: Recovering | None,
    ) -> None:
        self._path = path
        self._dataset = dataset
        self._hold = hold
        self._capacity = capacity
        self._resume = resume
        self._retry_s = retry_s
        self._connect = connect
        self._connection_lock = Lock()
        self._recovering = recovering
        self._identity: tuple[int, int] | None = None
        self._said: deque[str] = deque()
        self.recovered: tuple[Recovered, ...] = ()
        self._tried_s = -math.inf
        self._newest = 0
        self._connection: duckdb.DuckDBPyConnection | None
        self._connection, self._run, self._ledger = self._open_sound()
        self._readers: WeakSet[_Holder] = WeakSet()
        self._limits: Limits | None = None
        self._queue: deque[Batch] = deque()
        self._changed = Condition()
        self._closing = self._ended = False
        self._give_up = False
        self._hurry = Event()
        self._rows_written = 0
        self._last_batch_ms = 0.0
        self._commits = 0
        self._room = (-1, -1)
        self._looked_s = -math.inf
        self._cause = ""
        self._thread = Thread(target=self._run_thread, name="store", daemon=True)
        self._thread.start()
        # A daemon thread inside DuckDB when the interpreter ends would abort the process.
        atexit.register(self._close_at_exit)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        dataset: str,
        capacity: int = 16,
        resume: bool = False,
        retry_s: float = 1.0,
        connect: Connect = connect_file,
        recovering: Recovering | None = None,
    ) -> Writer:
        """Lock and open the database at `path`, make it if it is missing, and start the thread.

        Args:
            path: The database file; its folder is made if it is missing.
            dataset: What the database holds, as in `EQUS.MINI`.
            capacity: How many batches may wait before `put` does.
            resume: Whether this run goes on where an earlier one ended, so that late trades add
                to that one's bars; otherwise it begins anew and its bars replace them.
            retry_s: How long to wait before a batch that failed is tried again, in seconds.
            connect: What opens the file.
            recovering: How a damaged database is recovered; None to refuse it.

        Raises:
            StoreHeldError: Another process holds the database.
            DamagedError: It is damaged, and `recovering` is None.
            StoreError: It cannot be opened or written, or is not a database of this program.
        """
        path = path.expanduser().absolute()
        kind = _kind(path)
        if kind:
            raise StoreError(f"{printable(path)} is {kind}. Name a database file with --db.")
        hold = Hold(path)
        try:
            return cls(
                path,
                dataset,
                hold,
                capacity=capacity,
                resume=resume,
                retry_s=retry_s,
                connect=connect,
                recovering=recovering,
            )
        except BaseException:
            hold.release()
            raise

    def put(self, batch: Batch) -> None:
        """Hand over a batch; wait while `capacity` of them are queued and nobody is closing.

        Raises:
            StoreError: The writer has ended.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: len(self._queue) < self._capacity or self._closing or self._ended
            )
            if self._ended:
                raise StoreError(
                    f"The database {printable(self._path)} takes no more bars: "
                    f"{self._cause or 'it has been closed'}."
                )
            self._queue.append(batch)
            self._changed.notify_all()

    def status(self) -> WriterStatus:
        """Return how the writing goes, without waiting."""
        # Read once: the writer's thread may clear it between two looks.
        cause = self._cause
        error = f"The database {printable(self._path)} does not take the bars: {cause}."
        return WriterStatus(
            queue=len(self._queue),
            rows_written=self._rows_written,
            last_batch_ms=self._last_batch_ms,
            error=f"{error} They are kept in memory." if cause else "",
            commits=self._commits,
            file_bytes=self._room[0],
            free_bytes=self._room[1],
        )

    def reader(self) -> Reader:
        """Return a reader of what is committed, for one thread; it outlives reopenings."""
        reader = Reader(self._cursor, printable(self._path), self._note)
        with self._connection_lock:
            self._readers.add(reader)
        return reader

    def snapshot_file(self) -> SnapshotFile:
        """Return what makes copies of what is committed, for one thread; it outlives reopenings."""
        made = SnapshotFile(self._path, self._cursor, self._note)
        with self._connection_lock:
            self._readers.add(made)
        return made

    def prune(self, limits: Limits) -> None:
        """Let go what is kept no longer, a little whenever no batch waits; returns at once."""
        with self._changed:
            self._limits = limits
            self._changed.notify_all()

    def drain(self, timeout_s: float) -> bool:
        """Wait until everything handed over is committed; returns whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue or self._ended, timeout_s)

    def close(self, timeout_s: float) -> None:
        """Write what is queued, stop the thread, close the database and give up the lock.

        Args:
            timeout_s: How long to go on trying while the database does not take the batches.

        Raises:
            StoreError: Something could not be written; the message says how much and why.
        """
        atexit.unregister(self._close_at_exit)
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._hurry.set()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            with self._changed:
                self._give_up = True
            self._hurry.set()
            # It leaves after the attempt under way, unless the disk holds that up for longer.
            self._thread.join(max(1.0, timeout_s))
        lost = sum(_bar_count(batch) for batch in self._queue)
        if self._queue:
            raise StoreError(
                f"{lost:,} bars were not written to {printable(self._path)}: "
                f"{self._cause or 'the disk did not finish in time'}. Everything before them is "
                "stored; make room or choose another disk, and run this again."
            )

    def _close_at_exit(self) -> None:
        with suppress(StoreError):
            self.close(_EXIT_TIMEOUT_S)

    def _run_thread(self) -> None:
        try:
            while (work := self._next_work()) is not None:
                if isinstance(work, Limits):
                    self._prune(work)
                    continue
                if not self._write(work):
                    break
                with self._changed:
                    self._queue.popleft()
                    self._changed.notify_all()
        except Exception as error:  # noqa: BLE001 - a defect must not end the thread in silence
            self._cause = f"the writer stopped on {type(error).__name__}: {one_line(error)}"
        finally:
            self._drop_connection()
            self._hold.release()
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _next_work(self) -> Batch | Limits | None:
        """Return what to do next once there is anything; None for the end."""
        while True:
            self._look_at_room()
            with self._changed:
                self._changed.wait_for(
                    lambda: self._queue or self._closing or self._limits, _LOOK_S
                )
                if self._queue:
                    return self._queue[0]
                if self._closing:
                    # Decided under the lock, so that no batch is taken in after the last look.
                    self._ended = True
                    return None
                if self._limits is not None:
                    return self._limits

    def _prune(self, limits: Limits) -> None:
        """Do one step; where there is no more to do, or it fails, leave it at that."""
        more = False
        try:
            more = self._connection is not None and self._ledger.prune(limits)
            if not more:
                self._give_back_blocks()
        except duckdb.Error as error:
            LOG.warning("what is old stays for now: %s", one_line(error))
            if not self._ledger.recover():
                self._drop_connection()
        if not more:
            with self._changed:
                if self._limits is limits:
                    self._limits = None
                    self._changed.notify_all()

    def _give_back_blocks(self) -> None:
        """Give memory back while nobody reads: a query would fail for want of it."""
        with self._connection_lock, ExitStack() as held:
            for reader in self._readers:
                if not reader.asking.acquire(blocking=False):
                    return
                held.callback(reader.asking.release)
            if self._connection is not None:
                give_back_blocks(self._connection)

    def _look_at_room(self) -> None:
        """See every few seconds how large the file is, and what room its disk has."""
        if perf_counter() - self._looked_s < _LOOK_S:
            return
        self._looked_s = perf_counter()
        try:
            # What is not checkpointed yet stands beside the file.
            log = self._path.with_name(f"{self._path.name}.wal")
            files = [file.stat().st_size for file in (self._path, log) if file.exists()]
            self._room = (sum(files), shutil.disk_usage(self._path.parent).free)
        except OSError:
            self._room = (-1, -1)

    def _write(self, batch: Batch) -> bool:
        """Apply a batch, again and again until it is in; False if `close` gave it up."""
        while not self._give_up:
            started = perf_counter()
            try:
                if self._connection is None:
                    self._reopen()
                else:
                    self._see_to_file()
                self._ledger.apply(batch)
            except (duckdb.Error, StoreError) as error:
                self._cause = one_line(error).rstrip(".")
                if self._connection is not None and not self._ledger.recover():
                    self._drop_connection()
                if self._recover(error):
                    continue
                self._look_at_room()
                self._hurry.wait(self._retry_s)
                self._hurry.clear()
                continue
            self._last_batch_ms = (perf_counter() - started) * 1e3
            self._commits += 1
            self._newest = max(self._newest, _newest_minute(batch))
            self._rows_written += _bar_count(batch)
            self._cause = ""
            return True
        return False

    def _open_sound(self) -> tuple[duckdb.DuckDBPyConnection, int, Ledger]:
        """Open the database, recovered if it is damaged and may be."""
        how = self._recovering
        if how is not None:
            made = look_after(self._path, self._dataset, how, unclean=self._hold.unclean)
            self.recovered = tuple(each for each in untold(self._path) if each != made)
            self._tell(made)
        try:
            connection = self._open_connection()
            return connection, *self._begin_run(connection)
        except DamagedError as error:
            if how is None:
                raise
            self._tell(recover(self._path, self._dataset, error.what, how))
        except NotDatabaseError:
            found = how and look_after(self._path, self._dataset, how, unclean=True)
            if not found:
                raise
            self._tell(found)
        connection = self._open_connection()
        return connection, *self._begin_run(connection)

    def _tell(self, recovered: Recovered | None) -> None:
        if recovered is not None:
            self.recovered = (*self.recovered, recovered)

    def _note(self, error: Exception) -> None:
        """Leave word of damage for the next run; from any thread."""
        if is_damage(error):
            note_damage(self._path, damage_words(error))

    def _recover(self, error: Exception) -> bool:
        """Recover the database in the midst of a run; returns whether that was done."""
        self._note(error)
        how, damaged = self._recovering, isinstance(error, DamagedError) or is_damage(error)
        if how is None or not damaged or perf_counter() - self._tried_s < _RECOVER_AGAIN_S:
            return False
        self._tried_s = perf_counter()
        self._drop_connection()
        until_ns = self._newest * MINUTE_NS
        how = replace(how, run=self._run, until_ns=until_ns, refetched=None, say=_say_nothing)
        try:
            # What DuckDB calls internal may be its own mistake.
            sure = "INTERNAL" not in str(error)
            found = recover(self._path, self._dataset, damage_words(error), how, sure=sure)
            self._tell(found)
        except StoreError as refused:
            self._cause = one_line(refused).rstrip(".")
            return False
        return True

    def _begin_run(self, connection: duckdb.DuckDBPyConnection) -> tuple[int, Ledger]:
        try:
            run = new_run(connection)
            return run, Ledger(connection.cursor(), run, resume=self._resume)
        except duckdb.Error as error:
            connection.close()
            raise _unwritable(self._path, error) from error

    def _open_connection(self) -> duckdb.DuckDBPyConnection:
        connection = open_database(self._path, connect=self._connect)
        self._identity = identity(self._path)
        try:
            migrate(connection, printable(self._path), self._dataset)
        except duckdb.Error as error:
            connection.close()
            raise _unwritable(self._path, error) from error
        except StoreError:
            connection.close()
            raise
        return connection

    def _see_to_file(self) -> None:
        """Write the database anew where its file was removed or moved away meanwhile.

        Raises:
            StoreError: Another file stands there now, or it cannot be written.
            duckdb.Error: The same.
        """
        found = identity(self._path)
        if found == self._identity:
            return
        if found is not None:
            raise StoreError(
                "another file was put in its place while it was written. Move that one away, and "
                "what is held here is written anew"
            )
        # Its lock may have gone with it.
        self._hold.release()
        self._hold = Hold(self._path)
        write_anew(self._path, self._cursor, self._drop_connection)
        self._reopen()
        said = f"The database {printable(self._path)} was removed or moved while it was written: "
        self._said.append(f"{said}all that it held was written anew.")

    def said(self) -> tuple[str, ...]:
        """Return what has happened to the database since this was asked last, a sentence each."""
        return tuple(self._said.popleft() for _ in range(len(self._said)))

    def _reopen(self) -> None:
        connection = self._open_connection()
        try:
            ledger = Ledger(
                connection.cursor(), self._run, resume=self._resume, names=self._ledger.names
            )
        except duckdb.Error:
            connection.close()
            raise
        ledger.enter_names()
        self._ledger = ledger
        with self._connection_lock:
            self._connection = connection

    def _drop_connection(self) -> None:
        with self._connection_lock:
            connection, self._connection = self._connection, None
            readers = list(self._readers)
        # The file stays open, and after a fatal error unusable, until its last cursor is gone.
        for reader in readers:
            reader.release()
        if connection is not None:
            with suppress(duckdb.Error):
                connection.close()

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        with self._connection_lock:
            if self._connection is None:
                raise StoreError(
                    f"The database {printable(self._path)} is closed at the moment. Ask again "
                    "when it takes bars."
                )
            return self._connection.cursor()


def _kind(path: Path) -> str:
    """Return what stands at `path` where that can be no database, empty for a file or nothing."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return ""
    if stat.S_ISDIR(mode):
        return "a folder"
    # Opening a pipe would wait for whoever writes to it.
    return "" if stat.S_ISREG(mode) else "a device or a pipe"


def _bar_count(batch: Batch) -> int:
    bars = len(batch.bars) if batch.bars is not None else 0
    return bars + (len(batch.late) if batch.late is not None else 0)


def _newest_minute(batch: Batch) -> int:
    parts = [part for part in (batch.bars, batch.late) if part is not None and len(part)]
    return max((int(part.minute.max()) for part in parts), default=0)


def _say_nothing(_said: str, _done: float | None) -> None:
    """What goes on in the midst of a run is in the log, and in the writer's status."""


def _unwritable(path: Path, error: duckdb.Error) -> StoreError:
    if is_damage(error):
        return damaged(path, damage_words(error))
    return StoreError(
        f"The database {printable(path)} cannot be written: {one_line(error)}. Check the disk's "
        "space and the file's permissions, or name another file with --db."
    )
