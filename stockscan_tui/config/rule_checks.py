"""The checks of single values of rules.toml; what may hold a secret is never repeated."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from stockscan_tui.config.checks import RefusedError, spelled, table, text, unknown, wants
from stockscan_tui.config.lines import KeyPath
from stockscan_tui.errors import UsageError
from stockscan_tui.market.calendar import Session
from stockscan_tui.market.metrics import REGISTRY, parse_metric
from stockscan_tui.scan.expression import Expression, ExpressionError, Names, parse
from stockscan_tui.scan.rules import message

SESSIONS = {"pre": Session.PRE, "regular": Session.REGULAR, "post": Session.POST}
DAY_S = 86_400.0
MOST_PERCENT = 1_000.0
_UNITS = {"s": 1.0, "m": 60.0, "h": 3_600.0}
_SPAN = re.compile(r"(\d{1,5}(?:\.\d{1,3})?)([smh])", re.ASCII)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_KIND = re.compile(r"[\w.+-]+/[\w.+-]+(?:; ?[\w.+-]+=[\w.+-]+)*", re.ASCII)
_ADDRESS = re.compile(r"https?://[!-~]+", re.IGNORECASE)


def switch(value: object, path: KeyPath) -> bool:
    """Take yes or no."""
    if not isinstance(value, bool):
        raise wants(path, "true or false", value)
    return value


def seconds(value: object, path: KeyPath, least: float = 0.0, most: float = DAY_S) -> float:
    """Take a length of time, as in "30s", "15m" or "2h"; returns seconds."""
    match = _SPAN.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise wants(path, 'a length of time, as in "30s", "15m" or "2h"', value)
    found = float(match.group(1)) * _UNITS[match.group(2)]
    if not least <= found <= most:
        raise wants(path, f'"{time_text(least)}" to "{time_text(most)}"', value)
    return found


def time_text(length_s: float) -> str:
    """Return a length of time as the file has it: 5400 is 90m."""
    for unit in ("h", "m"):
        if length_s and not length_s % _UNITS[unit]:
            return f"{length_s / _UNITS[unit]:g}{unit}"
    return f"{length_s:g}s"


def percent(value: object, path: KeyPath) -> float:
    """Take a percentage above 0."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise wants(path, "a number of percent", value)
    if not 0 < value <= MOST_PERCENT:
        raise wants(path, f"a percentage above 0, up to {MOST_PERCENT:,.0f}", value)
    return float(value)


def sessions(value: object, path: KeyPath) -> frozenset[Session]:
    """Take a list of sessions."""
    words = texts(value, path, 'a list of sessions, as in ["pre", "regular"]')
    if not words:
        raise wants(path, "at least one session", value)
    for index, word in enumerate(words):
        if word not in SESSIONS:
            raise RefusedError((*path, index), unknown(word, SESSIONS, "session"))
    return frozenset(SESSIONS[word] for word in words)


def texts(value: object, path: KeyPath, what: str) -> tuple[str, ...]:
    """Take a list of texts; `what` says what they are."""
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise RefusedError(path, f"{spelled(path)} takes {what}.")
    return tuple(value)


def condition(value: object, path: KeyPath, names: Names, *, empty: bool = False) -> Expression:
    """Take an expression; the refusal says at which column it is wrong."""
    if not isinstance(value, str):
        raise wants(path, 'an expression, as in "chg > 5"', value)
    said = re.sub(r"[\r\n\t]", " ", value).rstrip()
    if not empty and not said:
        raise wants(path, 'an expression, as in "chg > 5"', value)
    try:
        found = parse(said, names)
        line = " ".join(said.split())
        return found if line == said else parse(line, names)
    except ExpressionError as error:
        sentence = f"{path[-1]}, column {error.column}: {error.problem}"
        raise RefusedError(path, sentence) from None


def scope(value: object, path: KeyPath, names: Names) -> str:
    """Take `all`, `toplist`, `watchlist` or `watchlist:NAME`."""
    said = text(value, path)
    if said in ("all", "toplist", "watchlist"):
        return said
    kind, colon, name = (part.strip() for part in said.partition(":"))
    if kind != "watchlist" or not colon:
        raise wants(path, "all, toplist, watchlist or watchlist:NAME", value)
    for known in names.watchlists:
        if known.casefold() == name.casefold():
            return f"watchlist:{known}"
    if not names.watchlists:
        raise RefusedError(path, f"{name!r} is no watchlist; there are none.")
    raise RefusedError(path, unknown(name, names.watchlists, "watchlist"))


def channels(value: object, path: KeyPath, known: Collection[str]) -> tuple[str, ...]:
    """Take a list of channels, each once."""
    named = texts(value, path, 'a list of channels, as in ["toast", "bell"]')
    for index, name in enumerate(named):
        if name not in known:
            raise RefusedError((*path, index), unknown(name, known, "channel"))
    return tuple(dict.fromkeys(named))


def template(value: object, path: KeyPath, known: Collection[str]) -> str:
    """Take a message of up to 300 characters that tells known values alone."""
    said = text(value, path)
    if len(said) > message.LENGTH:
        raise RefusedError(path, f"{spelled(path)} takes up to {message.LENGTH} characters.")
    return _told(said, path, known)


def outside_template(value: object, path: KeyPath, own: Collection[str]) -> str:
    """Take what a command or webhook is given; any metric may be told.

    Args:
        value: The text.
        path: The path to it.
        own: The columns of the user's table.
    """
    if not isinstance(value, str) or "\0" in value:
        raise RefusedError(path, f"{spelled(path)} takes a text.")
    return _told(value, path, (*message.OUTSIDE, *_metrics_of(value, own)))


def file(value: object, path: KeyPath, folder: Path) -> str:
    """Take a file's name; what is relative is relative to `folder`, empty stays empty."""
    said = text(value, path)
    if not said:
        return ""
    try:
        return str(folder / Path(said).expanduser())
    except RuntimeError:
        return str(folder / said)


def arguments(value: object, path: KeyPath, own: Collection[str]) -> tuple[str, ...]:
    """Take a program and its arguments."""
    said = texts(value, path, 'a list of texts, as in ["notify", "{symbol}"]')
    if not said or not said[0].strip():
        raise RefusedError(path, f"{spelled(path)} names no program.")
    if message.fields_of(said[0]):
        raise RefusedError((*path, 0), "the program itself cannot be made of an alert's values.")
    return tuple(outside_template(part, (*path, index), own) for index, part in enumerate(said))


def address(value: object, path: KeyPath, own: Collection[str]) -> str:
    """Take an address of http or https, which may tell values after its host.

    It is not repeated in the refusal.
    """
    refused = RefusedError(path, f"{spelled(path)} takes an address, https://… or http://….")
    if not isinstance(value, str) or len(value) > 2_000 or not _ADDRESS.fullmatch(value):
        raise refused
    try:
        parts = urlsplit(value)
        known = bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise refused from None
    if not known:
        raise refused
    if "{" in parts.netloc:
        raise RefusedError(path, f"{spelled(path)}: the host cannot be made of an alert's values.")
    return outside_template(value, path, own)


def content_type(value: object, path: KeyPath) -> str:
    """Take a content type."""
    said = text(value, path)
    if not _KIND.fullmatch(said):
        raise wants(path, 'a content type, as in "application/json"', value)
    return said


def headers(value: object, path: KeyPath) -> Mapping[str, str]:
    """Take headers by name; their values are not repeated in the refusal."""
    if not isinstance(value, dict):
        raise RefusedError(path, f'{spelled(path)} takes a table, as in {{ Title = "alert" }}.')
    for name, said in table(value, path).items():
        if not _TOKEN.fullmatch(name):
            raise RefusedError((*path, name), f"{spelled(path)}: {name!r} is no header.")
        # Headers go out in Latin-1; a line break would begin another one.
        if not isinstance(said, str) or not re.fullmatch(r"[ -~\xa1-\xff]{0,2000}", said):
            raise RefusedError((*path, name), f"{spelled(path)}: {name} takes a text of one line.")
    return {name: str(said) for name, said in value.items()}


def _told(said: str, path: KeyPath, known: Collection[str]) -> str:
    try:
        message.check(said, known)
    except UsageError as error:
        raise RefusedError(path, f"{spelled(path)}: {error}") from None
    return said


def _metrics_of(template: str, own: Collection[str]) -> list[str]:
    found = []
    for name in message.fields_of(template):
        try:
            parse_metric(name, own)
        except UsageError:
            continue
        found.append(name)
    # Where one is wrong the nearest of all is offered.
    return [*found, *(name for name in REGISTRY if name not in found)]
