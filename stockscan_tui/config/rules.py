"""rules.toml: the user's rules, which rules of the library are on, and where alerts are sent."""

from __future__ import annotations

import json
import stat
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stockscan_tui.config.checks import RefusedError
from stockscan_tui.config.lines import KeyPath, has_long_key, line_in, line_numbers
from stockscan_tui.config.places import rules_path
from stockscan_tui.config.rule_reading import Reader
from stockscan_tui.errors import UsageError
from stockscan_tui.scan.expression import Names
from stockscan_tui.scan.rules import Rules

MOST_BYTES = 1_000_000
NO_NAMES = Names()


def parse_rules(text: str, where: Path, names: Names = NO_NAMES) -> Rules:
    """Read the text of a rules file.

    Args:
        text: What stands in it.
        where: The file, for messages and relative paths.
        names: What expressions may use besides metrics.

    Returns:
        The file's rules in order, then those of the library that it switches on, then all others
        of the library, switched off.

    Raises:
        UsageError: It is no TOML, or says what cannot be; the message names line and rule.
    """
    try:
        given = _toml(text, where)
        lines = line_numbers(text)
        return Reader(names, where.absolute().parent, lines).read(given)
    except RefusedError as error:
        line = line_in(lines, error.path)
        raise UsageError(f"{where}, line {line}: {_named(given, error.path)}{error}") from None
    except RecursionError:
        raise UsageError(f"The rules file {where} is nested too deep.") from None


def read_rules(path: Path | None, names: Names = NO_NAMES) -> Rules:
    """Read a rules file; the default one, which need not be there, for None.

    Raises:
        UsageError: It cannot be read, or as `parse_rules`.
    """
    where = path or rules_path()
    text = rules_text(where)
    if text is None and path is not None:
        raise UsageError(f"The rules file {where} is not there.")
    return parse_rules(text or "", where, names)


def rules_text(where: Path) -> str | None:
    """Return a rules file's text with its own line ends; None where there is no file.

    Raises:
        UsageError: It cannot be read, or is no text of up to 1 MB.
    """
    try:
        found = where.stat()
        if stat.S_ISDIR(found.st_mode):
            raise UsageError(f"The rules file {where} is a folder.")
        if not stat.S_ISREG(found.st_mode):
            raise UsageError(f"The rules file {where} is no regular file.")
        with where.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"The rules file {where} cannot be read: {reason}.") from error
    if len(content) > MOST_BYTES:
        raise UsageError(f"The rules file {where} has more than 1 MB.")
    if b"\0" in content:
        raise UsageError(f"The rules file {where} is binary.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{where}, line {line}: this is not UTF-8.") from error


class RulesFile:
    """A rules file that is read again when it changes; whoever owns it calls `look` now and then.

    Args:
        path: The file, the default one for None; it need not be there.
        names: What expressions may use besides metrics.
        usual: Rules of the library that are on as long as there is no file.

    Attributes:
        path: The file.
        names: What expressions may use; a change holds from the next reading on.
        rules: The last rules that could be read.
        problem: What is wrong with the file, a sentence; empty where nothing is.
    """

    def __init__(
        self, path: Path | None, names: Names = NO_NAMES, usual: Sequence[str] = ()
    ) -> None:
        self.path = path or rules_path()
        self.names = names
        self._usual = f"library = {json.dumps(usual)}" if usual else ""
        self.rules = parse_rules(self._usual, self.path)
        self.problem = ""
        self._seen: object = self
        self.look()

    def look(self) -> bool:
        """Read the file if it has changed; returns whether rules or problem are others now.

        A file that is wrong leaves the rules as they were; one that is gone, the library alone,
        switched off. Not for the screen's thread; never raises.
        """
        now = self._mark()
        if now == self._seen:
            return False
        before = self.rules, self.problem
        try:
            text = rules_text(self.path)
            text = self._usual if text is None else text
            rules, problem = parse_rules(text, self.path, self.names), ""
        except UsageError as error:
            rules, problem = self.rules, str(error)
        if now != self._mark():
            # It is being written; the next look has all of it.
            return False
        self._seen, self.rules, self.problem = now, rules, problem
        return (rules, problem) != before

    def _mark(self) -> object:
        try:
            found = self.path.stat()
        except (OSError, ValueError) as error:
            return str(error)
        return found.st_mtime_ns, found.st_size, found.st_ino


def _toml(text: str, where: Path) -> dict[str, Any]:
    if has_long_key(text):
        raise UsageError(f"The rules file {where} has a key of too many parts.")
    try:
        return tomllib.loads(text)
    except ValueError as error:
        # Numbers of thousands of digits are refused as none of TOML's own errors.
        raise UsageError(f"The rules file {where} is not valid TOML: {error}.") from error


def _named(given: Mapping[str, Any], path: KeyPath) -> str:
    """Return whose value it is that was refused, as in `rule 'gap up': `."""
    if len(path) < 2 or path[0] == "library" or not isinstance(path[1], int):
        return ""
    name = given[str(path[0])][path[1]].get("name")
    return f"{path[0]} {name[:40]!r}: " if isinstance(name, str) else ""
