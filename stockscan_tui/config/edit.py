"""Changes made on the screen, kept in config.toml: the user's comments and order stay.

These read and write files: not for the screen's thread.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from stockscan_tui.config.places import config_path
from stockscan_tui.config.reading import parse_config, read_text
from stockscan_tui.errors import UsageError
from stockscan_tui.scan.lists import merged
from stockscan_tui.scan.watchlists import replace_text

if TYPE_CHECKING:
    from stockscan_tui.market.metrics import MetricKey
    from stockscan_tui.scan.lists import Toplist

_WRITING = Lock()


def change(path: Path | None, edit: Callable[[tomlkit.TOMLDocument], None]) -> None:
    """Change a config file, the default one for None; it is made at its first change.

    The file is read again, edited, checked as at a start, and replaced at once.

    Raises:
        UsageError: It cannot be read, changed or written; the file is as it was.
    """
    where = path or config_path()

    def checked(text: str) -> None:
        parse_config(text, where)

    rewrite(
        where,
        lambda text: edited(text, edit, where, "config file"),
        read=lambda: read_text(where, may_lack=True),
        check=checked,
        what="config file",
        unwritten=" The change holds until the end of this run.",
    )


def rewrite(
    where: Path,
    made: Callable[[str], str],
    *,
    read: Callable[[], str | None],
    check: Callable[[str], object],
    what: str,
    unwritten: str = "",
) -> None:
    """Replace a file's text by another at once; it is made at its first change.

    Args:
        where: The file; a link is followed.
        made: Gives the new text for the present one.
        read: Gives the present text, None where there is no file.
        check: Raises UsageError where a text cannot be read back; applied before and after.
        what: What the file is called in messages.
        unwritten: What is added to the message where it cannot be written.

    Raises:
        UsageError: It cannot be read, changed or written; the file is as it was.
    """
    with _WRITING:
        text = read() or ""
        check(text)
        changed = made(text)
        check(changed)
        if changed == text:
            return
        try:
            # What is made here may hold secrets one day, as rules.toml does.
            replace_text(where, changed, mode=None if where.exists() else 0o600)
        except OSError as error:
            raise UsageError(
                f"The {what} {where} cannot be written: {error.strerror}.{unwritten}"
            ) from error


def set_theme(path: Path | None, theme: str) -> None:
    """Keep the theme."""
    change(path, lambda document: put(document, "theme", theme))


def set_watchlist(path: Path | None, name: str) -> None:
    """Keep which watchlist is the current one."""
    change(path, lambda document: put(document, "watchlist", name))


def set_width(path: Path | None, metric: MetricKey, cells: int) -> None:
    """Keep a column's width."""
    change(path, lambda document: put(_table(document, "widths"), str(metric), cells))


def save_filter(path: Path | None, name: str, text: str) -> None:
    """Keep a filter under a name, in place of another of that name."""
    change(path, lambda document: put(_table(document, "filters"), name, text))


def set_columns(path: Path | None, name_or_key: str, columns: Sequence[MetricKey]) -> None:
    """Keep the columns of the list with that key or name; none are the board's own.

    Raises:
        UsageError: There is no such list, or as `change`.
    """
    texts = [str(metric) for metric in columns]

    def edit(document: tomlkit.TOMLDocument) -> None:
        where = path or config_path()
        known = merged(parse_config(tomlkit.dumps(document), where).lists)
        found = [each for each in known if name_or_key in (each.key, each.name)]
        if not found or not name_or_key:
            raise UsageError(f"There is no list {name_or_key!r}.")
        entry = _list(document, found[0].key, found[0].name)
        put(entry, "columns", texts)

    change(path, edit)


def save_list(path: Path | None, toplist: Toplist) -> None:
    """Keep a list, in place of the one with its key, or without a key with its name."""

    def edit(document: tomlkit.TOMLDocument) -> None:
        entry = _list(document, toplist.key, toplist.name)
        put(entry, "name", toplist.name)
        put(entry, "sort", str(toplist.sort))
        put(entry, "order", "smallest" if toplist.ascending else "largest")
        put(entry, "filter", toplist.filter)
        put(entry, "columns", [str(metric) for metric in toplist.columns or ()])
        put(entry, "color", toplist.color)

    change(path, edit)


def edited(text: str, edit: Callable[[tomlkit.TOMLDocument], None], where: Path, what: str) -> str:
    """Return a TOML text after an edit of its document; comments, order and line ends stay.

    Raises:
        UsageError: It cannot be edited so.
    """
    try:
        document = tomlkit.parse(text.replace("\r\n", "\n"))
        edit(document)
        changed = tomlkit.dumps(document)
        # What was meant and what was written are compared: an edit must not land elsewhere.
        whole = tomllib.loads(changed) == document.unwrap()
    except (TOMLKitError, tomllib.TOMLDecodeError) as error:
        raise UsageError(
            f"The {what} {where} cannot be changed here: {error}. Edit it by hand."
        ) from error
    if not whole:
        raise UsageError(f"The {what} {where} cannot be changed here. Edit it by hand.")
    return changed.replace("\n", "\r\n") if "\r\n" in text else changed


def put(table: Any, key: str, value: object) -> None:
    """Set a value where it is another; what is equal keeps its spelling."""
    if key not in table or table[key] != value:
        table[key] = value


def _table(document: tomlkit.TOMLDocument, name: str) -> Any:
    if name not in document:
        document[name] = tomlkit.table()
    return document[name]


def _list(document: tomlkit.TOMLDocument, key: str, name: str) -> Any:
    """Return the `[[list]]` of a key, without one of a name; made if it is not there."""
    entries: Any = document.get("list")
    for entry in entries or ():
        if entry.get("key", "") == key if key else entry.get("name") == name:
            return entry
    inline = isinstance(entries, tomlkit.items.Array)
    fresh: Any = tomlkit.inline_table() if inline else tomlkit.table()
    fresh["key" if key else "name"] = key or name
    if entries is None:
        document["list"] = tomlkit.aot()
    document["list"].append(fresh)
    return document["list"][-1]
