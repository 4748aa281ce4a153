"""A little of the harness in tests/fuzz, seeded, and what it has found before."""

from __future__ import annotations

import math
import os
import random
import socket
import threading
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import zstandard

from stockscan_tui.cli.parser import parse_symbols
from stockscan_tui.config.reading import read_settings
from stockscan_tui.config.rules import read_rules
from stockscan_tui.errors import InputError, UsageError
from stockscan_tui.feed import reference
from stockscan_tui.feed.bar_file import read_bars
from stockscan_tui.feed.daily import DailyCache, _splits_of
from stockscan_tui.feed.dbn_file import DbnFile
from stockscan_tui.feed.history import History, HistoryError
from stockscan_tui.feed.reference import read_closes
from stockscan_tui.feed.splits import Splits
from stockscan_tui.feed.zstd_frames import FrameWalker
from stockscan_tui.market import checkpoint, kernel
from stockscan_tui.market.state import Market
from stockscan_tui.scan.watchlists import Watchlists
from tests import wire
from tests.fuzz import compiled, expression, gateway, hunt, keys, records, texts, walk
from tests.fuzz.dice import dice_of
from tests.fuzz.http import _answer
from tests.fuzz.part import Part, explore
from tests.fuzz.world import CAPACITY, new_world
from tests.playing import weekdays
from tests.streaming import KEY

# Seconds of processor are shared with all other tests: each part has a few cases here.
CASES = {
    "sift": 120,
    "tape": 60,
    "control": 60,
    "frames": 120,
    "state": 6,
    "dbn-file": 40,
    "play": 3,
}
TEXTS = {"watchlist": 20, "key": 30}


@pytest.mark.parametrize("seed", [1, 2])
def test_the_compiled_loop_is_safe_on_spoilt_streams(seed: int, tmp_path: Path) -> None:
    tally = compiled.explore(350, seed, tmp_path, compiled=False)
    assert tally.findings == {}
    assert tally.behaviours > 1_000


@pytest.mark.parametrize("part", [*records.PARTS, *texts.PARTS, *expression.PARTS],
                         ids=lambda part: part.name)  # fmt: skip
def test_a_part_has_no_findings(
    part: Part, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("DATABENTO_API_KEY", "")
    cases = CASES.get(part.name, TEXTS.get(part.name, 60))
    part.setup(tmp_path / "own")
    # A slow machine is no finding here: `python -m tests.fuzz` asks how long a case takes.
    part = replace(part, longest_s=math.inf)
    tally = explore(part, cases, 11, tmp_path / "found")
    assert {
        place: path.with_suffix(".txt").read_text() for place, path in tally.findings.items()
    } == {}


def test_what_is_wrong_is_found() -> None:
    """The checks themselves: a guard that is written, a slot that was not given out."""
    pool = compiled.pool_at(None, 3)
    one, other = new_world(), new_world()
    length = hunt.make_case(dice_of(3), pool)
    assert walk.case_fault(one, other, pool.buf, length, pool.case) == 0
    one.whole[3] = 0
    assert walk.play(one, pool.buf, length, pool.case, False) == walk.GUARD
    walk._reset(other, pool.case)
    other.state[CAPACITY * kernel.STATE_WIDTH + kernel.MARK] = 5
    assert walk._links(other) == walk.SLOT


def test_random_keys_lead_back_to_the_board(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    keys._run(keys.made(random.Random(4), 45))


@pytest.mark.parametrize("case", [
    gateway.step(gateway.SAY, b"HTTP/1.1 200 OK\r\n\r\n"),
    gateway.step(gateway.SAY, b"A" * 40_000) + gateway.step(gateway.PAUSE),
    b"".join((*gateway._LOGIN, gateway.step(gateway.SAY, b"success=1\n"),
              gateway.step(gateway.SAY, b"DBN\x03\xff\xff\xff\xff"), gateway.step(gateway.PAUSE))),
    b"".join((*gateway._IN,
              gateway.step(gateway.SAY, wire.metadata(None) + b"\x04\x15" + bytes(14)))),
], ids=["http", "no-line", "eager", "short-error"])  # fmt: skip
def test_a_gateway_that_lies_ends_nothing(case: bytes) -> None:
    gateway._client(case)


def test_metadata_that_never_ends_is_given_up() -> None:
    gateway._client(b"".join((*gateway._IN, gateway.step(gateway.DRIP, wire.metadata(None)))))


def test_a_client_that_talks_without_end_is_refused(tmp_path: Path) -> None:
    gateway._open(tmp_path)
    try:
        for ask in gateway._ASKS:
            gateway._server(gateway.step(gateway.SAY, gateway._ASKS[0] + ask))
        flood = gateway.step(
            gateway.SAY, gateway._ASKS[0] + b"schema=x|symbols=A|is_last=0\n" * 2_000
        )
        gateway._server(flood)
    finally:
        gateway._GATEWAYS[0].close()


# --- what was found before --------------------------------------------------------------------


@pytest.mark.parametrize("value", ["9" * 400, "9" * 5_000, "0x" + "f" * 5_000, "1e999", "nan"])
@pytest.mark.parametrize("key", ["max_cost_usd", "keep_replays", "theme"])
def test_a_number_of_any_length_is_refused_in_words(key: str, value: str, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f"{key} = {value}\n")
    with pytest.raises(UsageError, match=r"config\.toml"):
        read_settings(path, {})
    with pytest.raises(UsageError, match=r"config\.toml"):
        read_rules(path)


@pytest.mark.parametrize(
    "text", ["x" + ".a" * 3_000 + " = 1", "a = " + "[" * 3_000, "a=" + "{a=" * 2_000]
)
def test_settings_nested_without_end_are_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"config\.toml"):
        read_settings(path, {})


def test_a_config_of_any_size_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"#" * 2_000_000)
    with pytest.raises(UsageError, match="more than 1 MB"):
        read_settings(path, {})


@pytest.mark.parametrize(
    "ratio",
    [10**400, int("f" * 5_000, 16), 1e-320, math.inf, math.nan],
    ids=("400 digits", "5000 digits", "tiny", "inf", "nan"),
)
def test_a_split_whose_ratio_is_none_is_refused(ratio: float) -> None:
    entry = {"symbol": "A", "ex_date": date(2026, 6, 15), "ratio": ratio}
    with pytest.raises(UsageError, match="no split"):
        Splits.from_tables([entry], {})


def test_a_kept_table_that_is_damaged_is_as_none(tmp_path: Path) -> None:
    cache, day = DailyCache(tmp_path), date(2026, 6, 15)
    path = tmp_path / "closes.US.2026-06-15.json.zst"
    huge = b"\x28\xb5\x2f\xfd\xe0" + (2**62).to_bytes(8, "little") + b"\x01\0\0"
    for content in (huge, zstandard.compress(b'{"A": 1' + b"0" * 400 + b"}"), b""):
        path.write_bytes(content)
        assert cache.closes("US", day) is None
    assert _splits_of({"splits": [["A", "2026-01-02", 10**400, "x"]], "renames": []}) is None


def spoilt_state(change: Callable[[bytes], bytes]) -> bytes:
    raw = zstandard.decompress(records._state())
    size = int.from_bytes(raw[:8], "little")
    head = change(raw[8 : 8 + size])
    return zstandard.compress(len(head).to_bytes(8, "little") + head + raw[8 + size :])


@pytest.mark.parametrize(("before", "after"), [
    (b'"symbols": ["A", "B"', b'"symbols": ["A", "A"'),
    (b'"symbols": ["A"', b'"symbols": [7'),
    (b'"second_ns": 0', b'"second_ns": 1e999'),
    (b'"second_ns": 0', b'"second_ns": ' + b"9" * 30),
    (b'"unsure": []', b'"unsure": [[29692170, 99]]'),
    (b'"unsure": []', b'"unsure": [[29692170, -1]]'),
    (b'"watermarks": [', b'"watermarks": [' + b"[1, 1, 1, 1], " * 9),
    (b'"unsure": []', b'"unsure": ' + b"[" * 3_000),
    (b'"doubts": []', b'"doubts": [[1, 1e999, "x"]]'),
])  # fmt: skip
def test_a_state_that_cannot_be_is_refused_and_leaves_nothing(before: bytes, after: bytes) -> None:
    frozen = spoilt_state(lambda head: head.replace(before, after, 1))
    market = Market(capacity=8)
    assert not checkpoint.thaw(market, frozen, weekdays())
    assert market.count == 0
    assert market.day is None


def test_a_bit_that_flips_in_a_state_is_noticed() -> None:
    frozen = bytearray(records._state())
    frozen[-9] ^= 4
    assert not checkpoint.thaw(Market(capacity=8), bytes(frozen), weekdays())


def test_minute_bars_of_the_highest_id_take_no_more_memory(tmp_path: Path) -> None:
    bars = wire.ohlcv([(wire.OPEN_NS, 2**32 - 1, 10, 11, 9, 10, 5)])
    path = wire.write(tmp_path / "a.dbn", wire.metadata("ohlcv-1m", {"A": 2**32 - 1}), bars)
    assert read_bars(path).names == ("A",)


def test_a_file_of_zeros_is_refused_at_once(tmp_path: Path) -> None:
    path = wire.write(tmp_path / "a.dbn", wire.metadata("ohlcv-1m", {"A": 1}), bytes(4_000_000))
    with pytest.raises(InputError, match="without length"):
        read_bars(path)


def test_a_cut_file_that_holds_gigabytes_of_zeros_takes_little_memory(tmp_path: Path) -> None:
    packer = zstandard.ZstdCompressor(level=1).compressobj()
    raw = packer.compress(wire.metadata("trades", {"A": 1}))
    raw += b"".join(packer.compress(bytes(1 << 24)) for _ in range(30)) + packer.flush()
    walker = FrameWalker()
    cut = next(at for at in range(len(raw)) if _ends_block(walker, raw[at : at + 1]) and at > 9_000)
    path = tmp_path / "a.dbn.zst"
    path.write_bytes(raw[: cut + 1])
    tracemalloc.start()
    reader = DbnFile(path).blocks(threading.Event())
    size = 0
    for block in reader:
        size += block.end - block.start
        reader.release(block)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size > 200_000_000
    assert peak < 80_000_000
    assert reader.ending is not None
    assert "cut off" in reader.ending.error


@pytest.mark.parametrize("content", [b"A\n" * 2_600_000, b"A" * 6_000_000], ids=["lines", "word"])
def test_a_list_of_symbols_of_any_size_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "symbols.txt"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="too large"):
        parse_symbols(f"@{path}")


def test_a_table_of_closes_of_any_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "closes.csv"
    path.touch()
    os.truncate(path, 1 << 30)
    with pytest.raises(InputError, match="too large"):
        read_closes(path)


def test_closes_without_end_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "MOST_BYTES", 1 << 21)
    path = wire.write(tmp_path / "a.dbn", wire.metadata("ohlcv-1d"), bytes(1 << 23))
    with pytest.raises(InputError, match="of records"):
        read_closes(path)


@pytest.mark.parametrize(
    "content",
    [b"A" * 3_000_000, b"#" * 3_000_000, b"A:" * 1_000_000],
    ids=("letters", "signs", "colons"),
)
def test_a_long_line_of_a_watchlist_takes_no_time(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "main.txt").write_bytes(content)
    assert Watchlists(tmp_path).symbols("main") == ()


def test_a_watchlist_of_any_size_is_refused(tmp_path: Path) -> None:
    (tmp_path / "main.txt").write_bytes(b"A\n" * 3_000_000)
    with pytest.raises(UsageError, match="too large"):
        Watchlists(tmp_path).symbols("main")


def _ends_block(walker: FrameWalker, piece: bytes) -> bool:
    walker.feed(piece)
    return walker.at_block_end


def test_what_stands_behind_a_dataset_s_name_is_none_of_it(tmp_path: Path) -> None:
    raw = bytearray(wire.joined(wire.metadata("trades", {"A": 1}), wire.trades([(1, 1, 1.0, 1)])))
    at = raw.index(b"EQUS.MINI") + len("EQUS.MINI") + 1
    raw[at : at + 2] = b"\x1b["
    assert DbnFile(wire.write(tmp_path / "a.dbn", bytes(raw))).dataset == "EQUS.MINI"


def test_a_redirect_is_not_followed_with_the_key() -> None:
    heard = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        def listen() -> None:
            with suppress(OSError):
                heard.extend(other.accept()[0].recv(1_000))

        threading.Thread(target=listen, daemon=True).start()
        moved = _answer(b"", b"Location: http://127.0.0.1:%d/" % port,
                        status=b"HTTP/1.1 307 Moved\r\n")  # fmt: skip
        with gateway.Liar(gateway.step(gateway.SAY, moved)) as liar:
            history = History(KEY, url=f"http://127.0.0.1:{liar.port}", timeout_s=5)
            with pytest.raises(HistoryError, match="elsewhere"):
                history.daily_closes([date(2026, 6, 15)])
        other.shutdown(socket.SHUT_RDWR)
    assert bytes(heard) == b""


def test_an_answer_larger_than_any_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    from stockscan_tui.feed import http_bounds

    monkeypatch.setattr(http_bounds, "MOST_TEXT_BYTES", 100_000)
    case = gateway.step(gateway.SAY, b"HTTP/1.1 200 OK\r\n\r\n") + gateway.step(
        gateway.FLOOD, b"A" * 99
    )
    with gateway.Liar(case) as liar:
        history = History(KEY, url=f"http://127.0.0.1:{liar.port}", timeout_s=5)
        with pytest.raises(HistoryError, match="larger than any"):
            history.daily_closes([date(2026, 6, 15)])
