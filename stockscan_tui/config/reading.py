"""Reading config.toml and the environment: defaults, the file over them, variables over both."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stockscan_tui.config.checks import RefusedError, unknown
from stockscan_tui.config.lines import has_long_key, line_numbers, line_of
from stockscan_tui.config.places import config_path
from stockscan_tui.config.settings import SETTINGS, Config
from stockscan_tui.errors import UsageError

MOST_BYTES = 1_000_000
_BY_NAME = {setting.name: setting for setting in SETTINGS}
_VARIABLES = tuple(setting for setting in SETTINGS if setting.from_text is not None)


@dataclass(frozen=True, slots=True)
class Reading:
    """A configuration and where it comes from.

    Attributes:
        config: What is in effect.
        path: The config file.
        text: What stands in it; None where there is no file.
        variables: Names of the settings that the environment sets.
    """

    config: Config
    path: Path
    text: str | None
    variables: frozenset[str]


def read_config(path: Path | None) -> Config:
    """Return what is in effect by a config file and the environment.

    Raises:
        UsageError: The file or a variable cannot be read, or sets what is not known.
    """
    return read_settings(path).config


def read_settings(path: Path | None, environment: Mapping[str, str] = os.environ) -> Reading:
    """Read a config file, the default one (which need not be there) for None, and variables.

    Raises:
        UsageError: As `read_config`; the message names file and line, or the variable.
    """
    where = path or config_path()
    text = read_text(where, may_lack=path is None)
    config = parse_config(text or "", where)
    values: dict[str, Any] = {}
    for setting in _VARIABLES:
        said = environment.get(setting.variable, "").strip()
        if said and setting.from_text is not None:
            values[setting.name] = _of_variable(said, setting.name)
    if "table" in values:
        values["table"] = _file(values["table"], Path.cwd())
    return Reading(replace(config, **values), where, text, frozenset(values))


def read_text(where: Path, *, may_lack: bool) -> str | None:
    """Return a config file's text with its own line ends; None where it may lack and does.

    Raises:
        UsageError: It cannot be read.
    """
    try:
        with where.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise UsageError(f"The config file {where} has more than 1 MB.")
        return content.decode("utf-8")
    except OSError as error:
        if may_lack and isinstance(error, FileNotFoundError):
            return None
        raise UsageError(f"The config file {where} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"The config file {where} is not valid TOML: {error}.") from error


def parse_config(text: str, where: Path) -> Config:
    """Read the text of a config file; `where` is for messages and relative paths.

    Raises:
        UsageError: It is not TOML, or sets what is not known; the message names the line.
    """
    if has_long_key(text):
        raise UsageError(f"The config file {where} has a key of too many parts.")
    try:
        given = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # Numbers of thousands of digits are refused as none of TOML's own errors.
        raise UsageError(f"The config file {where} is not valid TOML: {error}.") from error
    try:
        return _checked(given, text, where)
    except RefusedError as error:
        raise UsageError(f"{where}, line {_line(text, error)}: {error}") from None


def _line(text: str, error: RefusedError) -> int:
    try:
        return line_of(text, error.path)
    except RecursionError:
        # Its values are nested almost too deep to be read at all.
        return 1


def _checked(given: dict[str, Any], text: str, where: Path) -> Config:
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in _BY_NAME:
            raise RefusedError((name,), unknown(name, _BY_NAME, "setting"))
        values[name] = _BY_NAME[name].read(value, (name,))
    if "table" in values:
        values["table"] = _file(values["table"], where.absolute().parent)
    if "list" in values:
        lines = line_numbers(text)
        values["lists"] = tuple(
            replace(setting, line=lines.get(("list", index), 0))
            for index, setting in enumerate(values.pop("list"))
        )
    return Config(**values)


def _of_variable(said: str, name: str) -> object:
    setting = _BY_NAME[name]
    try:
        value = setting.from_text(said) if setting.from_text is not None else said
    except ValueError:
        value = said
    try:
        return setting.read(value, (name,))
    except RefusedError as error:
        raise UsageError(f"The environment's {setting.variable}: {error}") from None


def _file(text: str, folder: Path) -> Path | None:
    if not text:
        return None
    path = Path(text)
    try:
        return folder / path.expanduser()
    except RuntimeError:
        return folder / path
