"""The folders and files of one user: settings, key, watchlists, captured days, what is cached."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import platformdirs

from stockscan_tui.errors import StoreError

APP = "stockscan"
KEEP_REPLAYS = 20


def cache_folder() -> Path:
    """Return the folder of what can be made again."""
    return platformdirs.user_cache_path(APP, appauthor=False)


def data_folder() -> Path:
    """Return the folder of captured days."""
    return platformdirs.user_data_path(APP, appauthor=False)


def config_path() -> Path:
    """Return the config file that is read when none is named."""
    return platformdirs.user_config_path(APP, appauthor=False) / "config.toml"


def key_path() -> Path:
    """Return the file that holds the API key where the environment has none."""
    return config_path().with_name("key")


def watchlists_folder() -> Path:
    """Return the folder of the watchlists."""
    return config_path().with_name("watchlists")


def rules_path() -> Path:
    """Return the rules file that is read when none is named."""
    return config_path().with_name("rules.toml")


def live_database(dataset: str) -> Path:
    """Return the database in which live capture keeps a dataset."""
    return data_folder() / f"{dataset}.duckdb"


def replay_database(files: Sequence[Path], keep: int = KEEP_REPLAYS) -> Path:
    """Return the database of a set of replayed files, and let the oldest others go.

    The same files (path, size, time of change) have the same database, so that trying something
    out never touches another file's bars.

    Raises:
        StoreError: Nothing can be kept in the cache folder.
    """
    seal = hashlib.sha256()
    for file in sorted(path.resolve() for path in files):
        stat = file.stat()
        # A name need not be text: it may hold any bytes.
        seal.update(os.fsencode(file) + f"\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    folder = cache_folder() / "replays"
    chosen = folder / f"{seal.hexdigest()[:24]}.duckdb"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _prune(folder, chosen, keep)
    except OSError as error:
        raise StoreError(
            f"The cache folder {folder} cannot be used: {error.strerror}. "
            "Make it writable, or name a database with --db."
        ) from error
    return chosen


def _prune(folder: Path, chosen: Path, keep: int) -> None:
    """Remove the oldest databases beyond `keep`, with what stands beside them, unless held."""
    others = [path for path in folder.glob("*.duckdb") if path != chosen]
    others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for old in others[max(keep - 1, 0) :]:
        if old.with_name(old.name + ".owner").exists():
            continue
        for ending in ("", ".wal", ".lock", ".snapshot.duckdb", ".snapshot.request"):
            old.with_name(old.name + ending).unlink(missing_ok=True)
