"""Changes of the rules screen, kept in rules.toml: the user's comments and order stay.

These read and write files: not for the screen's thread.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tomlkit

from stockscan_tui.config.edit import edited, put, rewrite
from stockscan_tui.config.lines import line_numbers
from stockscan_tui.config.places import rules_path
from stockscan_tui.config.rule_checks import SESSIONS, time_text
from stockscan_tui.config.rule_reading import RULE
from stockscan_tui.config.rules import NO_NAMES, parse_rules, rules_text
from stockscan_tui.errors import UsageError
from stockscan_tui.scan.expression import Names
from stockscan_tui.scan.rules import TRADING, Priority, Rule
from stockscan_tui.scan.rules.library import LIBRARY

Value = str | float | bool | Sequence[str] | None
_Content = dict[str, Any]
_Changes = Mapping[str, Value] | None
_WHAT = "rules file"
_SHIPPED = {rule.name.casefold(): rule for rule in LIBRARY}


def set_enabled(path: Path | None, name: str, on: bool, names: Names = NO_NAMES) -> None:
    """Switch a rule on or off; one of the library by the list `library`, unless it is changed.

    Args:
        path: The rules file, the default one for None; it is made at its first change.
        name: The rule's name.
        on: Whether it is watched.
        names: What expressions may use besides metrics.

    Raises:
        UsageError: There is no such rule, or the file cannot be read, changed or written.
    """

    def change(content: _Content) -> _Changes:
        if _index(content, name) >= 0:
            return {"enabled": on}
        shipped = _SHIPPED.get(name.casefold())
        if shipped is None:
            raise UsageError(f"There is no rule {name!r}.")
        _switch(content, shipped.name, on)
        return None

    _change(path, name, change, names)


def save_rule(
    path: Path | None,
    name: str,
    when: str,
    *,
    cooldown: str | float | None = None,
    names: Names = NO_NAMES,
    **more: Value,
) -> None:
    """Keep a rule under a name, in place of another of that name, whose other keys stay.

    One of the library that is given another condition keeps all else of the library's.

    Args:
        path: The rules file, the default one for None; it is made at its first change.
        name: The rule's name.
        when: The condition; empty for a move rule, or for the library's own condition.
        cooldown: As the file has it, as in "15m", or in seconds; None leaves it as it is.
        names: What expressions may use besides metrics.
        more: Other keys of a [[rule]]; None takes one out.

    Raises:
        UsageError: It is no rule, or the file cannot be read, changed or written.
    """
    changed: dict[str, Value] = {
        key: list(value) if isinstance(value, tuple) else value for key, value in more.items()
    }
    if cooldown is not None:
        changed["cooldown"] = cooldown if isinstance(cooldown, str) else time_text(cooldown)
    for key in changed:
        if key not in RULE or key in ("name", "when"):
            raise UsageError(f"A rule has no key {key!r} to be changed.")
    shipped = _SHIPPED.get(name.casefold())
    whole = shipped is not None and shipped.when is not None and shipped.when.text == when

    def change(content: _Content) -> _Changes:
        index = _index(content, name)
        held = content["rule"][index] if index >= 0 else {}
        if not when or (whole and "when" not in held and "move" not in held):
            return changed
        base: dict[str, Value] = {"when": when, "move": None, "price": None}
        if isinstance(held.get("rearm"), int | float):
            base["rearm"] = None
        if shipped is not None and "when" not in held and "move" not in held:
            base |= {key: value for key, value in _shipped_keys(shipped).items() if key not in held}
        return {**base, **changed}

    _change(path, name, change, names)


def remove_rule(path: Path | None, name: str, names: Names = NO_NAMES) -> None:
    """Take a rule out of the file; comments before and after it stay.

    Raises:
        UsageError: The file has no such rule, or cannot be read, changed or written.
    """

    def made(text: str) -> str:
        index = _index(tomllib.loads(text), name)
        if index < 0 and name.casefold() in _SHIPPED:
            raise UsageError(f"{name!r} is a rule of the library: it can be switched off.")
        if index < 0:
            raise UsageError(f"There is no rule {name!r}.")
        lines = text.split("\n")
        begin, end = _block(text, index)
        if begin and not lines[begin - 1].strip() and not any(lines[end : end + 1]):
            begin -= 1
        return "\n".join(lines[:begin] + lines[end:])

    def meant(content: _Content) -> None:
        del content["rule"][_index(content, name)]
        if not content["rule"]:
            del content["rule"]

    _rewrite(path or rules_path(), made, meant, names)


def _change(
    path: Path | None, name: str, change: Callable[[_Content], _Changes], names: Names
) -> None:
    """Change the top of the file, and keys of one rule; None takes a key out.

    `change` does the first and returns the second, None where no rule is changed.
    """
    where = path or rules_path()

    def meant(content: _Content) -> None:
        changes = change(content)
        if changes is None:
            return
        if _index(content, name) < 0:
            content.setdefault("rule", []).append({"name": name})
        entry = content["rule"][_index(content, name)]
        for key, value in changes.items():
            if value is None:
                entry.pop(key, None)
            elif entry.get(key) != value:
                entry[key] = value

    def top_and_present(document: tomlkit.TOMLDocument) -> None:
        changes = change(document) or {}
        index = _index(document, name)
        entry: Any = document["rule"][index] if index >= 0 else {}
        for key, value in changes.items():
            if key in entry and value is None:
                del entry[key]
            elif key in entry:
                put(entry, key, value)

    def made(text: str) -> str:
        content = tomllib.loads(text)
        listed = "library" in content
        change(content)
        if "library" in content and not listed:
            # At the top it can part no comment from what it is about.
            text = "library = []\n" + (f"\n{text}" if text.strip() else "")
        changed = edited(text, top_and_present, where, _WHAT)
        changes = change(tomllib.loads(changed))
        return changed if changes is None else _with_keys(changed, name, changes)

    _rewrite(where, made, meant, names)


def _rewrite(
    where: Path, made: Callable[[str], str], meant: Callable[[_Content], None], names: Names
) -> None:
    def checked(text: str) -> str:
        plain = text.replace("\r\n", "\n")
        changed = made(plain)
        wanted = tomllib.loads(plain)
        meant(wanted)
        # What was meant and what was written are compared: an edit must not land elsewhere.
        if tomllib.loads(changed) != wanted:
            raise UsageError(f"The {_WHAT} {where} cannot be changed here. Edit it by hand.")
        return changed.replace("\n", "\r\n") if "\r\n" in text else changed

    rewrite(
        where,
        checked,
        read=lambda: rules_text(where),
        check=lambda text: parse_rules(text, where, names),
        what=_WHAT,
    )


def _shipped_keys(rule: Rule) -> dict[str, Value]:
    """Return what a rule of the library says besides its condition."""
    found: dict[str, Value] = {"filter": rule.filter.text}
    if rule.sessions != TRADING:
        found["sessions"] = [word for word, each in SESSIONS.items() if each in rule.sessions]
    if rule.rearm is not None:
        found["rearm"] = rule.rearm.text
    found["cooldown"] = time_text(rule.cooldown_s)
    if rule.once_a_day:
        found["once_a_day"] = True
    if rule.priority is not Priority.NORMAL:
        found["priority"] = rule.priority.value
    return found


def _index(content: _Content, name: str) -> int:
    """Return the place of the [[rule]] of a name, -1 where there is none."""
    for index, entry in enumerate(content.get("rule", ())):
        if str(entry.get("name", "")).casefold() == name.casefold():
            return index
    return -1


def _switch(content: _Content, name: str, on: bool) -> None:
    """Put a name into the list `library`, or take it out."""
    if "library" not in content:
        if not on:
            return
        content["library"] = []
    listed = content["library"]
    found = [i for i, each in enumerate(listed) if str(each).casefold() == name.casefold()]
    if on and not found:
        listed.append(name)
    elif not on:
        for index in reversed(found):
            del listed[index]


def _with_keys(text: str, name: str, changes: Mapping[str, Value]) -> str:
    """Return a file's text with those keys of a rule that it lacks, after its last one."""
    content = tomllib.loads(text)
    index, count = _index(content, name), len(content.get("rule", ()))
    held = content["rule"][index] if index >= 0 else {}
    fresh = [_assigned(k, v) for k, v in changes.items() if v is not None and k not in held]
    if index >= 0 and not fresh:
        return text
    lines = text.split("\n")
    if index >= 0:
        end = _block(text, index)[1]
    else:
        end = _block(text, count - 1)[1] if count else len(text.rstrip().split("\n"))
        apart = [""] if text.strip() else []
        fresh = [*apart, "[[rule]]", _assigned("name", name), *fresh]
        end = end if text.strip() else 0
    rest = lines[end:]
    return "\n".join([*lines[:end], *fresh, *(rest if any(rest) else [""])])


def _assigned(key: str, value: Value) -> str:
    text: str = tomlkit.item(value).as_string()
    return f"{key} = {text}"


def _block(text: str, index: int) -> tuple[int, int]:
    """Return a rule's lines, first and end; comments and empty lines after it are not among them.

    Raises:
        UsageError: The rules are no [[rule]] tables.
    """
    lines, numbers = text.split("\n"), line_numbers(text)
    begin = numbers.get(("rule", index), 0) - 1
    if begin < 0 or not lines[begin].lstrip().startswith("["):
        raise UsageError("Rules that are not written as [[rule]] are changed by hand.")
    held = {line for path, line in numbers.items() if path[:2] == ("rule", index)}
    later = {line for line in numbers.values() if line - 1 > begin} - held
    end = min(later) - 1 if later else len(lines)
    while end > begin + 1 and _is_loose(lines[end - 1]):
        end -= 1
    return begin, end


def _is_loose(line: str) -> bool:
    """Return whether a line belongs to no statement: it is empty or a comment."""
    return not line.strip() or line.lstrip().startswith("#")
