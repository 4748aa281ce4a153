"""Watchlists: one text file each, a symbol a line, in a folder of the user's own.

This reads and writes files: one thread at a time may call it, and not the screen's.
"""

from __future__ import annotations

import os
import re
import secrets
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stockscan_tui.errors import UsageError
from stockscan_tui.market.text import printable

NAME_LENGTH = 40
IMPORT_BYTES = 5_000_000
# A comment stands after a space: some symbols hold a # themselves.
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*")
# TradingView's files hold the titles of sections among the symbols.
_SECTION = re.compile(r"###[^,\n]*")
_WORD = re.compile(r"[^\s,;]+")
_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9.#+=^*$/-]{0,20}")
# Anchored: looked for everywhere, a long word would take the square of its length.
_EXCHANGE = re.compile(r"\A[A-Z][A-Z0-9_]*:")
_HEADERS = frozenset({"SYMBOL", "SYMBOLS", "TICKER", "TICKERS"})
# Windows opens devices by these names.
_DEVICES = re.compile(r"(?i)con|prn|aux|nul|com\d|lpt\d")


def replace_text(path: Path, text: str, mode: int | None = None) -> None:
    """Write a file so that it is either as before or whole; its folder is made if it is missing.

    A link is followed. The file keeps its mode, unless one is given; a mode that is given holds
    from the file's creation on.

    Raises:
        OSError: It cannot be written; the file is as it was.
    """
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = mode
    if kept is None and path.exists():
        kept = path.stat().st_mode & 0o777
    fresh = path.with_name(f".{path.name[:60]}.{secrets.token_hex(6)}")
    try:
        number = os.open(
            fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else mode
        )
        with os.fdopen(number, "wb") as file:
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        if kept is not None:
            fresh.chmod(kept)
        fresh.replace(path)
    except BaseException:
        with suppress(OSError):
            fresh.unlink()
        raise


def check_name(name: str) -> str:
    """Return why a watchlist cannot be called so; empty where it can."""
    if not 1 <= len(name) <= NAME_LENGTH or not all(c.isalnum() or c in "-_ " for c in name):
        return f"a watchlist's name is up to {NAME_LENGTH} letters, digits, spaces, - and _."
    if name != " ".join(name.split()) or _DEVICES.fullmatch(name):
        return f"a watchlist cannot be called {name!r}."
    return ""


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import found: the symbols that were taken, and the words that are none."""

    symbols: tuple[str, ...]
    left_out: tuple[str, ...]


def read_symbols(text: str) -> Imported:
    """Read symbols separated by spaces, commas or lines, each once.

    Comments, a head such as `symbol`, TradingView's sections and exchanges (`NASDAQ:AAPL`) are
    passed over; small letters count as capitals.
    """
    words = [
        word.strip("\"'").upper()
        for line in text.splitlines()
        for word in _words(_SECTION.sub("", line))
    ]
    if words and words[0] in _HEADERS:
        del words[0]
    symbols: dict[str, None] = {}
    left_out: dict[str, None] = {}
    for word in words:
        symbol = _EXCHANGE.sub("", word, count=1)
        known = _SYMBOL.fullmatch(symbol)
        (symbols if known else left_out)[symbol if known else word] = None
    return Imported(tuple(symbols), tuple(left_out))


class Watchlists:
    """The watchlists of a folder; neither it nor a file is made before the first change.

    A list that is not there is empty. Files are read again when they have changed.

    Args:
        folder: Where they are, as NAME.txt.

    All methods raise UsageError where a name or a file cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[Path, tuple[tuple[int, int], tuple[str, ...]]] = {}

    def names(self) -> tuple[str, ...]:
        """Return the names in alphabetical order."""
        return tuple(sorted(self._files(), key=lambda name: (name.casefold(), name)))

    def symbols(self, name: str) -> tuple[str, ...]:
        """Return a list's symbols in the file's order."""
        path = self._existing(name)
        if path is None:
            return ()
        try:
            stat = path.stat()
            changed = (stat.st_mtime_ns, stat.st_size)
            known = self._read.get(path)
            if known is None or known[0] != changed:
                known = (changed, read_symbols(_text(path)).symbols)
                self._read[path] = known
        except OSError as error:
            raise _failed(path, "read", error) from error
        return known[1]

    def toggle(self, name: str, symbol: str) -> bool:
        """Put a symbol on a list or take it off; returns whether it is on it now."""
        wanted = _checked_symbol(symbol)
        path = self._existing(name)
        text = "" if path is None else _text(path)
        watched = wanted not in read_symbols(text).symbols
        self._write(name, _with(text, (wanted,)) if watched else _without(text, wanted))
        return watched

    def create(self, name: str) -> None:
        """Make an empty list."""
        self._refuse_taken(name)
        self._write(name, "")

    def rename(self, name: str, new: str) -> None:
        """Call a list otherwise."""
        path = self._needed(name)
        if _folded(name) != _folded(new):
            self._refuse_taken(new)
        try:
            path.rename(self._path(new))
        except OSError as error:
            raise _failed(path, "renamed", error) from error

    def remove(self, name: str) -> None:
        """Remove a list and its file."""
        path = self._needed(name)
        try:
            path.unlink()
        except OSError as error:
            raise _failed(path, "removed", error) from error

    def import_from(self, path: Path, name: str) -> Imported:
        """Add the symbols of any text file to a list, which is made if it is not there."""
        found = read_symbols(_text(path))
        if not found.symbols:
            raise UsageError(f"{printable(path)} names no symbol. Give a text with one a line.")
        existing = self._existing(name)
        text = "" if existing is None else _text(existing)
        held = frozenset(read_symbols(text).symbols)
        self._write(name, _with(text, tuple(s for s in found.symbols if s not in held)))
        return found

    def export_to(self, name: str, path: Path) -> None:
        """Write a list's symbols to a new file, one a line."""
        self._needed(name)
        if path.exists():
            raise UsageError(f"There is already a file {printable(path)}. Name another one.")
        _replace(path, "".join(f"{symbol}\n" for symbol in self.symbols(name)))

    def _files(self) -> dict[str, Path]:
        try:
            found = sorted(self.folder.glob("*.txt"))
        except OSError as error:
            raise _failed(self.folder, "read", error) from error
        by_name = {unicodedata.normalize("NFC", path.stem): path for path in found}
        return {name: path for name, path in by_name.items() if not check_name(name)}

    def _existing(self, name: str) -> Path | None:
        """Return a list's file; capitals make no difference, as on some file systems."""
        self._path(name)
        wanted = _folded(name)
        return next((p for held, p in self._files().items() if _folded(held) == wanted), None)

    def _needed(self, name: str) -> Path:
        path = self._existing(name)
        if path is None:
            raise UsageError(f"There is no watchlist {name!r}.")
        return path

    def _refuse_taken(self, name: str) -> None:
        if self._existing(name) is not None:
            raise UsageError(f"There is already a watchlist {name!r}. Choose another name.")

    def _path(self, name: str) -> Path:
        problem = check_name(name)
        if problem:
            raise UsageError(f"{problem[0].upper()}{problem[1:]}")
        return self.folder / f"{name}.txt"

    def _write(self, name: str, text: str) -> None:
        path = self._existing(name) or self._path(name)
        _replace(path, text)
        # Two writes within one tick of the file system's clock look the same to it.
        self._read.pop(path, None)


def _words(line: str) -> list[str]:
    return _WORD.findall(_COMMENT.sub("", line))


def _with(text: str, symbols: tuple[str, ...]) -> str:
    """Return a list's text with symbols after what it holds."""
    if text and not text.endswith("\n"):
        text += "\n"
    return text + "".join(f"{symbol}\n" for symbol in symbols)


def _without(text: str, symbol: str) -> str:
    """Return a list's text without a symbol; a line that then holds none goes, comments stay."""
    kept = []
    for line in text.splitlines(keepends=True):
        here = read_symbols(line).symbols
        if symbol not in here:
            kept.append(line)
        elif len(here) > 1:
            kept.append(_taken_out(line, lambda held: held != symbol))
    return "".join(kept)


def _taken_out(line: str, keeps: Callable[[str], bool]) -> str:
    """Return a line with many symbols without some, and with its comment."""
    comment = _COMMENT.search(line)
    kept = " ".join(symbol for symbol in read_symbols(line).symbols if keeps(symbol))
    return f"{kept}  {comment.group().rstrip()}\n" if comment else f"{kept}\n"


def _checked_symbol(symbol: str) -> str:
    wanted = symbol.strip().upper()
    if not _SYMBOL.fullmatch(wanted):
        raise UsageError(f"{printable(symbol)!r} is no symbol.")
    return wanted


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(IMPORT_BYTES + 1)
        if len(content) > IMPORT_BYTES:
            raise UsageError(f"{printable(path)} is too large for a list of symbols.")
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except OSError as error:
        raise _failed(path, "read", error) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{printable(path)} is not a text file in UTF-8.") from error


def _replace(path: Path, text: str) -> None:
    try:
        replace_text(path, text)
    except OSError as error:
        raise _failed(path, "written", error) from error


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _failed(path: Path, done: str, error: OSError) -> UsageError:
    return UsageError(f"{printable(path)} cannot be {done}: {error.strerror}.")
