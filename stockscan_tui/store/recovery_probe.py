"""Whether a database is damaged, as far as its opening tells; runs in the process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

from stockscan_tui.store.database import (
    connect_file,
    damage_words,
    is_damage,
    is_strange,
    one_line,
    short_by,
)
from stockscan_tui.store.lock import beside

HEAD = 12288
BLOCK = 262144
# Field 100 of a journal's first entry, which is not checksummed: that it is the version.
_VERSION_ENTRY = b"\x64\x00\x62"
_LENGTH_BYTES = 16
# The entry that ends a transaction, behind its checksum.
_COMMIT = b"\x64\x00\x64\xff\xff"
INDEXED = (
    "SELECT value FROM {}meta WHERE name = 'dataset'",
    "SELECT ts FROM {}fired WHERE alert_id = ''",
)
"""What is read by an index, whose blocks no other query meets."""
_OURS = {"meta", "runs", "symbols"}


def probe(path: Path, copy: Path | None) -> dict[str, Any]:
    """Look at a database without changing it.

    Returns:
        `damage`: what is wrong, empty for nothing; `ours`: whether it is a database of this
        program, as far as can be told.
    """
    found: dict[str, Any] = {"damage": "", "ours": True}
    if not path.exists():
        return {**found, "damage": "the database is gone, and its journal is still there"}
    newest = None
    try:
        connection = connect_file(path, read_only=True)
        try:
            if not table_names(connection) >= _OURS:
                return {**found, "ours": False}
            # What a run reads first.
            for query in ("SELECT * FROM meta", *INDEXED):
                connection.execute(query.format("")).fetchall()
            # Greatest values alone would come from statistics, without a look at the rows.
            connection.execute("SELECT sum(id), sum(length(symbol)) FROM symbols").fetchall()
            newest = newest_batch(connection)
            short = max(short_by(connection, path), _beyond(connection, path))
            found["damage"] = f"its file lacks the last {short:,} bytes" if short else ""
        finally:
            connection.close()
    except duckdb.Error as error:
        return {**found, **_met(error, path, copy)}
    found["damage"] = found["damage"] or journal_damage(beside(path, ".wal"))
    theirs = _newest_of(copy) if copy is not None and not found["damage"] else None
    if theirs is not None and newest is not None and theirs > newest:
        found["damage"] = "what was written last is gone from its journal"
    return found


def _met(error: duckdb.Error, path: Path, copy: Path | None) -> dict[str, Any]:
    """Return what an error in opening a database says of it."""
    if "not a valid DuckDB database" in one_line(error):
        ours = looks_ours(path, copy)
        return {"ours": ours, "damage": "its beginning is damaged" if ours else ""}
    if is_strange(error):
        return {"ours": False}
    return {"damage": damage_words(error)} if is_damage(error) else {}


def _beyond(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    """Return how many bytes before the end of its last block of bars a file breaks off."""
    query = "SELECT coalesce(max(block_id), -1) FROM pragma_storage_info('bars')"
    last = int(connection.execute(query).fetchall()[0][0])
    return max(0, HEAD + (last + 1) * BLOCK - path.stat().st_size) if last >= 0 else 0


def table_names(connection: duckdb.DuckDBPyConnection, catalog: str = "") -> set[str]:
    """Return the names of the tables of a database, that of the connection or an attached one."""
    rows = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE NOT internal "
        "AND database_name = coalesce(nullif(?, ''), current_database())",
        [catalog],
    ).fetchall()
    return {str(row[0]) for row in rows}


def newest_batch(
    connection: duckdb.DuckDBPyConnection, catalog: str = ""
) -> tuple[int, int] | None:
    """Return the newest run and its newest serial; None where the table cannot be read."""
    table = f"{catalog}.runs" if catalog else "runs"
    query = f"SELECT run, coalesce(serial, -1) FROM {table} ORDER BY ALL DESC LIMIT 1"  # noqa: S608
    try:
        rows = connection.execute(query).fetchall()
    except duckdb.Error:
        return None
    return (int(rows[0][0]), int(rows[0][1])) if rows else (0, -1)


def is_behind(connection: duckdb.DuckDBPyConnection, catalog: str, copy: Path | None) -> bool:
    """Return whether the copy has transactions that an attached database should have."""
    if copy is None:
        return False
    mine, theirs = newest_batch(connection, catalog), _newest_of(copy)
    return mine is not None and theirs is not None and theirs > mine


def looks_ours(path: Path, copy: Path | None) -> bool:
    """Return whether a file that DuckDB does not know is likely a damaged database of ours."""
    if copy is not None and _newest_of(copy) is not None:
        return True
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not size:
        journal = beside(path, ".wal")
        return journal.exists() and journal.read_bytes().startswith(_VERSION_ENTRY)
    # A text has no zeros, and seldom just the size of a head and whole blocks.
    whole_blocks = size >= HEAD and (size - HEAD) % BLOCK == 0
    return not any(head) or head[8:12] == b"DUCK" or (whole_blocks and bytes(64) in head)


def journal_damage(journal: Path) -> str:
    """Return what DuckDB passes over in silence in a journal, empty for nothing.

    A journal that breaks off in its last transaction is none: that is how a kill leaves it.
    """
    if not journal.exists() or not journal.stat().st_size:
        return ""
    content = journal.read_bytes()
    place = _journal_head(content[:200])
    if not place:
        return "the beginning of its journal is damaged"
    while place + _LENGTH_BYTES <= len(content):
        length = int.from_bytes(content[place : place + 8], "little")
        if not length or place + _LENGTH_BYTES + length > len(content):
            break
        place += _LENGTH_BYTES + length
    left = content[place + 1 :]
    found = left.find(_COMMIT)
    while found >= 0:
        if found >= _LENGTH_BYTES - 1 and left[found - 16 : found - 8] == (5).to_bytes(8, "little"):
            return f"its journal is damaged at byte {place:,}"
        found = left.find(_COMMIT, found + 1)
    return ""


def _journal_head(content: bytes) -> int:
    """Return where a journal's first entry ends, 0 where it is not as it should be.

    Its fields are a number of two bytes and a value: the version, the database's name as a list of
    bytes, and its checkpoint. Numbers have seven bits a byte, and the last byte's eighth is clear.
    """
    place = len(_VERSION_ENTRY)

    def number() -> int:
        nonlocal place
        begin = place
        while content[place] & 0x80:
            place += 1
        place += 1
        return sum((byte & 0x7F) << 7 * at for at, byte in enumerate(content[begin:place]))

    if not content.startswith(_VERSION_ENTRY):
        return 0
    try:
        while (field := content[place : place + 2]) != b"\xff\xff":
            place += 2
            if field not in (b"e\0", b"f\0", b"g\0"):
                return 0
            for _ in range(number() if field == b"f\0" else 1):
                number()
    except IndexError:
        return 0
    return place + 2


def _newest_of(copy: Path) -> tuple[int, int] | None:
    if not copy.exists():
        return None
    try:
        connection = connect_file(copy, read_only=True)
    except duckdb.Error:
        return None
    try:
        return newest_batch(connection)
    finally:
        connection.close()
