"""Batches into tables: one transaction each, applied once, on the writer's thread.

A batch's serial is stored in its own transaction, so that a batch whose commit failed without
telling how far it came is not applied again where it did go through.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from stockscan_tui.market.batch import (
    BarBatch,
    Batch,
    Checkpoint,
    CloseBatch,
    CoverageBatch,
    DifferenceBatch,
    Gap,
    Int32s,
    Int64s,
    MinuteKinds,
    StateBatch,
)
from stockscan_tui.market.calendar import MINUTE_NS
from stockscan_tui.market.fired import Fired
from stockscan_tui.market.snapshot import HISTORY_MINUTES
from stockscan_tui.store import sql
from stockscan_tui.store.database import fetch_arrays
from stockscan_tui.store.minute_kinds import NO_VERDICT, pack_kinds, unpack_kinds
from stockscan_tui.store.pruning import Limits, prune_step

MINUTE_US = MINUTE_NS // 1000

Columns = Mapping[str, NDArray[np.generic]]


def new_run(connection: duckdb.DuckDBPyConnection) -> int:
    """Enter a new run into the database and return its number."""
    return int(connection.execute(sql.NEW_RUN).fetchall()[0][0])


class Ledger:
    """One connection and what is known of its tables: ids of slots, the newest stored minute.

    Args:
        connection: The open database; only this object uses it from now on.
        run: The run's number, by `new_run`.
        resume: Whether late trades add to rows of earlier runs too, or replace those.
        names: The symbol of each slot that earlier batches of the run have named.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        run: int,
        *,
        resume: bool = False,
        names: tuple[str, ...] = (),
    ) -> None:
        self._connection = connection
        self._run = run
        self._resume = resume
        self._names = list(names)
        self._newest = -1
        self._load()

    @property
    def names(self) -> tuple[str, ...]:
        """The symbol of each slot."""
        return tuple(self._names)

    def apply(self, batch: Batch) -> None:
        """Put a batch into the database, or nothing of it if the run has applied it before.

        Raises:
            duckdb.Error: It could not be written; `recover` tells how to go on.
            IndexError: The batch has a slot that no batch has named.
        """
        self._name_slots(batch)
        self._run_sql("BEGIN")
        if batch.serial <= self._applied_serial():
            self._run_sql("ROLLBACK")
            self._load()
            return
        added = self._add_symbols(batch)
        newest = self._newest
        if batch.bars is not None and len(batch.bars):
            newest = self._write_bars(batch.bars)
        if batch.late is not None and len(batch.late):
            newest = max(newest, self._merge_late(batch.late))
        for states in batch.states:
            self._write_states(states)
        for closes in batch.closes:
            self._write_closes(closes)
        for mark in batch.watermarks:
            key = [mark.rtype, mark.publisher_id]
            self._run_sql(sql.DELETE_WATERMARK, key)
            self._run_sql(sql.INSERT_WATERMARK, [*key, mark.ts_recv_ns, mark.count])
        for gap in batch.gaps:
            self._write_gap(gap)
        for coverage in batch.coverage:
            self._write_coverage(coverage)
        self._write_kinds(batch.kinds, len(self._ids) + len(added))
        for differences in batch.differences:
            self._write_differences(differences)
        for day in batch.days:
            self._run_sql(sql.DELETE_DAY, [day.session_date, self._run, self._resume])
            self._run_sql(sql.INSERT_DAY, [*astuple(day), self._run])
        if batch.forgotten is not None:
            self._run_sql(sql.FORGET_FIRED, batch.forgotten)
        self._write_fired(batch.fired, self._ids | added if batch.fired else {})
        if batch.checkpoint is not None:
            self._write_checkpoint(batch.checkpoint)
        self._run_sql(sql.SET_SERIAL, [batch.serial, self._run])
        self._run_sql("COMMIT")
        self._ids.update(added)
        self._newest = newest

    def prune(self, limits: Limits) -> bool:
        """Let a little go of what is kept no longer; returns whether there was anything.

        Raises:
            duckdb.Error: It could not be written; `recover` tells how to go on.
        """
        return prune_step(self._connection, limits)

    def enter_names(self) -> None:
        """Enter the symbols of the slots that the database has not, or has no more.

        Raises:
            duckdb.Error: They could not be written.
        """
        lacking = dict.fromkeys(name for name in self._names if name and name not in self._ids)
        if lacking:
            ids = np.arange(len(self._ids), len(self._ids) + len(lacking), dtype=np.int32)
            self._register({"id": ids, "symbol": np.array(list(lacking), object)})
            self._run_sql("INSERT INTO symbols SELECT id, symbol FROM incoming")
            self._load()

    def recover(self) -> bool:
        """Roll back after a failed `apply`; False means the database must be opened anew."""
        try:
            self._run_sql("ROLLBACK")
        except duckdb.TransactionException:
            pass  # A commit that failed has rolled back already.
        except duckdb.Error:
            return False
        try:
            self._run_sql("SELECT 1")
        except duckdb.Error:
            return False
        return True

    def _run_sql(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        # A result that is not read to its end leaves the statement unfinished.
        return self._connection.execute(statement, values).fetchall()

    def _load(self) -> None:
        self._ids: dict[str, int] = dict(self._run_sql("SELECT symbol, id FROM symbols"))
        (newest,) = self._run_sql(sql.NEWEST)[0]
        self._newest = -1 if newest is None else int(newest)
        self._slot_ids = np.array([self._ids.get(name, -1) for name in self._names], np.int32)

    def _applied_serial(self) -> int:
        (serial,) = self._run_sql(sql.SERIAL, [self._run])[0]
        return -1 if serial is None else int(serial)

    def _name_slots(self, batch: Batch) -> None:
        end = batch.first_slot + len(batch.symbols)
        self._names += [""] * (end - len(self._names))
        self._names[batch.first_slot : end] = batch.symbols

    def _add_symbols(self, batch: Batch) -> dict[str, int]:
        fresh = dict.fromkeys(name for name in batch.symbols if name not in self._ids)
        added = {name: number for number, name in enumerate(fresh, len(self._ids))}
        if added:
            self._register(
                {
                    "id": np.fromiter(added.values(), np.int32),
                    "symbol": np.array(list(added), object),
                }
            )
            self._run_sql("INSERT INTO symbols SELECT id, symbol FROM incoming")
        if len(self._names) > len(self._slot_ids):
            grown = np.full(max(len(self._names), 2 * len(self._slot_ids)), -1, np.int32)
            grown[: len(self._slot_ids)] = self._slot_ids
            self._slot_ids = grown
        for slot, name in enumerate(batch.symbols, batch.first_slot):
            self._slot_ids[slot] = added[name] if name in added else self._ids[name]
        return added

    def _ids_of(self, slots: Int32s) -> Int32s:
        ids = self._slot_ids[slots]
        if len(ids) and ids.min() < 0:
            raise IndexError(f"slot {slots[ids.argmin()]} has bars and no name")
        return ids

    def _register(self, columns: Columns) -> None:
        # DuckDB's stub asks for a DataFrame; a dict of arrays spares the program pandas.
        self._connection.register("incoming", columns)

    def _write_bars(self, bars: BarBatch) -> int:
        """Replace stored bars and return the newest stored minute from now on."""
        ids = self._ids_of(bars.slot)
        # A symbol's minutes side by side: a query for one symbol then unpacks one vector of a
        # batch and not one of each minute.
        order = np.argsort(ids, kind="stable")
        self._register(_bar_columns(bars, ids, order))
        oldest, newest = int(bars.minute.min()), int(bars.minute.max())
        if oldest <= self._newest:
            span = [oldest * MINUTE_US, min(newest, self._newest) * MINUTE_US]
            self._run_sql(sql.DELETE_BARS, span)
        self._run_sql(sql.INSERT_BARS, [self._run])
        return max(newest, self._newest)

    def _merge_late(self, late: BarBatch) -> int:
        """Merge late trades into their bars and return the newest minute among them."""
        ids = self._ids_of(late.slot)
        order = np.arange(len(late))
        self._register({**_bar_columns(late, ids, order), "arrival": order})
        oldest, newest = int(late.minute.min()), int(late.minute.max())
        span = [oldest * MINUTE_US, newest * MINUTE_US]
        merged = self._connection.execute(sql.MERGE_LATE, [*span, self._resume, self._run])
        self._register(fetch_arrays(merged))
        self._run_sql(sql.DELETE_BARS, span)
        self._run_sql(sql.INSERT_MERGED, [self._run])
        return newest

    def _write_states(self, states: StateBatch) -> None:
        if not len(states.slot):
            return
        self._register(
            {
                "symbol_id": self._ids_of(states.slot),
                "mark": states.mark,
                "last": states.last,
                "bid": states.bid,
                "ask": states.ask,
                "prev_close": states.prev_close,
                "prev_close_source": np.array(states.prev_close_source, object),
                "chg": states.chg,
                "volume": states.volume,
                "tier": states.tier,
                "trades": states.trades,
                "bars": states.bars,
                "notional": states.notional,
                "trade_ns": states.trade_ns,
                "quote_ns": states.quote_ns,
                "remaps": states.remaps,
            }
        )
        self._run_sql(sql.DELETE_STATES, [states.session_date])
        self._run_sql(sql.INSERT_STATES, [states.session_date, states.updated_ns // 1000])

    def _write_closes(self, closes: CloseBatch) -> None:
        if not len(closes.slot):
            return
        self._register(
            {
                "symbol_id": self._ids_of(closes.slot),
                "close": closes.close,
                "official": closes.official,
            }
        )
        self._run_sql(sql.DELETE_CLOSES, [closes.session_date])
        self._run_sql(sql.INSERT_CLOSES, [closes.session_date])

    def _write_gap(self, gap: Gap) -> None:
        self._run_sql(sql.DELETE_GAP, [gap.from_ns, gap.reason])
        times = [gap.from_ns, gap.to_ns, gap.reason, gap.healed_ns]
        self._run_sql(sql.INSERT_GAP, [gap.session_date, *times])

    def _write_coverage(self, coverage: CoverageBatch) -> None:
        if not len(coverage.slot):
            return
        verified = coverage.verified
        self._register(
            {
                "symbol_id": self._ids_of(coverage.slot),
                "traded": coverage.traded,
                "backfilled": coverage.backfilled,
                "quiet": coverage.quiet,
                "missing": coverage.missing,
                "unknown": coverage.unknown,
                "verified": np.full(len(coverage.slot), -1) if verified is None else verified,
            }
        )
        self._run_sql(sql.DELETE_COVERAGE, [coverage.session_date])
        self._run_sql(sql.INSERT_COVERAGE, [coverage.session_date, coverage.elapsed])

    def _write_kinds(self, minutes: Sequence[MinuteKinds], symbols: int) -> None:
        """Replace minutes' verdicts of the slots there are; `symbols` have a number."""
        if not minutes:
            return
        numbers = np.array([each.minute for each in minutes], np.int64)
        stored = dict(self._run_sql(sql.KINDS, [int(numbers.min()), int(numbers.max())]))
        packed = np.empty(len(minutes), object)
        for place, each in enumerate(minutes):
            before = stored.get(each.minute)
            kinds = (
                np.full(symbols, NO_VERDICT, np.uint8)
                if before is None
                else unpack_kinds(bytes(before), symbols)
            )
            ids = self._slot_ids[: len(each.kinds)]
            known = ids >= 0
            kinds[ids[known]] = each.kinds[known]
            packed[place] = pack_kinds(kinds)
        dates = np.array([each.session_date for each in minutes], "datetime64[us]")
        self._register({"session_date": dates, "minute": numbers, "kinds": packed})
        if not stored.keys().isdisjoint(numbers.tolist()):
            self._run_sql(sql.DELETE_KINDS)
        self._run_sql(sql.INSERT_KINDS)

    def _write_differences(self, found: DifferenceBatch) -> None:
        """Replace differences; of those of one batch with the same key the last one counts."""
        ids = self._ids_of(found.slot)
        keys = zip(ids.tolist(), found.minute.tolist(), found.field, strict=True)
        last = np.fromiter({key: row for row, key in enumerate(keys)}.values(), np.int64)
        if not len(last):
            return
        self._register(
            {
                "symbol_id": ids[last],
                "ts": (found.minute[last] * MINUTE_US).view("datetime64[us]"),
                "field": np.array(found.field, object)[last],
                "ours": found.ours[last],
                "theirs": found.theirs[last],
                "healed": found.healed[last],
            }
        )
        self._run_sql(sql.DELETE_DIFFERENCES, [found.session_date])
        self._run_sql(sql.INSERT_DIFFERENCES, [found.session_date])

    def _write_fired(self, fired: Sequence[Fired], ids: Mapping[str, int]) -> None:
        """Keep alerts; one that is there already stays as it is."""
        if not fired:
            return
        self._register(
            {
                "alert_id": np.array([each.alert_id for each in fired], object),
                "ts": np.array([each.ts_ns for each in fired], np.int64),
                "symbol_id": np.array([ids[each.symbol] for each in fired], np.int32),
                "rule": np.array([each.rule for each in fired], object),
                "price": np.array([each.price for each in fired], np.float64),
                "values": np.array([each.values for each in fired], object),
                "late": np.array([each.late for each in fired], np.bool_),
                "gated": np.array([each.gated for each in fired], np.bool_),
            }
        )
        self._run_sql(sql.INSERT_FIRED)

    def _write_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Replace the checkpoint; of the minutes' marks keep the newest of the session date."""
        self._run_sql(sql.DELETE_CHECKPOINT)
        self._run_sql(sql.INSERT_CHECKPOINT, [checkpoint.session_date, checkpoint.state])
        if checkpoint.marks:
            oldest = checkpoint.marks[-1][0] - HISTORY_MINUTES
            self._run_sql(sql.DELETE_OLD_MARKS, [checkpoint.session_date, oldest])
        for minute, marks in checkpoint.marks[-HISTORY_MINUTES:]:
            self._run_sql(sql.DELETE_MARKS, [minute])
            self._run_sql(sql.INSERT_MARKS, [checkpoint.session_date, minute, marks])


def _bar_columns(bars: BarBatch, ids: Int32s, order: Int64s) -> dict[str, NDArray[np.generic]]:
    start_ns = bars.minute * MINUTE_NS
    columns: dict[str, NDArray[np.generic]] = {
        "symbol_id": ids,
        "ts": (bars.minute * MINUTE_US).view("datetime64[us]"),
        "open": bars.open,
        "high": bars.high,
        "low": bars.low,
        "close": bars.close,
        "volume": bars.volume,
        "trades": bars.trades,
        "notional_dollars": bars.notional_dollars,
        "notional_nanos": bars.notional_nanos,
        "first_ns": bars.first_ns - start_ns,
        "last_ns": bars.last_ns - start_ns,
        "source": bars.source,
    }
    return {name: column[order] for name, column in columns.items()}
