"""The statements of the writer. `incoming` is the batch's arrays, registered under that name."""

NEW_RUN = "INSERT INTO runs SELECT coalesce(max(run), 0) + 1, NULL FROM runs RETURNING run"
SERIAL = "SELECT serial FROM runs WHERE run = ?"
SET_SERIAL = "UPDATE runs SET serial = ? WHERE run = ?"
NEWEST = "SELECT epoch_us(max(ts)) // 60000000 FROM bars"

# The bounds on ts let DuckDB pass over all other minutes.
DELETE_BARS = """
DELETE FROM bars USING incoming
WHERE bars.symbol_id = incoming.symbol_id AND bars.ts = incoming.ts
    AND bars.ts BETWEEN make_timestamp(?) AND make_timestamp(?)
"""

INSERT_BARS = """
INSERT INTO bars SELECT
    symbol_id, ts, open / 1e9, high / 1e9, low / 1e9, close / 1e9, volume, trades,
    notional_dollars, notional_nanos, first_ns, last_ns, source, ?
FROM incoming
"""

# A stored row keeps its open on a tie and gives up its close: the late trade arrived after it.
# Unknown trades (-1) stay unknown, whatever is added.
MERGE_LATE = """
WITH fresh AS (
    SELECT symbol_id, ts,
        first(open / 1e9 ORDER BY first_ns, arrival) AS open,
        max(high) / 1e9 AS high, min(low) / 1e9 AS low,
        last(close / 1e9 ORDER BY last_ns, arrival) AS close,
        sum(volume) AS volume,
        CASE WHEN min(trades) < 0 THEN -1 ELSE sum(trades) END AS trades,
        sum(notional_dollars) AS dollars, sum(notional_nanos) AS nanos,
        min(first_ns) AS first_ns, max(last_ns) AS last_ns, first(source ORDER BY arrival) AS source
    FROM incoming GROUP BY symbol_id, ts
), stored AS (
    SELECT * FROM bars
    WHERE ts BETWEEN make_timestamp(?) AND make_timestamp(?) AND (? OR run = ?)
)
SELECT
    fresh.symbol_id, fresh.ts,
    CASE WHEN stored.first_ns <= fresh.first_ns THEN stored.open ELSE fresh.open END AS open,
    greatest(stored.high, fresh.high) AS high, least(stored.low, fresh.low) AS low,
    CASE WHEN stored.last_ns > fresh.last_ns THEN stored.close ELSE fresh.close END AS close,
    (fresh.volume + coalesce(stored.volume, 0))::BIGINT AS volume,
    (CASE WHEN least(stored.trades, fresh.trades) < 0 THEN -1
        ELSE fresh.trades + coalesce(stored.trades, 0) END)::BIGINT AS trades,
    (fresh.dollars + coalesce(stored.notional_dollars, 0)
        + (fresh.nanos + coalesce(stored.notional_nanos, 0)) // 1000000000)::BIGINT
        AS notional_dollars,
    ((fresh.nanos + coalesce(stored.notional_nanos, 0)) % 1000000000)::INTEGER AS notional_nanos,
    least(stored.first_ns, fresh.first_ns) AS first_ns,
    greatest(stored.last_ns, fresh.last_ns) AS last_ns,
    coalesce(stored.source, fresh.source) AS source
FROM fresh LEFT JOIN stored USING (symbol_id, ts)
"""

INSERT_MERGED = """
INSERT INTO bars SELECT
    symbol_id, ts, open, high, low, close, volume, trades, notional_dollars, notional_nanos,
    first_ns, last_ns, source, ?
FROM incoming
"""

DELETE_WATERMARK = "DELETE FROM watermarks WHERE rtype = ? AND publisher_id = ?"
INSERT_WATERMARK = "INSERT INTO watermarks VALUES (?, ?, ?, ?)"

DELETE_STATES = """
DELETE FROM states USING incoming
WHERE states.session_date = ? AND states.symbol_id = incoming.symbol_id
"""

INSERT_STATES = """
INSERT INTO states SELECT
    $1, symbol_id, nullif(mark, 'nan'), nullif(last, 'nan'), nullif(bid, 'nan'),
    nullif(ask, 'nan'), nullif(prev_close, 'nan'), prev_close_source, nullif(chg, 'nan'), volume,
    tier, make_timestamp($2), trades, bars, nullif(notional, 'nan'),
    CASE WHEN trade_ns > 0 THEN make_timestamp_ns(trade_ns)::TIMESTAMP END,
    CASE WHEN quote_ns > 0 THEN make_timestamp_ns(quote_ns)::TIMESTAMP END, remaps
FROM incoming
"""

DELETE_CLOSES = """
DELETE FROM closes USING incoming
WHERE closes.session_date = ? AND closes.symbol_id = incoming.symbol_id
"""

INSERT_CLOSES = "INSERT INTO closes SELECT ?, symbol_id, close, official FROM incoming"

DELETE_GAP = "DELETE FROM gaps WHERE from_ts = make_timestamp_ns(?)::TIMESTAMP AND reason = ?"
INSERT_GAP = """
INSERT INTO gaps SELECT $1, make_timestamp_ns($2)::TIMESTAMP,
    CASE WHEN $3 > 0 THEN make_timestamp_ns($3)::TIMESTAMP END, $4,
    CASE WHEN $5 > 0 THEN make_timestamp_ns($5)::TIMESTAMP END
"""

DELETE_CHECKPOINT = "DELETE FROM checkpoints"
INSERT_CHECKPOINT = "INSERT INTO checkpoints VALUES (?, ?)"
DELETE_OLD_MARKS = "DELETE FROM minute_marks WHERE session_date <> ? OR minute < ?"
DELETE_MARKS = "DELETE FROM minute_marks WHERE minute = ?"
INSERT_MARKS = "INSERT INTO minute_marks VALUES (?, ?, ?)"

DELETE_COVERAGE = """
DELETE FROM verdicts USING incoming
WHERE verdicts.session_date = ? AND verdicts.symbol_id = incoming.symbol_id
"""
INSERT_COVERAGE = """
INSERT INTO verdicts SELECT
    $1, symbol_id, $2, traded, backfilled, quiet, missing, unknown,
    CASE WHEN verified >= 0 THEN verified END
FROM incoming
"""

KINDS = "SELECT minute, kinds FROM minute_verdicts WHERE minute BETWEEN ? AND ?"
DELETE_KINDS = """
DELETE FROM minute_verdicts USING incoming WHERE minute_verdicts.minute = incoming.minute
"""
INSERT_KINDS = """
INSERT INTO minute_verdicts SELECT session_date::DATE, minute, kinds::BLOB FROM incoming
"""

DELETE_DIFFERENCES = """
DELETE FROM differences USING incoming
WHERE differences.session_date = ? AND differences.symbol_id = incoming.symbol_id
    AND differences.ts = incoming.ts AND differences.field = incoming.field
"""
INSERT_DIFFERENCES = """
INSERT INTO differences SELECT
    ?, symbol_id, ts, field, nullif(ours, 'nan'), nullif(theirs, 'nan'), healed
FROM incoming
"""

# A run that does not go on where an earlier one ended takes the place of all of them.
FORGET_FIRED = "DELETE FROM fired WHERE ts >= ? AND ts < ?"
INSERT_FIRED = """
INSERT OR IGNORE INTO fired
    (alert_id, ts, symbol_id, rule, price, "values", late, gated)
SELECT alert_id, ts, symbol_id, rule, price, "values", late, gated FROM incoming
"""

DELETE_DAY = "DELETE FROM day_records WHERE session_date = ? AND (run = ? OR NOT ?)"
INSERT_DAY = """
INSERT INTO day_records SELECT $1, $22,
    CASE WHEN $2 > 0 THEN make_timestamp_ns($2)::TIMESTAMP END,
    CASE WHEN $3 > 0 THEN make_timestamp_ns($3)::TIMESTAMP END,
    $4, $5, $6, $7, $8, nullif($9, 'nan'), nullif($10, 'nan'), $11, $12, $13, $14, $15, $16, $17,
    $18, nullif($19, 'nan'), $20, $21
"""
