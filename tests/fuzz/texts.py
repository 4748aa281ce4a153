"""Texts that the user writes or keeps: settings, rules, watchlists, symbols, closes, the key."""

from __future__ import annotations

import math
import os
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from pathlib import Path

import zstandard

from stockscan_tui.cli.parser import parse_symbols
from stockscan_tui.config.key import read_key
from stockscan_tui.config.places import key_path
from stockscan_tui.config.reading import read_settings
from stockscan_tui.config.rules import RulesFile, read_rules
from stockscan_tui.config.settings import SETTINGS
from stockscan_tui.errors import StockscanError
from stockscan_tui.feed.daily import DailyCache, _splits_of
from stockscan_tui.feed.reference import read_closes
from stockscan_tui.feed.splits import Splits
from stockscan_tui.market.text import printable
from stockscan_tui.scan.lists import merged
from stockscan_tui.scan.watchlists import Watchlists
from tests.fuzz.part import Part, WrongError, spoilt

_FOLDER = [Path()]
_MOST_SAID = 5_000
NUMBERS = (
    b"1e999", b"-1e999", b"nan", b"inf", b"-inf", b"9" * 400, b"9" * 5_000, b"1" + b"0" * 5_000,
    b"0x" + b"f" * 5_000, b"1e-999", b"0", b"-0", b"-1", b"1_0", b"1.5", b"9223372036854775808",
    b"\xd9\xa3", b"01", b"1e5", b"true", b"1979-05-27T07:32:00Z", b"9999-99-99",
)  # fmt: skip
ODD = (
    b"\0", b"\xef\xbb\xbf", b"\r\n", b"\r", b"\n", b"\xff\xfe", b"\xc3", b"\x1b[31m", b"\x07",
    b"\xe2\x80\xae", b"\xf0\x9f\x92\xa9", b"'", b'"', b'"""', b"'''", b"\\", b"\\u0000", b"#",
    b"[" * 400, b"{a=" * 300, b"." * 200, b"a." * 300, b",", b";", b" ", b"\t", b"\xc2\xa0",
    b"(" * 300, b"x" * 3_000, b"\xed\xa0\x80", b"\xe2\x80\xa8", b"\x85",
)  # fmt: skip
_CONFIG = b"""theme = "textual-dark"
mark = "trade"
keep_replays = 5
max_cost_usd = 2.5
keep_bars = "30d"
watchlist = "my tech"
table = "own.csv"
[gates]
pre = "mark > 1"
[filters]
low = "mark < 5"
[widths]
"chg(5m)" = 8
[[list]]
key = "1"
name = "Up"
sort = "chg"
order = "largest"
columns = ["mark", "chg"]
color = "green"
[renames]
FB = "META"
[[splits]]
symbol = "NVDA"
ex_date = 2024-06-10
ratio = 10.0
"""
_RULES = b"""library = ["halt", "gap up"]
[[rule]]
name = "mine"
when = "chg > 5 and dvol > 100k"
sessions = ["pre", "regular"]
cooldown = "5m"
for = "30s"
message = "{symbol} {mark} {chg}"
deliver = ["toast", "hook"]
[[channel]]
name = "hook"
kind = "webhook"
url = "https://example.com/x"
"""


def _told(call: Callable[[], object]) -> None:
    """Let a call give something or one of the project's own errors, said in a sentence."""
    try:
        call()
    except StockscanError as error:
        said = str(error)
        if not said.strip() or len(said) > _MOST_SAID:
            raise WrongError(f"an error of {len(said)} characters: {said[:200]!r}") from error
        printable(error)


def _file(name: str, content: bytes) -> Path:
    path = _FOLDER[0] / name
    path.write_bytes(content)
    return path


def _own_folder(folder: Path) -> None:
    _FOLDER[0] = folder
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["XDG_CONFIG_HOME"] = str(folder)
    os.environ.pop("DATABENTO_API_KEY", None)


def _config(case: bytes) -> None:
    path = _file("config.toml", case)

    def read() -> None:
        config = read_settings(path, {}).config
        merged(config.lists)
        splits = Splits.from_tables(config.splits, config.renames)
        for split in splits.splits:
            close = splits.adjusted_close(split.symbol, date.min, date.max, 10.0)
            if math.isnan(close):
                raise WrongError(f"a close that is no number, by {split}")

    _told(read)


def _variables(case: bytes) -> None:
    text = case.decode("utf-8", "surrogateescape").replace("\0", "")
    path = _file("empty.toml", b"")
    for setting in SETTINGS:
        _told(lambda setting=setting: read_settings(path, {setting.variable: text}))  # type: ignore[misc]


def _rules(case: bytes) -> None:
    path = _file("rules.toml", case)
    _told(lambda: read_rules(path))
    # It is read again while the program runs, and must never raise.
    RulesFile(path).look()


def _watchlist(case: bytes) -> None:
    path = _file("main.txt", case)
    lists = Watchlists(path.parent)
    _told(lambda: lists.symbols("main"))
    _told(lambda: lists.toggle("main", "NVDA"))
    _told(lambda: lists.import_from(path, "other"))
    with suppress(StockscanError):
        lists.remove("other")
    name = case[:60].decode("utf-8", "replace")
    if "\0" not in name:
        _told(lambda: lists.rename("main", name))
        with suppress(StockscanError):
            lists.remove(name)


def _symbols(case: bytes) -> None:
    path = _file("symbols.txt", case)
    _told(lambda: parse_symbols(f"@{path}"))
    _told(lambda: parse_symbols(case.decode("utf-8", "surrogateescape").lstrip("@")))


def _closes(case: bytes) -> None:
    path = _file("closes.csv", case)

    def read() -> None:
        found = read_closes(path)
        if not all(symbol and 0 < price < math.inf for symbol, price in found.undated.items()):
            raise WrongError("a close that is none was taken")

    _told(read)


def _key(case: bytes) -> None:
    path = key_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(case)
    path.chmod(0o600)
    _told(read_key)


def _kept(case: bytes) -> None:
    """What was fetched before and stands in the cache."""
    cache = DailyCache(_FOLDER[0])
    packed = zstandard.compress(case) if case[:1] != b"\x28" else case
    for kind in ("closes", "splits", "volumes"):
        _file(f"{kind}.US.2026-06-15.json.zst", packed)
    day = date(2026, 6, 15)
    cache.closes("US", day)
    cache.volumes("US", day)
    _splits_of(cache.read("splits", "US", day))


def _spoil_toml(rng: random.Random, case: bytes, other: bytes) -> bytes:
    """Give keys other values and other names, which leaves more of it valid."""
    words = (*NUMBERS, *ODD, *_NAMES)
    if rng.random() < 0.4:
        return spoilt(rng, case, other, words)
    lines = case.split(b"\n")
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(lines))
        key, sign, value = lines[at].partition(b" = ")
        what = rng.randrange(6)
        if what == 0:
            lines.insert(at, rng.choice(other.split(b"\n")))
        elif what == 1:
            del lines[at : at + (len(lines) > 1)]
        elif what == 2 and sign:
            lines[at] = rng.choice(_NAMES) + sign + value
        elif what == 3 and sign:
            lines[at] = key + sign + rng.choice(lines).partition(b" = ")[2]
        elif what == 4 and sign:
            lines[at] = key + sign + b'"' + rng.choice(words) + b'"'
        elif sign:
            form = rng.choice((b"%b", b"%b", b"[%b]", b"[%b, %b]", b"{a = %b}", b"[[%b], %b]"))
            lines[at] = key + sign + form.replace(b"%b", rng.choice((*NUMBERS, b'"a"', value)))
    return b"\n".join(lines)


def _part(
    name: str, run: Callable[[bytes], None], seeds: tuple[bytes, ...], *more: bytes, share: float
) -> Part:
    words = (*NUMBERS, *ODD, *more)
    every = (*seeds, *words, b"")
    spoil = _spoil_toml if name in {"config", "rules"} else None
    return Part(name, run, lambda: every, words, share, setup=_own_folder, spoil=spoil)


_NAMES = tuple(
    word.encode()
    for word in (
        *(setting.name for setting in SETTINGS), "rule", "when", "channel", "library", "message",
        "deliver", "[[rule]]", "[[list]]", "[rule]", "= ", "{symbol}", "{", "}", "true", "false",
        "kind", "url", "path", "command", "sessions", "cooldown", "for", "list = 1", "name",
    )
)  # fmt: skip
_KEPT = (
    b'{"NVDA": 120.5, "A": 3}', b'{"splits": [["A", "2026-01-02", 2.0, "x"]], "renames": []}',
    b'{"splits": [], "renames": [["A", "B", null], ["C", "D", "2026-01-02"]]}', b"[1]", b"null",
    zstandard.compress(b"{}"),
    # A frame that says it holds 2^62 bytes.
    b"\x28\xb5\x2f\xfd\xe0" + (2**62).to_bytes(8, "little") + b"\x01\0\0",
)  # fmt: skip
PARTS = (
    _part("config", _config, (_CONFIG,), *_NAMES, share=0.3),
    _part("variables", _variables, (b"stockscan-dark", b"30d", b"5", b"auto"), share=0.1),
    _part("rules", _rules, (_RULES,), *_NAMES, b"chg > 5", b"@low", b"crosses_above(", share=0.2),
    _part("watchlist", _watchlist, (b"# mine\nNVDA\nAAPL, MSFT\nNASDAQ:TSLA\n###S\n",), share=0.1),
    _part("symbols", _symbols, (b"NVDA,AAPL\nMSFT # c\n", b"ALL_SYMBOLS"), share=0.2),
    _part("closes", _closes, (b'symbol,close\nNVDA,120.5\n"A",1\n',), b"symbol,close", share=0.3),
    _part("key", _key, (b"db-0123456789abcdefghijklmnopqrs\n",), share=0.05),
    _part("kept", _kept, _KEPT, b"null", b'"splits"', b"[", b"]", b"{", b"}", b":", share=0.2),
)
