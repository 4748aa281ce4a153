"""Where stockscan keeps its files, and the settings a user may write into config.toml."""

from __future__ import annotations

import hashlib
import math
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from stockscan_tui.errors import StoreError, UsageError

APP = "stockscan"
MARKS = ("auto", "trade", "mid")
KEEP_REPLAYS = 20


_KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "theme": (str, "a text"),
    "mark": (str, "a text"),
    "keep_replays": (int, "a whole number"),
    "max_cost_usd": ((int, float), "a number"),
    "splits": (list, "tables, as in [[splits]]"),
    "renames": (dict, "a table, as in [renames]"),
}


@dataclass(frozen=True, slots=True)
class Config:
    """What the config file sets; the defaults where it says nothing."""

    theme: str = "stockscan-dark"
    mark: str = "auto"
    keep_replays: int = KEEP_REPLAYS
    max_cost_usd: float = 0.0
    splits: Sequence[Mapping[str, object]] = ()
    renames: Mapping[str, object] = field(default_factory=dict)


def cache_folder() -> Path:
    """Return the folder of what can be made again."""
    return platformdirs.user_cache_path(APP, appauthor=False)


def config_path() -> Path:
    """Return the config file that is read when none is named."""
    return platformdirs.user_config_path(APP, appauthor=False) / "config.toml"


def live_database(dataset: str) -> Path:
    """Return the database in which live capture keeps a dataset."""
    return platformdirs.user_data_path(APP, appauthor=False) / f"{dataset}.duckdb"


def read_key() -> str:
    """Return the API key of the environment, else of the file `key`; empty where there is none.

    Raises:
        UsageError: The file cannot be read, or others than its owner can read it.
    """
    key = os.environ.get("DATABENTO_API_KEY", "").strip()
    if key:
        return key
    path = config_path().with_name("key")
    try:
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise UsageError(f"The key file {path} can be read by others. Run: chmod 600 {path}")
        return path.read_text("utf-8").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The key file {path} cannot be read: {error}.") from error


def read_config(path: Path | None) -> Config:
    """Read a config file; the default one need not be there.

    Raises:
        UsageError: The file cannot be read, or holds a setting or value that is not known.
    """
    where = path or config_path()
    if path is None and not where.exists():
        return Config()
    try:
        settings = tomllib.loads(where.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"The config file {where} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"The config file {where} is not valid TOML: {error}.") from error
    return _checked(settings, where)


def _checked(settings: dict[str, object], where: Path) -> Config:
    for name, value in settings.items():
        if name not in _KINDS:
            raise UsageError(f"{where}: {name!r} is no setting. There are: {', '.join(_KINDS)}.")
        kind, word = _KINDS[name]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise UsageError(f"{where}: {name} takes {word}, not {value!r}.")
    config = Config(**settings)  # type: ignore[arg-type]
    if config.mark not in MARKS:
        raise UsageError(f"{where}: mark is one of {', '.join(MARKS)}, not {config.mark!r}.")
    if not 0 <= config.max_cost_usd < math.inf:
        raise UsageError(f"{where}: max_cost_usd is 0 or more, not {config.max_cost_usd}.")
    if not all(isinstance(entry, dict) for entry in config.splits):
        raise UsageError(f"{where}: splits takes tables, as in [[splits]].")
    if config.keep_replays < 1:
        raise UsageError(f"{where}: keep_replays is at least 1, not {config.keep_replays}.")
    return config


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
        for ending in ("", ".wal", ".lock"):
            old.with_name(old.name + ending).unlink(missing_ok=True)
