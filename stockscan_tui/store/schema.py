"""The tables behind the contract's views, and how an older database becomes a present one.

Symbols are stored as numbers and the views join them back. `bars` has neither a key nor an index:
with one, writing takes three times as long and the file is 4.6 times larger, so the writer
deletes what it replaces.
"""

from __future__ import annotations

import duckdb

from stockscan_tui.errors import StoreError

_TABLES = (
    "CREATE TABLE meta (name VARCHAR PRIMARY KEY, value VARCHAR NOT NULL)",
    "CREATE TABLE runs (run INTEGER NOT NULL, serial BIGINT)",
    "CREATE TABLE symbols (id INTEGER NOT NULL, symbol VARCHAR NOT NULL)",
    # first_ns and last_ns count from the minute's start, in which form they compress best; run is
    # the run that wrote the row; trades is -1 where a bar came without count and notional.
    """CREATE TABLE bars (
        symbol_id INTEGER, ts TIMESTAMP, open DOUBLE, high DOUBLE, low DOUBLE, close DOUBLE,
        volume BIGINT, trades BIGINT, notional_dollars BIGINT, notional_nanos INTEGER,
        first_ns BIGINT, last_ns BIGINT, source UTINYINT, run INTEGER)""",
    """CREATE TABLE states (
        session_date DATE, symbol_id INTEGER, mark DOUBLE, last DOUBLE, bid DOUBLE, ask DOUBLE,
        prev_close DOUBLE, prev_close_source VARCHAR, chg DOUBLE, volume BIGINT, tier UTINYINT,
        updated_at TIMESTAMP)""",
    """CREATE TABLE closes (
        session_date DATE, symbol_id INTEGER, close DOUBLE, official BOOLEAN)""",
    """CREATE TABLE watermarks (
        rtype UTINYINT, publisher_id INTEGER, ts_recv_ns BIGINT, count BIGINT)""",
    """CREATE TABLE fired (
        alert_id VARCHAR PRIMARY KEY, ts BIGINT, symbol_id INTEGER, rule VARCHAR, price DOUBLE,
        "values" VARCHAR)""",
    """CREATE TABLE verdicts (
        session_date DATE, symbol_id INTEGER, elapsed BIGINT, traded BIGINT, backfilled BIGINT,
        quiet BIGINT, missing BIGINT, unknown BIGINT)""",
    """CREATE TABLE gaps (
        session_date DATE, from_ts TIMESTAMP, to_ts TIMESTAMP, reason VARCHAR,
        healed_at TIMESTAMP)""",
)

_VIEWS = (
    """CREATE VIEW bars_1m AS SELECT
        symbol, ts, open, high, low, close, volume,
        CASE WHEN trades >= 0 THEN trades END AS trades,
        CASE WHEN trades >= 0 AND volume > 0
            THEN (notional_dollars + notional_nanos / 1e9) / volume END AS vwap,
        CASE source WHEN 0 THEN 'trades' WHEN 1 THEN 'ohlcv' WHEN 2 THEN 'backfill' END AS source
        FROM bars JOIN symbols ON symbols.id = bars.symbol_id""",
    """CREATE VIEW symbol_state AS SELECT
        symbol, session_date, mark, last, bid, ask, prev_close, prev_close_source, chg, volume,
        tier, updated_at
        FROM states JOIN symbols ON symbols.id = states.symbol_id""",
    """CREATE VIEW alerts AS SELECT alert_id, ts, symbol, rule, price, "values"
        FROM fired JOIN symbols ON symbols.id = fired.symbol_id""",
    """CREATE VIEW coverage AS SELECT
        session_date, symbol, elapsed, traded, backfilled, quiet, missing, unknown,
        (traded + backfilled + quiet) / nullif(elapsed, 0) AS completeness,
        (traded + backfilled) / nullif(elapsed, 0) AS density
        FROM verdicts JOIN symbols ON symbols.id = verdicts.symbol_id""",
    "CREATE VIEW feed_gaps AS SELECT session_date, from_ts, to_ts, reason, healed_at FROM gaps",
)

_CHECKPOINTS = (
    "CREATE TABLE checkpoints (session_date DATE, state BLOB)",
    "CREATE TABLE minute_marks (session_date DATE, minute BIGINT, marks BLOB)",
)

_PROOF = (
    "ALTER TABLE verdicts ADD COLUMN verified BIGINT",
    "ALTER TABLE states ADD COLUMN trades BIGINT",
    "ALTER TABLE states ADD COLUMN bars BIGINT",
    "ALTER TABLE states ADD COLUMN dollars DOUBLE",
    "ALTER TABLE states ADD COLUMN last_trade TIMESTAMP",
    "ALTER TABLE states ADD COLUMN last_quote TIMESTAMP",
    "ALTER TABLE states ADD COLUMN remaps BIGINT",
    """CREATE OR REPLACE VIEW symbol_state AS SELECT
        symbol, session_date, mark, last, bid, ask, prev_close, prev_close_source, chg, volume,
        tier, updated_at, trades, bars, dollars, last_trade, last_quote, remaps
        FROM states JOIN symbols ON symbols.id = states.symbol_id""",
    # kinds: see store.minute_kinds.
    "CREATE TABLE minute_verdicts (session_date DATE, minute BIGINT, kinds BLOB)",
    """CREATE TABLE differences (
        session_date DATE, symbol_id INTEGER, ts TIMESTAMP, field VARCHAR, ours DOUBLE,
        theirs DOUBLE, healed BOOLEAN)""",
    # A row for each run: what runs count for themselves adds up.
    """CREATE TABLE day_records (
        session_date DATE, run INTEGER, first_ts TIMESTAMP, last_ts TIMESTAMP, records BIGINT,
        trades BIGINT, bars BIGINT, symbols BIGINT, elapsed BIGINT, completeness DOUBLE,
        density DOUBLE,
        gaps BIGINT, healed BIGINT, unknown BIGINT, compared BIGINT, equal BIGINT,
        differing BIGINT, lacking BIGINT, surplus BIGINT, verified DOUBLE, late BIGINT,
        unmapped BIGINT)""",
    """CREATE VIEW days AS SELECT
        session_date, min(first_ts) AS first_ts, max(last_ts) AS last_ts,
        sum(records)::BIGINT AS records, arg_max(trades, run) AS trades,
        arg_max(bars, run) AS bars, arg_max(symbols, run) AS symbols,
        arg_max(elapsed, run) AS elapsed, arg_max(completeness, run) AS completeness,
        arg_max(density, run) AS density, sum(gaps)::BIGINT AS gaps,
        sum(healed)::BIGINT AS healed, arg_max(unknown, run) AS unknown,
        arg_max(compared, run) AS compared, arg_max(equal, run) AS equal,
        arg_max(differing, run) AS differing, arg_max(lacking, run) AS lacking,
        arg_max(surplus, run) AS surplus, arg_max(verified, run) AS verified,
        sum(late)::BIGINT AS late, sum(unmapped)::BIGINT AS unmapped
        FROM day_records GROUP BY session_date""",
    """CREATE OR REPLACE VIEW coverage AS SELECT
        session_date, symbol, elapsed, traded, backfilled, quiet, missing, unknown,
        (traded + backfilled + quiet) / nullif(elapsed, 0) AS completeness,
        (traded + backfilled) / nullif(elapsed, 0) AS density, verified
        FROM verdicts JOIN symbols ON symbols.id = verdicts.symbol_id""",
    """CREATE VIEW bar_differences AS SELECT
        session_date, symbol, ts, field, ours, theirs, healed
        FROM differences JOIN symbols ON symbols.id = differences.symbol_id""",
)

_ALERTS = (
    "ALTER TABLE fired ADD COLUMN late BOOLEAN DEFAULT false",
    "ALTER TABLE fired ADD COLUMN gated BOOLEAN DEFAULT false",
    """CREATE OR REPLACE VIEW alerts AS SELECT
        alert_id, ts, symbol, rule, price, "values", late, gated
        FROM fired JOIN symbols ON symbols.id = fired.symbol_id""",
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_TABLES + _VIEWS, _CHECKPOINTS, _PROOF, _ALERTS)
"""Step n brings a database of schema version n to version n + 1; an empty file has version 0."""

SCHEMA_VERSION = len(MIGRATIONS)


def migrate(connection: duckdb.DuckDBPyConnection, name: str, dataset: str) -> None:
    """Bring an open database to `SCHEMA_VERSION`, in one transaction, and give it its dataset.

    `name` is the file's name for messages.

    Raises:
        StoreError: The database is of a newer schema, of another dataset or of another program.
        duckdb.Error: It cannot be written.
    """
    stored = _stored_version(connection, name)
    if stored == SCHEMA_VERSION:
        _check_dataset(connection, name, dataset)
        return
    connection.execute("BEGIN")
    for step in MIGRATIONS[stored:]:
        for statement in step:
            connection.execute(statement)
    if stored == 0:
        connection.execute(
            "INSERT INTO meta VALUES ('dataset', ?), ('schema_version', '')", [dataset]
        )
    connection.execute(
        "UPDATE meta SET value = ? WHERE name = 'schema_version'", [str(SCHEMA_VERSION)]
    )
    _check_dataset(connection, name, dataset)
    connection.execute("COMMIT")


def check_readable(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Raise StoreError unless the database has exactly the present schema."""
    stored = _stored_version(connection, name)
    if stored < SCHEMA_VERSION:
        raise StoreError(
            f"The database {name} has schema version {stored}, and this program reads version "
            f"{SCHEMA_VERSION}. Start a run with it once (--db): that brings it up to date."
        )


def _stored_version(connection: duckdb.DuckDBPyConnection, name: str) -> int:
    tables = {
        str(row[0])
        for row in connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE NOT internal"
        ).fetchall()
    }
    if not tables:
        return 0
    if not {"meta", "runs", "symbols"} <= tables:
        raise StoreError(
            f"The file {name} is a DuckDB database, but not one that stockscan made. It was left "
            "as it is; name another file with --db."
        )
    stored = int(_meta(connection, "schema_version"))
    if stored > SCHEMA_VERSION:
        raise StoreError(
            f"The database {name} has schema version {stored}, and this program knows versions up "
            f"to {SCHEMA_VERSION}. Upgrade stockscan-tui, or name another file with --db."
        )
    return stored


def _meta(connection: duckdb.DuckDBPyConnection, entry: str) -> str:
    rows = connection.execute("SELECT value FROM meta WHERE name = ?", [entry]).fetchall()
    return str(rows[0][0])


def _check_dataset(connection: duckdb.DuckDBPyConnection, name: str, dataset: str) -> None:
    stored = _meta(connection, "dataset")
    if stored != dataset:
        raise StoreError(
            f"The database {name} holds dataset {stored!r}, and this run is of {dataset!r}. A "
            "database holds one dataset: name another file with --db."
        )
