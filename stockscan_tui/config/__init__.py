"""Where stockscan keeps its files, and the settings a user may write into config.toml."""

from stockscan_tui.config.key import key_origin, read_key, save_key
from stockscan_tui.config.places import (
    APP,
    KEEP_REPLAYS,
    cache_folder,
    config_path,
    data_folder,
    key_path,
    live_database,
    replay_database,
    rules_path,
    watchlists_folder,
)
from stockscan_tui.config.reading import Reading, parse_config, read_config, read_settings
from stockscan_tui.config.settings import MARKS, SETTINGS, Config

__all__ = [
    "APP",
    "KEEP_REPLAYS",
    "MARKS",
    "SETTINGS",
    "Config",
    "Reading",
    "cache_folder",
    "config_path",
    "data_folder",
    "key_origin",
    "key_path",
    "live_database",
    "parse_config",
    "read_config",
    "read_key",
    "read_settings",
    "replay_database",
    "rules_path",
    "save_key",
    "watchlists_folder",
]
