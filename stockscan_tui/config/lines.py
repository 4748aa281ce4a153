"""On which line of a TOML file each of its values stands, for messages."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping

KeyPath = tuple[str | int, ...]
# What is read in vain, in characters, before the rest is left without lines: an array of
# thousands of lines is read anew at each of them.
_PATIENCE = 2_000_000
# Python's reader takes the square of a dotted key's parts, in time and in memory.
_DOTTED = re.compile(
    r"""(?<![\w-])(?:(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){64}""", re.ASCII
)


def has_long_key(text: str) -> bool:
    """Return whether a dotted key has more parts than any sensible one."""
    return _DOTTED.search(text) is not None


def line_numbers(text: str) -> dict[KeyPath, int]:
    """Return the line (from 1) of every table, key and array element of a valid TOML text.

    A path is the keys that lead to a value, and for array elements their index:
    `("list", 0, "sort")`. What stands in an inline table or array has the line of its statement.
    What stands after an array of thousands of lines may be left out.
    """
    found: dict[KeyPath, int] = {}
    counts: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for line, content, is_header in _statements(text):
        if is_header:
            table = _header(content, counts)
            found.setdefault(table, line)
            for end in range(1, len(table)):
                found.setdefault(table[:end], line)
        else:
            for path in _paths(content):
                found.setdefault(table + path, line)
    return found


def line_of(text: str, path: KeyPath) -> int:
    """Return the line of a value, else of the nearest table around it, else 1."""
    return line_in(line_numbers(text), path)


def line_in(found: Mapping[KeyPath, int], path: KeyPath) -> int:
    """Return the same of line numbers that are known."""
    for end in range(len(path), 0, -1):
        if path[:end] in found:
            return found[path[:end]]
    return 1


def _statements(text: str) -> Iterator[tuple[int, dict[str, object], bool]]:
    """Yield each statement's first line, its content, and whether it is a table's header.

    A statement is over where what was read of it so far is valid TOML by itself.
    """
    chunk, first, vain = "", 1, 0
    ends: tuple[str, ...] = ()
    for number, line in enumerate(text.split("\n"), start=1):
        if not chunk:
            first = number
        chunk += line + "\n"
        if first != number and not any(end in line for end in ends):
            continue
        try:
            content = tomllib.loads(chunk)
        except tomllib.TOMLDecodeError:
            if first == number:
                ends = ("]", '"""', "'''") if "[" in line else ('"""', "'''", "}")
            vain += len(chunk)
            if vain > _PATIENCE:
                return
            continue
        if content:
            yield first, content, chunk.lstrip().startswith("[")
        chunk = ""


def _header(content: dict[str, object], counts: dict[KeyPath, int]) -> KeyPath:
    path: KeyPath = ()
    inner: object = content
    while isinstance(inner, dict) and inner:
        key, inner = next(iter(inner.items()))
        path = (*path, key)
        if isinstance(inner, list):
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path


def _paths(content: object) -> Iterator[KeyPath]:
    """Yield the path of everything inside a value, outer ones first."""
    if isinstance(content, dict):
        inner: Iterator[tuple[str | int, object]] = iter(content.items())
    elif isinstance(content, list):
        inner = enumerate(content)
    else:
        return
    for key, value in inner:
        yield (key,)
        for path in _paths(value):
            yield (key, *path)
