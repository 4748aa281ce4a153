"""`stockscan config`: every setting with its sentence, its value and where that comes from."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import tomlkit

from stockscan_tui.config import (
    SETTINGS,
    Reading,
    cache_folder,
    config_path,
    data_folder,
    key_origin,
    key_path,
    read_settings,
    rules_path,
    watchlists_folder,
)
from stockscan_tui.config.checks import days
from stockscan_tui.config.lines import KeyPath, line_numbers
from stockscan_tui.config.settings import Setting
from stockscan_tui.errors import UsageError
from stockscan_tui.market.text import printable
from stockscan_tui.scan.lists import ListTexts, merged

_WIDTH = 96


def show(given: argparse.Namespace) -> int:
    """Print the configuration in effect as TOML, or its path alone; returns the exit status."""
    if given.path:
        sys.stdout.write(f"{printable(given.config or config_path())}\n")
        return 0
    reading = read_settings(given.config)
    sys.stdout.write("".join(f"{printable(line)}\n" for line in _Listing.of(reading).lines()))
    return 0


@dataclass(frozen=True, slots=True)
class _Listing:
    """The printed form of a configuration."""

    reading: Reading
    numbers: Mapping[KeyPath, int]

    @classmethod
    def of(cls, reading: Reading) -> _Listing:
        return cls(reading, line_numbers(reading.text or ""))

    def lines(self) -> Iterator[str]:
        yield from self._places()
        for setting in SETTINGS:
            yield ""
            yield from (f"# {line}" for line in textwrap.wrap(setting.doc, _WIDTH))
            if setting.name == "list":
                yield from self._lists()
            elif setting.name == "splits":
                yield from self._splits()
            elif setting.from_text is None:
                yield from self._table(setting.name)
            else:
                yield self._scalar(setting)

    def _places(self) -> Iterator[str]:
        there = "" if self.reading.text is not None else " (not there: all defaults)"
        yield "# What is in effect. It can be pasted into config.toml."
        yield f"# config file: {self.reading.path}{there}"
        yield f"# key file:    {key_path()}"
        yield f"# rules file:  {rules_path()}"
        yield f"# watchlists:  {watchlists_folder()}"
        yield f"# data:        {data_folder()}"
        yield f"# cache:       {cache_folder()}"
        yield f"# API key:     {_key()}"

    def _scalar(self, setting: Setting) -> str:
        value = getattr(self.reading.config, setting.name)
        if setting.name == "table":
            value = "" if value is None else str(value)
        elif setting.read is days:
            value = f"{value}d"
        if setting.name in self.reading.variables:
            return _assigned(setting.name, value, setting.variable)
        return _assigned(setting.name, value, self._origin(setting.name))

    def _table(self, name: str) -> Iterator[str]:
        held = getattr(self.reading.config, name)
        yield f"[{name}]"
        entries = held if isinstance(held, Mapping) else {
            part: getattr(held, part) for part in ("pre", "regular", "post")
        }  # fmt: skip
        for key, value in entries.items():
            yield _assigned(key, value, self._origin(name, key))

    def _splits(self) -> Iterator[str]:
        for index, entry in enumerate(self.reading.config.splits):
            yield "[[splits]]"
            for key, value in entry.items():
                yield _assigned(key, value, self._origin("splits", index, key))

    def _lists(self) -> Iterator[str]:
        for number, texts in enumerate(merged(self.reading.config.lists)):
            if number:
                yield ""
            yield from self._list(texts)

    def _list(self, texts: ListTexts) -> Iterator[str]:
        yield "[[list]]"
        index = next(
            (i for i, s in enumerate(self.reading.config.lists) if s.line == texts.line), -1
        )
        order = "smallest" if texts.ascending else "largest"
        parts = {"key": texts.key} if texts.key else {}
        parts |= {"name": texts.name, "sort": texts.sort, "order": order, "filter": texts.filter}
        for part, value in parts.items():
            yield _assigned(part, value, self._origin("list", index, part))
        yield _assigned("columns", list(texts.columns), self._origin("list", index, "columns"))
        yield _assigned("color", texts.color, self._origin("list", index, "color"))

    def _origin(self, *path: str | int) -> str:
        line = self.numbers.get(path)
        return f"{self.reading.path.name} line {line}" if line else "default"


def _assigned(key: str, value: object, origin: str) -> str:
    return f"{tomlkit.key(key).as_string()} = {_inline(value)}  # {origin}"


def _inline(value: object) -> str:
    """Return a value as TOML on one line."""
    if isinstance(value, Mapping):
        inner = (f"{tomlkit.key(key).as_string()} = {_inline(held)}" for key, held in value.items())
        return f"{{{', '.join(inner)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_inline, value))}]"
    text: str = tomlkit.item(value).as_string()
    return text


def _key() -> str:
    try:
        origin = key_origin()
    except UsageError as error:
        return f"not usable: {error}"
    return f"set, by {origin}" if origin else "none"
