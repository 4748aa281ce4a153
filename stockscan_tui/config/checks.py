"""The checks of single values of config.toml; each says what it wants and what it was given."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from reprlib import Repr

from stockscan_tui.config.lines import KeyPath
from stockscan_tui.scan.lists import COLORS, KEYS, ListSetting, merged
from stockscan_tui.scan.watchlists import check_name

NAME_LENGTH = 40
WIDTHS = range(3, 61)
_SHORT = Repr()
_FILTER_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class RefusedError(Exception):
    """A value that cannot be taken, and the path to it."""

    def __init__(self, path: KeyPath, sentence: str) -> None:
        super().__init__(sentence)
        self.path = path


def short(value: object) -> str:
    """Return a value as it is shown in a message, cut to a few words."""
    try:
        return _SHORT.repr(value)
    except ValueError:
        # Python writes no number of more than 4,300 digits; a file can hold one.
        return "a number of thousands of digits"


def text(value: object, path: KeyPath) -> str:
    """Take a text; line breaks and runs of spaces count as one space."""
    if not isinstance(value, str):
        raise wants(path, "a text", value)
    line = " ".join(value.split())
    if not line.isprintable():
        raise wants(path, "a text without control characters", value)
    return line


def title(value: object, path: KeyPath) -> str:
    """Take a text of 1 to 40 characters."""
    name = text(value, path)
    if not 1 <= len(name) <= NAME_LENGTH:
        raise wants(path, f"a text of 1 to {NAME_LENGTH} characters", value)
    return name


def choice(value: object, path: KeyPath, among: Collection[str]) -> str:
    """Take one of some words."""
    word = text(value, path)
    if word not in among:
        raise wants(path, f"one of {', '.join(filter(None, among))}", value)
    return word


def whole(value: object, path: KeyPath, among: range) -> int:
    """Take a whole number of a range."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise wants(path, "a whole number", value)
    if value not in among:
        raise wants(path, f"{among.start} to {among.stop - 1}", value)
    return value


def amount(value: object, path: KeyPath) -> float:
    """Take a number of 0 or more."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise wants(path, "a number", value)
    # A whole number may be larger than any other.
    if not 0 <= value <= sys.float_info.max:
        raise wants(path, "0 or more", value)
    return float(value)


def days(value: object, path: KeyPath) -> int:
    """Take a number of days, as in "365d"; returns it."""
    said = text(value, path)
    if not re.fullmatch(r"[1-9]\d{0,4}d", said, re.ASCII):
        raise wants(path, 'a number of days, as in "365d"', value)
    return int(said[:-1])


def watchlist(value: object, path: KeyPath) -> str:
    """Take the name of a watchlist."""
    name = text(value, path)
    problem = check_name(name)
    if problem:
        raise RefusedError(path, f"{spelled(path)}: {problem}")
    return name


def table(value: object, path: KeyPath, keys: Collection[str] = ()) -> Mapping[str, object]:
    """Take a table; only these keys where any are named."""
    if not isinstance(value, dict):
        raise wants(path, f"a table, as in [{spelled(path)}]", value)
    for key in value:
        if keys and key not in keys:
            raise RefusedError((*path, key), unknown(key, keys, f"part of {spelled(path)}"))
    return value


def tables(value: object, path: KeyPath) -> tuple[Mapping[str, object], ...]:
    """Take an array of tables."""
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise wants(path, f"tables, as in [[{spelled(path)}]]", value)
    return tuple(value)


def filters(value: object, path: KeyPath) -> dict[str, str]:
    """Take saved filters: texts by name."""
    given = table(value, path)
    for name in given:
        if not _FILTER_NAME.fullmatch(name) or len(name) > NAME_LENGTH:
            raise RefusedError(
                (*path, name),
                f"{short(name)} is no name for a filter: letters, digits and _, up to "
                f"{NAME_LENGTH}, no digit first.",
            )
    return {name: filter_text(given[name], (*path, name)) for name in given}


def filter_text(value: object, path: KeyPath) -> str:
    """Take an expression that is not empty; what it says is not looked at here."""
    expression = text(value, path)
    if not expression:
        raise wants(path, 'an expression, as in "chg > 5"', value)
    return expression


def widths(value: object, path: KeyPath) -> dict[str, int]:
    """Take column widths: cells by metric."""
    return {metric: whole(cells, (*path, metric), WIDTHS)
            for metric, cells in table(value, path).items()}  # fmt: skip


def toplists(value: object, path: KeyPath) -> tuple[ListSetting, ...]:
    """Take the `[[list]]` tables; no key or name twice."""
    entries = tables(value, path)
    taken = [_toplist(entry, (*path, index)) for index, entry in enumerate(entries)]
    for index, setting in enumerate(taken):
        here = (*path, index)
        if setting.key and any(setting.key == other.key for other in taken[:index]):
            raise RefusedError((*here, "key"), f"There is another list with key {setting.key!r}.")
        others = merged(taken[:index] + taken[index + 1 :])
        if setting.name is not None and any(
            setting.name.casefold() == other.name.casefold()
            for other in others
            if not setting.key or setting.key != other.key
        ):
            raise RefusedError(
                (*here, "name"), f"There is another list with the name {setting.name!r}."
            )
    return tuple(taken)


def unknown(name: str, known: Collection[str], kind: str) -> str:
    """Return the sentence for a name that is not known."""
    near = get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(known)}."
    return f"{short(name)} is no {kind}. {hint}"


def spelled(path: KeyPath) -> str:
    """Return a path as it is written: rule.when."""
    return ".".join(part for part in path if isinstance(part, str))


def wants(path: KeyPath, what: str, value: object) -> RefusedError:
    """Return the refusal of a value that is not what it should be."""
    return RefusedError(path, f"{spelled(path)} takes {what}, not {short(value)}.")


def _toplist(entry: Mapping[str, object], path: KeyPath) -> ListSetting:
    given = table(entry, path, ("key", "name", "sort", "order", "filter", "columns", "color"))
    if "key" not in given and "name" not in given:
        raise RefusedError(path, 'A [[list]] has a name, or the key of a list it changes ("1").')
    at = {key: (*path, key) for key in given}
    return ListSetting(
        key=choice(given["key"], at["key"], KEYS) if "key" in given else "",
        name=title(given["name"], at["name"]) if "name" in given else None,
        sort=filter_text(given["sort"], at["sort"]) if "sort" in given else None,
        ascending=choice(given["order"], at["order"], ("largest", "smallest")) == "smallest"
        if "order" in given
        else None,
        filter=text(given["filter"], at["filter"]) if "filter" in given else None,
        columns=_columns(given["columns"], at["columns"]) if "columns" in given else None,
        color=choice(given["color"], at["color"], ("", *COLORS)) if "color" in given else None,
    )


def _columns(value: object, path: KeyPath) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise wants(path, 'a list of metrics, as in ["mark", "chg", "rvol"]', value)
    columns = tuple(filter_text(metric, (*path, index)) for index, metric in enumerate(value))
    for index, metric in enumerate(columns):
        if metric in columns[:index]:
            raise RefusedError((*path, index), f"{spelled(path)} names {metric!r} twice.")
    return columns
